"""The incidents step in a lake: what it goes on from, what a late day changes, who wrote first."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from leak_assets.errors import InputError, MissingInputError
from leak_assets.incidents.steps import DAYS, EVENTS, INCIDENTS_STEP, with_first_run
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, is_stale, run_step
from leak_assets.pipeline.work import Work
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite, network_site
from leak_assets.warehouse import Written
from leak_assets_tests.hypotheses import (
    FIRST_DAY,
    ONE_DAY,
    Detected,
    midnight,
    pipes_in_a_row,
    story,
)

NET = "net1"
RANGE = range(8)
TABLES = INCIDENTS_STEP.writes


@pytest.fixture
def site(tmp_path: Path) -> NetworkSite:
    """EPANET's example network 1; its pipes in the lake are those of the stories."""
    return network_site(NET, Settings(LEAK_ASSETS_HOME=tmp_path))


def context(home: Path, run_id: str = "run-1", **settings: object) -> StepContext:
    """Return a context of a run, with the network's pipes in the lake."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home, **settings), run_id=run_id)
    ctx.warehouse.write("network.links", {"network": NET}, pipes_in_a_row())
    return ctx


def deliver(ctx: StepContext, detected: Detected, days: range = RANGE, without: int = -1) -> None:
    """Write the rows of some days, by number, as detection does; an empty day is a partition."""
    for day in days:
        if day == without:
            continue
        own = detected.filter((pl.col("at") > midnight(day)) & (pl.col("at") <= midnight(day + 1)))
        (partition,) = day_partitions([FIRST_DAY + day * ONE_DAY], NET)
        ctx.warehouse.write("detection.hypotheses", partition, own.hypotheses)
        ctx.warehouse.write("detection.leak_candidates", partition, own.candidates)
        ctx.warehouse.write("detection.evidence", partition, own.evidence)


def make(ctx: StepContext, site: NetworkSite, days: range = RANGE) -> list[Written]:
    """Carry out the step for days by number."""
    wanted = [FIRST_DAY + day * ONE_DAY for day in days]
    return run_step(INCIDENTS_STEP, ctx, site, day_partitions(wanted, NET))


def stale(ctx: StepContext, site: NetworkSite) -> list[int]:
    """Return the numbers of the days that would be made anew."""
    work = Work(ctx, site, INCIDENTS_STEP)
    partitions = day_partitions([FIRST_DAY + day * ONE_DAY for day in RANGE], NET)
    return [
        day for day, partition in zip(RANGE, partitions, strict=True) if is_stale(work, partition)
    ]


def rows(ctx: StepContext) -> list[pl.DataFrame]:
    """Return all rows of the step's tables."""
    return [ctx.warehouse.read_all(table, network=NET) for table in TABLES]


STORY = story("h1", "wrrrrrre", pipes=["p1", "p1", "p1", "p3"] + ["p3"] * 4) + story("h2", "..rr")


def test_day_by_day_range_and_late_day_give_the_same_rows(tmp_path: Path) -> None:
    """Three homes: a range at once, each day as it comes, one day long after the others."""
    results = []
    for name in ("range", "days", "late"):
        ctx = context(tmp_path / name)
        site = network_site(NET, ctx.settings)
        if name == "range":
            deliver(ctx, STORY)
            make(ctx, site)
        elif name == "days":
            for day in RANGE:
                deliver(ctx, STORY, range(day, day + 1))
                make(ctx, site, range(day, day + 1))
        else:
            deliver(ctx, STORY, without=3)
            make(ctx, site)
            deliver(ctx, STORY, range(3, 4))
            while wanted := stale(ctx, site):
                make(ctx, site, range(min(wanted), 8))
        results.append(rows(ctx))
    for table, whole, by_day, late in zip(TABLES, *results, strict=True):
        assert_frame_equal(whole, by_day), table
        assert_frame_equal(whole, late), table
    events = results[0][0]
    assert events["event"].to_list() == ["opened", "opened", "relocated", "closed"]


def test_a_late_day_makes_only_the_days_stale_that_it_may_change(
    tmp_path: Path, site: NetworkSite
) -> None:
    """First the late day; once it is made, those that look back on it; then none."""
    ctx = context(tmp_path)
    deliver(ctx, STORY, without=3)
    make(ctx, site)
    assert stale(ctx, site) == []
    deliver(ctx, STORY, range(3, 4))
    assert stale(ctx, site) == [3]
    make(ctx, site, range(3, 4))
    assert stale(ctx, site) == [4, 5, 6]
    make(ctx, site, range(4, 8))
    assert stale(ctx, site) == []


def test_what_does_not_change_the_end_of_a_day_goes_no_further(
    tmp_path: Path, site: NetworkSite
) -> None:
    """A hypothesis that is only watched changes no incident, so the next day stands."""
    ctx = context(tmp_path)
    deliver(ctx, STORY)
    make(ctx, site)
    deliver(ctx, STORY + story("h3", "..w"), range(2, 3))
    assert stale(ctx, site) == [2]
    make(ctx, site, range(2, 3))
    assert stale(ctx, site) == []


def test_lineage_names_the_day_that_was_gone_on_from(tmp_path: Path, site: NetworkSite) -> None:
    """The days on which an incident may have closed that comes back; nothing else of the past."""
    ctx = context(tmp_path)
    deliver(ctx, STORY, without=3)
    make(ctx, site)
    record = ctx.warehouse.record(EVENTS, day_partitions([FIRST_DAY + 4 * ONE_DAY], NET)[0])
    assert record is not None
    past = [i.partition for i in record.inputs if i.name == DAYS]
    days = [FIRST_DAY + timedelta(days=number) for number in (1, 2)]
    assert past == [f"date={day}__network={NET}" for day in days]
    kinds = {(i.kind, i.name) for i in record.inputs}
    assert ("setting", "incident_method") in kinds
    assert ("setting", "water_price_eur_per_m3") in kinds
    assert ("contract", "readings") in kinds
    assert ("table", "network.links") in kinds


def test_repeating_changes_nothing_and_keeps_the_first_run(
    tmp_path: Path, site: NetworkSite
) -> None:
    """Another version of an input, same rows: they keep the run that wrote them."""
    ctx = context(tmp_path)
    deliver(ctx, STORY)
    make(ctx, site)
    before = rows(ctx)
    again = context(tmp_path, "run-2")
    assert not any(written.changed for written in make(again, site))
    deliver(again, STORY + story("h3", "..w"))
    make(again, site)
    for one, other in zip(before, rows(again), strict=True):
        assert_frame_equal(one, other)


def test_only_new_rows_have_the_new_run(tmp_path: Path, site: NetworkSite) -> None:
    """A row that stands keeps its run beside one that was added."""
    ctx = context(tmp_path)
    deliver(ctx, STORY)
    make(ctx, site)
    again = context(tmp_path, "run-2")
    deliver(again, STORY + story("h3", "..r"))
    make(again, site)
    runs = again.warehouse.read_all(EVENTS, network=NET).filter(event="opened")
    assert dict(runs.select("hypothesis_id", "run_id").iter_rows()) == {
        "h1": "run-1",
        "h2": "run-1",
        "h3": "run-2",
    }


def test_rows_that_differ_in_a_null_are_not_the_same() -> None:
    """A missing value equals a missing value and nothing else."""
    frame = pl.DataFrame({"incident_id": ["a", "b"], "leak_end": [None, 1], "run_id": ["2", "2"]})
    before = pl.DataFrame(
        {"incident_id": ["a", "b"], "leak_end": [None, None], "run_id": ["1", "1"]}
    )
    before = before.cast(dict(frame.schema))
    assert with_first_run(frame, before)["run_id"].to_list() == ["1", "2"]
    assert with_first_run(frame, None).equals(frame)


def test_the_other_method_raises_where_the_setting_says_so(tmp_path: Path) -> None:
    """All days are then stale; what the first method had opened is gone with its rows."""
    ctx = context(tmp_path)
    site = network_site(NET, ctx.settings)
    deliver(ctx, STORY + story("w1", "...rr", method="windows"))
    make(ctx, site)
    other = context(tmp_path, INCIDENT_METHOD="windows")
    assert stale(other, site) == list(RANGE)
    make(other, site)
    assert other.warehouse.read_all(EVENTS, network=NET)["hypothesis_id"].to_list() == ["w1"]
    wrong = context(tmp_path, INCIDENT_METHOD="oracle")
    with pytest.raises(InputError, match="INCIDENT_METHOD=oracle is no detection method"):
        make(wrong, site)


def test_a_day_without_detection_has_no_incident_rows(tmp_path: Path, site: NetworkSite) -> None:
    """It is left out, not written empty."""
    ctx = context(tmp_path)
    deliver(ctx, STORY, range(2))
    make(ctx, site)
    assert len(ctx.warehouse.partitions(DAYS, network=NET)) == 2


def test_without_the_network_s_pipes_nothing_is_made(tmp_path: Path, site: NetworkSite) -> None:
    """The error names what is missing."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))
    deliver(ctx, STORY)
    with pytest.raises(MissingInputError, match="pipes of net1 are not in the warehouse"):
        make(ctx, site)
