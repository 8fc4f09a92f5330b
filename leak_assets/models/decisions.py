"""The durable record of the registry: read it, decide under a lock, append one file per decision.

A decision is one file, so a killed process leaves the registry as it was or as decided. What may
be decided is the business of `registry`.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl

from leak_assets import __version__
from leak_assets.pipeline.context import StepContext
from leak_assets.system.files import sync_folder
from leak_assets.system.locks import locks
from leak_assets.warehouse import Input, Warehouse, Written
from leak_assets.warehouse.schemas.models import REGISTRY_EVENTS

from .artefact import load_artefact
from .registry import (
    CHAMPION,
    RETIRED,
    IllegalStepError,
    RegistryConflictError,
    advance,
    check_step,
    find,
    former_champion,
    revision,
)

TABLE = REGISTRY_EVENTS.full_name
Decision = Callable[[pl.DataFrame], pl.DataFrame]


def registry_events(warehouse: Warehouse, network: str) -> pl.DataFrame:
    """Return all registry events of a network."""
    return warehouse.read_all(TABLE, network=network)


def decide(
    ctx: StepContext,
    network: str,
    model: str,
    decision: Decision,
    *,
    expected_revision: int | None = None,
    inputs: tuple[Input, ...] = (),
    code_version: str = "",
) -> Written | None:
    """Append what a decision about a model says, given all events; None where it says nothing.

    Parameters
    ----------
    decision
        From the events of the network to the new rows, all of one model.
    expected_revision
        Number of the last decision that whoever decides has seen; None: whatever it is now.

    Raises
    ------
    RegistryConflictError
        Somebody else decided meanwhile.
    """
    with locks(ctx.settings).hold(f"{network}.{model}.registry"):
        events = registry_events(ctx.warehouse, network)
        now = revision(events, network, model)
        if expected_revision not in (None, now):
            last = events.filter(model=model).sort("event_at").row(-1, named=True)
            raise RegistryConflictError(
                f"{model} of {network} has revision {now}, not {expected_revision}:"
                f" {last['actor']} made {last['version']} {last['status']}",
                remedy="Look at it again (`leak-assets models list`), then repeat",
            )
        rows = decision(events)
        if rows.is_empty():
            return None
        partition = {"event": f"{model}.r{now + 1:06d}", "network": network}
        path = ctx.warehouse.path(TABLE, partition)
        if path.exists():
            raise ValueError(f"{path} would be replaced")
        written = ctx.warehouse.write(
            TABLE, partition, rows, inputs=inputs, code_version=code_version or __version__
        )
        sync_folder(path.parent)
        return written


def step_to(
    ctx: StepContext,
    network: str,
    model: str,
    version: str,
    status: str,
    *,
    actor: str,
    note: str,
    expected_revision: int | None = None,
) -> Written | None:
    """Take a version one step on in its life; a champion's package is verified before.

    Raises
    ------
    MissingInputError
        The version, or its package, does not exist.
    IllegalStepError
        The status of the version does not allow the step.
    InputError
        Its package was changed since it was registered.
    """

    def decision(events: pl.DataFrame) -> pl.DataFrame:
        row = find(events, network, model, version)
        check_step(events, row, status)
        if status not in (RETIRED,):
            folder = ctx.settings.models_dir / row["artefact_path"]
            load_artefact(folder, manifest_sha256=row["manifest_sha256"])
        return advance(events, row, status, at=datetime.now(UTC), actor=actor, note=note)

    return decide(ctx, network, model, decision, expected_revision=expected_revision)


def roll_back(
    ctx: StepContext, network: str, model: str, *, actor: str, note: str, version: str | None = None
) -> Written | None:
    """Put the version that was in use before back in use, or a named retired one.

    Raises
    ------
    IllegalStepError
        There was none before, or the named one never was in use.
    """

    def decision(events: pl.DataFrame) -> pl.DataFrame:
        row = (
            former_champion(events, network, model)
            if version is None
            else find(events, network, model, version)
        )
        was_in_use = (
            row is not None
            and not events.filter(model=model, version=row["version"], status=CHAMPION).is_empty()
        )
        if row is None or not was_in_use or row["status"] != RETIRED:
            named = "a version before the present one" if version is None else version
            raise IllegalStepError(
                f"{model} of {network} cannot go back to {named}: it was not in use",
                remedy="`leak-assets models list` shows what was",
            )
        folder = ctx.settings.models_dir / row["artefact_path"]
        load_artefact(folder, manifest_sha256=row["manifest_sha256"])
        return advance(events, row, CHAMPION, at=datetime.now(UTC), actor=actor, note=note)

    return decide(ctx, network, model, decision)
