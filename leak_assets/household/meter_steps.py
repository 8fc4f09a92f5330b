"""The step of a utility's smart meters: a day of each, and who loses water continuously."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.household_meters import CONTINUOUS_FLOW, METER_DAYS

from .meters import continuous_flow, meter_days, meter_hours

RAW = "telemetry.raw_readings"
DAYS, CONTINUOUS = METER_DAYS.full_name, CONTINUOUS_FLOW.full_name


def meter_frames(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield the meters of each day; a day goes on from the newest before it."""
    for partition in partitions:
        raw = work.read(RAW, partition)
        if raw is None:
            continue
        day = day_of(partition)
        before = work.read(RAW, work.day(day - timedelta(days=1)))
        hours = meter_hours(raw, before, work.site.contract.cadence_s)
        former = work.read_days(DAYS, newest_before(work, day))
        days = meter_days(hours, former, work.site.name, day)
        price = work.settings.water_price_eur_per_m3
        yield partition, {DAYS: days, CONTINUOUS: continuous_flow(days, price)}


def newest_before(work: Work, day: date) -> list[date]:
    """Return the newest day before a day that has meters, if there is one."""
    known = sorted(work.warehouse.days(DAYS, work.site.name))
    earlier = [found for found in known if found < day.isoformat()]
    return [date.fromisoformat(earlier[-1])] if earlier else []


def _price(work: Work) -> tuple[Input, ...]:
    price = str(work.settings.water_price_eur_per_m3)
    return (Input("setting", "water_price_eur_per_m3", "", price), *work.site.inputs())


METERS_STEP = Step(
    name="smart_meters",
    partition="day",
    writes=(DAYS, CONTINUOUS),
    reads=(Read(RAW, first_day=-1, required=True), Read(DAYS, days=newest_before)),
    given=(Given("setting", _price),),
    compute=meter_frames,
    goes_on=True,
    kinds=("meters",),
    code=("leak_assets.household.meters",),
    description="A day of a utility's smart meters, and those whose water never rests.",
)
