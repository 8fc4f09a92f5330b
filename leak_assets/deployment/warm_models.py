"""Read the models of the watched networks: imported by a process that waits for its run.

Reading L-Town's model takes a third of a second, which a file on its way to its score then need
not wait. Nothing else happens here; what cannot be read the run meets again and reports.
"""

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite, find_site
from leak_assets.warehouse import Warehouse

# So many are kept by the registry at once.
MOST = 4


def read_models(settings: Settings) -> list[str]:
    """Read the models of networks with telemetry; return their names."""
    warehouse = Warehouse.from_settings(settings, run_id="warm")
    names = {p["network"] for p in warehouse.partitions("telemetry.raw_readings")}
    read = []
    for name in sorted(names)[:MOST]:
        try:
            site = find_site(name, settings)
            if isinstance(site, NetworkSite):
                site.network.shared_model()
                read.append(name)
        except InputError:
            continue
    return read


read_models(Settings())
