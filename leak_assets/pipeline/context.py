"""What every step of the way gets: where to read and write, the settings, where progress goes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite, network_site
from leak_assets.warehouse import Warehouse


def _no_progress(_message: str) -> None:
    return None


@dataclass(frozen=True)
class StepContext:
    """Warehouse, settings and progress callback of one run."""

    warehouse: Warehouse
    settings: Settings
    progress: Callable[[str], None] = field(default=_no_progress)

    @classmethod
    def local(
        cls,
        settings: Settings | None = None,
        *,
        run_id: str = "local",
        progress: Callable[[str], None] = _no_progress,
    ) -> "StepContext":
        """Return a context for the settings of the environment."""
        settings = settings or Settings()
        return cls(Warehouse.from_settings(settings, run_id=run_id), settings, progress)

    def network(self, name_or_path: str | Path) -> NetworkSite:
        """Return a network, resolved here once for all steps."""
        return network_site(name_or_path, self.settings)


def day_partition(day: date, site: str) -> dict[str, str]:
    """Return the lake partition of a day of a site."""
    return {"date": day.isoformat(), "network": site}
