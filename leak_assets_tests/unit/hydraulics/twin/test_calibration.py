"""The twin's correction: what it learns from few days and how it survives the table."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.hydraulics.twin.calibration import Calibration, calibrate

STEPS = 288


def frames(days: int, *, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return observed and expected channels: the town loses 20 % more head, reads 0.3 m high."""
    rng = np.random.default_rng(seed)
    steps = np.arange(days * STEPS)
    start = datetime(2019, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=5 * int(i)) for i in steps]
    load = 1 + 0.4 * np.sin(2 * np.pi * steps / STEPS) + 0.05 * rng.standard_normal(len(steps))
    loss = 5 * load**1.85
    far, near = 50 - loss, 45 - 0.2 * loss
    expected = pl.DataFrame(
        {"ts_utc": times, "pressure/a": far, "pressure/b": near, "flow/inflow": 0.05 * load}
    )
    hour = np.array([t.hour for t in times])
    observed = pl.DataFrame(
        {
            "ts_utc": times,
            "pressure/a": 50.3 - 1.2 * loss + 0.01 * rng.standard_normal(len(steps)),
            "pressure/b": near - 0.1 + 0.01 * rng.standard_normal(len(steps)),
            "flow/inflow": 0.055 * load + 0.002 * (hour >= 12),
        }
    )
    cast = pl.col("ts_utc").cast(pl.Datetime("us", "UTC"))
    return observed.with_columns(cast), expected.with_columns(cast)


def first_days(frame: pl.DataFrame, days: int) -> pl.Series:
    return pl.Series(np.arange(frame.height) < days * STEPS)


def test_four_days_correct_offset_and_head_loss() -> None:
    """What four days teach holds on the days after: only the noise remains."""
    observed, expected = frames(10)
    calibration = calibrate(observed, expected, reference=first_days(observed, 4))
    corrected = calibration.corrected(expected)
    for name in ("pressure/a", "pressure/b"):
        rest = (observed[name] - corrected[name])[4 * STEPS :]
        assert abs(float(rest.mean())) < 0.003  # type: ignore[arg-type]
        assert float(rest.std()) < 0.015  # type: ignore[arg-type]


def test_inflow_learns_scale_and_hours() -> None:
    """The inflow's scale and its hour-of-day profile are learned."""
    observed, expected = frames(6)
    calibration = calibrate(observed, expected, reference=first_days(observed, 4))
    rest = (observed["flow/inflow"] - calibration.corrected(expected)["flow/inflow"])[4 * STEPS :]
    assert float(rest.abs().mean()) < 0.0006  # type: ignore[arg-type]


def test_only_reference_steps_teach() -> None:
    """What happens after the reference changes nothing."""
    observed, expected = frames(6)
    leaking = observed.with_columns(
        pl.when(first_days(observed, 4))
        .then(pl.col("pressure/a"))
        .otherwise(pl.col("pressure/a") - 1)
        .alias("pressure/a")
    )
    reference = first_days(observed, 4)
    assert calibrate(leaking, expected, reference=reference) == calibrate(
        observed, expected, reference=reference
    )


def test_round_trip_through_the_table() -> None:
    """Written to `features.calibrations` and read back it is the same correction."""
    observed, expected = frames(5)
    calibration = calibrate(observed, expected, reference=first_days(observed, 4))
    frame = calibration.to_frame("toy", date(2019, 1, 5), date(2019, 1, 1), date(2019, 1, 4))
    assert frame["reference_last_day"].unique().to_list() == [date(2019, 1, 4)]
    assert Calibration.from_frame(frame) == calibration


def test_gaps_are_left_out_and_stay_gaps() -> None:
    """A sensor that is silent on half of the reference is calibrated on the other half."""
    observed, expected = frames(5)
    holes = observed.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("pressure/a")).alias("pressure/a")
    )
    calibration = calibrate(holes, expected, reference=first_days(observed, 4))
    rest = (observed["pressure/a"] - calibration.corrected(expected)["pressure/a"])[4 * STEPS :]
    assert abs(float(rest.mean())) < 0.005  # type: ignore[arg-type]


def test_a_sensor_without_reference_is_left_out() -> None:
    """A channel that never delivers on the reference has no correction; the others have."""
    observed, expected = frames(5)
    silent = observed.with_columns(pl.lit(None, pl.Float64).alias("pressure/a"))
    calibration = calibrate(silent, expected, reference=first_days(observed, 4))
    assert [c.column for c in calibration.channels] == ["pressure/b", "flow/inflow"]
    frame = calibration.to_frame("toy", date(2019, 1, 5), date(2019, 1, 1), date(2019, 1, 4))
    assert Calibration.from_frame(frame) == calibration


def test_no_reference_is_told() -> None:
    """Without any usable reference the user is told what to do."""
    observed, expected = frames(1)
    with pytest.raises(InputError, match="reference days"):
        calibrate(observed, expected, reference=first_days(observed, 0))


def test_foreign_coefficients_are_refused() -> None:
    """Coefficients of another shape are refused with the way out."""
    observed, expected = frames(2)
    calibration = calibrate(observed, expected, reference=first_days(observed, 2))
    frame = calibration.to_frame("toy", date(2019, 1, 5), date(2019, 1, 1), date(2019, 1, 4))
    broken = frame.with_columns(pl.lit("[1, 2]").alias("coefficients"))
    with pytest.raises(InputError, match="Materialize features/calibrations"):
        Calibration.from_frame(broken)
