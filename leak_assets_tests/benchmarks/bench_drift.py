"""How often drift is told where nothing drifts, and how often it is seen where something does.

Towns without leaks and a detector that has never seen them, month by month. The first month is
what the others are compared with, as `models.drift` does each night. Once the twin is learned anew
on the week before each month, as the trained models need it; once it keeps what it learned on the
first week, and the season, which moves the demand by up to a fifth, moves what they look at.

Run it: python -m leak_assets_tests.benchmarks.bench_drift [--smoke]
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
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
from leak_assets.hydraulics.twin.calibration import Calibration
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
_WEEK, _MONTH = timedelta(days=7), timedelta(days=28)
# Months of the year that are tried with each shift, their week before being as always.
_SHIFTED = (2, 5, 8, 11)
_HALF_HOUR_MIN, _HOUR_MIN = 30, 60


@dataclass(frozen=True)
class Size:
    """How much is measured on."""

    plan: ScenarioPlan
    seeds: tuple[int, ...]
    months: int


FULL = Size(
    ScenarioPlan(batches=8, scenarios_per_batch=12, record_all=False), (9101, 9102, 9103), 12
)
SMOKE = Size(ScenarioPlan(batches=5, scenarios_per_batch=7, record_all=False), (9101,), 2)


@dataclass(frozen=True)
class TownYear:
    """Windows of a leak-free town by month; the first is the reference.

    Attributes
    ----------
    renewed, kept
        With the twin learned on the week before each month, and on the first week alone.
    shifted
        Months with a shift, by its kind, learned on the week before it.
    """

    renewed: list[WindowSet]
    kept: list[WindowSet]
    shifted: dict[str, list[WindowSet]]


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield how many unshifted months drift, and how many of each kind of shift."""
    size = SMOKE if smoke else FULL
    with tempfile.TemporaryDirectory() as folder:
        detector = _detector("hanoi", size.plan, Path(folder))
        config = load_config(DETECTOR)
        assert isinstance(config, DetectorConfig)
        found = dict(fan_out(partial(_year, "hanoi", detector, size.months), size.seeds))
        towns = [found[seed] for seed in size.seeds]
        topic = f"Drift: Hanoi, {len(size.seeds)} towns of {size.months} months after the first"

        def told(months: Iterable[tuple[WindowSet, TownYear]]) -> str:
            frames = [
                drift_frame(detector, month, town.renewed[0], config.drift, day=_START.date())
                for month, town in months
            ]
            return (
                f"{sum(frame.filter(kind=ALL)['is_drift'][0] for frame in frames)} of {len(frames)}"
            )

        renewed = told((month, town) for town in towns for month in town.renewed[1:])
        name = "unshifted months that drift, reference days renewed each month"
        yield Figure(topic, name, renewed, "", "0", COMMAND)
        kept = told((month, town) for town in towns for month in town.kept[1:])
        name = "months that drift with the season, reference days kept all year"
        yield Figure(topic, name, kept, "", "", COMMAND)
        for kind in towns[0].shifted:
            hits = told((month, town) for town in towns for month in town.shifted[kind])
            reach = "all" if kind in _TO_FIND else ""
            yield Figure(topic, f"shifted months that drift: {kind}", hits, "", reach, COMMAND)


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


def _year(name: str, detector: Artefact, count: int, seed: int) -> TownYear:
    """Return the windows of a town, month by month, as it is and with each shift."""
    site = network_site(name, Settings())
    town, twin = Town.draw(site.network, seed), twin_of(site.network, site.layout)

    def run(town: Town, first: datetime, span: timedelta) -> pl.DataFrame:
        return run_scenario(
            site.network,
            site.layout,
            start_at=first,
            duration_s=int(span.total_seconds()) - 300,
            town=town,
            seed=seed,
        ).wide()

    year = run(town, _START, _WEEK + (count + 1) * _MONTH)

    def between(first: datetime, end: datetime) -> pl.DataFrame:
        return year.filter(pl.col("ts_utc").is_between(first, end, closed="left"))

    def windows(channels: Channels, calibration: Calibration) -> WindowSet:
        rows = window_features(channels.residuals(name, calibration), network=name)
        return window_set(rows, detector.statistics, channels=detector.channels)

    kept = learn_correction(twin, between(_START, _START + _WEEK))
    found = TownYear([], [], {})
    for number in range(count + 1):
        first = _START + _WEEK + number * _MONTH
        month = between(first, first + _MONTH)
        channels = Channels.of(twin, month)
        renewed = learn_correction(twin, between(first - _WEEK, first))
        found.renewed.append(windows(channels, renewed))
        found.kept.append(windows(channels, kept))
        if number in _SHIFTED:
            others = {
                kind: run(change(town), first, _MONTH) for kind, change in _CHANGED_TOWNS.items()
            }
            others |= {kind: change(month) for kind, change in _CHANGED_READINGS.items()}
            for kind, wide in others.items():
                found.shifted.setdefault(kind, []).append(windows(Channels.of(twin, wide), renewed))
    return found


def _demand(factor: float, town: Town) -> Town:
    return replace(town, base_demand={n: factor * f for n, f in town.base_demand.items()})


def _roughness(factor: float, town: Town) -> Town:
    return replace(town, roughness={n: factor * f for n, f in town.roughness.items()})


def _sensor_off(by_m: float, month: pl.DataFrame) -> pl.DataFrame:
    return month.with_columns(pl.col(_columns(month, "pressure")[-1]) + by_m)


def _meter_off(factor: float, month: pl.DataFrame) -> pl.DataFrame:
    return month.with_columns(pl.col(_columns(month, "flow")) * factor)


def _held(minutes: int, month: pl.DataFrame, *, sensors: int | None = None) -> pl.DataFrame:
    """Return a month in which loggers ask less often and repeat what they have."""
    asked = pl.col("ts_utc").dt.epoch("s") % (60 * minutes) == 0
    columns = _columns(month, "pressure")[:sensors]
    return month.with_columns(pl.when(asked).then(pl.col(columns)).forward_fill())


def _columns(wide: pl.DataFrame, quantity: str) -> list[str]:
    return [name for name in wide.columns if name.startswith(f"{quantity}/")]


_CHANGED_TOWNS: dict[str, Callable[[Town], Town]] = {
    "demand x 1.1": partial(_demand, 1.1),
    "demand x 1.2": partial(_demand, 1.2),
    "pipes rougher by a fifth": partial(_roughness, 0.8),
}
_CHANGED_READINGS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "one sensor off by 0.5 m": partial(_sensor_off, 0.5),
    "one sensor off by 2 m": partial(_sensor_off, 2.0),
    "inflow meter off by 5 %": partial(_meter_off, 1.05),
    "one logger asks every hour": partial(_held, _HOUR_MIN, sensors=1),
    "all loggers ask every half-hour": partial(_held, _HALF_HOUR_MIN),
    "all loggers ask every hour": partial(_held, _HOUR_MIN),
}
# Of the others a part: they are about as large as what months differ by.
_TO_FIND = {
    "demand x 1.2",
    "pipes rougher by a fifth",
    "one sensor off by 2 m",
    "inflow meter off by 5 %",
    "one logger asks every hour",
    "all loggers ask every hour",
}


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
