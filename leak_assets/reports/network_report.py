"""The demo's report: the tables of the demo's days, and the truth beside them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from leak_assets.demo.outcome import STEP_H, Outcome
from leak_assets.exchange.battledim.files import Truth
from leak_assets.models.steps import champions
from leak_assets.pipeline.context import StepContext
from leak_assets.sites import links_frame, nodes_frame, sensors_frame
from leak_assets.sites.contract import load_contract
from leak_assets.warehouse.schemas import TABLES

from .report import ReportData, TrueLeak

_DAY_TABLES = {
    "events": "incidents.incident_events",
    "candidates": "incidents.candidates",
    "evidence": "incidents.evidence",
    "summaries": "incidents.summaries",
    "scores": "detection.window_scores",
    "residuals": "features.residuals",
}


def report_data(
    ctx: StepContext, network: str, truth: Truth, outcomes: Sequence[Outcome]
) -> ReportData:
    """Return what the report shows of the truth's period, each leak with its incident."""
    found = {outcome.leak: outcome for outcome in outcomes}
    site = ctx.network(network)
    entry = site.network
    in_use = champions(ctx, site)
    versions = [artefact.version for artefact in in_use.values()]
    evaluations = ctx.warehouse.read_all("models.evaluations", network=network)
    files = ctx.warehouse.read_all("telemetry.ingest_ledger", network=network)
    audit = [
        *((f"{a.model} in force", a.version) for a in in_use.values()),
        ("data contract", load_contract().sha256),
        ("network model", f"{entry.inp_path.name}, SHA-256 {entry.sha256}"),
        *((row["file_path"], f"SHA-256 {row['file_sha256']}") for row in files.to_dicts()),
    ]
    return ReportData(
        town=entry.title,
        network=network,
        period_start=truth.start_at,
        period_end=truth.end_at,
        generated_at=datetime.now(UTC),
        price_eur_per_m3=ctx.settings.water_price_eur_per_m3,
        nodes=nodes_frame(entry),
        links=links_frame(entry),
        sensors=sensors_frame(entry, site.layout),
        evaluations=evaluations.filter(pl.col("version").is_in(versions)),
        audit=audit,
        truth=[
            TrueLeak(
                link_id=leak.link_id,
                leak_start=leak.start_at,
                leak_end=leak.end_at,
                max_flow_m3_per_h=float(leak.flow_m3_per_h.max()),
                volume_m3=float(leak.flow_m3_per_h.sum()) * STEP_H,
                incident_id=found[leak.link_id].incident,
                distance_m=found[leak.link_id].distance_m,
            )
            for leak in truth.leaks
        ],
        **{name: _in_period(ctx, table, network, truth) for name, table in _DAY_TABLES.items()},
    )


def _in_period(ctx: StepContext, table: str, network: str, truth: Truth) -> pl.DataFrame:
    first, last = truth.start_at.date().isoformat(), truth.end_at.date().isoformat()
    frames = [
        frame
        for partition in ctx.warehouse.partitions(table, network=network)
        if first <= partition["date"] <= last
        and (frame := ctx.warehouse.read(table, partition)) is not None
    ]
    return pl.concat([TABLES[table].empty(), *frames])
