"""Each asset, materialized on an ephemeral instance: what it writes and what it tells."""

import threading
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from leak_assets.definitions import defs
from leak_assets.defs.assets import build_assets
from leak_assets.defs.automation import stale_days
from leak_assets.defs.partitions import SITE_TAG, batch_key, day_key, run_tags
from leak_assets.defs.resources import Platform
from leak_assets.models.in_use import champions
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.locks import network_lock
from leak_assets.pipeline.step import Partition, Step
from leak_assets.pipeline.work import Work
from leak_assets.runs.graph import Graph
from leak_assets.telemetry.steps import RAW_STEP, READINGS_STEP
from leak_assets.warehouse import Written
from leak_assets_tests.days import land_day, mend_readings, run_days, spoil_readings

DAYS = [date(2019, 3, day) for day in range(4, 11)]
LAST = DAYS[-1]


def run_job(
    instance: dg.DagsterInstance,
    job: str,
    *,
    partition_key: str | None = None,
    tags: Mapping[str, str] | None = None,
    config: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run a job in this process; failures are for the test to judge."""
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition_key,
        tags=dict(tags or {}),
        run_config=config,
        raise_on_error=False,
    )


def metadata_of(
    instance: dg.DagsterInstance, asset: str, partition: str
) -> Mapping[str, dg.MetadataValue]:
    """Return the metadata of an asset's last materialization of a partition."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(asset.split("/")), asset_partitions=[partition]
        ),
        limit=1,
    ).records
    assert records, f"{asset} has no materialization of {partition}"
    materialization = records[0].asset_materialization
    assert materialization is not None
    return materialization.metadata


def test_network_tables_of_one_network(instance: dg.DagsterInstance, ctx: StepContext) -> None:
    """Four tables from one file, with their row counts."""
    result = run_job(instance, "network_model", partition_key="hanoi")
    assert result.success
    assert metadata_of(instance, "network/links", "hanoi")["dagster/row_count"].value == 34
    assert ctx.warehouse.sql("SELECT count(*) AS n FROM network.nodes")["n"][0] == 32


def test_scenario_runs_and_their_features(instance: dg.DagsterInstance, ctx: StepContext) -> None:
    """A batch gives telemetry of 289 rows a series, leak truth, residuals and windows."""
    config = {"ops": {"scenario_runs": {"config": {"batches": 3, "scenarios_per_batch": 4}}}}
    key = batch_key("b001", "hanoi")
    result = run_job(instance, "scenarios", partition_key=key, config=config)
    assert result.success
    steps = ctx.warehouse.sql(
        "SELECT count(*) AS n FROM simulation.telemetry JOIN simulation.scenarios"
        " USING (scenario_id) WHERE simulation.telemetry.batch = 'b001' AND NOT is_reference"
        " GROUP BY scenario_id, element_id, quantity"
    )
    assert steps["n"].unique().to_list() == [289]
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks == {"leaks_have_flow": True}


def test_every_node_and_link_of_one_scenario(ctx: StepContext) -> None:
    """SIM1: pressure, head, demand of each node; flow, velocity, status of each link."""
    found = ctx.warehouse.sql(
        "SELECT quantity, count(DISTINCT element_id) AS n FROM simulation.telemetry"
        " WHERE scenario_id IN (SELECT scenario_id FROM simulation.scenarios"
        " WHERE recorded = 'all') AND quantity <> 'leak_flow' GROUP BY quantity ORDER BY quantity"
    )
    counts = dict(found.rows())
    assert counts == {
        "demand": 32, "flow": 34, "head": 32, "pressure": 32, "status": 34, "velocity": 34
    }  # fmt: skip


def test_no_scenario_stands_in_two_splits(ctx: StepContext) -> None:
    """MOD3: each scenario of the plan in one set of each model, and with it its whole town."""
    planned = ctx.warehouse.sql(
        "SELECT scenario_id, batch FROM simulation.scenarios WHERE NOT is_reference"
    )
    town = dict(planned.rows())
    for artefact in champions(ctx, ctx.network("hanoi")).values():
        split = artefact.manifest["split"]
        assert split["grouped_by"] == "batch"
        members = [scenario for group in split["sets"].values() for scenario in group]
        assert sorted(members) == sorted(town)
        towns = [{town[scenario] for scenario in group} for group in split["sets"].values()]
        assert sum(len(names) for names in towns) == len(set.union(*towns))


def test_models_are_in_force_under_one_contract(ctx: StepContext) -> None:
    """The trained home has a champion of each model, with the hash of its contract."""
    in_use = ctx.warehouse.sql("SELECT model, status FROM models.registry ORDER BY model")
    assert in_use.rows() == [("leak_detector", "champion"), ("leak_pinpointer", "champion")]
    hashes = ctx.warehouse.sql("SELECT DISTINCT contract_sha256 FROM models.training_runs")
    assert hashes.height == 1


@pytest.mark.slow
def test_a_range_of_days_from_files_to_incidents(
    instance: dg.DagsterInstance, ctx: StepContext, town_files: Path
) -> None:
    """One run takes seven days; each partition has its rows, versions and pictures."""
    for day in DAYS:
        land_day(ctx, town_files, day)
    result = run_job(instance, "micro_batch", tags=run_tags(DAYS, "hanoi"))
    assert result.success
    for asset in ("telemetry/readings", "features/windows", "detection/window_scores"):
        keys = instance.get_materialized_partitions(dg.AssetKey(asset.split("/")))
        assert keys == {day_key(day, "hanoi") for day in DAYS}
    windows = ctx.warehouse.sql(
        "SELECT window_end::DATE AS day, count(*) AS n FROM detection.window_scores"
        " GROUP BY day ORDER BY day"
    )
    # Four reference days teach the twin; the first day after them has no day before it.
    assert windows["n"].to_list() == [43, 48, 48]
    incidents = ctx.warehouse.sql("SELECT * FROM incidents.incidents")
    assert incidents.height >= 1
    assert incidents["generated_by"].to_list() == ["template"] * incidents.height
    told = metadata_of(instance, "detection/window_scores", day_key(LAST, "hanoi"))
    assert told["dagster/row_count"].value == 48
    assert told["lake_data_version"].value
    events = metadata_of(instance, "incidents/incident_events", day_key(LAST, "hanoi"))
    assert "data:image/png;base64," in events["signal of hanoi"].value
    assert "data:image/png;base64," in events["network of hanoi"].value
    # The same range again changes no file of the lake.
    before = {p: p.stat().st_mtime_ns for p in ctx.warehouse.lake.rglob("date=*.parquet")}
    assert run_job(instance, "micro_batch", tags=run_tags(DAYS, "hanoi")).success
    assert before == {p: p.stat().st_mtime_ns for p in ctx.warehouse.lake.rglob("date=*.parquet")}


def test_learning_is_told_with_the_calibration(
    instance: dg.DagsterInstance, ctx: StepContext, town_files: Path
) -> None:
    """While the reference days are not complete the asset says how many are there."""
    for day in DAYS[:3]:
        land_day(ctx, town_files, day)
    assert run_job(instance, "micro_batch", tags=run_tags(DAYS[:3], "hanoi")).success
    told = metadata_of(instance, "features/calibrations", day_key(DAYS[2], "hanoi"))
    assert told["hanoi"].value == "learning: 3 of 4 leak-free days"


def test_a_step_waits_for_another_of_its_network(ctx: StepContext) -> None:
    """Two processes, or two runs in one, never work on one network at once."""
    order: list[str] = []

    def note(_work: Work, _partitions: Sequence[Partition]) -> list[Written]:
        order.append("second")
        return []

    another = Step(
        name="another",
        partition="day",
        writes=("telemetry.raw_readings",),
        reads=(),
        given=(),
        run=note,
        description="Notes that it ran.",
    )

    def materialize() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("site", ["hanoi"])
            dg.materialize(
                build_assets(Graph([another])),
                instance=instance,
                partition_key=day_key(DAYS[0], "hanoi"),
                resources={"platform": Platform()},
            )

    with network_lock(ctx, "hanoi"):
        run = threading.Thread(target=materialize)
        run.start()
        run.join(3.0)
        order.append("first")
    run.join(30.0)
    assert order == ["first", "second"]


@pytest.fixture
def spoiled(ctx: StepContext, town_files: Path) -> StepContext:
    """A home whose first day has readings that break the contract."""
    land_day(ctx, town_files, DAYS[0])
    site = ctx.network("hanoi")
    run_days(RAW_STEP, ctx, site, DAYS[0])
    run_days(READINGS_STEP, ctx, site, DAYS[0])
    spoil_readings(ctx, DAYS[0])
    return ctx


@pytest.mark.parametrize(
    ("job", "red"),
    [("micro_batch", {"data_contract"}), ("daily_batch", {"data_contract", "expectations"})],
)
def test_failed_blocking_check_stops_downstream_inside_a_run(
    instance: dg.DagsterInstance, spoiled: StepContext, job: str, red: set[str]
) -> None:
    """VAL1: impossible values turn the checks red; features do not run."""
    result = run_job(instance, job, partition_key=day_key(DAYS[0], "hanoi"))
    assert not result.success
    failed = {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed == red
    assert spoiled.warehouse.partitions("telemetry.readings") != []
    assert instance.get_materialized_partitions(dg.AssetKey(["features", "calibrations"])) == set()
    assert spoiled.warehouse.partitions("features.calibrations") == []


def test_failed_blocking_check_stops_downstream_across_runs(
    instance: dg.DagsterInstance, spoiled: StepContext
) -> None:
    """A day that is known to break its contract is not asked for, and a mended one is."""
    instance.add_dynamic_partitions("site", ["hanoi"])
    today = day_key(DAYS[0], "hanoi")

    def requested() -> list[dg.RunRequest]:
        with dg.build_sensor_context(instance, resources={"platform": Platform()}) as context:
            return list(stale_days(context).run_requests or [])

    (first,) = requested()
    assert first.partition_key == today
    assert not run_job(instance, "micro_batch", partition_key=today).success
    assert requested() == []
    mend_readings(spoiled, DAYS[0])
    (mended,) = requested()
    assert mended.run_key != first.run_key
    assert run_job(instance, "micro_batch", partition_key=today).success
    assert requested() == []


def test_days_left_half_done_are_asked_for_once(
    instance: dg.DagsterInstance, ctx: StepContext, town_files: Path
) -> None:
    """ORC3: a run that was killed after the raw log is followed by one of all its days."""
    instance.add_dynamic_partitions("site", ["hanoi"])
    site, days = ctx.network("hanoi"), DAYS[:3]
    for day in days:
        land_day(ctx, town_files, day)
    run_days(RAW_STEP, ctx, site, *days)
    run_days(READINGS_STEP, ctx, site, *days[:2])
    cursor: str | None = None

    def requested() -> list[dg.RunRequest]:
        nonlocal cursor
        with dg.build_sensor_context(
            instance, resources={"platform": Platform()}, cursor=cursor
        ) as context:
            result = stale_days(context)
        cursor = result.cursor
        return list(result.run_requests or [])

    (request,) = requested()
    assert request.tags == run_tags(days, "hanoi")
    again = [newest.partition_key for newest in requested()]
    assert again == [day_key(days[-1], "hanoi")], (
        "what cannot be made keeps nothing from the newest"
    )
    assert run_job(instance, "micro_batch", tags=request.tags).success
    assert requested() == []


def test_stale_days_waits_for_runs_of_the_site(
    instance: dg.DagsterInstance, spoiled: StepContext
) -> None:
    """Whatever is under way may be what brings the day up to date."""
    instance.add_dynamic_partitions("site", ["hanoi"])
    run = dg.DagsterRun(
        job_name="daily_batch", status=dg.DagsterRunStatus.STARTED, tags={SITE_TAG: "hanoi"}
    )
    instance.add_run(run)
    with dg.build_sensor_context(instance, resources={"platform": Platform()}) as context:
        assert not stale_days(context).run_requests
        instance.delete_run(run.run_id)
        assert stale_days(context).run_requests


def test_gate_failure_leaves_the_champion_untouched(
    instance: dg.DagsterInstance, ctx: StepContext
) -> None:
    """MOD6: a metric below its gate fails the check by name; what is in use stays."""
    before = ctx.warehouse.sql("SELECT * FROM models.registry ORDER BY ALL")
    path = ctx.settings.configs_dir / "leak_detector.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    content["training"]["epochs"] = 1
    content["gates"] = {"auc": {"min": 1.0}}
    path.write_text(yaml.safe_dump(content))
    # New gates are a new configuration: a new version is trained, evaluated and refused.
    result = run_job(instance, "training", partition_key="hanoi")
    assert not result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "auc" in (evaluation.description or "")
    after = ctx.warehouse.sql(
        "SELECT * FROM models.registry WHERE status = 'champion' ORDER BY ALL"
    )
    assert after.equals(before)
