"""What Dagster shows of a step beside rows and times: figures of merit and pictures."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg
import polars as pl

from leak_assets.errors import InputError
from leak_assets.features.steps import learning_state
from leak_assets.models.in_use import about_versions, newest_artefacts
from leak_assets.models.steps import held_out_metrics
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.step import Partition
from leak_assets.reports.figures import map_figure, training_figure
from leak_assets.reports.household_raster import RASTER_DAYS, last_days, raster_picture
from leak_assets.reports.incident_plots import incident_plots
from leak_assets.reports.model_figures import (
    breakdown_figure,
    drift_figure,
    reliability_figure,
)
from leak_assets.reports.signature_figure import signature_heatmap
from leak_assets.reports.water_report import PICTURE_SPAN, balance_plot, reported_period
from leak_assets.sites.site import Site, require_network
from leak_assets.sites.tables import links_frame, nodes_frame
from leak_assets.warehouse.schemas import TABLES
from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES

# A crew looks at the first; the table has the rest.
_SHOWN_PIPES = 10

Shown = tuple[dict[str, Any], dict[str, bytes]]


def _calibrations(ctx: StepContext, site: Site, partitions: Sequence[Partition]) -> Shown:
    days = [date.fromisoformat(partition["date"]) for partition in partitions]
    state = learning_state(ctx.warehouse, require_network(site), days)
    return ({site.name: state} if state else {}), {}


def _incidents(ctx: StepContext, site: Site, partitions: Sequence[Partition]) -> Shown:
    days = [date.fromisoformat(partition["date"]) for partition in partitions]
    plots = incident_plots(ctx.warehouse, require_network(site), days)
    return _candidates(ctx, site, days), plots


def _candidates(ctx: StepContext, site: Site, days: Sequence[date]) -> dict[str, Any]:
    """Return the first pipes of the newest revision of some days, as a table."""
    for day in sorted(days, reverse=True):
        events = ctx.warehouse.read("incidents.incident_events", day_partition(day, site.name))
        pipes = ctx.warehouse.read("incidents.candidates", day_partition(day, site.name))
        if events is None or pipes is None or events.is_empty():
            continue
        newest = events.sort("event_at", "revision").tail(1)
        mine = pipes.join(newest, on=["incident_id", "revision"], how="semi").sort("rank")
        rows = mine.head(_SHOWN_PIPES).iter_rows(named=True)
        lines = [
            f"| {r['rank']} | {r['link_id']} | {r['probability']:.1%} | {r['length_m']:.0f} m |"
            for r in rows
        ]
        if lines:
            title = f"candidates of {newest['incident_id'][0]}"
            head = ["| # | pipe | probability | length |", "| --- | --- | --- | --- |"]
            return {title: dg.MetadataValue.md("\n".join([*head, *lines]))}
    return {}


def _writers(table: str) -> Callable[[StepContext, Site, Sequence[Partition]], Shown]:
    """Return what counts the texts of some days by who wrote them."""
    key = TABLES[table].partition_by[-1]

    def count(ctx: StepContext, site: Site, partitions: Sequence[Partition]) -> Shown:
        counts = {"by_language_model": 0, "by_template": 0}
        for partition in partitions:
            own = {"date": partition["date"], key: site.name}
            texts = ctx.warehouse.read(table, own)
            written = [] if texts is None else texts.get_column("generated_by").to_list()
            counts["by_language_model"] += written.count("llm_summarizer")
            counts["by_template"] += written.count("template")
        return counts, {}

    return count


def _signatures(ctx: StepContext, site: Site, _partitions: Sequence[Partition]) -> Shown:
    frame = ctx.warehouse.read_all("simulation.leak_signatures", network=site.name)
    metadata = {
        "pipes": frame["link_id"].n_unique(),
        "sensors": frame.select("quantity", "sensor_id").n_unique(),
        "leak_sizes_m3_per_s": frame["leak_m3_per_s"].unique().sort().to_list(),
    }
    return metadata, {"pressure residual": signature_heatmap(frame)}


def _placement(ctx: StepContext, site: Site, _partitions: Sequence[Partition]) -> Shown:
    frame = ctx.warehouse.read_all("simulation.sensor_placement", network=site.name).sort("rank")
    network = require_network(site).network
    picture = map_figure(
        nodes=nodes_frame(network),
        links=links_frame(network),
        sensors=frame.with_columns(quantity=pl.lit("pressure")),
        candidates=WINDOW_CANDIDATES.empty(),
        title=f"{frame.height} pressure sensors",
    )
    last = frame.row(-1, named=True)
    names = ("seen_share", "top5_hit", "random_seen_share", "random_top5_hit")
    metadata = {"nodes": frame["node_id"].to_list(), **{n: float(last[n]) for n in names}}
    return metadata, {"placement": picture}


def _training_runs(ctx: StepContext, site: Site, _partitions: Sequence[Partition]) -> Shown:
    history = ctx.warehouse.read_all("models.training_runs", network=site.name)
    newest = {f"{a.model}-{a.version}": a for a in newest_artefacts(ctx, require_network(site))}
    shown = history.filter(history["version"].is_in([a.version for a in newest.values()]))
    folders = {name: str(artefact.folder) for name, artefact in newest.items()}
    return folders, {"loss by epoch": training_figure(shown)}


def _drift(ctx: StepContext, site: Site, _partitions: Sequence[Partition]) -> Shown:
    rows = ctx.warehouse.read_all("models.drift", network=site.name)
    newest = rows.filter(pl.col("date") == pl.col("date").max())
    drifting = newest.filter(pl.col("is_drift") & (pl.col("kind") != "all"))
    return {
        "drifts": bool(newest.filter(kind="all", is_drift=True).height),
        "drifting": ", ".join(drifting["subject"].head(_SHOWN_PIPES)) or "nothing",
    }, {"drift by day": drift_figure(rows)}


def _evaluations(ctx: StepContext, site: Site, _partitions: Sequence[Partition]) -> Shown:
    metrics = {
        f"{model}/{name}": float(value)
        for model, found in held_out_metrics(ctx, require_network(site)).items()
        for name, value in found.items()
        if value is not None
    }
    newest = newest_artefacts(ctx, require_network(site))
    bins = about_versions(ctx.warehouse, "models.reliability", site.name, newest)
    classes = about_versions(ctx.warehouse, "models.breakdowns", site.name, newest)
    return metrics, {
        "reliability": reliability_figure(bins),
        "by class": breakdown_figure(classes),
    }


def _water_balance(ctx: StepContext, site: Site, partitions: Sequence[Partition]) -> Shown:
    day = max(date.fromisoformat(partition["date"]) for partition in partitions)
    record = ctx.warehouse.record("telemetry.readings", day_partition(day, site.name))
    end = datetime.combine(day, time(), UTC) + timedelta(days=1, seconds=-site.contract.cadence_s)
    # Drawn when the day is over: a micro-batch does not wait for a picture.
    if record is None or record.last_ts is None or datetime.fromisoformat(record.last_ts) < end:
        return {}, {}
    try:
        first, last = reported_period(ctx.warehouse, site.name, day - PICTURE_SPAN, day)
    except InputError:
        # No flow meters close an area.
        return {}, {}
    return {}, {"nights and days": balance_plot(ctx.warehouse, site.name, first, last)}


def _household(ctx: StepContext, site: Site, partitions: Sequence[Partition]) -> Shown:
    days = [date.fromisoformat(partition["date"]) for partition in partitions]
    sessions, alerts = (
        ctx.warehouse.read_all(f"household.{table}", site=site.name)
        for table in ("sessions", "alerts")
    )
    shown = last_days(max(days), RASTER_DAYS)
    return {}, {"raster": raster_picture(sessions, alerts, site.timezone, shown)}


SHOWN: Mapping[str, Callable[[StepContext, Site, Sequence[Partition]], Shown]] = {
    "calibrations": _calibrations,
    "incidents": _incidents,
    "leak_signatures": _signatures,
    "sensor_placement": _placement,
    "training_runs": _training_runs,
    "water_balance": _water_balance,
    "evaluations": _evaluations,
    "drift": _drift,
    "household_day": _household,
    "summaries": _writers("incidents.summaries"),
    "plant_summaries": _writers("plant.summaries"),
}
