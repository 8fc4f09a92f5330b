"""How often the detector alarms at what is no leak: events and sensor faults, by kind.

The detector knows neither; it is trained as always, on leaks and leak-free runs.

Run it: python leak_assets_tests/benchmarks/bench_events.py
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import polars as pl

from leak_assets.hydraulics.plan.plan import ScenarioPlan
from leak_assets.hydraulics.plan.scenarios import BatchTables
from leak_assets.models.config import DETECTOR, load_config
from leak_assets.models.dataset import training_set
from leak_assets.models.detector import LeakDetector
from leak_assets.models.training import train
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.system.processes import fan_out
from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.towns import batch_windows

# Towns that the detector has never seen: another seed than the training's.
_LEARN = ScenarioPlan(batches=16, scenarios_per_batch=24, record_all=False)
_EVENTS = ScenarioPlan(
    batches=6, scenarios_per_batch=19, leak_share=0.0, event_share=1.0, record_all=False, seed=77
)
_SMOKE = {"batches": 5, "scenarios_per_batch": 7}


@dataclass(frozen=True)
class Share:
    """How many events or faults of a kind there were, and how many raised an alarm."""

    kind: str
    count: int
    alarmed: int


def windows_of(name: str, plan: ScenarioPlan, batch: str) -> tuple[pl.DataFrame, BatchTables]:
    """Return window features and tables of a batch (a task of its own process)."""
    return batch_windows(network_site(name, Settings()), batch, plan)


def trained_detector(name: str, plan: ScenarioPlan) -> LeakDetector:
    """Return a detector trained on a plan."""
    config = load_config(DETECTOR)
    parts = [part for _, part in towns_of(name, plan)]
    leak_truth = pl.concat([tables.leak_truth for _, tables in parts])
    windows = training_set((features for features, _ in parts), config.statistics)
    result = train(
        config,
        windows,
        network=name,
        leak_truth=leak_truth,
        data_versions={},
        contract_sha256="",
        trained_at=datetime.now(UTC),
    )
    assert isinstance(result.model, LeakDetector)
    return result.model


def alarms(name: str, detector: LeakDetector, plan: ScenarioPlan) -> list[Share]:
    """Return for each kind of event or fault in how many scenarios a window alarmed during it."""
    found: dict[str, list[bool]] = {}
    for _, (features, tables) in towns_of(name, plan):
        windows = training_set([features], detector.statistics_, channels=detector.channels_)
        index = windows.index.with_columns(alarm=pl.Series(detector.predict(windows)))
        happened = pl.concat(
            [
                tables.event_truth.select(
                    "scenario_id", "kind", begin="event_start", end="event_end"
                ),
                tables.sensor_fault_labels.select(
                    "scenario_id", "kind", begin="fault_start", end="fault_end"
                ),
            ]
        )
        for row in happened.iter_rows(named=True):
            during = index.filter(
                pl.col("scenario_id") == row["scenario_id"],
                pl.col("window_end").is_between(row["begin"], row["end"]),
            )
            found.setdefault(row["kind"], []).append(bool(during["alarm"].any()))
    return [Share(kind, len(hits), sum(hits)) for kind, hits in sorted(found.items())]


def towns_of(name: str, plan: ScenarioPlan) -> list[tuple[str, tuple[pl.DataFrame, BatchTables]]]:
    """Return window features and tables of each batch of a plan, in order."""
    # Processes take longer to begin than a few towns to simulate.
    workers = 1 if plan.batches < 6 else None
    work = partial(windows_of, name, plan)
    return sorted(fan_out(work, plan.batch_names(), workers=workers), key=_first)


def _first(part: tuple[str, object]) -> str:
    return part[0]


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield for each kind how many raised an alarm while they lasted."""
    learn = replace(_LEARN, **_SMOKE) if smoke else _LEARN
    events = replace(_EVENTS, **_SMOKE) if smoke else _EVENTS
    faults = replace(events, event_share=0.0, fault_share=1.0)
    command = "python -m leak_assets_tests.benchmarks.bench_events"
    for name in ("hanoi",) if smoke else ("hanoi", "l-town"):
        detector = trained_detector(name, learn)
        for what, plan in (("events", events), ("sensor faults", faults)):
            topic = f"What else alarms on {name}: {what} in {plan.batches} unseen towns"
            for share in alarms(name, detector, plan):
                value = f"{share.alarmed} of {share.count}"
                yield Figure(topic, share.kind, value, reach="few", command=command)


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
