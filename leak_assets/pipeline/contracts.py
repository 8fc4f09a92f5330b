"""Contracts of tables where steps write: wrong rows that would train or alarm are not published.

What a contract is stands in `warehouse.contract`; readings have one of their site, and are flagged
instead.
"""

from collections.abc import Callable

import polars as pl

from leak_assets.errors import InputError
from leak_assets.warehouse import Input
from leak_assets.warehouse.contract import check_frame, check_rules, contract_of
from leak_assets.warehouse.lake import partition_name

from .step import Partition, Step


def contract_inputs_of(step: Step) -> list[Input]:
    """Return the contracts of the tables that a step writes, as inputs of its writes.

    Steps by day only: a changed contract makes their days anew. Scenario runs are not simulated
    again for it; they are checked when they are.
    """
    if step.partition != "day":
        return []
    found = ((table, contract_of(table)) for table in step.writes)
    return [
        Input("contract", table, "", contract.sha256)
        for table, contract in found
        if contract is not None
    ]


def hold_contract(
    progress: Callable[[str], None], table: str, partition: Partition, frame: pl.DataFrame
) -> None:
    """Refuse rows that break their table's contract; tell what it only warns of.

    Raises
    ------
    InputError
        A violation of severity `ERROR`; names partition, column and a value.
    """
    contract = contract_of(table)
    if contract is None:
        return
    violations = check_frame(frame, contract) or check_rules(frame, contract)
    where = f"{table} {partition_name(partition)}"
    for violation in violations:
        if violation.severity == "WARN":
            progress(f"{where}: {violation}")
    blocking = [violation for violation in violations if violation.severity == "ERROR"]
    if blocking:
        raise InputError(
            f"{where} breaks its contract {contract.version}: {'; '.join(map(str, blocking))}",
            remedy="Look at what it is made from; nothing was published",
        )
