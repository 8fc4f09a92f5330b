"""A second home that begins where a day began: what a replay or a recomputation starts from.

Files are hard links: publishing replaces files and never changes one, so the two homes part with
the first write and share what neither has written again.
"""

import os
import shutil
from datetime import date
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import Site
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas import TABLES

# Pages of days of receipt: nothing of them belongs to a day of readings.
_BY_RECEIPT = ("telemetry.ingest_ledger", "telemetry.quarantine")


def scratch_home(ctx: StepContext, site: Site, folder: Path, *, before: date) -> StepContext:
    """Return a context in a new home with a site's models, settings and days before a day.

    Parameters
    ----------
    folder
        The home; empty, or made.
    before
        First day that is left out.

    Raises
    ------
    InputError
        The folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "this is no empty folder", remedy="Give a folder that is new or empty", file=folder
        )
    settings = ctx.settings.model_copy(update={"home": folder.resolve()})
    for own, other in (
        (ctx.settings.networks_dir, settings.networks_dir),
        (ctx.settings.sites_dir, settings.sites_dir),
        (ctx.settings.models_dir, settings.models_dir),
    ):
        if own.is_dir():
            shutil.copytree(own, other, copy_function=_link)
    warehouse = Warehouse.from_settings(settings, run_id=ctx.warehouse.run_id)
    for name, table in TABLES.items():
        if name in _BY_RECEIPT:
            continue
        for partition in ctx.warehouse.partitions(name):
            owner = partition.get("network", partition.get("site", site.name))
            is_earlier = partition.get("date", "") < before.isoformat()
            if owner == site.name and (is_earlier or "date" not in table.partition_by):
                _link(ctx.warehouse.path(name, partition), warehouse.path(name, partition))
    return StepContext(warehouse, settings, ctx.progress)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system.
        shutil.copy2(source, target)
