"""The life of a model version, as append-only events: what may follow what, and who is in use.

Pure functions of `models.registry_events` frames: each returns the rows of one decision, which
belong together. Storing them is the business of `decisions`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.errors import InputError, MissingInputError
from leak_assets.warehouse.schemas.models import REGISTRY_EVENTS

from .artefact import Artefact
from .config import sha256_of

CANDIDATE, REJECTED, VALIDATION = "candidate", "rejected", "validation"
SHADOW, CHAMPION, RETIRED = "shadow", "champion", "retired"
STATUSES = (CANDIDATE, REJECTED, VALIDATION, SHADOW, CHAMPION, RETIRED)

LEGAL: Mapping[str, tuple[str, ...]] = {
    CANDIDATE: (VALIDATION, REJECTED, RETIRED),
    REJECTED: (CANDIDATE, RETIRED),
    VALIDATION: (SHADOW, REJECTED, RETIRED),
    SHADOW: (CHAMPION, REJECTED, RETIRED),
    CHAMPION: (RETIRED,),
    # Back by a rollback, or because the same training was asked for again.
    RETIRED: (CHAMPION, CANDIDATE),
}
"""Status after each status; what is not there is refused."""


class IllegalStepError(InputError):
    """A step that the status of a version does not allow."""


class RegistryConflictError(InputError):
    """Somebody else decided about the model first."""


def current(events: pl.DataFrame, network: str, model: str) -> pl.DataFrame:
    """Return the latest event of each version of a model, newest first."""
    return (
        events.filter((pl.col("network") == network) & (pl.col("model") == model))
        .sort("event_at", descending=True, maintain_order=True)
        .unique("version", keep="first", maintain_order=True)
    )


def revision(events: pl.DataFrame, network: str, model: str) -> int:
    """Return the number of the last decision about a model; 0 before the first."""
    mine = events.filter((pl.col("network") == network) & (pl.col("model") == model))
    found = mine["revision"].max() if mine.height else None
    return int(found) if isinstance(found, int) else 0


def with_status(events: pl.DataFrame, network: str, model: str, status: str) -> pl.DataFrame:
    """Return the latest events of the versions of a status, newest first."""
    return current(events, network, model).filter(pl.col("status") == status)


def champion(events: pl.DataFrame, network: str, model: str) -> dict[str, Any] | None:
    """Return the event row of the version in use, or None."""
    rows = with_status(events, network, model, CHAMPION)
    return rows.row(0, named=True) if rows.height else None


def former_champion(events: pl.DataFrame, network: str, model: str) -> dict[str, Any] | None:
    """Return the latest event of the version that was in use before the present one, or None."""
    in_use = champion(events, network, model)
    mine = events.filter(
        (pl.col("network") == network)
        & (pl.col("model") == model)
        & (pl.col("status") == CHAMPION)
        & (pl.col("version") != ("" if in_use is None else in_use["version"]))
    ).sort("event_at", descending=True)
    for version in mine["version"]:
        row = find(events, network, model, str(version))
        if row["status"] == RETIRED:
            return row
    return None


def find(events: pl.DataFrame, network: str, model: str, version: str) -> dict[str, Any]:
    """Return the latest event of a version; the beginning of its name is enough if it is unique.

    Rejected ones do not count where another begins so: a configuration is mended and trained again.

    Raises
    ------
    MissingInputError
        No such version is registered, or several begin like this.
    """
    rows = current(events, network, model)
    known = rows["version"].to_list()
    found = [name for name in known if name == version] or [
        name for name in known if version and name.startswith(f"{version}-")
    ]
    if len(found) > 1:
        rejected = rows.filter(status=REJECTED)["version"].to_list()
        found = [name for name in found if name not in rejected] or found
    if len(found) != 1:
        which = "is not registered" if not found else f"may be {' or '.join(found)}"
        listed = ", ".join(known) or "none"
        raise MissingInputError(
            f"{model} {version} of {network} {which}", remedy=f"Registered: {listed}."
        )
    return rows.filter(pl.col("version") == found[0]).row(0, named=True)


def register(
    events: pl.DataFrame, artefact: Artefact, *, path: str, at: datetime, actor: str
) -> pl.DataFrame:
    """Return the event row that makes an exported package a candidate.

    Parameters
    ----------
    path
        Its folder below `MODELS/`.

    Returns
    -------
    polars.DataFrame
        No row where this very package is registered and has not been given up.
    """
    known = current(events, artefact.network, artefact.model).filter(
        pl.col("version") == artefact.version
    )
    new = {
        "network": artefact.network,
        "model": artefact.model,
        "version": artefact.version,
        "status": CANDIDATE,
        "artefact_path": path,
        "manifest_sha256": artefact.manifest_sha256,
        "note": "exported",
    }
    if known.height:
        before = known.row(0, named=True)
        if before["manifest_sha256"] != artefact.manifest_sha256:
            raise InputError(
                f"{artefact.model} {artefact.version} is registered with another package",
                remedy="Restore that folder from a backup, or train under another --version",
                file=artefact.folder,
            )
        if before["status"] not in (REJECTED, RETIRED):
            return REGISTRY_EVENTS.empty()
    return _rows(events, [new], at=at, actor=actor)


def advance(
    events: pl.DataFrame,
    row: Mapping[str, Any],
    status: str,
    *,
    at: datetime,
    actor: str,
    note: str,
) -> pl.DataFrame:
    """Return the event rows of one step of a version's life.

    A new champion comes together with the retirement of the old one, in one decision.

    Parameters
    ----------
    row
        Latest event of the version.

    Raises
    ------
    IllegalStepError
        Its status does not allow the step.
    """
    check_step(events, row, status)
    changes = [{**row, "status": status, "note": note}]
    old = champion(events, row["network"], row["model"])
    if status == CHAMPION and old is not None:
        changes.insert(0, old | {"status": RETIRED, "note": f"replaced by {row['version']}"})
    return _rows(events, changes, at=at, actor=actor)


def check_step(events: pl.DataFrame, row: Mapping[str, Any], status: str) -> None:
    """Refuse a step that is not legal.

    Where no version is in use there is nothing to be compared with in shadow mode: a validated
    one may go into use at once.

    Raises
    ------
    IllegalStepError
        The remedy says what is possible.
    """
    legal = LEGAL[row["status"]]
    if row["status"] == VALIDATION and champion(events, row["network"], row["model"]) is None:
        legal = (CHAMPION, *legal)
    if status in legal:
        return
    name = f"{row['model']} {row['version']} of {row['network']}"
    reason = f": {row['note']}" if row["status"] == REJECTED else ""
    raise IllegalStepError(
        f"{name} is {row['status']}{reason}, it cannot become {status}",
        remedy=f"Possible next: {', '.join(legal)}",
    )


def _rows(
    events: pl.DataFrame, changes: Sequence[Mapping[str, Any]], *, at: datetime, actor: str
) -> pl.DataFrame:
    # The latest event of a version decides, so no two may share a time.
    last = events["event_at"].max() if events.height else None
    moment = at if not isinstance(last, datetime) or last < at else last + timedelta(microseconds=1)
    number = revision(events, changes[0]["network"], changes[0]["model"]) + 1
    rows = []
    for position, change in enumerate(changes):
        row = dict(change) | {
            "event_at": moment + timedelta(microseconds=position),
            "actor": actor,
            "revision": number,
        }
        identity = {name: str(row[name]) for name in ("network", "model", "version", "status")}
        row["event_id"] = sha256_of(identity | {"at": row["event_at"].isoformat()})[:16]
        rows.append(row)
    return pl.DataFrame(rows, schema=REGISTRY_EVENTS.polars_schema)
