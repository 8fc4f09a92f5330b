"""VAL3: the seven telemetry tests of Kirstein et al. (2019), each fault on its own.

On a sound day with a reference each fault raises exactly its flag at exactly its steps, and no row
is dropped. The seventh, stamps that drift over days, is in `unit/quality/test_sensor_days.py`.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.quality.reasons import Reason
from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.judged import reference_statistics
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.validate import validate_day

DAY = datetime(2019, 3, 4, tzinfo=UTC)
STEPS, AT, PEAK = 288, 120, 52
Values = list[str]


def day_of_values() -> Values:
    """Return a day of a pressure as text: a wave of 4 m and noise that the reference knows."""
    noise = 0.3 * np.random.default_rng(2).standard_normal(STEPS)
    return [f"{30 + 4 * np.sin(n / 46) + noise[n]:.2f}".replace(".", ",") for n in range(STEPS)]


def sound_times() -> list[datetime]:
    """Return the steps of the day."""
    return [DAY + timedelta(minutes=5 * n) for n in range(STEPS)]


def duplicate_timestamp(times: list[datetime], values: Values) -> None:
    """Two values for one time in one file."""
    times.insert(AT + 1, times[AT])
    values.insert(AT + 1, values[AT + 1])


def illegal_format(times: list[datetime], values: Values) -> None:
    """A word where a number belongs, four steps long."""
    values[AT : AT + 4] = ["n/a"] * 4


def out_of_range(times: list[datetime], values: Values) -> None:
    """Pressures that no network has, four steps long."""
    values[AT : AT + 4] = ["5000,00"] * 4


def rate_of_change(times: list[datetime], values: Values) -> None:
    """A jump within what is usual for the sensor, there and back."""
    values[AT] = f"{float(values[AT].replace(',', '.')) - 4:.2f}".replace(".", ",")


def flat_line(times: list[datetime], values: Values) -> None:
    """Forty equal values where the wave is highest, so that nothing jumps at their end."""
    values[PEAK : PEAK + 40] = [values[PEAK]] * 40


def timestamp_inconsistency(times: list[datetime], values: Values) -> None:
    """Two lines in the wrong order."""
    for column in (times, values):
        column[AT], column[AT + 1] = column[AT + 1], column[AT]  # type: ignore[index]


FAULTS: dict[Callable[[list[datetime], Values], None], dict[int, int]] = {
    duplicate_timestamp: {AT: Reason.DUPLICATE_TIME},
    illegal_format: dict.fromkeys(range(AT, AT + 4), int(Reason.GAP)),
    out_of_range: dict.fromkeys(range(AT, AT + 4), int(Reason.RANGE)),
    rate_of_change: dict.fromkeys((AT, AT + 1), int(Reason.RATE_OF_CHANGE)),
    flat_line: dict.fromkeys(range(PEAK + 23, PEAK + 40), int(Reason.FLAT_LINE)),
    timestamp_inconsistency: {AT: Reason.TIME_INCONSISTENT},
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_raises_exactly_its_flag(
    fault: Callable[[list[datetime], Values], None],
    parse: Callable[..., ParsedFile],
    layout: SensorLayout,
    contract: Contract,
) -> None:
    """From the file's text on; what could not be read stands in quarantine with its reason."""
    sound = _readings(parse, layout, contract, sound_times(), day_of_values())[0]
    stats = reference_statistics(sound)
    times, values = sound_times(), day_of_values()
    fault(times, values)
    readings, parsed = _readings(parse, layout, contract, times, values, stats)
    flags = readings.get_column("flags").to_numpy()
    assert {int(n): int(flags[n]) for n in np.flatnonzero(flags)} == FAULTS[fault]
    assert readings.height == sound.height == STEPS
    told = set(parsed.quarantine["reason"])
    assert told == ({"not_a_number"} if fault is illegal_format else set())
    assert readings.filter(pl.col("value_si").is_null()).height == 4 * (fault is illegal_format)


def _readings(
    parse: Callable[..., ParsedFile],
    layout: SensorLayout,
    contract: Contract,
    times: list[datetime],
    values: Values,
    stats: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, ParsedFile]:
    """Return the readings of the sensor that a file has, and the file as it was read."""
    lines = [f"{t:%Y-%m-%d %H:%M:%S};{v}" for t, v in zip(times, values, strict=True)]
    parsed = parse(["Timestamp;12", *lines])
    readings, _, _ = validate_day(
        parsed.readings, network="hanoi", layout=layout, contract=contract,
        day=date(2019, 3, 4), reference_stats=stats,
    )  # fmt: skip
    return readings.filter(pl.col("sensor_id") == "12").sort("ts_utc"), parsed
