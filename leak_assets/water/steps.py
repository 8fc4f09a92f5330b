"""The water room's step: validated readings to the balance and the nights of metered areas.

Only the order of reading, calling and writing belongs here.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from leak_assets.features.calendar import Calendar
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step, always_apart
from leak_assets.pipeline.work import Work, day_of
from leak_assets.sites.areas import Area
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.water import DMA_BALANCE_DAILY, MINIMUM_NIGHT_FLOW, ZONE_SENSORS

from .balance import day_row, night_row
from .net_inflow import AreaFlow, area_flow
from .night_flow import FIRST_HOUR, LAST_HOUR
from .weather import weather_of
from .zones import Areas, area_settings, areas_of

READINGS = "telemetry.readings"
NIGHTS, BALANCE = MINIMUM_NIGHT_FLOW.full_name, DMA_BALANCE_DAILY.full_name
SENSORS = ZONE_SENSORS.full_name
_DAY = timedelta(days=1)


def balance_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the nights that are over, and the local days that end, on each UTC day."""
    site = work.site
    calendar = Calendar(site.timezone, site.country)
    for partition in partitions:
        day = day_of(partition)
        readings = work.read_around(READINGS, day, 1)
        areas = areas_of(site)
        flows = _flows(work, day, readings, areas)
        times = readings["ts_utc"]
        # Before the first reading, or still to come: nothing can be said.
        nights = [
            night
            for night in calendar.days_by_hour(day, LAST_HOUR)
            if _is_seen(times, calendar.at(night, FIRST_HOUR), calendar.at(night, LAST_HOUR))
        ]
        days = [at for at in calendar.days_by_hour(day, 24) if _is_seen(times, *calendar.span(at))]
        step_s = site.contract.cadence_s
        weather = {
            at: weather_of(readings, areas.weather, *calendar.span(at), step_s) for at in days
        }
        yield (
            partition,
            {
                NIGHTS: _frame(
                    site.name,
                    [night_row(area, flow, calendar, at) for area, flow in flows for at in nights],
                    MINIMUM_NIGHT_FLOW.polars_schema,
                ),
                BALANCE: _frame(
                    site.name,
                    [
                        day_row(area, flow, calendar, at) | weather[at]
                        for area, flow in flows
                        for at in days
                    ],
                    DMA_BALANCE_DAILY.polars_schema,
                ),
                SENSORS: _frame(
                    site.name,
                    [
                        {
                            "zone_id": area.name,
                            "day": day,
                            "quantity": quantity,
                            "sensor_id": name,
                        }
                        for area in areas.areas
                        for quantity, name in sorted(area.sensors())
                    ],
                    ZONE_SENSORS.polars_schema,
                ),
            },
        )


def _flows(
    work: Work, day: date, readings: pl.DataFrame, found: Areas
) -> list[tuple[Area, AreaFlow]]:
    """Return the flows of all areas on a UTC day and the day before."""
    midnight = datetime.combine(day, time(), UTC)
    return [
        (
            area,
            area_flow(
                readings,
                area,
                start=midnight - _DAY,
                end=midnight + _DAY,
                step_s=work.site.contract.cadence_s,
                volume=found.volume,
            ),
        )
        for area in found.areas
    ]


def _is_seen(times: pl.Series, start: datetime, end: datetime) -> bool:
    return bool(((times >= start) & (times < end)).any())


def _frame(network: str, rows: list[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame([{"network": network, **row} for row in rows], schema=schema)


def area_inputs(work: Work) -> tuple[Input, ...]:
    """Return what areas and local days follow from: the site, time zone, what is known of areas."""
    site = work.site
    said = json.dumps([site.timezone, site.country, area_settings(site)], sort_keys=True)
    version = hashlib.sha256(said.encode()).hexdigest()
    return (*site.inputs(), Input("setting", "areas", site.name, version))


BALANCE_STEP = Step(
    name="water_balance",
    partition="day",
    writes=(NIGHTS, BALANCE, SENSORS),
    reads=(Read(READINGS, first_day=-1, required=True),),
    given=(Given("areas", area_inputs),),
    compute=balance_frames,
    is_apart=always_apart,
    kinds=("network", "zones"),
    description="Minimum night flow and daily balance of district metered areas, by local days.",
)
