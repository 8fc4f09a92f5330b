"""Versions of a model side by side, on the test set that never changes and in euro."""

from collections.abc import Sequence

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite

from .artefact import load_artefact
from .config import DETECTOR
from .dataset import stored_windows
from .decisions import registry_events
from .euro_gate import WINDOWS, network_backtests
from .evaluation import frozen_metrics
from .frozen import TABLE as FROZEN
from .in_use import pipes_of
from .registry import current, find

_MOST = 5
_METRICS = {
    True: ("auc", "precision", "recall", "far_without_leak", "ece"),
    False: ("node_top5_hit", "top5_hit", "atd", "localisation_distance_m_median", "coverage_90"),
}


def compared(
    ctx: StepContext, site: NetworkSite, model: str, versions: Sequence[str]
) -> pl.DataFrame:
    """Return a row for each version: status, metrics on the frozen test set, newest euro.

    Raises
    ------
    MissingInputError
        A version is not registered, or no test set was kept yet.
    InputError
        A package was changed.
    """
    events = registry_events(ctx.warehouse, site.name)
    known = current(events, site.name, model)
    if not versions:
        versions = known["version"].head(_MOST).to_list()
    pipes = pipes_of(site.network)
    backtests = network_backtests(ctx.warehouse, site.name).filter(method=WINDOWS)
    rows = []
    for name in versions:
        row = find(events, site.name, model, name)
        artefact = load_artefact(
            ctx.settings.models_dir / row["artefact_path"], manifest_sha256=row["manifest_sha256"]
        )
        windows = stored_windows(
            ctx.warehouse, FROZEN, site.name, artefact.statistics, artefact.channels
        )
        if windows is None:
            raise MissingInputError(
                f"no frozen test set of {site.name} is there",
                remedy=f"Run `leak-assets featurize --network {site.name}`",
            )
        metrics = frozen_metrics(artefact, windows, pipes)
        worth = backtests.filter(model_version=artefact.version).sort("created_at")
        rows.append(
            {"version": artefact.version, "status": row["status"], "windows": len(windows)}
            | {metric: metrics.get(metric) for metric in _METRICS[model == DETECTOR]}
            | {"net_eur": worth["net_eur"][-1] if worth.height else None}
        )
    return pl.DataFrame(rows, infer_schema_length=None)
