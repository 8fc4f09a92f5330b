"""The landing-zone sensor: which files it asks runs for, how often, and when no more."""

import json
import os
import shutil
import time
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from leak_assets.defs.resources import Platform
from leak_assets.defs.telemetry import sensors
from leak_assets.defs.telemetry.sensors import NETWORK_TABLES, landing_zone
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.telemetry.raw_steps import take_deliveries
from leak_assets.telemetry.readers.spooled import SPOOLED
from leak_assets.telemetry.sources.spool import Spool
from leak_assets.warehouse.schemas import TABLES


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty landing zone; ticks do not wait."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    monkeypatch.setattr(sensors, "TICK_S", 0.0)
    folder = Settings().landing_dir / "hanoi"
    folder.mkdir(parents=True)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))
    describe(ctx)
    return folder


def describe(ctx: StepContext) -> None:
    """Have the tables of the whole network that the sensor asks for; what is in them is unread."""
    for table in NETWORK_TABLES:
        ctx.warehouse.write(table, {"network": "hanoi"}, TABLES[table].empty())


def drop(town_files: Path, landing: Path, name: str = "2019_SCADA_Pressures.csv") -> Path:
    """Put a file of the town into the landing zone, old enough to be settled."""
    target = landing / name
    shutil.copy(town_files / "landing" / "hanoi" / name, target)
    old = time.time() - 60
    os.utime(target, (old, old))
    return target


def tick(instance: dg.DagsterInstance, cursor: str | None) -> tuple[dg.SensorResult | None, str]:
    """Evaluate the sensor once; return what it asks for, and its new cursor."""
    result = evaluate(instance, cursor)
    return (result if result.run_requests else None), result.cursor or ""


def evaluate(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    """Evaluate the sensor once."""
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"platform": Platform()}
    ) as context:
        # The daemon's own way: it refuses what a direct call lets pass.
        landing_zone.evaluate_tick(context)
    return look(instance, cursor)


def look(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    """Call the sensor once."""
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"platform": Platform()}
    ) as context:
        result = landing_zone(context)
    assert isinstance(result, dg.SensorResult)
    return result


def finish(instance: dg.DagsterInstance, run_key: str, status: dg.DagsterRunStatus) -> None:
    """Pretend that the daemon launched the requested run and that it came so far."""
    instance.add_run(
        dg.DagsterRun(
            job_name="micro_batch",
            run_id=str(uuid.uuid4()),
            status=status,
            tags={
                "dagster/run_key": run_key,
                "dagster/sensor_name": "landing_zone",
                "leak_assets/site": run_key.split(":", maxsplit=1)[0],
            },
        )
    )


def test_a_new_networks_first_files_wait_for_its_model(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """Pipes and signatures first: the days' steps read them; then the files' run, its first."""
    ctx = StepContext.local(Settings())
    ctx.warehouse.remove("network.links", network="hanoi")
    drop(town_files, landing)
    # Looked at directly: the partition is added with the request, and no daemon is here to do it.
    asked = look(instance, None)
    (request,) = asked.run_requests
    assert (request.job_name, request.partition_key) == ("network_model", "hanoi")
    finish(instance, request.run_key, dg.DagsterRunStatus.STARTED)
    describe(ctx)
    result, _ = tick(dg.DagsterInstance.ephemeral(), asked.cursor)
    assert result is not None
    (request,) = result.run_requests
    assert request.job_name == "micro_batch"
    assert request.run_key.endswith(":1")


def test_new_file_gets_one_run_over_its_days(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """A file of ten days asks for one run over the range, and makes the network known."""
    drop(town_files, landing)
    asked, _ = tick(instance, None)
    assert asked is not None
    (request,) = asked.run_requests
    assert request.tags["dagster/asset_partition_range_start"] == "2019-03-04|hanoi"
    assert request.tags["dagster/asset_partition_range_end"] == "2019-03-13|hanoi"
    assert request.tags["leak_assets/site"] == "hanoi"
    assert asked.dynamic_partitions_requests[0].partition_keys == ["hanoi"]


def test_a_late_file_takes_all_later_days_along(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """Later days go on from the late one, so the run reaches to the newest day there is."""
    warehouse = Platform().at("test").warehouse
    for day in ("2019-03-01", "2019-03-20"):
        warehouse.write(
            "telemetry.raw_readings",
            {"date": day, "network": "hanoi"},
            TABLES["telemetry.raw_readings"].empty(),
        )
    drop(town_files, landing)
    asked, _ = tick(instance, None)
    assert asked is not None
    (request,) = asked.run_requests
    assert request.tags["dagster/asset_partition_range_start"] == "2019-03-04|hanoi"
    assert request.tags["dagster/asset_partition_range_end"] == "2019-03-20|hanoi"


def take(*days: int) -> None:
    """Do what the run would do with the files of days of March."""
    ctx = Platform().at("test")
    take_deliveries(ctx, ctx.network("hanoi"), [date(2019, 3, day) for day in days])


def test_two_files_of_the_same_days_share_a_run(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """Pressures and flows that landed together are one delivery."""
    drop(town_files, landing)
    drop(town_files, landing, "2019_SCADA_Flows.csv")
    asked, cursor = tick(instance, None)
    assert asked is not None
    assert len(asked.run_requests) == 1
    assert sorted(json.loads(cursor)["attempts"].values()) == [1, 1]


def test_a_file_is_asked_for_until_the_ledger_has_it(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """Not while its run is under way; when it is taken, the cursor forgets it."""
    drop(town_files, landing)
    asked, cursor = tick(instance, None)
    assert asked is not None
    finish(instance, asked.run_requests[0].run_key, dg.DagsterRunStatus.STARTED)
    again, cursor = tick(instance, cursor)
    assert again is None
    assert len(json.loads(cursor)["attempts"]) == 1
    take(*range(4, 14))
    after, cursor = tick(instance, cursor)
    assert after is None
    assert json.loads(cursor)["attempts"] == {}


def test_a_lost_cursor_asks_for_nothing_twice(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """A run under way is known without it, a taken file too; the run key is the same."""
    drop(town_files, landing)
    asked, _ = tick(instance, None)
    assert asked is not None
    key = asked.run_requests[0].run_key
    asked, _ = tick(instance, None)
    assert asked is not None
    assert asked.run_requests[0].run_key == key
    finish(instance, key, dg.DagsterRunStatus.NOT_STARTED)
    assert tick(instance, None)[0] is None
    take(*range(4, 14))
    assert tick(instance, None)[0] is None


def test_failed_run_is_retried_with_a_fresh_run_key_three_times(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """Each attempt has its own run key; after three failures the file waits until it changes."""
    target = drop(town_files, landing)
    cursor: str | None = None
    keys = []
    for _ in range(3):
        asked, cursor = tick(instance, cursor)
        assert asked is not None
        keys.append(asked.run_requests[0].run_key)
        finish(instance, keys[-1], dg.DagsterRunStatus.FAILURE)
    assert len(set(keys)) == 3
    message = str(evaluate(instance, cursor).skip_reason.skip_message)
    assert "hanoi/2019_SCADA_Pressures.csv was not taken by 3 runs" in message
    asked, cursor = tick(instance, cursor)
    assert asked is None
    now = time.time() - 10
    os.utime(target, (now, now))
    asked, _ = tick(instance, cursor)
    assert asked is not None


def test_files_that_arrive_meanwhile_wait_for_their_network(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """No second run of a network while one is under way; its end lets the next file go."""
    drop(town_files, landing)
    asked, cursor = tick(instance, None)
    finish(instance, asked.run_requests[0].run_key, dg.DagsterRunStatus.STARTED)
    drop(town_files, landing, "2019_SCADA_Flows.csv")
    waiting, cursor = tick(instance, cursor)
    assert waiting is None
    (run,) = instance.get_runs()
    instance.report_run_canceled(run)
    asked, _ = tick(instance, cursor)
    assert asked is not None


def test_unknown_network_is_told_and_its_file_stays(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """A folder that names no network is skipped with the remedy; nothing is lost."""
    nowhere = landing.parent / "atlantis"
    nowhere.mkdir()
    target = drop(town_files, nowhere)
    reason = evaluate(instance, None).skip_reason
    assert reason is not None
    assert "unknown site 'atlantis'" in str(reason.skip_message)
    assert target.exists()


def test_folder_spelled_otherwise_is_its_network(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """`HANOI` is hanoi: one network, whose runs wait for each other."""
    loud = landing.parent / "HANOI"
    loud.mkdir(exist_ok=True)
    drop(town_files, loud)
    asked, cursor = tick(instance, None)
    assert asked is not None
    assert asked.dynamic_partitions_requests[0].partition_keys == ["hanoi"]
    assert asked.run_requests[0].tags["leak_assets/site"] == "hanoi"
    finish(instance, asked.run_requests[0].run_key, dg.DagsterRunStatus.STARTED)
    drop(town_files, landing, "2019_SCADA_Flows.csv")
    assert tick(instance, cursor)[0] is None


def test_wrong_places_are_told(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """A misspelled folder and a file in no folder are named with the way out."""
    wrong = landing.parent / "Hanoii"
    wrong.mkdir()
    drop(town_files, wrong)
    drop(town_files, landing.parent)
    message = str(evaluate(instance, None).skip_reason.skip_message)
    assert "folder `Hanoii`: unknown site 'hanoii'. Did you mean hanoi" in message
    assert "`2019_SCADA_Pressures.csv` lies in no network's folder" in message


def test_unfinished_files_are_left_alone(
    instance: dg.DagsterInstance, landing: Path, town_files: Path
) -> None:
    """Files that just changed, `.part` files and hidden files are not taken."""
    shutil.copy(town_files / "landing" / "hanoi" / "2019_SCADA_Flows.csv", landing)
    drop(town_files, landing).rename(landing / "2019_SCADA_Pressures.csv.part")
    assert tick(instance, None)[0] is None


def test_a_batch_of_a_stream_gets_a_run(instance: dg.DagsterInstance, landing: Path) -> None:
    """What a collector put into the spool is asked for as a file is."""
    now = datetime(2019, 3, 4, 12, tzinfo=UTC)
    row = {"message": "town@1-0", "item": 1, "sequence": 1, "sensor_id": "12", "ts_utc": now}
    batch = pl.DataFrame([{**row, "raw_text": "30", "value": 30.0}], schema=SPOOLED)
    Spool("scada", Settings()).write("hanoi", batch, (now.date(), now.date()), datetime.now(UTC))
    # Looked at directly: no daemon is here to add the partition.
    asked = look(instance, None)
    (request,) = asked.run_requests
    assert (request.job_name, request.partition_key) == ("micro_batch", "2019-03-04|hanoi")
    ctx = StepContext.local(Settings())
    take_deliveries(ctx, ctx.network("hanoi"), [now.date()])
    finish(instance, request.run_key, dg.DagsterRunStatus.SUCCESS)
    assert look(instance, asked.cursor).run_requests == []
    assert ctx.warehouse.read_all("telemetry.raw_readings")["source"].to_list() == ["scada"]
