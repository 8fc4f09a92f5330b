"""Reference days: the first complete ones, and which of them hold for a day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.quality.reasons import Reason
from leak_assets.settings import Settings
from leak_assets.telemetry.judged import reference_statistics
from leak_assets.telemetry.reference import reference_days, reference_periods
from leak_assets.warehouse.schemas.telemetry import READINGS

NETWORK = "hanoi"
STEPS = 288


def day(number: int) -> date:
    """Day of January 2019."""
    return date(2019, 1, number)


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """Steps' context in a home whose network learns from four days."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), run_id="test")
    settings_of(ctx, "")
    return ctx


def put(
    ctx: StepContext,
    number: int,
    *,
    steps: int = STEPS,
    dead: tuple[str, ...] = (),
    flags: int = 0,
) -> None:
    """Write the readings of three sensors from midnight on, made with the reference in use."""
    start = datetime(2019, 1, number, tzinfo=UTC)
    frames = [
        pl.DataFrame(
            {
                "network": NETWORK,
                "ts_utc": [start + timedelta(minutes=5 * n) for n in range(steps)],
                "sensor_id": sensor,
                "quantity": "pressure",
                "value_si": [None if sensor in dead else 50.0 + number] * steps,
                "quality": "missing" if sensor in dead else "good",
                "flags": int(flags) if sensor in dead else 0,
                "mask": int(sensor not in dead),
                "estimator": None,
                "offset_s": 0,
                "received_at": start,
                "source": "file",
                "message_id": "f:2",
            }
        )
        for sensor in ("2", "3", "4")
    ]
    known = [day_partition(day(n), NETWORK) for n in in_use(ctx, number)]
    inputs = [ctx.warehouse.as_input("telemetry.readings", partition) for partition in known]
    frame = pl.concat(frames).select(READINGS.polars_schema.names())
    ctx.warehouse.write(
        "telemetry.readings",
        day_partition(day(number), NETWORK),
        frame.cast(dict(READINGS.polars_schema)),
        inputs=[source for source in inputs if source is not None],
    )


def settings_of(ctx: StepContext, text: str) -> None:
    """Write the network's YAML, with four reference days."""
    ctx.settings.networks_dir.mkdir(parents=True, exist_ok=True)
    (ctx.settings.networks_dir / f"{NETWORK}.yaml").write_text(f"reference_days: 4\n{text}")


def in_use(ctx: StepContext, number: int, table: str = "telemetry.readings") -> list[int]:
    """Return the reference days of a day of January, as numbers."""
    site = ctx.network(NETWORK)
    periods = reference_periods(ctx.warehouse, site)
    days = reference_days(ctx.warehouse, site, day(number), periods=periods, table=table)
    return [d.day for d in days]


def test_the_first_complete_days_are_the_reference(ctx: StepContext) -> None:
    """Four days, in use from the fifth on."""
    for number in (1, 2, 3, 4, 5):
        put(ctx, number)
    assert in_use(ctx, 4) == []
    assert in_use(ctx, 5) == [1, 2, 3, 4]


def test_a_missing_or_incomplete_day_is_passed_over_and_named(ctx: StepContext) -> None:
    """One hole among the first days delays the end of learning by a day, not for good."""
    put(ctx, 1)
    put(ctx, 3, steps=200)
    put(ctx, 4)
    (period,) = reference_periods(ctx.warehouse, ctx.network(NETWORK))
    assert not period.is_whole
    assert str(period) == (
        "2 of 4 leak-free days; 2019-01-02 is missing; 2019-01-03 is incomplete (too few readings)"
    )
    for number in (5, 6, 7):
        put(ctx, number)
    assert in_use(ctx, 7) == [1, 4, 5, 6]


def test_of_many_days_that_do_not_count_the_newest_are_named(ctx: StepContext) -> None:
    """A network that was silent for a month says so in a line, not in thirty."""
    put(ctx, 1)
    put(ctx, 29)
    (period,) = reference_periods(ctx.warehouse, ctx.network(NETWORK))
    first, *named, more = str(period).split("; ")
    assert first == "2 of 4 leak-free days"
    assert named == [f"2019-01-{day} is missing" for day in (24, 25, 26, 27, 28)]
    assert more == "22 more days before do not count"


def test_a_dead_sensor_does_not_keep_the_network_learning(ctx: StepContext) -> None:
    """Half of the sensors are enough for a day to count; fewer are not."""
    for number in (1, 2, 3, 4):
        put(ctx, number, dead=("4",))
    assert in_use(ctx, 5) == [1, 2, 3, 4]
    put(ctx, 4, dead=("3", "4"), flags=Reason.FLAT_LINE)
    assert in_use(ctx, 5) == []
    (period,) = reference_periods(ctx.warehouse, ctx.network(NETWORK))
    assert "2019-01-04 is incomplete (67% of its readings are flat_line)" in str(period)


def test_the_newest_period_that_ended_before_a_day_holds(ctx: StepContext) -> None:
    """Of several first days in the settings each holds from its end to the next one's end."""
    settings_of(ctx, "reference_first_day: [2019-01-01, 2019-01-10]\n")
    for number in range(1, 16):
        put(ctx, number)
    assert in_use(ctx, 13) == [1, 2, 3, 4]
    assert in_use(ctx, 14) == [10, 11, 12, 13]
    partitions = [day_partition(day(n), NETWORK) for n in in_use(ctx, 14)]
    readings = [ctx.warehouse.read("telemetry.readings", p) for p in partitions]
    statistics = reference_statistics(pl.concat([f for f in readings if f is not None]))
    assert statistics["mean_si"].to_list() == [61.5] * 3


def test_newer_reference_days_leave_the_past_its_own(ctx: StepContext) -> None:
    """A later first day instead of the old one: days before it keep what they were made with."""
    for number in range(1, 13):
        put(ctx, number)
    settings_of(ctx, "reference_first_day: 2019-01-08\n")
    assert in_use(ctx, 4) == []
    assert in_use(ctx, 6) == [1, 2, 3, 4]
    assert in_use(ctx, 12) == [8, 9, 10, 11]
    # Also where the day itself was never written, and also while the new days are incomplete.
    assert in_use(ctx, 20) == [8, 9, 10, 11]
    settings_of(ctx, "reference_first_day: 2019-01-11\n")
    assert in_use(ctx, 13) == [1, 2, 3, 4]
