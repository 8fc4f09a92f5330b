"""Data incidents: opened by what is wrong with a sensor, followed, closed after clear days."""

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from leak_assets.incidents.data_incidents import (
    incidents_of_day,
    signs_of_detection,
    signs_of_sensors,
)
from leak_assets.quality.reasons import Reason
from leak_assets.warehouse.schemas.data_incidents import DATA_INCIDENT_DAYS
from leak_assets_tests.hypotheses import story
from leak_assets_tests.towns import table_rows

FIRST = date(2019, 1, 7)


def sensor_day(**values: Any) -> pl.DataFrame:
    """Return a sensor's day with the given counts and reasons."""
    row = {"sensor_id": "n1", "quantity": "pressure", "steps": 288, **values}
    return table_rows("telemetry.sensor_quality_daily", [row])


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ({"reasons": 0}, []),
        ({"reasons": int(Reason.OUTLIER), "outlier": 200}, []),
        ({"reasons": int(Reason.FLAT_LINE), "flat_line": 5}, ["flat_line"]),
        ({"reasons": int(Reason.REVERSE_FLOW), "reverse_flow": 2}, []),
        ({"reasons": int(Reason.REVERSE_FLOW), "reverse_flow": 3}, ["reverse_flow"]),
        ({"reasons": int(Reason.GAP), "missing": 60, "estimated": 12}, ["gap"]),
        ({"reasons": int(Reason.GAP), "missing": 60, "estimated": 11}, []),
        ({"reasons": int(Reason.BALANCE), "evidence": "reads +5 %"}, ["balance"]),
    ],
)
def test_what_opens_one(row: dict[str, Any], reasons: list[str]) -> None:
    """Reasons of days open, flags of readings from a number on, mere outliers never."""
    signs = signs_of_sensors(sensor_day(**row))
    assert [sign["reason"] for sign in signs] == reasons
    assert all(sign["evidence"] for sign in signs)


def test_a_fault_in_the_detection_opens_one() -> None:
    """What a method explains by a sensor's fault is a data incident raised by the method."""
    leak, fault = story("h1", "r"), story("h2", "r", kind="sensor_fault", pipes="pressure/n3")
    [sign] = signs_of_detection((leak + fault).hypotheses)
    assert (sign["sensor_id"], sign["quantity"], sign["reason"]) == (
        "n3",
        "pressure",
        "implausible",
    )
    assert sign["raised_by"] == "likelihood"


def test_one_is_followed_and_closed() -> None:
    """It opens once, bears days without a sign, closes after three, and opens anew later."""
    sign = signs_of_sensors(sensor_day(reasons=int(Reason.CLOCK_DRIFT), evidence="late"))
    before, found = DATA_INCIDENT_DAYS.empty(), []
    for number, mark in enumerate("x.x....x"):
        day = FIRST + timedelta(days=number)
        before = incidents_of_day(sign if mark == "x" else [], before, "net1", day)
        found.append(before)
    rows = pl.concat(found)
    assert rows.schema == DATA_INCIDENT_DAYS.polars_schema
    first, second = rows["data_incident_id"].unique(maintain_order=True)
    assert first == "data-pressure-n1-clock_drift-2019-01-07"
    of_first = rows.filter(data_incident_id=first)
    assert of_first["status"].to_list() == ["open"] * 5 + ["closed"]
    assert of_first["days_seen"].to_list() == [1, 1, 2, 2, 2, 2]
    assert of_first["ended_on"][-1] == FIRST + timedelta(days=5)
    assert rows.filter(data_incident_id=second)["opened_on"].to_list() == [date(2019, 1, 14)]


def test_the_view_has_the_newest_state() -> None:
    """A day's rows are keyed; repeating a day gives the same rows."""
    sign = signs_of_sensors(sensor_day(reasons=int(Reason.SILENT)))
    once = incidents_of_day(sign, DATA_INCIDENT_DAYS.empty(), "net1", FIRST)
    assert once.equals(incidents_of_day(sign, DATA_INCIDENT_DAYS.empty(), "net1", FIRST))
    assert isinstance(once["opened_on"][0], date)
    assert not isinstance(once["opened_on"][0], datetime)
