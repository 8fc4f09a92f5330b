"""Which scenario batches a network's models learn from: those of one plan, of the present network.

The lake keeps a partition of every batch that was ever run. A plan with fewer batches or another
seed replaces some and leaves the others, whose towns and leaks follow another distribution.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.sites.provenance import Provenance
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.contract import contract_of
from leak_assets.warehouse.record import WriteRecord

from .judged import judged_input

FEATURES = "features.training_windows"
SCENARIOS = "simulation.scenarios"


@dataclass(frozen=True)
class TrainingBatches:
    """The batches to train on.

    Attributes
    ----------
    network
        Name of the network.
    batches
        Names in order; all from one plan and from the present model and layout.
    inputs
        The features of each batch.
    left_out
        Reason for each batch that has features and is not used.
    judged
        The windows of operation that people judged, where there are any.
    """

    network: str
    batches: tuple[str, ...]
    inputs: tuple[Input, ...]
    left_out: dict[str, str]
    judged: Input | None = None

    @property
    def data_versions(self) -> dict[str, str]:
        """Data version of what is learned from, by partition."""
        return {source.partition: source.version for source in self.all_inputs}

    @property
    def all_inputs(self) -> tuple[Input, ...]:
        """The features of each batch, and the windows that people judged."""
        return (*self.inputs, *([self.judged] if self.judged else []))

    def frames(self, warehouse: Warehouse, table: str) -> Iterator[pl.DataFrame]:
        """Yield a table of the lake, batch by batch."""
        for batch in self.batches:
            partition = {"batch": batch, "network": self.network}
            yield warehouse.require(table, partition, remedy=_remedy(self.network))

    def inputs_of(self, warehouse: Warehouse, table: str) -> list[Input]:
        """Return the partitions of a table of the lake, as inputs of a write."""
        partitions = ({"batch": batch, "network": self.network} for batch in self.batches)
        found = (warehouse.as_input(table, partition) for partition in partitions)
        return [source for source in found if source is not None]

    def messages(self) -> list[str]:
        """Return a line for each reason why batches are left out."""
        reasons: dict[str, list[str]] = {}
        for batch, reason in self.left_out.items():
            reasons.setdefault(reason, []).append(batch)
        return [f"left out {', '.join(names)}: {reason}" for reason, names in reasons.items()]


def training_batches(warehouse: Warehouse, site: NetworkSite) -> TrainingBatches:
    """Return the batches of the plan that was simulated last.

    Left out are batches of another plan, of another network model or layout than today's, and
    those that were simulated again after their features were made.

    Raises
    ------
    MissingInputError
        If no batch can be used.
    """
    network, now = site.name, site.provenance
    usable: dict[str, tuple[WriteRecord, WriteRecord]] = {}
    left_out: dict[str, str] = {}
    for partition in warehouse.partitions(FEATURES, network=network):
        features = warehouse.record(FEATURES, partition)
        scenarios = warehouse.record(SCENARIOS, partition)
        if features is None or scenarios is None:
            left_out[partition["batch"]] = "its scenarios are gone"
        elif reason := _outdated(features, scenarios, now):
            left_out[partition["batch"]] = reason
        else:
            usable[partition["batch"]] = (features, scenarios)
    if not usable:
        why = f" that can be used: {min(left_out.values())}" if left_out else ""
        raise MissingInputError(
            f"there are no training features of {network}{why}", remedy=_remedy(network)
        )
    newest = max(
        (scenarios for _, scenarios in usable.values()),
        key=lambda record: datetime.fromisoformat(record.written_at),
    )
    chosen = {b: f for b, (f, s) in usable.items() if _plan(s) == _plan(newest)}
    left_out |= {b: "from an older plan" for b in usable if b not in chosen}
    return TrainingBatches(
        network,
        tuple(chosen),
        tuple(Input("table", f.table, f.partition, f.data_version) for f in chosen.values()),
        dict(sorted(left_out.items())),
        judged_input(warehouse, network),
    )


def _outdated(features: WriteRecord, scenarios: WriteRecord, now: Provenance) -> str | None:
    if not (now.made(scenarios.inputs) and now.made(features.inputs)):
        return "from another network model or sensor layout"
    if scenarios.data_version not in {i.version for i in features.inputs if i.name == SCENARIOS}:
        return "simulated again after its features were made"
    if contract_changed(features):
        return f"made under another contract of {FEATURES}"
    return None


def contract_changed(features: WriteRecord) -> bool:
    """Whether the contract of the training features changed since a batch of them was made."""
    made = {i.version for i in features.inputs if i.kind == "contract" and i.name == FEATURES}
    contract = contract_of(FEATURES)
    return bool(made) and made != {contract.sha256 if contract else ""}


def _plan(scenarios: WriteRecord) -> str | None:
    """Return the hash of the plan that a batch was run from."""
    return next((source.version for source in scenarios.inputs if source.kind == "plan"), None)


def _remedy(network: str) -> str:
    return f"Run `leak-assets train --network {network}`, which simulates them first"
