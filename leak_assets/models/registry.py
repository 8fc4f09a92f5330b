"""Which model version is in use, as append-only events.

Pure functions of `models.registry_events` frames; storing the new rows is the caller's.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.errors import InputError, MissingInputError
from leak_assets.warehouse.schemas.models import REGISTRY_EVENTS

from .artefact import Artefact
from .config import sha256_of

CANDIDATE, REJECTED, CHAMPION, RETIRED = "candidate", "rejected", "champion", "retired"


def current(events: pl.DataFrame, network: str, model: str) -> pl.DataFrame:
    """Return the latest event of each version of a model, newest first."""
    return (
        events.filter((pl.col("network") == network) & (pl.col("model") == model))
        .sort("event_at", descending=True, maintain_order=True)
        .unique("version", keep="first", maintain_order=True)
    )


def champion(events: pl.DataFrame, network: str, model: str) -> dict[str, Any] | None:
    """Return the event row of the version in use, or None."""
    rows = current(events, network, model).filter(pl.col("status") == CHAMPION)
    return rows.row(0, named=True) if rows.height else None


def register(
    events: pl.DataFrame,
    artefact: Artefact,
    *,
    failures: Sequence[str],
    at: datetime,
    actor: str,
) -> pl.DataFrame:
    """Return the new event row of an exported model.

    Parameters
    ----------
    failures
        Messages of failed gates; any makes the version `rejected`, none a `candidate`.

    Returns
    -------
    polars.DataFrame
        One row of `models.registry_events`; none where this very artefact is registered with
        this outcome already, or in use, so that a repeated run changes nothing.
    """
    status = REJECTED if failures else CANDIDATE
    known = current(events, artefact.network, artefact.model).filter(
        pl.col("version") == artefact.version
    )
    if known.height and known["manifest_sha256"][0] == artefact.manifest_sha256:
        settled = {status} | ({CHAMPION} if status == CANDIDATE else set())
        if known["status"][0] in settled:
            return REGISTRY_EVENTS.empty()
    return _events(
        events,
        [
            {
                "network": artefact.network,
                "model": artefact.model,
                "version": artefact.version,
                "status": status,
                "artefact_path": "/".join(artefact.folder.parts[-3:]),
                "manifest_sha256": artefact.manifest_sha256,
                "note": "; ".join(failures) or "all gates hold",
            }
        ],
        at=at,
        actor=actor,
    )


def promote(
    events: pl.DataFrame,
    *,
    network: str,
    model: str,
    version: str,
    at: datetime,
    actor: str,
    note: str,
) -> pl.DataFrame:
    """Return the event rows that put a version in use and retire the one before.

    A retired version can be promoted again: that is the rollback. Promoting the version in
    force gives no row.

    Raises
    ------
    MissingInputError
        The version is not registered.
    InputError
        Its gates failed.
    """
    rows = current(events, network, model)
    chosen = rows.filter(pl.col("version") == version)
    if chosen.height == 0:
        known = ", ".join(rows["version"]) or "none"
        message = f"{model} {version} of {network} is not registered"
        raise MissingInputError(message, remedy=f"Registered: {known}.")
    new = chosen.row(0, named=True)
    if new["status"] == REJECTED:
        message = f"{model} {version} of {network} may not be promoted: {new['note']}"
        raise InputError(message, remedy="Train a model that passes its gates.")
    if new["status"] == CHAMPION:
        return REGISTRY_EVENTS.empty()
    changes = [new | {"status": CHAMPION, "note": note}]
    old = champion(events, network, model)
    if old is not None:
        changes.insert(0, old | {"status": RETIRED, "note": f"replaced by {version}"})
    return _events(events, changes, at=at, actor=actor)


def retire(
    events: pl.DataFrame, *, network: str, model: str, at: datetime, actor: str, note: str
) -> pl.DataFrame:
    """Return the event row that takes the version in use out of use; none where there is none."""
    old = champion(events, network, model)
    if old is None:
        return REGISTRY_EVENTS.empty()
    return _events(events, [old | {"status": RETIRED, "note": note}], at=at, actor=actor)


def _events(
    events: pl.DataFrame, changes: list[dict[str, Any]], *, at: datetime, actor: str
) -> pl.DataFrame:
    # The latest event of a version decides, so no two may share a time.
    last = events["event_at"].max() if events.height else None
    moment = at if not isinstance(last, datetime) or last < at else last + timedelta(microseconds=1)
    rows = []
    for position, change in enumerate(changes):
        row = change | {"event_at": moment + timedelta(microseconds=position), "actor": actor}
        identity = {name: str(row[name]) for name in ("network", "model", "version", "status")}
        row["event_id"] = sha256_of(identity | {"at": row["event_at"].isoformat()})[:16]
        rows.append(row)
    return pl.DataFrame(rows, schema=REGISTRY_EVENTS.polars_schema)
