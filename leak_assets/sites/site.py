"""What is watched, resolved once at the door: a network, metered zones, a plant, a home, meters.

Steps take a site and never look one up again. Asking for a site writes nothing; registering is
`registry.register`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.warehouse import Input

from .contract import OWN_CONTRACT, Contract, load_contract
from .described import Described, described_names, described_site
from .layout import load_layout
from .provenance import Provenance
from .registry import (
    LONGEST_NAME,
    REFERENCE_DAYS,
    Network,
    is_path,
    packaged_names,
    registered_names,
    resolve,
    resolve_registered,
    slug,
)
from .sensors import SensorLayout

SiteKind = Literal["network", "zones", "plant", "household", "meters"]
SITE_KINDS: tuple[SiteKind, ...] = get_args(SiteKind)
# Whose values are judged by validation, one by one, and flagged.
VALIDATED_KINDS: tuple[SiteKind, ...] = ("network", "zones")


@dataclass(frozen=True)
class Site:
    """Something watched: its name is a partition key, its contract says what readings must be.

    Parameters
    ----------
    name
        Lower-case name, unique over all kinds.
    kind
        `network` (with a hydraulic model), `zones` (district metered areas with meters only),
        `plant`, `household` or `meters` (smart meters of many homes).
    contract
        Of its readings.
    layout
        What is measured.
    timezone
        IANA zone of local days and nights.
    country
        ISO 3166 code for holidays; empty where unknown.
    reference_first_days, reference_days
        Days without faults that readings are compared with: first day of each period, oldest
        first (empty: the first days of the telemetry serve), and complete days of a period.
    """

    name: str
    kind: SiteKind
    contract: Contract
    layout: SensorLayout
    timezone: str = "UTC"
    country: str = ""
    reference_first_days: tuple[date, ...] = ()
    reference_days: int = REFERENCE_DAYS

    @property
    def is_validated(self) -> bool:
        """Whether its readings are validated; a plant's and a home's rules take the raw log."""
        return self.kind in VALIDATED_KINDS

    @property
    def contract_input(self) -> Input:
        """The contract as an input of a write."""
        return Input("contract", "readings", "", self.contract.sha256)

    def inputs(self) -> tuple[Input, ...]:
        """Return what identifies the site, as inputs of a write."""
        return ()


@dataclass(frozen=True, kw_only=True)
class NetworkSite(Site):
    """A water network: model, sensor layout and what identifies the two."""

    network: Network
    provenance: Provenance

    def inputs(self) -> tuple[Input, ...]:
        """Return model, first weekday of its patterns and layout, as inputs of a write."""
        return self.provenance.inputs()


@dataclass(frozen=True, kw_only=True)
class DescribedSite(Site):
    """A site that a registered YAML file describes.

    Parameters
    ----------
    details
        What its kind says beyond sensors and place; read by the room of the kind.
    sha256
        Hash of the description.
    """

    details: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def inputs(self) -> tuple[Input, ...]:
        """Return the description, as an input of a write."""
        return (Input("site", self.name, "", self.sha256),)


def find_site(name: str, settings: Settings) -> Site:
    """Return the registered or packaged site of a name, whatever its kind; nothing is written.

    The path of a registered network's `.inp` file is as good as its name.

    Raises
    ------
    InputError
        Unknown name (with close matches), or a description or model that cannot be used.
    """
    if (found := described_site(name, settings)) is not None:
        return site_of(found, settings)
    networks = {*packaged_names(), *registered_names(settings)}
    if slug(name) in networks or is_path(name):
        return network_site(name, settings, must_be_registered=True)
    known = sorted({*networks, *described_names(settings)})
    close = get_close_matches(slug(name), known, n=3, cutoff=0.5)
    hint = f"Did you mean {', '.join(close)}? " if close else ""
    raise InputError(
        f"unknown site {name[:LONGEST_NAME]!r}",
        remedy=f"{hint}`leak-assets sites list` and `leak-assets networks list` name them",
    )


def site_of(found: Described, settings: Settings) -> DescribedSite:
    """Return the site of a description, whether it is registered or not.

    Raises
    ------
    InputError
        The home's own contract cannot be used.
    """
    said = found.description
    contract = _contract(settings).model_copy(
        update={"cadence_s": said.cadence_s, "source_timezone": said.timezone}
    )
    return DescribedSite(
        name=said.name,
        kind=said.kind,
        contract=contract,
        layout=said.layout(),
        timezone=said.timezone,
        country=said.country,
        details=said.details,
        sha256=found.sha256,
    )


def network_site(
    name_or_path: str | Path, settings: Settings, *, must_be_registered: bool = False
) -> NetworkSite:
    """Return the network of a name or of the path of an `.inp` file; nothing is written.

    Parameters
    ----------
    must_be_registered
        Refuse a file that is neither packaged nor registered as it is: it has no tables.

    Raises
    ------
    InputError
        Unknown name, unreadable model, layout that does not fit the model, a contract of the home
        that cannot be used.
    """
    find = resolve_registered if must_be_registered else resolve
    network = find(name_or_path, settings)
    layout = load_layout(network)
    contract = _contract(settings)
    if network.cadence_s is not None:
        contract = contract.model_copy(update={"cadence_s": network.cadence_s})
    return NetworkSite(
        name=network.name,
        kind="network",
        contract=contract,
        network=network,
        layout=layout,
        timezone=network.timezone,
        country=network.country,
        reference_first_days=network.reference_first_days,
        reference_days=network.reference_days,
        provenance=Provenance.of(network, layout),
    )


def _contract(settings: Settings) -> Contract:
    """Return the home's own contract of readings, where it has one, else the packaged one."""
    own = settings.configs_dir / OWN_CONTRACT
    return load_contract(own if own.is_file() else None)


def require_network(site: Site) -> NetworkSite:
    """Return a site as a network.

    Raises
    ------
    InputError
        It is of another kind.
    """
    if not isinstance(site, NetworkSite):
        raise InputError(
            f"{site.name} is a {site.kind}, not a network",
            remedy="`leak-assets networks list` names the networks",
        )
    return site
