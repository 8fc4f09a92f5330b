"""Scenario-days of L-Town from the plan to partitions in the warehouse, and leak signatures.

Run it: python leak_assets_tests/benchmarks/bench_scenarios.py
"""

import resource
import sys
import tempfile
import time
from functools import partial

from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
from leak_assets.hydraulics.signatures.steps import write_leak_signatures
from leak_assets.hydraulics.steps import write_scenario_batches
from leak_assets.hydraulics.towns.town import Town
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites import resolve
from leak_assets.system.processes import fan_out, worker_count
from leak_assets.warehouse import Warehouse
from leak_assets_tests.benchmarks.bench_engine import BareRun

NETWORK = "l-town"
# A reference run of 4 days and 46 scenarios of a day for each of 20 towns: 1,000 days.
FULL = ScenarioPlan(batches=20, scenarios_per_batch=47, record_all=False)
SMOKE = ScenarioPlan(batches=2, scenarios_per_batch=2, reference_days=1, record_all=False)
_DAYS_EACH = 30


def planned_days(plan: ScenarioPlan) -> int:
    """Return the scenario-days of a plan."""
    return plan.batches * (plan.reference_days + (plan.scenarios_per_batch - 1) * plan.days)


def bare_days(home: str, days: int, seed: int) -> float:
    """Step a drawn town through some days, one after the other; return the wall time."""
    network = resolve(NETWORK, Settings(LEAK_ASSETS_HOME=home))
    bare = BareRun(network, Town.draw(network, seed), 1)
    try:
        begin = time.perf_counter()
        for _ in range(days):
            bare.step_through()
        return time.perf_counter() - begin
    finally:
        bare.close()


def bare_day_s(home: str, days: int) -> float:
    """Return the wall time of one day of bare stepping when every core steps."""
    cores = worker_count()
    work = partial(bare_days, home, days)
    spent = [seconds for _, seconds in fan_out(work, range(cores), workers=cores)]
    return sum(spent) / len(spent) / days / cores


def main(*, smoke: bool = False) -> None:
    """Print the table."""
    plan = SMOKE if smoke else FULL
    days = planned_days(plan)
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(LEAK_ASSETS_HOME=home)
        ctx = StepContext(Warehouse.from_settings(settings, run_id="bench"), settings)
        each = 2 if smoke else _DAYS_EACH
        before_s = bare_day_s(home, each)
        begin = time.perf_counter()
        written = write_scenario_batches(ctx, NETWORK, plan.batch_names(), plan)
        wall_s = time.perf_counter() - begin
        # Before and after: machines slow down and recover.
        bare_s = (before_s + bare_day_s(home, each)) / 2
        peak_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        rows = sum(w.record.rows for w in written if w.record.table == "simulation.telemetry")
        name = "net1" if smoke else NETWORK
        begin = time.perf_counter()
        (table,) = write_leak_signatures(ctx, name)
        signatures_s = time.perf_counter() - begin
    cores = worker_count()
    _line(f"{days} scenario-days of L-Town, plan to partition, {cores} cores", f"{wall_s:.0f} s")
    _line("  against bare stepping on as many cores", f"{wall_s / days / bare_s:.2f} ×", "≤ 1.5")
    _line("  rows of telemetry", f"{rows:,}")
    _line("  largest worker", f"{peak_gib:.2f} GiB", "≤ 2 GiB")
    _line(
        f"leak signatures of {name}, all pipes x 24 hours x 3 sizes",
        f"{signatures_s:.0f} s",
        "≤ 180",
    )
    _line("  rows", f"{table.record.rows:,}")


def _line(name: str, value: str, reach: str = "") -> None:
    sys.stdout.write(f"{name:64s} {value:>26s}  {reach}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(smoke="--smoke" in sys.argv)
