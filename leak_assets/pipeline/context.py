"""What every step of the way gets: where to read and write, the settings, whom to tell.

A *step* is a function `(context, network, days or batch …) -> list[Written]` in the `steps.py` of
its room. Dagster assets and the daemon-less command line call the same steps, so both give the
same rows. No step is defined here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from leak_assets.settings import Settings
from leak_assets.sites.layout import load_layout
from leak_assets.sites.provenance import Provenance
from leak_assets.sites.registry import Network, resolve
from leak_assets.sites.sensors import SensorLayout
from leak_assets.warehouse import Input, Warehouse, Written


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

    def network(self, name: str) -> Network:
        """Return a packaged or registered network."""
        return resolve(name, self.settings)

    def layout(self, name: str) -> SensorLayout:
        """Return the sensor layout of a network."""
        return load_layout(self.network(name))

    def network_inputs(self, name: str) -> list[Input]:
        """Return what identifies a network, with its layout, as inputs of a write."""
        entry = self.network(name)
        return list(Provenance.of(entry, load_layout(entry)).inputs())

    def up_to_date(
        self,
        tables: Sequence[str],
        partition: Mapping[str, str],
        inputs: Sequence[Input],
        code_version: str,
    ) -> list[Written]:
        """Return a partition of all tables where each was made from these inputs by this code.

        Empty where one was not. So a range of days can be taken again for the sake of one.
        """
        found = [self.warehouse.up_to_date(t, partition, inputs, code_version) for t in tables]
        standing = [written for written in found if written is not None]
        return standing if len(standing) == len(tables) else []


def day_partition(day: date, network: str) -> dict[str, str]:
    """Return the lake partition of a day and network."""
    return {"date": day.isoformat(), "network": network}
