"""Dagster's home folder: settings in place, storage and catalogue made, before anything starts."""

import os
import shutil
from pathlib import Path

from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.catalogue import build_catalogue

INSTANCE_SETTINGS = Path(__file__).parent / "local.yaml"


def prepare_dagster_home(settings: Settings) -> Path:
    """Copy `dagster.yaml` into the home and create its storage; return the home.

    A fresh SQLite home that several processes open at once can break for good, so the first
    opening happens here, in one process. The catalogue of views is built, too: its views show
    what runs write later, and no run builds it.
    """
    from dagster import DagsterInstance

    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(INSTANCE_SETTINGS, home / "dagster.yaml")
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    build_catalogue(Warehouse.from_settings(settings).root)
    # Code that Dagster starts in other processes finds the same folders.
    os.environ["LEAK_ASSETS_HOME"] = str(settings.home.resolve())
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    with DagsterInstance.from_config(str(home)) as instance:
        instance.get_runs(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()
    return home
