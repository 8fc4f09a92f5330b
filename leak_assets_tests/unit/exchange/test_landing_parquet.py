"""The long Parquet file: every value once, in the layout's unit."""

from pathlib import Path

import numpy as np
import polars as pl

from leak_assets.exchange.landing_parquet import write_long_parquet


def test_no_half_written_file_stays(run, tmp_path: Path) -> None:
    """Only whole files are in the folder afterwards; the Parquet form has every value once."""
    write_long_parquet(run.wide(), run.layout, tmp_path / "run.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["run.parquet"]
    long = pl.read_parquet(tmp_path / "run.parquet")
    assert long.columns == ["ts_utc", "sensor_id", "quantity", "value", "unit"]
    for sensor in run.layout.sensors:
        rows = long.filter(sensor_id=sensor.sensor_id, quantity=sensor.quantity).sort("ts_utc")
        assert rows["unit"].unique().to_list() == [sensor.unit]
        assert np.allclose(
            sensor.conversion.to_si(rows["value"].to_numpy()), run.wide()[sensor.column]
        )
