"""What is watched, resolved once at the door: a network, a plant or a household.

Steps take a site and never look one up again. Asking for a site writes nothing; registering is
`registry.register`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.warehouse import Input

from .contract import Contract, load_contract
from .layout import load_layout
from .provenance import Provenance
from .registry import Network, resolve, resolve_registered
from .sensors import SensorLayout

SiteKind = Literal["network", "plant", "household"]
SITE_KINDS: tuple[SiteKind, ...] = get_args(SiteKind)


@dataclass(frozen=True)
class Site:
    """Something watched: its name is a partition key, its contract says what readings must be.

    Parameters
    ----------
    name
        Lower-case name, unique over all kinds.
    kind
        `network`, `plant` or `household`.
    contract
        Of its readings.
    """

    name: str
    kind: SiteKind
    contract: Contract

    @property
    def contract_input(self) -> Input:
        """The contract as an input of a write."""
        return Input("contract", "readings", "", self.contract.sha256)

    def inputs(self) -> tuple[Input, ...]:
        """Return what identifies the site, as inputs of a write."""
        return ()


@dataclass(frozen=True)
class NetworkSite(Site):
    """A water network: model, sensor layout and what identifies the two."""

    network: Network
    layout: SensorLayout
    provenance: Provenance

    def inputs(self) -> tuple[Input, ...]:
        """Return model, first weekday of its patterns and layout, as inputs of a write."""
        return self.provenance.inputs()


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
        Unknown name, unreadable model, layout that does not fit the model.
    """
    find = resolve_registered if must_be_registered else resolve
    network = find(name_or_path, settings)
    layout = load_layout(network)
    return NetworkSite(
        name=network.name,
        kind="network",
        contract=load_contract(),
        network=network,
        layout=layout,
        provenance=Provenance.of(network, layout),
    )


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
