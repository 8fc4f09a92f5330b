"""Shapes of series, for the API's documents: columns of one length, the time in `t`."""

from datetime import datetime

from pydantic import BaseModel, Field

_BUCKETS = "begins of the buckets; those without rows are left out"


class _Series(BaseModel):
    since: datetime
    until: datetime
    step_s: float = Field(description="width of a bucket")
    count: int
    t: list[datetime] = Field(description=_BUCKETS)


class ReadingSeries(_Series):
    """Readings of a sensor."""

    site: str
    sensor_id: str
    quantity: str
    unit: str | None
    mean: list[float | None]
    low: list[float | None] = Field(description="least of the bucket")
    high: list[float | None] = Field(description="largest of the bucket")
    n: list[int] = Field(description="readings that count")
    unusable: list[int] = Field(description="readings that do not: bad, estimated, missing")


class ScoreSeries(_Series):
    """Scores of windows, by the end of the window."""

    network: str
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    threshold: list[float | None] = Field(description="alarm at or above it")
    is_alarm: list[bool] = Field(description="whether a window of the bucket alarms")
    n: list[int]
    insufficient_data: list[int] = Field(description="windows with too few channels")
    method_version: list[str]


class ChannelSeries(_Series):
    """A channel's half-hours."""

    network: str
    channel: str
    unit: str
    measured: list[float | None]
    expected: list[float | None] = Field(description="by the twin, or usual demand")
    expected_low: list[float | None] = Field(description="three standard deviations below")
    expected_high: list[float | None] = Field(description="three standard deviations above")
    residual: list[float | None] = Field(description="measured minus expected")
    n: list[int]
