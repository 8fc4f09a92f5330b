"""Shapes of the answers about sites and homes, for the API's documents."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from leak_assets.sites.site import SiteKind

from .access import Role
from .row_shapes import row_shape

_HomeDay = row_shape("HomeDay", "household.daily_summaries", without=("site",))
_HomeAlert = row_shape("HomeAlert", "household.alerts", without=("site", "attributes_json"))


class SiteRow(BaseModel):
    """Something watched."""

    name: str
    kind: SiteKind
    title: str
    timezone: str
    first_day: date | None = Field(description="of readings, UTC")
    last_day: date | None
    days: int = Field(description="days with readings")


class Sites(BaseModel):
    """Sites by name."""

    sites: list[SiteRow]
    count: int


class SensorRow(BaseModel):
    """A sensor with readings on the newest day."""

    sensor_id: str
    quantity: str
    last_reading_at: datetime | None
    readings: int


class SiteDetail(SiteRow):
    """A site with its sensors."""

    sensors: list[SensorRow]


class Household(BaseModel):
    """How a home stands."""

    name: str
    title: str
    timezone: str
    status: str = Field(description="`ok`, `learning`, `paused`; `no_data` before any reading")
    is_on: bool = Field(description="whether the alarm is on")
    last_measured_at: datetime | None
    days_learned: int
    ready_buckets: int
    prototypes: int
    attributes: dict[str, Any] = Field(description="of the binary sensor at the newest event")
    alerts: list[_HomeAlert]  # type: ignore[valid-type]
    days: list[_HomeDay]  # type: ignore[valid-type]


class KeyRow(BaseModel):
    """Somebody who may ask."""

    name: str
    role: Role
    sites: list[str] | None = Field(description="null: all")


class KeyList(BaseModel):
    """Who may ask; empty where loopback is open."""

    keys: list[KeyRow]
    count: int
