"""What every step of the way gets: where to read and write, the settings, where progress goes."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite, Site, find_site, network_site
from leak_assets.warehouse import Warehouse


def _no_progress(_message: str) -> None:
    return None


@dataclass(frozen=True)
class StepContext:
    """Warehouse, settings and progress callback of one run.

    `reopens` is true where a person asks for days by name: what came after their correction
    window is taken in as well.
    """

    warehouse: Warehouse
    settings: Settings
    progress: Callable[[str], None] = field(default=_no_progress)
    reopens: bool = False

    @classmethod
    def local(
        cls,
        settings: Settings | None = None,
        *,
        command: str = "local",
        run_id: str | None = None,
        progress: Callable[[str], None] = _no_progress,
    ) -> "StepContext":
        """Return a context for the settings of the environment.

        Parameters
        ----------
        command
            What runs; the beginning of the run's identifier.
        run_id
            Identifier of a run that has one already; by default a new one is made.
        """
        settings = settings or Settings.from_environment()
        warehouse = Warehouse.from_settings(settings, run_id=run_id or new_run_id(command))
        return cls(warehouse, settings, progress)

    def site(self, name: str) -> Site:
        """Return a site of any kind, resolved here once for all steps."""
        return find_site(name, self.settings)

    def network(self, name_or_path: str | Path) -> NetworkSite:
        """Return a network, resolved here once for all steps."""
        return network_site(name_or_path, self.settings)

    def registered_network(self, name_or_path: str | Path) -> NetworkSite:
        """Return a packaged or registered network: one whose tables can be written."""
        return network_site(name_or_path, self.settings, must_be_registered=True)


def new_run_id(command: str) -> str:
    """Return an identifier for a run of a command that no other run has.

    `ingest-20261121T171500Z-3fa9c1`: what ran, when it began (UTC), and a random part, because
    two may begin in one second.
    """
    return f"{command}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def day_partition(day: date, site: str) -> dict[str, str]:
    """Return the lake partition of a day of a site."""
    return {"date": day.isoformat(), "network": site}
