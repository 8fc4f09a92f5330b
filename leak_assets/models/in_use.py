"""Which models a network has: those in use, challengers in shadow mode, those a training leads to.

Verified packages come out; what may go into use is `registry`'s and `registration`'s matter.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.work import Work
from leak_assets.sites import PipeDistance, candidate_pipes, links_frame
from leak_assets.sites.registry import Network
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Warehouse

from .artefact import (
    DRAFT_FILES,
    MANIFEST,
    Artefact,
    artefact_folder,
    draft_folder,
    load_artefact,
)
from .batches import training_batches
from .config import MODELS
from .decisions import registry_events
from .pipes import CandidatePipes
from .plan import TrainingPlan
from .registry import SHADOW, champion, with_status
from .versions import model_version


def versions_in_use(warehouse: Warehouse, network: str) -> dict[str, str]:
    """Return the version in use of each model, as the registry has it; nothing is verified."""
    events = registry_events(warehouse, network)
    rows = {name: champion(events, network, name) for name in MODELS}
    return {name: str(row["version"]) for name, row in rows.items() if row is not None}


def champions(ctx: StepContext, site: NetworkSite) -> dict[str, Artefact]:
    """Return the verified models in use, by model name; empty before the first promotion.

    Raises
    ------
    InputError
        If a folder of a model in use was changed or is gone.
    """
    events = registry_events(ctx.warehouse, site.name)
    rows = (champion(events, site.name, name) for name in MODELS)
    return {row["model"]: _verified(ctx, row) for row in rows if row is not None}


def challengers(ctx: StepContext, site: NetworkSite) -> list[Artefact]:
    """Return the verified models in shadow mode, the newest of each kind."""
    events = registry_events(ctx.warehouse, site.name)
    rows = (with_status(events, site.name, name, SHADOW) for name in MODELS)
    return [_verified(ctx, found.row(0, named=True)) for found in rows if found.height]


def _verified(ctx: StepContext, row: dict[str, str]) -> Artefact:
    folder = ctx.settings.models_dir / row["artefact_path"]
    return load_artefact(folder, manifest_sha256=row["manifest_sha256"])


def newest_artefacts(
    ctx: StepContext, site: NetworkSite, plan: TrainingPlan | None = None
) -> list[Artefact]:
    """Return the models that the present training features and configurations lead to.

    The package where there is one, else the draft.

    Raises
    ------
    MissingInputError
        If one of them was not trained yet.
    """
    data_versions = training_batches(ctx.warehouse, site).data_versions
    artefacts = []
    for name, config in (plan or TrainingPlan.of(ctx.settings)).configs.items():
        version = model_version(config, data_versions, site.provenance)
        found = trained_artefact(ctx, name, version)
        if found is None:
            raise MissingInputError(
                f"{name} {version} of {site.name} is not trained",
                remedy=f"Run `leak-assets train --network {site.name}`",
            )
        artefacts.append(found)
    return artefacts


def trained_artefact(ctx: StepContext, model: str, version: str) -> Artefact | None:
    """Return the package of a version, or its draft, or None."""
    packed = artefact_folder(ctx.settings.models_dir, model, version)
    if packed.is_dir():
        return load_artefact(packed)
    draft = draft_folder(ctx.settings.drafts_dir, model, version)
    return load_artefact(draft, files=DRAFT_FILES) if (draft / MANIFEST).is_file() else None


def model_input(artefact: Artefact) -> Input:
    """Return a model as an input of what it made."""
    return Input("model", artefact.model, artefact.network, artefact.version)


def champion_inputs(work: Work) -> list[Input]:
    """Return the models in use, as inputs."""
    return [model_input(artefact) for artefact in champions(work.ctx, work.network).values()]


def challenger_inputs(work: Work) -> list[Input]:
    """Return the models in shadow mode, as inputs."""
    return [model_input(artefact) for artefact in challengers(work.ctx, work.network)]


def version_partition(artefact: Artefact) -> dict[str, str]:
    """Return the partition of what is written about a version."""
    return {"version": f"{artefact.model}-{artefact.version}", "network": artefact.network}


def about_versions(
    warehouse: Warehouse, table: str, network: str, artefacts: Iterable[Artefact]
) -> pl.DataFrame:
    """Return the rows of a table by version that are about some versions."""
    rows = warehouse.read_all(table, network=network)
    return rows.filter(pl.col("version").is_in([artefact.version for artefact in artefacts]))


def pipes_of(network: Network) -> CandidatePipes:
    """Return the candidate pipes of a network with the ways between them."""
    ids, matrix = PipeDistance(network).matrix()
    position = {name: i for i, name in enumerate(ids)}
    wanted = candidate_pipes(network)
    rows = [position[name] for name in wanted]
    return CandidatePipes.build(wanted, matrix[rows][:, rows], links_frame(network))


def path_in_models(settings_models_dir: Path, folder: Path) -> str:
    """Return the folder of a package as the registry keeps it: below `MODELS/`."""
    return folder.relative_to(settings_models_dir).as_posix()
