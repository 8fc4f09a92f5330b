"""Data incidents: a sensor that is wrong, told beside leaks and never as one.

They follow from a sensor's days (`telemetry.sensor_quality_daily`) and from what the detection
explains by a sensor's fault. No leak incident is opened or closed here.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.quality.reasons import OF_DAYS, WORDS, Reason, name_of
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.data_incidents import DATA_INCIDENT_DAYS

from .policy import raising_method

SENSOR_DAYS = "telemetry.sensor_quality_daily"
HYPOTHESES = "detection.hypotheses"
DAYS = "incidents.data_incident_days"

# Readings of a day with a flag from which on it is more than an accident.
_LEAST = {
    Reason.RANGE: 3,
    Reason.FLAT_LINE: 1,
    Reason.UNIT_SUSPECT: 1,
    Reason.REVERSE_FLOW: 3,
    Reason.TIME_INCONSISTENT: 3,
    Reason.DUPLICATE_TIME: 3,
    Reason.RATE_OF_CHANGE: 10,
}
# Part of a day without measured values that is an incident of its own.
_MISSING_SHARE = 0.25
# What is judged by days is not seen on every day: a clock needs changes of demand to be read.
CLEAR_DAYS = 3
IMPLAUSIBLE = "implausible"
_KEY = ("sensor_id", "quantity", "reason", "raised_by")


def data_incident_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the data incidents of each day: open ones, and those that end with it."""
    method = raising_method(work.settings)
    for partition in partitions:
        sensors = work.read(SENSOR_DAYS, partition)
        if sensors is None:
            continue
        day = day_of(partition)
        signs = signs_of_sensors(sensors)
        hypotheses = work.read(HYPOTHESES, partition)
        if hypotheses is not None:
            signs += signs_of_detection(hypotheses.filter(method=method))
        before = work.read_days(DAYS, _day_gone_on_from(work, day))
        yield partition, {DAYS: incidents_of_day(signs, before, work.site.name, day)}


def signs_of_sensors(sensors: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what is wrong with sensors on a day, one entry for each reason.

    Parameters
    ----------
    sensors
        Rows of `telemetry.sensor_quality_daily` of the day.
    """
    signs = []
    for row in sensors.filter(pl.col("reasons") != 0).iter_rows(named=True):
        found = {
            reason: f"{row[name_of(reason)]} of {row['steps']} readings: {WORDS[reason]}"
            for reason, least in _LEAST.items()
            if row[name_of(reason)] >= least
        }
        missing = row["missing"] + row["estimated"]
        if row["steps"] and missing >= _MISSING_SHARE * row["steps"]:
            found[Reason.GAP] = f"{missing} of {row['steps']} readings are missing or estimated"
        for reason in OF_DAYS:
            if row["reasons"] & reason:
                found[reason] = WORDS[reason]
                if reason is not Reason.SILENT and row["evidence"]:
                    found[reason] += f": {row['evidence']}"
        signs += [
            {
                "sensor_id": row["sensor_id"],
                "quantity": row["quantity"],
                "reason": name_of(reason),
                "raised_by": "quality",
                "evidence": words,
            }
            for reason, words in found.items()
        ]
    return signs


def signs_of_detection(hypotheses: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the sensors whose fault explains what a method sees better than any leak."""
    faults = hypotheses.filter(pl.col("kind") == "sensor_fault", pl.col("status") != "ended")
    return [
        {
            "sensor_id": row["element_id"].partition("/")[2],
            "quantity": row["element_id"].partition("/")[0],
            "reason": IMPLAUSIBLE,
            "raised_by": row["method"],
            "evidence": f"since {row['onset_at']:%Y-%m-%d} a fault of it explains what all sensors"
            f" show better than any leak (probability {row['probability']:.2f})",
        }
        for row in faults.sort("at").unique("element_id", keep="last").iter_rows(named=True)
    ]


def incidents_of_day(
    signs: Sequence[dict[str, Any]], before: pl.DataFrame, network: str, day: date
) -> pl.DataFrame:
    """Return rows of `incidents.data_incident_days` of a day.

    Parameters
    ----------
    signs
        As of `signs_of_sensors` and `signs_of_detection`.
    before
        Rows of the newest day before it.
    """
    known = {
        tuple(row[name] for name in _KEY): row
        for row in before.filter(status="open").iter_rows(named=True)
    }
    seen = {tuple(sign[name] for name in _KEY): sign for sign in signs}
    rows = []
    for key, sign in seen.items():
        row = known.get(key)
        if row is None:
            name = f"data-{sign['quantity']}-{sign['sensor_id']}-{sign['reason']}-{day}"
            if sign["raised_by"] != "quality":
                name = f"{name}-{sign['raised_by']}"
            row = {"data_incident_id": name, "opened_on": day, "days_seen": 0}
        rows.append(
            row | sign | {"last_seen_on": day, "status": "open", "days_seen": row["days_seen"] + 1}
        )
    for key, row in known.items():
        if key not in seen:
            is_over = day - row["last_seen_on"] >= timedelta(days=CLEAR_DAYS)
            rows.append(row | ({"status": "closed", "ended_on": day} if is_over else {}))
    same = {"network": network, "day": day}
    frame = pl.DataFrame(
        [{"ended_on": None} | row | same for row in rows], schema=DATA_INCIDENT_DAYS.polars_schema
    )
    return frame.sort("data_incident_id")


def _day_gone_on_from(work: Work, day: date) -> list[date]:
    """Return the newest day before a day that has rows, if there is one."""
    known = (
        date.fromisoformat(partition["date"])
        for partition in work.warehouse.partitions(DAYS, network=work.site.name)
    )
    newest = max((found for found in known if found < day), default=None)
    return [] if newest is None else [newest]


def _method(work: Work) -> tuple[Input, ...]:
    return (Input("setting", "incident_method", "", raising_method(work.settings)),)


DATA_INCIDENTS_STEP = Step(
    name="data_incidents",
    partition="day",
    writes=(DAYS,),
    reads=(
        Read(SENSOR_DAYS, required=True),
        Read(HYPOTHESES),
        Read(DAYS, days=_day_gone_on_from),
    ),
    given=(Given("setting", _method),),
    compute=data_incident_frames,
    goes_on=True,
    kinds=("network", "zones"),
    description="Sensors that are wrong: since when, why, what shows it.",
)
