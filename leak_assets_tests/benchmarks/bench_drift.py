"""How often drift is told where nothing drifts: a year of generated towns, month by month.

A town without leaks and a detector that has never seen it. The first month is what the others are
compared with, as `models.drift` does each night. Once the twin is learned anew on the week before
each month, as the trained models need it; once it keeps what it learned on the first week, and the
season moves what they look at.

Run it: python -m leak_assets_tests.benchmarks.bench_drift [--smoke]
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from leak_assets.features.half_hours import learn_correction
from leak_assets.features.windows import window_features
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.plan.plan import ScenarioPlan
from leak_assets.hydraulics.towns.town import Town
from leak_assets.hydraulics.twin.channels import Channels, twin_of
from leak_assets.models.artefact import Artefact
from leak_assets.models.config import DETECTOR, DetectorConfig, load_config
from leak_assets.models.dataset import WindowSet, training_set, window_set
from leak_assets.models.drift_steps import ALL, drift_frame
from leak_assets.models.export import export
from leak_assets.models.training import train
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.system.processes import fan_out
from leak_assets_tests.benchmarks.bench_events import windows_of
from leak_assets_tests.benchmarks.figures import Figure, print_figures

COMMAND = "python -m leak_assets_tests.benchmarks.bench_drift"
_START = datetime(2019, 1, 1, tzinfo=UTC)
_LEARNING_DAYS, _MONTH_DAYS = 7, 28
# Shifts that a training is wanted for, and one that is within what months differ by.
_SHIFTS = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Size:
    """How much is measured on."""

    plan: ScenarioPlan
    seeds: tuple[int, ...]
    months: int


FULL = Size(
    ScenarioPlan(batches=8, scenarios_per_batch=12, record_all=False), (9101, 9102, 9103), 12
)
SMOKE = Size(ScenarioPlan(batches=5, scenarios_per_batch=7, record_all=False), (9101,), 1)


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield how many months drift that do not, and of those that do by how much."""
    size = SMOKE if smoke else FULL
    with tempfile.TemporaryDirectory() as folder:
        detector = _detector("hanoi", size.plan, Path(folder))
        config = load_config(DETECTOR)
        assert isinstance(config, DetectorConfig)
        months = partial(_months, "hanoi", detector, size.months)
        found = dict(fan_out(months, size.seeds))
        topic = f"Drift: Hanoi, {len(size.seeds)} towns of {size.months} months after the first"

        def drifts(month: WindowSet, reference: WindowSet) -> bool:
            rows = drift_frame(detector, month, reference, config.drift, day=_START.date())
            return bool(rows.filter(kind=ALL)["is_drift"][0])

        for number, (what, reach) in enumerate(
            (("reference days renewed each month", "0"), ("the first week's kept all year", ""))
        ):
            towns = [found[seed][number] for seed in size.seeds]
            fired = [drifts(month, first) for first, *later in towns for month in later]
            name, told = f"months that drift, {what}", f"{sum(fired)} of {len(fired)}"
            yield Figure(topic, name, told, "", reach, COMMAND)
        towns = [found[seed][0] for seed in size.seeds]
        for shift in _SHIFTS:
            hits = [drifts(_shifted(later[0], first, shift), first) for first, *later in towns]
            name = f"months with all sensors off by {shift:g} standard deviations that drift"
            told = f"{sum(hits)} of {len(hits)}"
            yield Figure(topic, name, told, "", "all" if shift == max(_SHIFTS) else "", COMMAND)


def _detector(name: str, plan: ScenarioPlan, folder: Path) -> Artefact:
    parts = sorted(
        fan_out(partial(windows_of, name, plan), plan.batch_names()), key=lambda part: part[0]
    )
    config = load_config(DETECTOR)
    result = train(
        config,
        training_set((frame for _, (frame, _) in parts), config.statistics),
        network=name,
        leak_truth=pl.concat([tables.leak_truth for _, (_, tables) in parts]),
        data_versions={},
        contract_sha256="",
        trained_at=datetime.now(UTC),
    )
    return export(result, folder)


def _months(
    name: str, detector: Artefact, count: int, seed: int
) -> tuple[list[WindowSet], list[WindowSet]]:
    """Return the windows of each month of a leak-free town: renewed reference, and kept one."""
    site = network_site(name, Settings())
    days = _LEARNING_DAYS + _MONTH_DAYS * (count + 1)
    run = run_scenario(
        site.network,
        site.layout,
        start_at=_START,
        duration_s=days * 86400 - 300,
        town=Town.draw(site.network, seed),
        seed=seed,
    )
    wide, twin = run.wide(), twin_of(site.network, site.layout)
    week, span = timedelta(days=_LEARNING_DAYS), timedelta(days=_MONTH_DAYS)

    def between(first: datetime, end: datetime) -> pl.DataFrame:
        return wide.filter(pl.col("ts_utc").is_between(first, end, closed="left"))

    kept = learn_correction(twin, between(_START, _START + week))
    found: tuple[list[WindowSet], list[WindowSet]] = ([], [])
    for number in range(count + 1):
        first = _START + week + number * span
        channels = Channels.of(twin, between(first, first + span))
        renewed = learn_correction(twin, between(first - week, first))
        for months, calibration in zip(found, (renewed, kept), strict=True):
            rows = window_features(channels.residuals(name, calibration), network=name)
            months.append(window_set(rows, detector.statistics, channels=detector.channels))
    return found


def _shifted(month: WindowSet, reference: WindowSet, shift: float) -> WindowSet:
    """Return a month whose means are off by so many standard deviations of the reference's."""
    values = month.values.copy()
    mean = month.statistics.index("mean")
    values[:, mean] += shift * reference.values[:, mean].std(axis=0)
    return replace(month, values=values)


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
