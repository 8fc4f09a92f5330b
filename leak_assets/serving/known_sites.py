"""What is watched, by name and kind, as cheap as a look at some folders.

A site's model or rules are the matter of its room; nothing is resolved or written here.
"""

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites.described import described_names, read_description
from leak_assets.sites.registry import registered_names, resolve_registered
from leak_assets.sites.site import SiteKind

from .listing import Listing


@dataclass(frozen=True)
class KnownSite:
    """A site as lists name it."""

    name: str
    kind: SiteKind
    title: str
    timezone: str


@dataclass
class KnownSites:
    """The sites of a home; a description that has not changed is read once."""

    settings: Settings
    listing: Listing
    _read: dict[str, tuple[int, KnownSite | None]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def all(self) -> list[KnownSite]:
        """Return every site by name: described ones, registered networks, those with data.

        Raises
        ------
        OSError
            The warehouse cannot be read.
        """
        names = {*described_names(self.settings), *registered_names(self.settings)}
        names |= self.listing.by_site("telemetry.readings").keys()
        # A network that was set up and has no telemetry yet.
        for entry in os.scandir(self.listing.folder("network.nodes")):
            if entry.name.startswith("network="):
                names.add(entry.name.removeprefix("network=").removesuffix(".parquet"))
        return self._of(names)

    def described(self, kind: SiteKind) -> list[str]:
        """Return the names of the plants, homes or zones: known whatever the warehouse says."""
        return [s.name for s in self._of(described_names(self.settings)) if s.kind == kind]

    def find(self, name: str) -> KnownSite | None:
        """Return the site of a name that anybody may have made up, or None."""
        return next((site for site in self.all() if site.name == name), None)

    def _of(self, names: Iterable[str]) -> list[KnownSite]:
        return [site for name in sorted(names) if (site := self._site(name)) is not None]

    def _site(self, name: str) -> KnownSite | None:
        """Return a site whose name is that of a file, or None where that cannot be used."""
        own = self.settings.sites_dir / f"{name}.yaml"
        described = _changed_ns(own)
        networks = [self.settings.networks_dir / f"{name}{end}" for end in (".inp", ".yaml")]
        stamp = hash((described, *map(_changed_ns, networks)))
        known = self._read.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        site = self._described(own) if described else self._network(name)
        with self._lock:
            self._read[name] = (stamp, site)
        return site

    def _described(self, path: Path) -> KnownSite | None:
        try:
            said = read_description(path).description
        except InputError:
            return None
        return KnownSite(said.name, said.kind, said.title or said.name, said.timezone)

    def _network(self, name: str) -> KnownSite | None:
        try:
            found = resolve_registered(name, self.settings)
        except InputError:
            # Its tables are there, its model is not any more: what was found stays readable.
            return KnownSite(name, "network", name, "UTC")
        return KnownSite(name, "network", found.title, found.timezone)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
