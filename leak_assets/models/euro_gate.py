"""The gate on money: a candidate may not be worth less than the model in use.

Both are valued by the same backtests, whose rows are read here; running them is the benchmark's.
"""

from enum import Enum

import polars as pl

from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.detection import BACKTESTS

from .config import EuroGate

TABLE = BACKTESTS.full_name
WINDOWS = "windows"


class Verdict(Enum):
    """What the backtests say."""

    NOT_VALUED = "not valued"
    WORTH_LESS = "worth less"
    WORTH_IT = "worth it"


def euro_verdict(
    backtests: pl.DataFrame, *, champion: str, candidate: str, gate: EuroGate
) -> tuple[Verdict, str]:
    """Return the verdict on a candidate, and why, in one line.

    Parameters
    ----------
    backtests
        Rows of `detection.backtests` of one network.
    champion, candidate
        Versions of the detector.

    Notes
    -----
    Only backtests with the same known leaks count, and of each pair the newest. As many as the gate
    has towns are needed.
    """
    if not gate.towns:
        return Verdict.WORTH_IT, "gate net_eur holds: no town is asked for"
    found = (
        backtests.filter(method=WINDOWS)
        .sort("created_at")
        .unique(["truth_sha256", "model_version"], keep="last")
    )
    mine = found.filter(model_version=candidate).select("truth_sha256", mine="net_eur")
    theirs = found.filter(model_version=champion).select("truth_sha256", theirs="net_eur")
    both = mine.join(theirs, on="truth_sha256")
    if both.height < gate.towns:
        return Verdict.NOT_VALUED, (
            f"valued beside {champion} on {both.height} of {gate.towns} generated towns"
        )
    new, old = float(both["mine"].sum()), float(both["theirs"].sum())
    told = f"{new:,.0f} EUR net on {both.height} generated towns, {champion} {old:,.0f} EUR"
    if new < old - gate.tolerance_eur:
        return Verdict.WORTH_LESS, f"gate net_eur failed: {told}"
    return Verdict.WORTH_IT, f"gate net_eur holds: {told}"


def network_backtests(warehouse: Warehouse, network: str) -> pl.DataFrame:
    """Return the rows of `detection.backtests` of a network."""
    return warehouse.read_all(TABLE, network=network)
