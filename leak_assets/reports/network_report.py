"""Gathers what the report of a network and a period shows, from the warehouse's tables alone."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from leak_assets.errors import InputError, MissingInputError
from leak_assets.sites.site import NetworkSite
from leak_assets.sites.tables import links_frame, nodes_frame, sensors_frame
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas import TABLES

from .report_data import KnownLeak, ReportData

DAYS = 31
_MOST_FILES = 50
_DAY_TABLES = {
    "events": "incidents.incident_events",
    "candidates": "incidents.candidates",
    "evidence": "incidents.evidence",
    "summaries": "incidents.summaries",
    "scores": "detection.window_scores",
    "residuals": "features.residuals",
}
_CHAMPIONS = """
    SELECT model, version FROM models.registry
    WHERE network = ? AND status = 'champion' ORDER BY model
"""


def network_report(
    warehouse: Warehouse,
    site: NetworkSite,
    *,
    price_eur_per_m3: float,
    first_day: date | None = None,
    last_day: date | None = None,
    truth: Sequence[KnownLeak] | None = None,
) -> ReportData:
    """Return what the report of a network shows.

    Parameters
    ----------
    first_day, last_day
        Period, both included. By default the last day that has readings, and 30 days before.
    truth
        Leaks that are known, to be set beside the incidents.

    Raises
    ------
    MissingInputError
        The network has no readings.
    InputError
        It has none in this period.
    """
    first, last = _period(warehouse, site, first_day, last_day)
    network = site.network
    models = warehouse.sql(_CHAMPIONS, [site.name]).rows()
    evaluations = warehouse.read_all("models.evaluations", network=site.name)
    period_start = datetime.combine(first, time(), UTC)
    period_end = datetime.combine(last, time(23, 59), UTC)
    audit = [
        *((f"{model} in use", version) for model, version in models),
        ("data contract", site.contract.sha256),
        ("network model", f"{network.inp_path.name}, SHA-256 {network.sha256}"),
        *_files(warehouse, site, period_start, period_end),
    ]
    return ReportData(
        town=network.title,
        network=site.name,
        period_start=period_start,
        period_end=period_end,
        generated_at=datetime.now(UTC),
        price_eur_per_m3=price_eur_per_m3,
        nodes=nodes_frame(network),
        links=links_frame(network),
        sensors=sensors_frame(network, site.layout),
        models=models,
        evaluations=evaluations.filter(pl.col("version").is_in([v for _, v in models])),
        audit=audit,
        truth=truth,
        **{name: _rows(warehouse, table, site, first, last) for name, table in _DAY_TABLES.items()},
    )


def _period(
    warehouse: Warehouse, site: NetworkSite, first_day: date | None, last_day: date | None
) -> tuple[date, date]:
    days = [
        date.fromisoformat(partition["date"])
        for partition in warehouse.partitions("telemetry.readings", network=site.name)
    ]
    if not days:
        raise MissingInputError(
            f"{site.name} has no readings",
            remedy=f"`leak-assets ingest PATH --network {site.name}` brings them",
        )
    last = last_day or max(days)
    first = first_day or last - timedelta(days=DAYS - 1)
    if first_day is None:
        first = max(first, min(days))
    if not any(first <= day <= last for day in days):
        raise InputError(
            f"{site.name} has no readings from {first} to {last}",
            remedy=f"Its readings go from {min(days)} to {max(days)}",
        )
    return first, last


def _rows(
    warehouse: Warehouse, table: str, site: NetworkSite, first: date, last: date
) -> pl.DataFrame:
    frames = [
        frame
        for partition in warehouse.partitions(table, network=site.name)
        if first.isoformat() <= partition["date"] <= last.isoformat()
        and (frame := warehouse.read(table, partition)) is not None
    ]
    return pl.concat([TABLES[table].empty(), *frames])


def _files(
    warehouse: Warehouse, site: NetworkSite, start: datetime, end: datetime
) -> list[tuple[str, str]]:
    """Return name and hash of the deliveries with readings of the period, the newest of many."""
    files = (
        warehouse.scan("telemetry.ingest_ledger", network=site.name)
        .filter(pl.col("last_ts_utc") >= start, pl.col("first_ts_utc") <= end)
        .sort("last_ts_utc", "file_path")
        .select("file_path", "file_sha256")
        .unique(keep="last", maintain_order=True)
        .collect()
    )
    shown = files.tail(_MOST_FILES)
    listed = [(path, f"SHA-256 {sha256}") for path, sha256 in shown.iter_rows()]
    if files.height > shown.height:
        listed.append(
            ("further files", f"{files.height - shown.height:,}, `telemetry.ingest_ledger`")
        )
    return listed
