"""Writes telemetry as BattLeDIM's CSV set: one file for each quantity of a period.

Writing only; `export` reads a set. Files appear whole or not at all.
"""

import gzip
from pathlib import Path

import polars as pl

from leak_assets.sites.sensors import SensorLayout
from leak_assets.system.files import publish

from .names import OFFICIAL_FORMAT, QUANTITY_WORDS, SEPARATOR, TIME_COLUMN, scada_file

# A year of an L-Town meter set is 60 MB of text; level 9 takes four times as long for 3 % less.
_GZIP_LEVEL = 6


def write_scada_csv(
    wide: pl.DataFrame,
    layout: SensorLayout,
    folder: Path,
    *,
    label: str | None = None,
    compress: bool = False,
) -> list[Path]:
    """Write the official CSV set: `;`, decimal comma, 2 decimals, one file per quantity.

    Parameters
    ----------
    wide
        `ts_utc` and one column per sensor, SI.
    layout
        Which columns to write, in which order and unit.
    label
        Beginning of the file names, e.g. `2019` for `2019_SCADA_Pressures.csv`. None writes one
        set for each calendar year.
    compress
        Write `.csv.gz`.

    Returns
    -------
    list of Path
        The files, by year and quantity. Quantities without sensors have none.
    """
    years = wide["ts_utc"].dt.year()
    parts = (
        {str(year): wide.filter(years == year) for year in years.unique().sort().to_list()}
        if label is None
        else {label: wide}
    )
    written = []
    for name, part in parts.items():
        for quantity in QUANTITY_WORDS:
            sensors = [s for s in layout.sensors if s.quantity == quantity]
            if not sensors:
                continue
            frame = part.select(
                pl.col("ts_utc").dt.strftime(OFFICIAL_FORMAT).alias(TIME_COLUMN),
                *(s.conversion.from_si(pl.col(s.column)).alias(s.sensor_id) for s in sensors),
            )
            content = frame.write_csv(
                separator=SEPARATOR, float_precision=2, decimal_comma=True
            ).encode()
            if compress:
                content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
            path = folder / scada_file(name, quantity, compressed=compress)
            publish(path, content)
            written.append(path)
    return written
