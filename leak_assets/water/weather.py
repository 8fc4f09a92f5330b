"""The weather of a day, beside the balance that it explains.

From the site's own readings of temperature and rain: a weather service delivers them like any
other sensor's.
"""

from datetime import datetime, timedelta

import polars as pl

from leak_assets.sites.areas import Weather

from .net_inflow import LEAST_COVERAGE


def weather_of(
    readings: pl.DataFrame, weather: Weather, start: datetime, end: datetime, step_s: int
) -> dict[str, float | None]:
    """Return mean temperature and rain between two instants.

    Parameters
    ----------
    readings
        Rows of `telemetry.readings`; what is masked does not count.

    Returns
    -------
    dict
        `temperature_c` and `rain_mm`; None where there is no sensor or less than three quarters of
        the steps have a value.
    """
    steps = (end - start) / timedelta(seconds=step_s)
    usable = readings.filter(pl.col("ts_utc") >= start, pl.col("ts_utc") < end, pl.col("mask") == 1)

    def values(quantity: str, name: str | None) -> pl.Series | None:
        if name is None:
            return None
        found = usable.filter(quantity=quantity, sensor_id=name)["value_si"]
        return found if len(found) >= LEAST_COVERAGE * steps else None

    warmth, rain = values("temperature", weather.temperature), values("rain", weather.rain)
    return {
        "temperature_c": None if warmth is None else float(warmth.mean()),  # type: ignore[arg-type]
        "rain_mm": None if rain is None else float(rain.sum()),
    }
