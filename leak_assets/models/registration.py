"""What becomes of a newly exported package: candidate, then validated or rejected, then shadow.

Each step is a decision of its own; who is killed between two goes on where it stopped. What steps
are legal is `registry`'s matter.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from leak_assets.pipeline.code import code_version
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Written

from .artefact import Artefact
from .change_control import change_failure
from .config import DETECTOR, DetectorConfig, parse_config
from .decisions import decide, registry_events
from .euro_gate import Verdict, euro_verdict, network_backtests
from .in_use import champions, model_input, path_in_models
from .registry import (
    CANDIDATE,
    CHAMPION,
    REJECTED,
    RETIRED,
    SHADOW,
    VALIDATION,
    advance,
    find,
    register,
)

ACTOR = "training"


def register_candidates(
    ctx: StepContext, artefacts: Sequence[Artefact], *, actor: str = ACTOR
) -> list[Written]:
    """Make packages candidates, so that backtests can ask for them by version."""
    written = []
    for artefact in artefacts:

        def decision(events: pl.DataFrame, artefact: Artefact = artefact) -> pl.DataFrame:
            path = path_in_models(ctx.settings.models_dir, artefact.folder)
            return register(events, artefact, path=path, at=datetime.now(UTC), actor=actor)

        written += _decided(ctx, artefact, decision)
    return written


def register_models(
    ctx: StepContext,
    site: NetworkSite,
    artefacts: Sequence[Artefact],
    failures: Mapping[str, list[str]],
    *,
    actor: str = ACTOR,
) -> list[Written]:
    """Take packages as far as their gates let them: rejected, validated, shadow, or in use.

    Where no model that fits the network is in use, one whose gates hold goes into use at once.
    Else it is valued beside the one in use and goes into shadow mode; people, or the rule of the
    settings, promote it from there. The detector goes alone where only the pinpointer's gates
    fail: that a leak runs is worth knowing without a place. The pinpointer never goes alone.

    Parameters
    ----------
    failures
        Messages of failed gates by model.
    """
    written = register_candidates(ctx, artefacts, actor=actor)
    lines = {one.model: _failures(ctx, site, one, failures) for one in artefacts}
    for artefact in artefacts:
        mine = lines[artefact.model]
        if mine:
            written += _step(ctx, artefact, REJECTED, "; ".join(mine), actor)
        else:
            written += _step(ctx, artefact, VALIDATION, "all gates hold", actor)
        if lines.get(DETECTOR):
            continue
        if not mine:
            written += _go_on(ctx, site, artefact, actor)
        elif _is_of_another_network(ctx, site, artefact.model):
            written += _retire_old(ctx, artefact, actor)
    return written


def _failures(
    ctx: StepContext, site: NetworkSite, artefact: Artefact, failures: Mapping[str, list[str]]
) -> list[str]:
    found = list(failures.get(artefact.model, ()))
    if line := request_failure(ctx, site, artefact):
        found.append(line)
    return found


def request_failure(ctx: StepContext, site: NetworkSite, artefact: Artefact) -> str | None:
    """Return in one line why a package's configuration may not go into use, or None."""
    old = champions(ctx, site).get(artefact.model)
    if old is not None and old.version == artefact.version:
        return None
    return change_failure(parse_config(artefact.config), old.config if old else None)


def _go_on(ctx: StepContext, site: NetworkSite, artefact: Artefact, actor: str) -> list[Written]:
    """Take a validated version to shadow mode, or into use where none that fits is."""
    old = champions(ctx, site).get(artefact.model)
    if old is not None and old.version == artefact.version:
        return []
    if old is None:
        return _step(ctx, artefact, CHAMPION, "all gates hold; none was in use", actor)
    if _is_of_another_network(ctx, site, artefact.model):
        return [
            *_retire_old(ctx, artefact, actor),
            *_step(ctx, artefact, CHAMPION, "all gates hold; the one before fits no more", actor),
        ]
    note = "beside " + old.version
    config = parse_config(artefact.config)
    if isinstance(config, DetectorConfig):
        verdict, note = euro_verdict(
            network_backtests(ctx.warehouse, site.name),
            champion=old.version,
            candidate=artefact.version,
            gate=config.euro_gate,
        )
        if verdict is Verdict.NOT_VALUED:
            ctx.progress(
                f"{artefact.model} {artefact.version} stays in validation: {note};"
                f" `leak-assets models value {artefact.version} --network {site.name}` values it"
            )
            return []
        if verdict is Verdict.WORTH_LESS:
            return _step(ctx, artefact, REJECTED, note, actor)
    return _step(ctx, artefact, SHADOW, note, actor)


def _step(
    ctx: StepContext, artefact: Artefact, status: str, note: str, actor: str
) -> list[Written]:
    """Take a version to a status where it is on its way there; one that is farther stays."""

    def decision(events: pl.DataFrame) -> pl.DataFrame:
        row = find(events, artefact.network, artefact.model, artefact.version)
        is_there = row["status"] in (status, CHAMPION)
        is_past = status == VALIDATION and row["status"] != CANDIDATE
        if is_there or is_past or row["status"] == RETIRED:
            return events.clear()
        return advance(events, row, status, at=datetime.now(UTC), actor=actor, note=note)

    return _decided(ctx, artefact, decision)


def _retire_old(ctx: StepContext, artefact: Artefact, actor: str) -> list[Written]:
    def decision(events: pl.DataFrame) -> pl.DataFrame:
        from .registry import champion

        old = champion(events, artefact.network, artefact.model)
        if old is None:
            return events.clear()
        note = "trained on another network model or sensor layout"
        return advance(events, old, RETIRED, at=datetime.now(UTC), actor=actor, note=note)

    return _decided(ctx, artefact, decision)


def _decided(ctx: StepContext, artefact: Artefact, decision: object) -> list[Written]:
    inputs: tuple[Input, ...] = (model_input(artefact),)
    found = decide(
        ctx,
        artefact.network,
        artefact.model,
        decision,  # type: ignore[arg-type]
        inputs=inputs,
        code_version=code_version(__name__),
    )
    return [] if found is None else [found]


def _is_of_another_network(ctx: StepContext, site: NetworkSite, model: str) -> bool:
    old = champions(ctx, site).get(model)
    return old is not None and bool(site.provenance.differences(old.manifest))


def rejected_reason(ctx: StepContext, artefact: Artefact) -> str:
    """Return why a version is rejected; empty where it is not."""
    events = registry_events(ctx.warehouse, artefact.network)
    row = find(events, artefact.network, artefact.model, artefact.version)
    return str(row["note"]) if row["status"] == REJECTED else ""
