"""The features room's steps for telemetry: calibration, residuals, channels, windows, by day.

Only the order of reading and calling belongs here. Scenario runs have steps of their own in
`training_steps`, which call the same functions.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.hydraulics.twin.calibration import Calibration
from leak_assets.hydraulics.twin.channels import Channels, twin_of
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Frames, Partition, Read, Step, always_apart
from leak_assets.pipeline.work import Work, day_of
from leak_assets.sites.site import NetworkSite
from leak_assets.telemetry.long_wide import to_wide
from leak_assets.telemetry.reference import (
    chosen_reference_days,
    reference_days,
    reference_periods,
)
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.features import (
    CALIBRATIONS,
    CHANNEL_REFERENCES,
    CHANNELS_30M,
    RESIDUALS,
)

from .half_hours import (
    ChannelReference,
    half_hour_channels,
    half_hour_means,
    learn_correction,
    learn_reference,
)
from .windows import window_features

READINGS = "telemetry.readings"
CALIBRATION_TABLES = ("features.calibrations", "features.channel_references")
CHANNELS = "features.channels_30m"
LEAD_IN = timedelta(hours=2)


def calibration_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the twin's correction that counts on each day.

    A day's correction comes from the newest reference days before it; until the first are over
    the day has none and the network is learning, which the progress says.
    """
    site = work.network
    fitted: _Fitted | None = None
    for partition in partitions:
        day = day_of(partition)
        reference = _reference(work, day)
        if not reference:
            work.progress(f"{site.name} is {learning_state(work.warehouse, site, [day])}")
            frames: Frames = _learning()
        else:
            if fitted is None or fitted.reference != reference:
                fitted = _fit(work, reference)
            frames = fitted.frames(site.name, day)
        yield partition, frames


def learning_state(warehouse: Warehouse, site: NetworkSite, days: Sequence[date]) -> str:
    """Return why the newest of some days has no correction yet, in words; empty if it has one."""
    periods = reference_periods(warehouse, site)
    if not days or not periods:
        return ""
    table = CALIBRATION_TABLES[0]
    if reference_days(warehouse, site, max(days), periods=periods, table=table):
        return ""
    return f"learning: {periods[0]}"


def _reference(work: Work, day: date) -> tuple[date, ...]:
    return chosen_reference_days(work, day, table=CALIBRATION_TABLES[0])


class _Fitted:
    """The calibration of the reference days, as rows of any day that it counts on."""

    def __init__(
        self, calibration: Calibration, channels: ChannelReference, reference: tuple[date, ...]
    ) -> None:
        self.calibration, self.channels, self.reference = calibration, channels, reference

    def frames(self, network: str, day: date) -> dict[str, pl.DataFrame]:
        first, last = self.reference[0], self.reference[-1]
        return {
            "features.calibrations": self.calibration.to_frame(network, day, first, last),
            "features.channel_references": self.channels.to_frame(network),
        }


def _learning() -> dict[str, pl.DataFrame]:
    return {
        "features.calibrations": CALIBRATIONS.empty(),
        "features.channel_references": CHANNEL_REFERENCES.empty(),
    }


def _fit(work: Work, reference: tuple[date, ...]) -> _Fitted:
    site = work.network
    work.progress(f"calibrating the twin of {site.name} on {reference[0]} to {reference[-1]}")
    wide = to_wide(work.read_days(READINGS, reference))
    twin = twin_of(site.network, site.layout)
    calibration = learn_correction(twin, wide)
    half_hours = learn_reference(twin, half_hour_means(wide), reference, calibration)
    return _Fitted(calibration, half_hours, reference)


def residual_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield measured minus expected of each day; no rows while the network is learning."""
    site = work.network
    for partition in partitions:
        day = day_of(partition)
        readings = work.read(READINGS, partition)
        calibrations = work.read("features.calibrations", partition)
        if readings is None or calibrations is None:
            continue
        if calibrations.is_empty():
            frame = RESIDUALS.empty()
        else:
            calibration = Calibration.from_frame(calibrations)
            channels = _observe(site, _with_last_hours(work, day, readings))
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            residuals = channels.residuals(site.name, calibration)
            frame = residuals.filter(pl.col("ts_utc") >= midnight)
        yield partition, {"features.residuals": frame}


def channel_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the half-hour channels of each day so far; no rows while the network is learning."""
    site = work.network
    for partition in partitions:
        readings = work.read(READINGS, partition)
        calibrations = work.read("features.calibrations", partition)
        references = work.read("features.channel_references", partition)
        if readings is None or calibrations is None or references is None:
            continue
        reference = ChannelReference.from_frame(references)
        if reference is None or calibrations.is_empty():
            frame = CHANNELS_30M.empty()
        else:
            day = day_of(partition)
            frame = half_hour_channels(
                site.name,
                twin_of(site.network, site.layout),
                half_hour_means(to_wide(_with_last_hours(work, day, readings))),
                day,
                Calibration.from_frame(calibrations),
                reference,
            )
        yield partition, {CHANNELS: frame}


def window_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the features of all windows whose last step falls in each day."""
    for partition in partitions:
        day = day_of(partition)
        if work.read("features.residuals", partition) is None:
            continue
        residuals = work.read_around("features.residuals", day, 1)
        features = window_features(residuals, day=day, network=work.site.name)
        yield partition, {"features.windows": features}


def _with_last_hours(work: Work, day: date, readings: pl.DataFrame) -> pl.DataFrame:
    """Put the last hours of the day before in front of a day's readings.

    What a tank stores is a difference over time, so the first hour of any frame has no balance.
    """
    before = work.read(READINGS, work.day(day - timedelta(days=1)))
    if before is None:
        return readings
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return pl.concat([before.filter(pl.col("ts_utc") >= midnight - LEAD_IN), readings])


def _observe(site: NetworkSite, readings: pl.DataFrame) -> Channels:
    return Channels.of(twin_of(site.network, site.layout), to_wide(readings))


CALIBRATIONS_STEP = Step(
    name="calibrations",
    partition="day",
    writes=CALIBRATION_TABLES,
    reads=(Read(READINGS, days=_reference),),
    given=(NETWORK,),
    compute=calibration_frames,
    # All at once: days that share their reference days share the fit, which takes seconds.
    days_at_once=400,
    description="The twin's correction that counts on each day, learned on days before it.",
)

RESIDUALS_STEP = Step(
    name="residuals",
    partition="day",
    writes=("features.residuals",),
    reads=(
        Read(READINGS, first_day=-1, required=True),
        Read("features.calibrations", required=True),
    ),
    given=(NETWORK,),
    compute=residual_frames,
    description="Measured minus what the calibrated twin expects.",
)

CHANNELS_STEP = Step(
    name="channels_30m",
    partition="day",
    writes=(CHANNELS,),
    reads=(
        Read(READINGS, first_day=-1, required=True),
        Read("features.calibrations", required=True),
        Read("features.channel_references", required=True),
    ),
    given=(NETWORK,),
    compute=channel_frames,
    # All at once: the model is opened once.
    days_at_once=400,
    is_apart=always_apart,
    description="Half-hour pressures and zone balances, measured minus expected.",
)

WINDOWS_STEP = Step(
    name="windows",
    partition="day",
    writes=("features.windows",),
    reads=(Read("features.residuals", first_day=-1, required=True),),
    given=(),
    compute=window_frames,
    description="Three hours of a channel in the few numbers that models read, each half hour.",
)
