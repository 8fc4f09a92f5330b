"""A home that was made by commands, opened in Dagster later."""

from datetime import date
from pathlib import Path

import dagster as dg

from leak_assets.defs.known_sites import tell_sites
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.settings import Settings
from leak_assets.warehouse.schemas import TABLES


def test_sites_of_the_lake_become_partitions(tmp_path: Path) -> None:
    """Once each; a site whose file is gone is none, for its sensors would fail."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    warehouse = StepContext.local(settings).warehouse
    for name in ("hanoi", "long-gone"):
        empty = TABLES["telemetry.readings"].empty()
        warehouse.write("telemetry.readings", day_partition(date(2019, 1, 1), name), empty)
    home = tmp_path / "dagster"
    home.mkdir()
    assert tell_sites(home, settings) == ["hanoi"]
    assert tell_sites(home, settings) == []
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_dynamic_partitions("site") == ["hanoi"]
