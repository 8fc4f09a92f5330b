"""What every route and page gets: the settings, the warehouse, and what was read of it before."""

from dataclasses import dataclass

from leak_assets.settings import Settings
from leak_assets.warehouse.pool import PooledWarehouse

from .known_sites import KnownSites
from .listing import Listing
from .newest import NewestRows
from .store import Store


@dataclass(frozen=True)
class Serving:
    """One instance of the server, over one home.

    Parameters
    ----------
    settings, warehouse
        Of the home.
    rows
        Newest rows of tables by day, partition by partition: for streams that are looked at live.
    store
        Queries, kept while their tables stay.
    sites
        What is watched.
    """

    settings: Settings
    warehouse: PooledWarehouse
    rows: NewestRows
    store: Store
    sites: KnownSites

    @classmethod
    def of(cls, settings: Settings, *, grace_s: float = 1.0) -> "Serving":
        """Return what serves a home; nothing is read yet."""
        warehouse = PooledWarehouse(settings.warehouse_dir, run_id="serve")
        listing = Listing(warehouse)
        return cls(
            settings,
            warehouse,
            NewestRows(warehouse, listing),
            Store(warehouse, listing, grace_s),
            KnownSites(settings, listing),
        )
