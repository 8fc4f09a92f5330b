"""A town of ten days: replays are identical, and what would change is what then changes."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from leak_assets.audit.chain import chain_of
from leak_assets.audit.invariants import negative_amounts, without_detection
from leak_assets.audit.preview import preview
from leak_assets.audit.replay import replay_incident
from leak_assets.audit.replays import replay_all
from leak_assets.audit.rescore import Variant
from leak_assets.audit.trace import trace_incident
from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.reports.digest import write_digest
from leak_assets.reports.incident_report import incident_page, incident_report
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.what_if import what_would_change
from leak_assets.runs.what_if_plan import hold_plan, save_plan
from leak_assets.settings import Settings
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets_tests.days import TOWN_DAYS

pytestmark = pytest.mark.slow


def context(home: Path) -> StepContext:
    """Return a context in a home, with a run of its own."""
    return StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="audit-test")


def incidents(ctx: StepContext) -> list[str]:
    """Return all incidents."""
    found = ctx.warehouse.sql("SELECT DISTINCT incident_id FROM incidents.incident_events")
    return sorted(found["incident_id"])


def written(ctx: StepContext) -> dict[tuple[str, date], str]:
    """Return when each partition by day of the graph's tables was written."""
    rows = ctx.warehouse.sql(
        "SELECT table_name, partition, written_at::VARCHAR AS at FROM audit.data_versions"
        " WHERE is_current AND starts_with(partition, 'date=')"
    )
    apart = ("telemetry.ingest_ledger", "telemetry.quarantine")
    return {
        (row["table_name"], date.fromisoformat(row["partition"][5:15])): row["at"]
        for row in rows.to_dicts()
        if row["table_name"] not in apart
    }


def test_every_incident_is_replayed_identically(ten_days: Path) -> None:
    """To the last digit stored, and nothing is written by it."""
    ctx = context(ten_days)
    before = written(ctx)
    found = incidents(ctx)
    assert found
    replays = list(replay_all(ctx, "hanoi"))
    assert [one.incident_id for one in replays] == found
    for one in replays:
        assert one.rows
        assert one.is_identical, one.described()
    assert not replay_incident(ctx, found[0]).notes
    assert written(ctx) == before
    with pytest.raises(InputError, match="no incident of net1"):
        next(replay_all(ctx, "net1"))


def test_another_threshold_gives_a_difference(ten_days: Path) -> None:
    """A threshold that nothing reaches raises nothing; the published rows are the other side."""
    ctx = context(ten_days)
    name = incidents(ctx)[0]
    result = replay_incident(ctx, name, variant=Variant(method="likelihood", threshold=1e9))
    assert not result.is_identical
    assert "(no row)" in result.differences["replayed"].to_list()


def test_a_preview_counts_alerts_and_writes_nothing(ten_days: Path) -> None:
    """A higher threshold raises no more than operation; each day has its row."""
    ctx = context(ten_days)
    before = written(ctx)
    site = ctx.network("hanoi")
    found = preview(ctx, site, Variant(method="windows", threshold=1.0), 10)
    assert found.per_day.height == len(TOWN_DAYS)
    assert found.alerts.height <= found.now_alerts.height
    assert written(ctx) == before


def test_every_id_of_an_audit_is_in_the_warehouse(ten_days: Path) -> None:
    """Each query finds rows, and the runs are Dagster's."""
    ctx = context(ten_days)
    chain = chain_of(ctx.warehouse, ctx.settings, trace_incident(ctx.warehouse, incidents(ctx)[0]))
    with ctx.warehouse.connect() as connection:
        for box in chain.boxes:
            for query in box.queries:
                assert connection.sql(query).pl().height > 0, query
    models = [box for box in chain.boxes if box.kind == "model" and "seed" in " ".join(box.lines)]
    assert models, "window scores beside lead to the model, its seed and its scenarios"
    of_incident = [box for box in chain.boxes if box.kind == "incident"]
    assert all(url for box in of_incident for _, url in box.runs)


def test_invariants_hold_and_pages_open_without_a_network(ten_days: Path) -> None:
    """Amounts and joins of a real run; the pages of it load nothing."""
    ctx = context(ten_days)
    site = ctx.network("hanoi")
    assert negative_amounts(ctx, site, TOWN_DAYS) == []
    assert without_detection(ctx, site, TOWN_DAYS) == []
    page = incident_page(incident_report(ctx.warehouse, site, incidents(ctx)[0]))
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert 'src="http' not in page


def test_a_digest_has_a_page_and_a_row(ten_days: Path, tmp_path: Path) -> None:
    """The week's numbers are a row of its table, the page stands where the row says."""
    home = tmp_path / "home"
    shutil.copytree(ten_days, home)
    ctx = context(home)
    row = write_digest(ctx, ctx.network("hanoi"), TOWN_DAYS[-1])
    assert (home / row["page"]).read_text().rstrip().endswith("</html>")
    assert ctx.warehouse.read_all("incidents.weekly_digests").to_dicts() == [row]
    assert row["opened"] + row["running"] + row["closed"] > 0


def test_what_would_change_is_what_then_changes(
    ten_days: Path, town_files: Path, tmp_path: Path
) -> None:
    """ORC12: the list of a corrected file equals what is written when it is delivered."""
    home = tmp_path / "home"
    shutil.copytree(ten_days, home)
    ctx = context(home)
    site = ctx.network("hanoi")
    # What the trial does not touch is up to date before it.
    process_landing_zone(ctx, site)
    day = TOWN_DAYS[-3]
    (source,) = (town_files / "landing" / "hanoi").glob("*Pressures*")
    header, *lines = source.read_text().splitlines()
    corrected = tmp_path / "corrected_Pressures.csv"
    rows = [line.split(";") for line in lines if line.startswith(f"{day} 12")]
    changed = [";".join([row[0], "1,23", *row[2:]]) for row in rows]
    corrected.write_text("\n".join([header, *changed]) + "\n")

    quick = what_would_change(ctx, site, corrected)
    exact = what_would_change(ctx, site, corrected, is_exact=True)
    assert quick.readings.height == exact.readings.height == len(rows)
    assert set(quick.readings["after"]) == {1.23}
    affected, changed = set(quick.affected.iter_rows()), set(exact.affected.iter_rows())
    assert changed <= affected
    save_plan(quick, site, tmp_path / "affected.json")
    save_plan(exact, site, tmp_path / "changed.json")
    # What nothing but the file would bring waits for it.
    assert hold_plan(ctx, tmp_path / "changed.json").of("waiting").height

    before = written(ctx)
    deliver([corrected], ctx.settings.landing_dir, "hanoi")
    later = replace(ctx, warehouse=context(home).warehouse)
    process_landing_zone(later, site)
    after = written(later)
    assert {key for key in after if after[key] != before.get(key)} == changed

    held = hold_plan(later, tmp_path / "affected.json")
    assert held.is_kept
    assert set(held.of("written").select("table", "day").iter_rows()) == changed
    assert held.of("confirmed").height == len(affected - changed)
    assert hold_plan(later, tmp_path / "changed.json").of("written").height == len(changed)


def test_a_list_that_is_short_is_not_kept(ten_days: Path, tmp_path: Path) -> None:
    """What was written since and is not listed is named; what is no list is refused."""
    ctx = context(ten_days)
    path = tmp_path / "list.json"
    listed = {"site": "hanoi", "made_at": "2020-01-01T00:00:00+00:00", "partitions": []}
    path.write_text(json.dumps(listed))
    held = hold_plan(ctx, path)
    assert not held.is_kept
    assert held.of("unlisted").height == held.partitions.height > 0
    path.write_text("[]")
    with pytest.raises(InputError, match="no list of"):
        hold_plan(ctx, path)
    with pytest.raises(InputError, match="no such list"):
        hold_plan(ctx, tmp_path / "none.json")


def test_a_file_that_brings_nothing_new_changes_nothing(ten_days: Path, town_files: Path) -> None:
    """The export that was taken already leaves every list empty."""
    ctx = context(ten_days)
    (source,) = (town_files / "landing" / "hanoi").glob("*Pressures*")
    found = what_would_change(ctx, ctx.network("hanoi"), source)
    assert found.readings.is_empty()
    assert found.affected.is_empty()
    assert found.incidents.is_empty()
