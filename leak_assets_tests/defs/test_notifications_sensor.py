"""The sensors that tell others: of incidents one pass of the outbox, of runs those that failed."""

import json
from pathlib import Path

import dagster as dg
import pytest

from leak_assets.defs.failures import failed_runs
from leak_assets.defs.incidents.sensors import notifications
from leak_assets.defs.partitions import SITE_TAG
from leak_assets.defs.resources import Platform
from leak_assets.warehouse import Warehouse
from leak_assets_tests.hypotheses import story
from leak_assets_tests.unit.incidents.lake import lake


def told(home: Path) -> str:
    """Return what a tick says; it requests no run."""
    with dg.build_sensor_context(resources={"platform": Platform(home=str(home))}) as context:
        result = notifications(context)
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


def test_a_tick_serves_the_sinks_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file for one incident, and none again."""
    lake(tmp_path, story("h1", "rrr"), days=3)
    assert "no sink is named" in told(tmp_path)
    monkeypatch.setenv("NOTIFY_FOLDER", str(tmp_path / "told"))
    assert told(tmp_path).startswith("1 queued, 1 sent, 0 failed")
    assert told(tmp_path).startswith("0 queued, 0 sent, 0 failed")
    assert len(list((tmp_path / "told").glob("*.json"))) == 1


@dg.op
def broken() -> None:
    """Fail."""
    raise ValueError("no such pipe")


@dg.job
def doomed() -> None:
    """Have one operation, which fails."""
    broken()


def test_a_failed_run_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its run's id, with job and site, in the outbox of the incidents."""
    monkeypatch.setenv("NOTIFY_FOLDER", str(tmp_path / "told"))
    with dg.instance_for_test() as instance:
        result = doomed.execute_in_process(
            instance=instance, raise_on_error=False, tags={SITE_TAG: "hanoi"}
        )
        with dg.build_run_status_sensor_context(
            "failed_runs",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"platform": Platform(home=str(tmp_path))},
        ).for_run_failure() as context:
            for _ in range(2):
                failed_runs(context)
    (path,) = (tmp_path / "told").glob("*.json")
    run = json.loads(path.read_text())["failed_run"]
    assert (run["run_id"], run["job"], run["site"]) == (result.run_id, "doomed", "hanoi")
    query = "SELECT job, site, problem FROM audit.failed_runs"
    (row,) = Warehouse(tmp_path / "warehouse").sql(query).rows()
    assert row[:2] == ("doomed", "hanoi")
    assert row[2]
