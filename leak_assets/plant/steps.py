"""The plant room's steps: readings in the units of the limits, and what breaks the rules.

A day goes on from the state of the rules at the end of the newest day before it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.units import si_conversion, unit_choices
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.schemas.plant import ANOMALIES, READINGS

from .profile import UNITS, profile_of
from .rules import ORDER, TYPES, judge
from .state import state_as_row, state_of_row

RAW = "telemetry.raw_readings"
_READINGS, _ANOMALIES, _STATES = "plant.readings", "plant.anomalies", "plant.rule_states"


def reading_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the readings of each day."""
    for partition in partitions:
        raw = work.read(RAW, partition)
        if raw is not None:
            yield partition, {_READINGS: plant_readings(raw, work.site.name)}


def plant_readings(raw: pl.DataFrame, site: str) -> pl.DataFrame:
    """Return raw readings in the units of the limits, sorted as the rules want them.

    Of readings of one time, that which was received last counts.

    Parameters
    ----------
    raw
        Rows of `telemetry.raw_readings`; other quantities than a plant's are left out.
    """
    factors = pl.DataFrame(
        [
            {"quantity": p, "unit": unit, **_conversion(p, unit, own)}
            for p, own in UNITS.items()
            for unit in unit_choices(p)
        ]
    )
    return (
        raw.lazy()
        .join(factors.lazy(), on=["quantity", "unit"], how="inner")
        .sort("received_at", "sequence", maintain_order=True)
        .unique(["quantity", "sensor_id", "ts_utc"], keep="last", maintain_order=True)
        # Twelve digits: 4.0 bar that was written as 400 kPa must be 4.0 bar, at the limit.
        .with_columns(
            value=(pl.col("value") * pl.col("factor") + pl.col("offset")).round_sig_figs(12),
            parameter="quantity",
            site=pl.lit(site),
        )
        .sort(ORDER)
        .select(READINGS.polars_schema.names())
        .collect()
    )


def _conversion(quantity: str, unit: str, wanted: str) -> dict[str, float]:
    given, own = si_conversion(quantity, unit), si_conversion(quantity, wanted)
    factor = given.factor / own.factor
    return {"factor": factor, "offset": own.from_si(given.offset) if given.offset else 0.0}


def anomaly_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the anomalies of each day, and the state at its end."""
    profile = profile_of(work.site)
    for partition in partitions:
        readings = work.read(_READINGS, partition)
        if readings is None:
            continue
        day = day_of(partition)
        before = work.read_days(_STATES, day_gone_on_from(work, day))
        judged = judge(
            readings, profile, state_of_row(before), now=clock_of(day, readings, datetime.now(UTC))
        )
        anomalies = judged.anomalies.with_columns(site=pl.lit(work.site.name))
        last = readings.get_column("received_at").max()
        received_at = last if isinstance(last, datetime) else None
        yield (
            partition,
            {
                _ANOMALIES: anomalies.select(ANOMALIES.polars_schema.names()),
                _STATES: state_as_row(judged.state, work.site.name, day, received_at),
            },
        )


def counts_of_day(warehouse: Warehouse, site: str, day: date) -> dict[str, int]:
    """Return how many anomalies of each type a day of a plant has; none: empty."""
    rows = warehouse.read(_ANOMALIES, {"date": day.isoformat(), "site": site})
    kinds = [] if rows is None else rows.get_column("type").to_list()
    return {kind: kinds.count(kind) for kind in TYPES if kind in kinds}


def clock_of(day: date, readings: pl.DataFrame, now: datetime) -> datetime:
    """Return up to when the silences of a day are judged: its end, or what has come of it."""
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    if now >= end:
        return end
    newest = readings.get_column("ts_utc").max()
    # A device whose clock is ahead makes no other silent.
    return min(newest, end, now) if isinstance(newest, datetime) else end


def day_gone_on_from(work: Work, day: date) -> list[date]:
    """Return the newest day before a day that has a state, if there is one."""
    known = (
        date.fromisoformat(partition["date"])
        for partition in work.warehouse.partitions(_STATES, site=work.site.name)
    )
    newest = max((known_day for known_day in known if known_day < day), default=None)
    return [] if newest is None else [newest]


def _site_inputs(work: Work) -> Sequence[Input]:
    return [Input("rules", profile_of(work.site).name, "", profile_of(work.site).sha256)]


PLANT_READINGS_STEP = Step(
    name="plant_readings",
    partition="day",
    writes=(_READINGS,),
    reads=(Read(RAW, required=True),),
    given=(),
    compute=reading_frames,
    kinds=("plant",),
    description="Raw readings of a plant in the units of its limits.",
)

PLANT_ANOMALIES_STEP = Step(
    name="plant_anomalies",
    partition="day",
    writes=(_ANOMALIES, _STATES),
    reads=(Read(_READINGS, required=True), Read(_STATES, days=day_gone_on_from)),
    given=(Given("rules", _site_inputs),),
    compute=anomaly_frames,
    goes_on=True,
    kinds=("plant",),
    code=("leak_assets.plant.rules", "leak_assets.plant.state"),
    description="Spikes, drifts and dropouts by the plant's rule profile.",
)
