"""The loop around every step: what it keeps, what it makes anew, what it refuses."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import is_stale, run_step
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import UndeclaredReadError, Work, day_of
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Written
from leak_assets_tests.steps import (
    DOUBLED,
    RAW,
    READINGS,
    RESIDUALS,
    RUNNING_SUM,
    SCENARIOS,
    SITE,
    TRAINING,
    TWO_DAYS,
    days,
    heights,
    march,
    put,
    put_days,
    rows,
)


@pytest.fixture
def told() -> list[str]:
    """Return what the steps told."""
    return []


@pytest.fixture
def ctx(tmp_path: Path, told: list[str]) -> StepContext:
    """Return the steps' context in an empty home."""
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), progress=told.append)


@pytest.fixture
def site(ctx: StepContext) -> NetworkSite:
    """Return Hanoi."""
    return ctx.network(SITE)


def asked(told: list[str]) -> list[str]:
    """Return for which days the computation was asked, and forget them."""
    found = [line.removeprefix("asked for ") for line in told if line.startswith("asked")]
    told.clear()
    return found


def stale(
    step: Step, ctx: StepContext, site: NetworkSite, partitions: list[Partition]
) -> list[int]:
    """Return the days that are stale."""
    return [day_of(p).day for p in partitions if is_stale(Work(ctx, site, step), p)]


def changed(written: Sequence[Written]) -> list[bool]:
    """Return which partitions were written."""
    return [item.changed for item in written]


def test_partitions_made_from_the_same_are_kept(
    ctx: StepContext, site: NetworkSite, told: list[str]
) -> None:
    """The computation is not even asked."""
    put_days(ctx, RAW, {4: 1, 5: 2, 6: 3})
    assert stale(TWO_DAYS, ctx, site, days(4, 5, 6)) == [4, 5, 6]
    assert changed(run_step(TWO_DAYS, ctx, site, days(4, 5, 6))) == [True] * 3
    assert heights(ctx, READINGS) == {4: 1, 5: 3, 6: 5}
    assert asked(told) == ["[4]", "[5]", "[6]"]
    assert stale(TWO_DAYS, ctx, site, days(4, 5, 6)) == []
    again = run_step(TWO_DAYS, ctx, site, days(4, 5, 6))
    assert changed(again) == [False] * 3
    assert [w.record.rows for w in again] == [1, 3, 5]
    assert asked(told) == []


def test_an_input_that_changed_makes_its_readers_anew(
    ctx: StepContext, site: NetworkSite, told: list[str]
) -> None:
    """Another fifth: the fifth and the sixth, which reads the day before; not the fourth."""
    put_days(ctx, RAW, {4: 1, 5: 2, 6: 3})
    run_step(TWO_DAYS, ctx, site, days(4, 5, 6))
    put_days(ctx, RAW, {5: 7})
    assert stale(TWO_DAYS, ctx, site, days(4, 5, 6)) == [5, 6]
    told.clear()
    assert changed(run_step(TWO_DAYS, ctx, site, days(4, 5, 6))) == [False, True, True]
    assert asked(told) == ["[5]", "[6]"]
    assert heights(ctx, READINGS) == {4: 1, 5: 8, 6: 10}


def test_an_input_that_went_makes_its_readers_anew(ctx: StepContext, site: NetworkSite) -> None:
    """The day before is no longer in the raw log."""
    put_days(ctx, RAW, {4: 1, 5: 2})
    run_step(TWO_DAYS, ctx, site, days(4, 5))
    ctx.warehouse.path(RAW, day_partition(march(4), SITE)).unlink()
    assert stale(TWO_DAYS, ctx, site, days(4, 5)) == [5]
    run_step(TWO_DAYS, ctx, site, days(4, 5))
    assert heights(ctx, READINGS) == {4: 1, 5: 2}


def test_other_code_makes_all_anew(ctx: StepContext, site: NetworkSite, told: list[str]) -> None:
    """A step that is made of another module has another version."""
    put_days(ctx, RAW, {4: 1, 5: 2})
    run_step(TWO_DAYS, ctx, site, days(4, 5))
    other = replace(TWO_DAYS, code=("leak_assets.units",))
    assert other.code_version != TWO_DAYS.code_version
    assert stale(other, ctx, site, days(4, 5)) == [4, 5]
    told.clear()
    run_step(other, ctx, site, days(4, 5))
    assert asked(told) == ["[4]", "[5]"]
    assert stale(other, ctx, site, days(4, 5)) == []


def test_a_table_that_is_missing_makes_all_of_the_step_anew(
    ctx: StepContext, site: NetworkSite
) -> None:
    """Killed between two tables of a partition: neither counts."""
    both = replace(TWO_DAYS, writes=(READINGS, "telemetry.gaps"))
    put_days(ctx, RAW, {4: 1})
    run_step(both, ctx, site, days(4))
    ctx.warehouse.path("telemetry.gaps", days(4)[0]).unlink()
    assert stale(both, ctx, site, days(4)) == [4]
    run_step(both, ctx, site, days(4))
    assert stale(both, ctx, site, days(4)) == []


def test_without_a_required_input_nothing_is_made(ctx: StepContext, site: NetworkSite) -> None:
    """Its own day is required, the day before is not; what cannot be made is not stale."""
    put_days(ctx, RAW, {5: 2})
    assert stale(TWO_DAYS, ctx, site, days(4, 5, 6)) == [5]
    written = run_step(TWO_DAYS, ctx, site, days(4, 5, 6))
    assert [w.record.partition for w in written] == ["date=2019-03-05__network=hanoi"]
    assert heights(ctx, READINGS) == {5: 2}


def test_days_are_handed_over_so_many_at_once(
    ctx: StepContext, site: NetworkSite, told: list[str]
) -> None:
    """Libraries and models load once for many days; kept days are left out."""
    put_days(ctx, RAW, {4: 1, 5: 2, 6: 3, 7: 4})
    run_step(TWO_DAYS, ctx, site, days(5))
    told.clear()
    run_step(replace(TWO_DAYS, days_at_once=3), ctx, site, days(4, 5, 6, 7))
    assert asked(told) == ["[4, 6]", "[7]"]
    assert heights(ctx, READINGS) == {4: 1, 5: 3, 6: 5, 7: 7}


def test_days_that_go_on_are_made_from_the_first_stale_one(
    ctx: StepContext, site: NetworkSite, told: list[str]
) -> None:
    """A change of the fifth is in the sums of all later days, and in none before."""
    put_days(ctx, READINGS, {4: 1, 5: 2, 6: 3, 7: 4})
    run_step(RUNNING_SUM, ctx, site, days(4, 5, 6, 7))
    assert asked(told) == ["[4, 5, 6, 7]"]
    assert heights(ctx, RESIDUALS) == {4: 1, 5: 3, 6: 6, 7: 10}
    assert stale(RUNNING_SUM, ctx, site, days(4, 5, 6, 7)) == []
    put_days(ctx, READINGS, {5: 20})
    told.clear()
    assert changed(run_step(RUNNING_SUM, ctx, site, days(4, 5, 6, 7))) == [False] + [True] * 3
    assert asked(told) == ["[5, 6, 7]"]
    assert heights(ctx, RESIDUALS) == {4: 1, 5: 21, 6: 24, 7: 28}
    assert stale(RUNNING_SUM, ctx, site, days(4, 5, 6, 7)) == []


def test_a_day_that_comes_late_is_in_all_sums_after_it(
    ctx: StepContext, site: NetworkSite, told: list[str]
) -> None:
    """The days that a day goes on from are part of what it was made from."""
    put_days(ctx, READINGS, {4: 1, 6: 3, 7: 4})
    run_step(RUNNING_SUM, ctx, site, days(4, 6, 7))
    put_days(ctx, READINGS, {5: 2})
    told.clear()
    run_step(RUNNING_SUM, ctx, site, days(4, 5, 6, 7))
    assert asked(told) == ["[5, 6, 7]"]
    assert heights(ctx, RESIDUALS) == {4: 1, 5: 3, 6: 6, 7: 10}


def peek(table: str, back: int) -> Step:
    """Return a step that reads a table so many days back, which it does not declare."""

    def compute(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
        for partition in partitions:
            day = date.fromordinal(day_of(partition).toordinal() - back)
            work.read(table, work.day(day))
            yield partition, {READINGS: rows(READINGS, 1)}

    return replace(TWO_DAYS, name="peek", compute=compute)


@pytest.mark.parametrize(("table", "back"), [(RAW, 2), (RESIDUALS, 0)])
def test_an_undeclared_read_is_an_error(
    ctx: StepContext, site: NetworkSite, table: str, back: int
) -> None:
    """Another table, or another day of a declared one: the audit trail would not know it."""
    put_days(ctx, RAW, {3: 1, 5: 2})
    put_days(ctx, RESIDUALS, {5: 1})
    step = peek(table, back)
    with pytest.raises(UndeclaredReadError, match=rf"step peek reads {table} date=2019-03-0"):
        run_step(step, ctx, site, days(5))
    assert heights(ctx, READINGS) == {}


def test_what_does_not_exist_may_be_looked_for(ctx: StepContext, site: NetworkSite) -> None:
    """Nothing can follow from a partition that is not there."""
    put_days(ctx, RAW, {5: 2})
    run_step(peek(RAW, 2), ctx, site, days(5))
    assert heights(ctx, READINGS) == {5: 1}


def makes(*tables: str) -> Step:
    """Return a step that makes one row of each of these tables."""

    def compute(_: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
        for partition in partitions:
            yield partition, {table: rows(table, 1) for table in tables}

    return replace(TWO_DAYS, name="makes", compute=compute)


def test_tables_that_are_not_declared_are_not_written(ctx: StepContext, site: NetworkSite) -> None:
    """Nor may a declared one be left out."""
    put_days(ctx, RAW, {5: 2})
    with pytest.raises(
        ValueError, match=r"step makes made features.residuals without declaring it"
    ):
        run_step(makes(READINGS, RESIDUALS), ctx, site, days(5))
    with pytest.raises(ValueError, match=r"step makes did not make telemetry.readings"):
        run_step(makes(RESIDUALS), ctx, site, days(5))
    assert heights(ctx, RESIDUALS) == heights(ctx, READINGS) == {}


def price(work: Work) -> tuple[Input, ...]:
    """Return the price of water as an input."""
    return (Input("setting", "price", "", str(work.settings.water_price_eur_per_m3)),)


@pytest.mark.parametrize("judged", [True, False])
def test_what_is_given_is_recorded_and_judged_where_declared(
    ctx: StepContext, site: NetworkSite, *, judged: bool
) -> None:
    """A setting that changed makes days stale, unless it is recorded only."""
    step = replace(TWO_DAYS, given=(Given("setting", price, judged=judged),))
    put_days(ctx, RAW, {5: 2})
    (written,) = run_step(step, ctx, site, days(5))
    assert {i.kind for i in written.record.inputs} == {"table", "setting"}
    settings = ctx.settings.model_copy(update={"water_price_eur_per_m3": 9.0})
    dear = replace(ctx, settings=settings)
    assert stale(step, dear, site, days(5)) == ([5] if judged else [])


def batches(count: int) -> list[Partition]:
    """Return the partitions of so many batches."""
    return [{"batch": f"b{number:03d}", "network": SITE} for number in range(count)]


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    """Rows, versions, inputs and their order."""
    outcomes = []
    for name, step in (("one", DOUBLED), ("many", replace(DOUBLED, in_processes=True))):
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / name), run_id="r")
        for number, batch in enumerate(batches(4)):
            put(ctx, SCENARIOS, batch, number + 1)
        first = run_step(step, ctx, ctx.network(SITE), batches(4))
        put(ctx, SCENARIOS, batches(4)[2], 9)
        second = run_step(step, ctx, ctx.network(SITE), batches(4))
        assert changed(second) == [False, False, True, False]
        frames = [ctx.warehouse.read(TRAINING, batch) for batch in batches(4)]
        assert [frame.height for frame in frames if frame is not None] == [2, 4, 18, 8]
        outcomes.append(
            [
                replace(w.record, written_at="", first_written_at="", published_at="")
                for w in (*first, *second)
            ]
        )
    assert outcomes[0] == outcomes[1]


def test_a_step_of_the_site_reads_all_batches(ctx: StepContext, site: NetworkSite) -> None:
    """A step with fewer dimensions than a table follows from all its partitions."""
    for batch in batches(3):
        put(ctx, SCENARIOS, batch, 1)

    def compute(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
        found = [work.read(SCENARIOS, batch) for batch in batches(3)]
        for partition in partitions:
            yield partition, {"network.nodes": rows("network.nodes", len(found))}

    step = Step(
        name="all_batches",
        partition="site",
        writes=("network.nodes",),
        reads=(Read(SCENARIOS),),
        given=(),
        compute=compute,
        description="Reads all batches.",
    )
    (written,) = run_step(step, ctx, site, [{"network": SITE}])
    assert [i.partition for i in written.record.inputs] == [
        f"batch=b{number:03d}__network=hanoi" for number in range(3)
    ]
    put(ctx, SCENARIOS, batches(4)[3], 1)
    assert is_stale(Work(ctx, site, step), {"network": SITE})


HOLDING = replace(TWO_DAYS, holds_back=RAW)


def with_window(ctx: StepContext, window_days: float) -> StepContext:
    """Return a context whose days close so long after they were first published."""
    update = {"correction_window_days": window_days}
    return replace(ctx, settings=ctx.settings.model_copy(update=update))


def test_late_rows_within_the_window_are_taken_in(ctx: StepContext, site: NetworkSite) -> None:
    """ING4: a day published a moment ago is made again, whatever day it is."""
    put_days(ctx, RAW, {4: 1})
    run_step(HOLDING, ctx, site, days(4))
    put_days(ctx, RAW, {4: 2})
    assert is_stale(Work(ctx, site, HOLDING), days(4)[0])
    run_step(HOLDING, ctx, site, days(4))
    assert heights(ctx, READINGS) == {4: 2}


def test_rows_after_the_window_wait_for_a_person(
    ctx: StepContext, site: NetworkSite, told: list[str]
) -> None:
    """The day stays as published and is not stale; asked for by name it takes them in."""
    closed = with_window(ctx, 0)
    put_days(ctx, RAW, {4: 1})
    run_step(HOLDING, closed, site, days(4))
    put_days(ctx, RAW, {4: 2, 5: 1})
    told.clear()
    run_step(HOLDING, closed, site, days(4, 5))
    assert heights(ctx, READINGS) == {4: 1, 5: 3}, "a day that was never published is never late"
    assert not is_stale(Work(closed, site, HOLDING), days(4)[0])
    (line,) = [line for line in told if "correction window of 0 days" in line]
    assert "hanoi 2019-03-04" in line
    assert "leak-assets backfill --network hanoi" in line
    run_step(HOLDING, replace(closed, reopens=True), site, days(4))
    assert heights(ctx, READINGS) == {4: 2, 5: 3}


def test_a_closed_day_follows_new_code(ctx: StepContext, site: NetworkSite) -> None:
    """Only late rows wait: what is made by other code is made again, with all rows there are."""
    closed = with_window(ctx, 0)
    put_days(ctx, RAW, {4: 1})
    run_step(HOLDING, closed, site, days(4))
    put_days(ctx, RAW, {4: 2})
    other_code = replace(HOLDING, code=("leak_assets.units",))
    assert is_stale(Work(closed, site, other_code), days(4)[0])
    run_step(other_code, closed, site, days(4))
    assert heights(ctx, READINGS) == {4: 2}
