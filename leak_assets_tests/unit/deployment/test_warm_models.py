"""Models that are read before a run comes."""

from pathlib import Path

import polars as pl

from leak_assets.deployment.warm_models import read_models
from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas import TABLES


def test_only_networks_with_telemetry_are_read(tmp_path: Path) -> None:
    """A site that is gone is passed over; the run would say so."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    assert read_models(settings) == []
    warehouse = Warehouse.from_settings(settings, run_id="test")
    empty: pl.DataFrame = TABLES["telemetry.raw_readings"].empty()
    for name in ("atlantis", "hanoi"):
        partition = {"date": "2019-03-04", "network": name}
        warehouse.write("telemetry.raw_readings", partition, empty, inputs=(), code_version="1")
    assert read_models(settings) == ["hanoi"]
