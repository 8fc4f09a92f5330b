"""Scenario-days of L-Town from the plan to partitions in the warehouse, and leak signatures.

Run it: python leak_assets_tests/benchmarks/bench_scenarios.py
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial

from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
from leak_assets.hydraulics.signatures.steps import SIGNATURES_STEP
from leak_assets.hydraulics.steps import SCENARIO_STEP, batch_partitions
from leak_assets.hydraulics.towns.town import Town
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import run_step
from leak_assets.settings import Settings
from leak_assets.sites import resolve
from leak_assets.sites.site import network_site
from leak_assets.system.processes import fan_out, worker_count
from leak_assets_tests.benchmarks.bench_engine import BareRun
from leak_assets_tests.benchmarks.figures import Figure, print_figures

NETWORK = "l-town"
# A reference run of 4 days and 46 scenarios of a day for each of 20 towns: 1,000 days.
FULL = ScenarioPlan(batches=20, scenarios_per_batch=47, record_all=False)
# One batch and one core: processes take longer to begin.
SMOKE = ScenarioPlan(batches=1, scenarios_per_batch=2, reference_days=1, record_all=False)
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


def bare_day_s(home: str, days: int, cores: int) -> float:
    """Return the wall time of one day of bare stepping when so many cores step."""
    work = partial(bare_days, home, days)
    spent = [seconds for _, seconds in fan_out(work, range(cores), workers=cores)]
    return sum(spent) / len(spent) / days / cores


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield wall time, memory and rows of scenario batches, and the time of signatures."""
    plan = SMOKE if smoke else FULL
    days = planned_days(plan)
    cores = 1 if smoke else worker_count()
    topic = f"Scenarios: {days} scenario-days of L-Town in {plan.batches} towns, {cores} cores"
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(LEAK_ASSETS_HOME=home)
        ctx = StepContext.local(settings, run_id="bench")
        site = network_site(NETWORK, settings)
        batches = batch_partitions(plan.batch_names(), site.name)
        each = 1 if smoke else _DAYS_EACH
        before_s = bare_day_s(home, each, cores)
        begin = time.perf_counter()
        written = run_step(SCENARIO_STEP, ctx, site, batches, plan=plan)
        wall_s = time.perf_counter() - begin
        # Before and after: machines slow down and recover.
        bare_s = (before_s + bare_day_s(home, each, cores)) / 2
        peak_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        rows = sum(w.record.rows for w in written if w.record.table == "simulation.telemetry")
        yield Figure(topic, "plan to partition", wall_s, "s")
        yield Figure(
            topic, "against bare stepping on as many cores", wall_s / days / bare_s, "×", "≤ 1.5"
        )
        yield Figure(topic, "rows of telemetry", float(rows))
        yield Figure(topic, "largest worker", peak_gib, "GiB", "≤ 2")
        name = "net1" if smoke else NETWORK
        own = network_site(name, settings)
        begin = time.perf_counter()
        (table,) = run_step(SIGNATURES_STEP, ctx, own, [{"network": own.name}])
        signatures_s = time.perf_counter() - begin
        label = f"leak signatures of {name}, all pipes × 24 hours × 3 sizes"
        yield Figure(topic, label, signatures_s, "s", "≤ 180")
        yield Figure(topic, "rows of signatures", float(table.record.rows))


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
