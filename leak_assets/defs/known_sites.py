"""Sites that Dagster should know: those whose tables commands made without a daemon.

Schedules and sensors ask Dagster for its sites; the landing-zone sensor adds those of new files.
"""

from pathlib import Path

import dagster as dg

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites.site import find_site
from leak_assets.warehouse import Warehouse

from .partitions import SITES

# A site has readings, or models that were trained before the first ones.
_TABLES = (
    "telemetry.readings",
    "household.readings",
    "plant.readings",
    "models.registry_events",
)


def tell_sites(home: Path, settings: Settings) -> list[str]:
    """Tell a Dagster home of the sites in the lake that it does not know; return their names."""
    warehouse = Warehouse.from_settings(settings)
    found = {
        partition.get("network") or partition.get("site")
        for table in _TABLES
        for partition in warehouse.partitions(table)
    }
    with dg.DagsterInstance.from_config(str(home)) as instance:
        known = instance.get_dynamic_partitions(str(SITES.name))
        new = sorted(n for n in found if n and n not in known and _is_there(n, settings))
        if new:
            instance.add_dynamic_partitions(str(SITES.name), new)
    return new


def _is_there(name: str, settings: Settings) -> bool:
    """Whether a site is registered still: its tables stay when its file is gone."""
    try:
        find_site(name, settings)
    except InputError:
        return False
    return True
