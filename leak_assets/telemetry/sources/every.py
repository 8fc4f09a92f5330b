"""Every source that this installation has, as one: the only list of them.

The landing-zone sensor, `ingest` and the raw step take from here, so that what a stream brought
is scored as soon as a file is. What a source does is its own matter.
"""

from typing import Any

from leak_assets.settings import Settings
from leak_assets.sites.site import Site
from leak_assets.warehouse import Warehouse

from .landing import LandingFolder
from .source import DeliveredReadings, Delivery, Source
from .spool import Spool, spooled_sources


class EverySource:
    """Landing zone and spool of every stream, a `Source` whose deliveries name their own.

    Parameters
    ----------
    settings
        Name the landing zone, the spool and the networks that there are.
    warehouse
        Holds the ledger.
    """

    name = "every"

    def __init__(self, settings: Settings, warehouse: Warehouse) -> None:
        self._settings = settings
        self._landing = LandingFolder(settings, warehouse)
        self._spools: dict[str, Spool] = {}

    def waiting(self) -> list[Delivery]:
        """Return the deliveries of all sources, in the order of their receipt.

        A stream whose collector started since the last look is seen.
        """
        for name in spooled_sources(self._settings.spool_dir):
            if name not in self._spools:
                self._spools[name] = Spool(name, self._settings)
        found: list[Delivery] = [*self._landing.waiting()]
        for spool in self._spools.values():
            found += spool.waiting()
        # Stable: what a source puts in order stays so.
        return sorted(found, key=lambda delivery: delivery.received_at)

    def problems(self) -> list[str]:
        """Return a line for each thing that nobody takes, as last seen."""
        spools = [line for spool in self._spools.values() for line in spool.problems()]
        return self._landing.problems() + spools

    def read(self, delivery: Delivery, site: Site) -> DeliveredReadings:
        """Return the readings of a delivery.

        Raises
        ------
        DeliveryLeftError
            It cannot be read now, and stays as it is.
        """
        return self._of(delivery).read(delivery, site)

    def acknowledge(self, delivery: Delivery) -> None:
        """Take note that a delivery has arrived for good."""
        self._of(delivery).acknowledge(delivery)

    def _of(self, delivery: Delivery) -> Source[Any]:
        if delivery.source == self._landing.name:
            return self._landing
        return self._spools[delivery.source]
