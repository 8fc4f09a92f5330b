"""From a dropped file to its last window in SQL, with the real daemon, file by file of a day.

Run it: python -m leak_assets_tests.benchmarks.bench_latency --network l-town --files 48
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl

from leak_assets.benchmark.retraining import Training, train_network
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
from leak_assets.hydraulics.towns.town import Town
from leak_assets.models.plan import TrainingPlan
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.units import SI_UNITS
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.dev_server import running_dev, wait_for

FIRST_DAY = datetime(2019, 3, 4, tzinfo=UTC)
# A week teaches the twin; before that nothing is scored.
REFERENCE_DAYS = 7
# One more day, so that the first window of the day that is delivered by files has the hours before.
DAYS_BEFORE = REFERENCE_DAYS + 1
STEP_S = 300
FILE = timedelta(minutes=30)
WINDOW = timedelta(hours=3)
PER_DAY = timedelta(days=1) // FILE
SCORES = next(name for name in TABLES if name.endswith(".window_scores"))
# Leaks that nobody could miss: the models must pass their gates, how good they are is measured
# elsewhere.
EASY_LEAKS_MM = {"hanoi": (250.0, 400.0), "l-town": (30.0, 60.0)}
# Machines under load are slow; a file that is never scored must still end the benchmark.
LONGEST_S = 300.0
POLL_S = 0.1
# Until the process of the next run has imported everything (three seconds of a core) and the
# sensor, which looks every quarter of a second, knows that none is under way.
SETTLED_S = 10.0
JOB = "micro_batch"


@dataclass(frozen=True)
class Latency:
    """One file: when it was dropped and seen, and where the time in between went (seconds)."""

    start_at: datetime
    dropped: float
    seen: float
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From the drop to the last window in SQL."""
        return self.seen - self.dropped


def telemetry(settings: Settings, name: str) -> pl.DataFrame:
    """Return a town without leaks as a long export: a week to learn from and two more days."""
    site = network_site(name, settings)
    run = run_scenario(
        site.network,
        site.layout,
        start_at=FIRST_DAY,
        duration_s=(DAYS_BEFORE + 1) * 86400 - STEP_S,
        step_s=STEP_S,
        town=Town.draw(site.network, 1_000_011),
        seed=1_000_011,
    )
    column = pl.col("column").str.splitn("/", 2).struct
    units = pl.col("quantity").replace_strict(SI_UNITS)
    return (
        run.wide()
        .unpivot(index="ts_utc", variable_name="column", value_name="value")
        .select(
            "ts_utc", column.field("field_1").alias("sensor_id"),
            column.field("field_0").alias("quantity"), "value",
        )
        # Values are in SI here, whatever the layout's units are.
        .with_columns(unit=units)
    )  # fmt: skip


def train_models(settings: Settings, name: str, batches: int) -> None:
    """Put models of the network in use, as cheaply as the gates allow."""
    small, large = EASY_LEAKS_MM.get(name, (None, None))
    plan = ScenarioPlan(
        batches=batches,
        scenarios_per_batch=12,
        smallest_leak_mm=small,
        largest_leak_mm=large,
        incipient_share=0.0,
        record_all=False,
        seed=3,
    )
    configs = {}
    for model, config in TrainingPlan.of(settings).configs.items():
        # Without the folds: five more trainings say nothing of a latency.
        update = {"split": config.split.model_copy(update={"folds": 0}), "change_request": "bench"}
        configs[model] = config.model_copy(update=update)
    ctx = StepContext.local(settings, run_id="bench")
    site = network_site(name, settings)
    failures = train_network(Training(ctx, site, TrainingPlan(configs), plan))
    if failures:
        raise RuntimeError(f"the models of {name} are not in use: {'; '.join(failures)}")


def drop(rows: pl.DataFrame, folder: Path, name: str) -> float:
    """Put a whole file into the landing zone; return the time."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.tmp"
    rows.write_parquet(draft)
    draft.rename(folder / name)
    return time.time()


def wait_for_window(home: Path, network: str, start_at: datetime, seconds: float) -> float:
    """Wait until a window's score is visible in SQL; return the time."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        with duckdb.connect(home / "warehouse" / "leak.duckdb", read_only=True) as connection:
            found = connection.execute(
                f"SELECT max(window_start) FROM {SCORES} WHERE network = ?", [network]
            ).fetchone()
        if found is not None and found[0] is not None and found[0] >= start_at:
            return time.time()
        time.sleep(POLL_S)
    raise RuntimeError(f"no window of {start_at} after {seconds:.0f} s; {home}/dev.log says why")


def wait_for_rest(home: Path) -> None:
    """Wait until no run is under way and the sensor knows that."""
    finished = (
        dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
    )  # fmt: skip
    under_way = [status for status in dg.DagsterRunStatus if status not in finished]
    unfinished = dg.RunsFilter(job_name=JOB, statuses=under_way)
    with dg.DagsterInstance.from_config(str(home / "var" / "dagster")) as instance:
        wait_for(lambda: not instance.get_runs(unfinished, limit=1), 600, lambda: "runs go on")
    time.sleep(SETTLED_S)


def deliver(home: Path, network: str, rows: pl.DataFrame, files: Sequence[int]) -> list[Latency]:
    """Drop the files of a day one after the other, each when the last one was scored."""
    landing = home / "var" / "landing" / network
    day = FIRST_DAY + timedelta(days=DAYS_BEFORE)
    begin = day + files[0] * FILE
    drop(rows.filter(pl.col("ts_utc") < begin), landing, "before.parquet")
    wait_for_window(home, network, begin - WINDOW, 600)
    wait_for_rest(home)
    found = []
    for number in files:
        start_at = day + number * FILE
        part = rows.filter(pl.col("ts_utc").is_between(start_at, start_at + FILE, closed="left"))
        dropped = drop(part, landing, f"part-{number:02d}.parquet")
        seen = wait_for_window(home, network, start_at + FILE - WINDOW, LONGEST_S)
        found.append(Latency(start_at, dropped, seen))
        # Telemetry comes every half-hour, never while the last file is under way.
        wait_for_rest(home)
    return found


def with_parts(home: Path, latencies: Sequence[Latency]) -> list[Latency]:
    """Return the latencies with their parts, from Dagster's run records and event log."""
    out = []
    with dg.DagsterInstance.from_config(str(home / "var" / "dagster")) as instance:
        records = instance.get_run_records(dg.RunsFilter(job_name=JOB), ascending=True)
        for latency in latencies:
            mine = [
                record
                for record in records
                if latency.dropped <= record.create_timestamp.timestamp() < latency.seen
            ]
            parts: dict[str, float] = {}
            if mine:
                parts = _parts(instance, mine[0].dagster_run.run_id, latency)
            out.append(Latency(latency.start_at, latency.dropped, latency.seen, parts))
    return out


def _parts(instance: dg.DagsterInstance, run_id: str, latency: Latency) -> dict[str, float]:
    first: dict[str, float] = {}
    steps: dict[str, list[float]] = {}
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is None:
            continue
        kind = event.event_type_value
        first.setdefault(kind, entry.timestamp)
        if kind in ("STEP_START", "STEP_SUCCESS") and event.step_key:
            steps.setdefault(event.step_key, []).append(entry.timestamp)
    done = {name: times for name, times in steps.items() if len(times) == 2}
    begun = min(times[0] for times in done.values())
    parts = {
        "sensor: drop to run requested": first["PIPELINE_ENQUEUED"] - latency.dropped,
        "queue: requested to process started": first["PIPELINE_STARTING"]
        - first["PIPELINE_ENQUEUED"],
        "process: started to run begun": first["PIPELINE_START"] - first["PIPELINE_STARTING"],
        "run begun to first step": begun - first["PIPELINE_START"],
    }
    last = begun
    between = 0.0
    for name, (start, end) in sorted(done.items(), key=lambda item: item[1][0]):
        if start > latency.seen:
            break
        between += max(0.0, start - last)
        parts[f"step {name}"] = min(end, latency.seen) - start
        last = min(end, latency.seen)
    parts["between steps"] = between
    parts["last step to visible"] = max(0.0, latency.seen - last)
    return parts


def measure(
    network: str, numbers: Sequence[int], batches: int, home: Path | None = None
) -> list[Latency]:
    """Train, start the daemon, deliver and take apart what each file took.

    Parameters
    ----------
    home
        Where models of the network are in use already; by default a new home, and they are trained.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(LEAK_ASSETS_HOME=home or Path(folder).resolve())
        rows = telemetry(settings, network)
        if home is None:
            home = settings.home
            train_models(settings, network, batches)
        with running_dev(home, os.environ | {"LEAK_ASSETS_HOME": str(home)}):
            found = deliver(home, network, rows, numbers)
        return with_parts(home, found)


def figures(
    *,
    smoke: bool = False,
    network: str = "l-town",
    numbers: Sequence[int] = range(PER_DAY),
    home: Path | None = None,
) -> list[Figure]:
    """Return latency over a day, by quarter of the day, and where it goes; `home` as `measure`."""
    command = "python -m leak_assets_tests.benchmarks.bench_latency --network l-town --files 48"
    if smoke:
        network, numbers = "hanoi", [24]
    found = measure(network, numbers, batches=8, home=home)
    seconds = [latency.seconds for latency in found]
    topic = (
        f"File to scored window: {network}, {len(found)} files of 30 minutes, real daemon, two"
        " cores"
    )

    def row(name: str, value: float, reach: str = "") -> Figure:
        return Figure(topic, name, value, "s", reach, command)

    rows = [
        row("drop to the last window in SQL, p50", statistics.median(seconds), "≤ 4"),
        row("drop to the last window in SQL, p95", percentile(seconds, 95), "≤ 8"),
    ]
    for quarter in range(4):
        mine = [x.seconds for x in found if x.start_at.hour // 6 == quarter]
        if mine:
            hours = f"{6 * quarter:02d}–{6 * quarter + 6:02d} h"
            rows.append(row(f"p50 of files from {hours}", statistics.median(mine), "flat"))
    names = list(dict.fromkeys(name for latency in found for name in latency.parts))
    for name in names:
        mine = [latency.parts[name] for latency in found if name in latency.parts]
        rows.append(row(f"  of it, median: {name}", statistics.median(mine)))
    return rows


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share) // 100) - 1)]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="l-town")
    parser.add_argument("--files", type=int, default=PER_DAY, help="half-hours delivered singly")
    parser.add_argument("--first", type=int, default=0, help="the first half-hour delivered singly")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    numbers = range(options.first, min(PER_DAY, options.first + options.files))
    print_figures(figures(smoke=options.smoke, network=options.network, numbers=numbers))


if __name__ == "__main__":
    main()
