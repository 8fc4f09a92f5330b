"""Shapes of the answers about networks and metered zones, for the API's documents."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from .row_shapes import row_shape

_DataIncident = row_shape(
    "DataIncident", "incidents.data_incident_days", without=("network", "day")
)
_BrokenDay = row_shape(
    "BrokenDay", "telemetry.contract_breaks", ("day", "check", "message", "found_at")
)
_BalanceDay = row_shape("BalanceDay", "water.dma_balance_daily", without=("network",))
_Metric = row_shape("Metric", "models.evaluations", ("split", "metric", "value", "gate", "passed"))


class Geometry(BaseModel):
    """A GeoJSON geometry."""

    type: Literal["Point", "LineString"]
    coordinates: list[Any]


class Feature(BaseModel):
    """A GeoJSON feature."""

    type: Literal["Feature"]
    id: str
    geometry: Geometry
    properties: dict[str, Any]


class GeoJson(BaseModel):
    """A GeoJSON FeatureCollection in coordinates of the network model."""

    type: Literal["FeatureCollection"]
    name: str
    revision: int | None = Field(None, description="of candidates: the incident's revision")
    coordinates: str
    features: list[Feature]


class NetworkRow(BaseModel):
    """A network, or metered zones without a model."""

    name: str
    kind: Literal["network", "zones"]
    title: str
    timezone: str = Field(description="IANA zone of local days and nights")
    pipes: int
    length_km: float
    sensors: int
    open_incidents: int
    last_reading_at: datetime | None = Field(description="newest usable reading")


class Networks(BaseModel):
    """Networks by name."""

    networks: list[NetworkRow]
    count: int


class ChannelNow(BaseModel):
    """The newest half-hour of a channel."""

    channel: str = Field(description="`pressure/<sensor>` (m) or `balance/<zone>` (m3/h)")
    ts_utc: datetime
    measured: float | None
    expected: float | None
    residual: float | None = Field(description="measured minus expected")
    deviation: float | None = Field(description="residual in standard deviations of a week")


class Residuals(BaseModel):
    """Newest residuals of a network."""

    network: str
    channels: list[ChannelNow]


class SensorState(BaseModel):
    """A sensor on its newest day."""

    sensor_id: str
    quantity: str
    day: date
    health: float | None = Field(description="0 to 1")
    reason_names: str
    evidence: str
    is_silent: bool
    is_fresh: bool = Field(description="newest usable reading not older than the contract allows")
    last_reading_at: datetime | None
    max_age_s: float
    steps: int
    usable: int
    good: int
    suspect: int
    bad: int
    estimated: int
    missing: int
    flags: dict[str, int] = Field(description="readings by flag; only those that there are")


class QualityDay(BaseModel):
    """All sensors of a network on a day."""

    day: date
    health: float | None
    usable_share: float | None
    missing: int
    bad: int
    suspect: int
    estimated: int


class Refused(BaseModel):
    """Values that could not be read, by reason."""

    reason: str
    count: int
    last_received_at: datetime | None


class Quality(BaseModel):
    """The state of the data of a network."""

    network: str
    fresh_sensors: int
    silent_sensors: int
    sensors: list[SensorState]
    days: list[QualityDay]
    data_incidents: list[_DataIncident]  # type: ignore[valid-type]
    broken_days: list[_BrokenDay]  # type: ignore[valid-type]
    quarantine: list[Refused]


class ZoneTotals(BaseModel):
    """A metered area over the days of the answer."""

    zone_id: str
    days: int
    net_inflow_m3: float | None
    used_m3: float | None
    non_revenue_m3: float | None
    losses_m3: float | None
    unavoidable_m3: float | None
    median_ili: float | None


class Night(BaseModel):
    """A measured night beside the band of those before it."""

    zone_id: str
    night: date
    mnf_m3_per_h: float | None
    usual_m3_per_h: float | None
    upper_m3_per_h: float | None
    excess_m3_per_h: float | None
    is_above: bool
    nights_above: int
    is_indication: bool | None


class WaterBalance(BaseModel):
    """Balance of metered areas by local day, with their nights."""

    network: str
    zones: list[ZoneTotals]
    days: list[_BalanceDay]  # type: ignore[valid-type]
    nights: list[Night]


class Model(BaseModel):
    """A version of a trained model."""

    model: str
    version: str
    status: str = Field(description="`candidate`, `rejected`, `champion` or `retired`")
    manifest_sha256: str
    event_at: datetime
    actor: str
    note: str
    trained_at: datetime | None
    epochs: int | None
    metrics: list[_Metric]  # type: ignore[valid-type]


class PrecisionRow(BaseModel):
    """How often a method was right in a month, as people closed."""

    method: str
    method_version: str | None
    month: datetime | date
    incidents: int
    confirmed: int
    false_alarms: int
    duplicates: int
    not_closed: int
    without_reason: int
    precision: float | None


class Models(BaseModel):
    """Trained models of a network, and how often methods were right."""

    network: str
    models: list[Model]
    precision: list[PrecisionRow]
