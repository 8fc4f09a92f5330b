"""Dagster's graph against the lineage of a real run: dependencies and partition mappings agree.

Both follow from the steps' declarations; here the records in the lake, which say what each
partition was made from, are held against what Dagster says that it depends on.
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from leak_assets.definitions import build_defs
from leak_assets.defs.partitions import batch_key, day_key
from leak_assets.household.export import export_history
from leak_assets.household.simulator.simulator import simulate_history
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import run_step
from leak_assets.pipeline.step import Step
from leak_assets.plant.simulator.simulator import simulate_plant
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.days import TOWN_DAYS

pytestmark = pytest.mark.slow

# An asset and one of its Dagster partitions.
Part = tuple[str, str]

# What the lake does not name by a table: a model stands for the table that a step got it through.
MODEL_TABLES = (
    "models.training_runs",
    "models.evaluations",
    "models.packages",
    "models.registry_events",
)

# Only where a delivery has rows that the contract refuses.
MAY_BE_EMPTY = ("telemetry.quarantine",)


# What reads something that this home has not: windows of incidents that a person closed, a model
# in shadow mode.
READS_LESS = ("models.judged_windows", "detection.shadow_scores")

PLANT = """
name: works
kind: plant
cadence_s: 2
sensors:
  - {quantity: temperature, unit: °C, ids: [wtf-pipe-1]}
  - {quantity: pressure, unit: bar, ids: [wtf-pipe-1]}
  - {quantity: flow, unit: L/min, ids: [wtf-pipe-1]}
"""
HOME = """
name: home
kind: household
cadence_s: 60
sensors:
  - {quantity: flow, unit: L/min, ids: [main, hot]}
  - {quantity: people, ids: [people]}
  - {quantity: occupancy, ids: [occupancy]}
details:
  settings: {learning_days: 1, min_count: 2}
"""
METERS = """
name: estate
kind: meters
cadence_s: 3600
sensors:
  - {quantity: flow, unit: L/h, ids: [m1]}
"""
NIGHT = datetime(2025, 5, 28, 23, 30, tzinfo=UTC)


class Lineage:
    """The lake's records and Dagster's graph, both as (table, Dagster partition)."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
        self.instance = instance
        self.graph = build_defs().resolve_asset_graph()

    def made(self, table: str) -> dict[str, set[Input]]:
        """Return the inputs of each Dagster partition of a table that the run made."""
        found: dict[str, set[Input]] = {}
        for partition in self.ctx.warehouse.partitions(table):
            record = self.ctx.warehouse.record(table, partition)
            assert record is not None
            found.setdefault(self.key(table, partition), set()).update(record.inputs)
        return found

    def key(self, table: str, partition: Mapping[str, str]) -> str:
        """Return the Dagster partition of a lake partition."""
        kind = GRAPH.writer[table].partition
        site = partition.get("network") or partition["site"]
        if kind == "site":
            return site
        if kind == "batch":
            return batch_key(partition["batch"], site)
        return day_key(date.fromisoformat(partition["date"]), site)

    def inputs(self, step: Step, inputs: set[Input]) -> set[Part]:
        """Return the tables among a record's inputs, as Dagster's assets and partitions."""
        found: set[Part] = set()
        for source in inputs:
            if source.kind == "table":
                values = dict(part.split("=", 1) for part in source.partition.split("__"))
                found.add((source.name, self.key(source.name, values)))
            elif source.kind == "model" and source.partition:
                behind = [t for t in step.upstream_tables if t in MODEL_TABLES]
                found.update((table, source.partition) for table in behind)
        return found

    def parents(self, table: str) -> set[str]:
        """Return the tables that Dagster says a table depends on."""
        keys = self.graph.get(dg.AssetKey(table.split("."))).parent_keys
        return {".".join(key.path) for key in keys}

    def dependencies(self, table: str, key: str) -> set[Part]:
        """Return the existing partitions that Dagster says a table's partition depends on."""
        found: set[Part] = set()
        asset = dg.AssetKey(table.split("."))
        definition = self.graph.get(asset).partitions_def
        for upstream in self.parents(table):
            parent = dg.AssetKey(upstream.split("."))
            mapping = self.graph.get_partition_mapping(asset, parent)
            mapped = mapping.get_upstream_mapped_partitions_result_for_partitions(
                definition.subset_with_partition_keys([key]),
                definition,
                self.graph.get(parent).partitions_def,
                dynamic_partitions_store=self.instance,
            )
            keys = set(mapped.partitions_subset.get_partition_keys())
            found |= {(upstream, known) for known in self.made(upstream) if known in keys}
        return found


@pytest.fixture(scope="module")
def lineage(ten_days: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lineage]:
    """The home of a whole run: scenarios, models, signatures, ten days; a plant, a home, meters."""
    home = tmp_path_factory.mktemp("lineage") / "home"
    shutil.copytree(ten_days, home)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    plant = simulate_plant(3600, 11, start_at=NIGHT, anomaly_rate_per_h=20.0).readings
    plant.rename({"parameter": "quantity"}).write_parquet(home / "works.parquet")
    export_history(simulate_history(3, 5, step_s=60), 60, home / "home.parquet")
    add_site(ctx, PLANT, "works")
    add_site(ctx, HOME, "home")
    hours = [NIGHT + timedelta(hours=number) for number in range(60)]
    drip = {"sensor_id": "m1", "quantity": "flow", "value": 7.0, "unit": "L/h"}
    pl.DataFrame([{"ts_utc": hour, **drip} for hour in hours]).write_parquet(
        home / "estate.parquet"
    )
    add_site(ctx, METERS, "estate")
    hanoi = ctx.site("hanoi")
    assert run_step(GRAPH.step("drift"), ctx, hanoi, [{"network": hanoi.name}])
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("site", ["hanoi", "works", "home", "estate"])
        yield Lineage(home, instance)


def add_site(ctx: StepContext, text: str, name: str) -> None:
    """Register a site and take its file through its steps."""
    file = ctx.settings.home / f"{name}.yaml"
    file.write_text(text)
    register_site(file, ctx.settings)
    deliver([file.with_suffix(".parquet")], ctx.settings.landing_dir, name)
    time.sleep(SETTLE_S + 0.1)
    process_landing_zone(ctx, ctx.site(name))


def is_always_read(step: Step, key: str, part: Part) -> bool:
    """Whether a partition of a step reads this one wherever it exists, by its declaration."""
    # A step that writes by itself may leave out what it declares: batches of an older plan.
    if step.run is not None:
        return False
    table, upstream = part
    for read in step.reads:
        if read.table == table and read.days is None:
            if step.partition != "day" or "date" not in TABLES[table].partition_by:
                return True
            if read.first_day <= (_day(upstream) - _day(key)).days <= read.last_day:
                return True
    return any(table in given.tables for given in step.given)


def _day(key: str) -> date:
    return date.fromisoformat(key.partition("|")[0])


@pytest.mark.parametrize("table", GRAPH.writer)
def test_dependencies_are_the_lineage(lineage: Lineage, table: str) -> None:
    """Nothing was read that Dagster does not know, and what it says was read.

    Of days that a step chooses (reference days, days that it goes on from) Dagster knows the
    range; the record names those that were taken. What a step reads of tables of its own, Dagster
    knows for the table itself only: it would take the rest for dependencies within the operation.
    """
    step = GRAPH.writer[table]
    made = lineage.made(table)
    assert made or table in MAY_BE_EMPTY, "the run made none, so this would prove nothing"
    ever_read: set[str] = set()
    for key, inputs in made.items():
        read, known = lineage.inputs(step, inputs), lineage.dependencies(table, key)
        ever_read |= {name for name, _ in read}
        siblings = set(step.writes) - {table}
        assert {part for part in read if part[0] not in siblings} <= known, key
        if table not in READS_LESS:
            assert {part for part in known if is_always_read(step, key, part)} <= read, key
    # Chosen does not mean never: of each dependency something was read.
    assert table in READS_LESS or lineage.parents(table) <= ever_read


def test_days_back_are_in_the_lineage(lineage: Lineage) -> None:
    """Not vacuous: a day of readings has the raw log of two days and its reference days."""
    key = day_key(TOWN_DAYS[-1], "hanoi")
    read = lineage.inputs(GRAPH.step("readings"), lineage.made("telemetry.readings")[key])
    days = {t: sorted(k.partition("|")[0][-2:] for n, k in read if n == t) for t, _ in read}
    assert days == {
        "telemetry.raw_readings": ["12", "13"],
        "telemetry.readings": ["04", "05", "06", "07"],
    }


def test_progress_of_runs_in_this_process_can_be_had(ten_days_progress: list[str]) -> None:
    """`build_defs(progress=…)`: a line for each step, in the order of the graph."""
    names = [f"{step.name} of hanoi" for step in GRAPH.by_day() if "network" in step.kinds]
    told = [line for line in ten_days_progress if line in names]
    assert set(told) == set(names)
    assert told[0] == "raw_readings of hanoi"
    assert told.index("readings of hanoi") < told.index("incidents of hanoi")
