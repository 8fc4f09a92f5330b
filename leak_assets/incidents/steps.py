"""The incidents room's step: alarms of days become incident rows.

Days are taken in order: a day goes on from what the days before it left, so a change of one day
makes all later days of the network worth another look. Those that it did not reach stand.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites import links_frame, nodes_frame, sensors_frame
from leak_assets.sites.contract import load_contract
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas import TABLES as SCHEMAS

from .policy import TrackerPolicy
from .tracker import DayResult, track_day

CODE_VERSION = "1"
TABLES = ("incidents.incident_events", "incidents.candidates", "incidents.evidence")
POLICY = TrackerPolicy()
# Days that a picture shows: more would be too fine to see a window.
SHOWN_DAYS = 14
_SOURCES = ("scores.window_scores", "scores.leak_candidates", "features.residuals")


def write_incidents(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write the incident rows of each day that was scored.

    Returns
    -------
    list of Written
        Partitions of `incidents.incident_events`, `.candidates` and `.evidence`.
    """
    links = links_frame(ctx.network(network))
    contract = load_contract()
    fixed = fixed_inputs(ctx, network)
    events = ctx.warehouse.read_all(TABLES[0], network=network)
    written: list[Written] = []
    for day in sorted(days):
        partition = day_partition(day, network)
        if ctx.warehouse.record("scores.window_scores", partition) is None:
            continue
        inputs = incident_inputs(ctx, network, day, events, fixed)
        if standing := ctx.up_to_date(TABLES, partition, inputs, CODE_VERSION):
            written += standing
            continue
        scores, candidates, residuals = (_with_context(ctx, t, network, day) for t in _SOURCES)
        result = track_day(
            network=network,
            day=day,
            scores=scores,
            candidates=candidates,
            residuals=residuals,
            previous_events=events,
            policy=POLICY,
            price_eur_per_m3=ctx.settings.water_price_eur_per_m3,
            contract_sha256=contract.sha256,
            run_id=ctx.warehouse.run_id,
            links=links,
        )
        written += _write(ctx, partition, result, inputs)
        others = events.filter(pl.col("event_at").dt.date() != day)
        events = pl.concat([others, result.events])
    return written


def fixed_inputs(ctx: StepContext, network: str) -> list[Input]:
    """Return what the incidents of all days of a network are made from."""
    price = str(ctx.settings.water_price_eur_per_m3)
    return [
        *ctx.network_inputs(network),
        Input("contract", "readings", "", load_contract().sha256),
        Input("setting", "water_price_eur_per_m3", "", price),
    ]


def incident_inputs(
    ctx: StepContext,
    network: str,
    day: date,
    events: pl.DataFrame,
    fixed: Sequence[Input],
) -> list[Input]:
    """Return what the incidents of a day are made from.

    Parameters
    ----------
    events
        Rows of `incidents.incident_events` of the network; those of later days do not count.
    fixed
        As from `fixed_inputs`.
    """
    sources = [(t, p) for t in _SOURCES for p in _context_partitions(network, day)]
    sources += [(TABLES[0], day_partition(d, network)) for d in _days_gone_on_from(events, day)]
    found = [ctx.warehouse.as_input(table, partition) for table, partition in sources]
    return [*(source for source in found if source is not None), *fixed]


def _days_gone_on_from(events: pl.DataFrame, day: date) -> list[date]:
    """Return the days of the rows that the tracker resumes from: the last, and the last closing.

    Which they are is part of what a day was made from: an incident that appears on a late day
    between them and `day` changes the list.
    """
    before = events.filter(pl.col("event_at") < datetime(day.year, day.month, day.day, tzinfo=UTC))
    before = before.sort("event_at", "revision")
    rows = pl.concat([before.filter(pl.col("status") == "closed").tail(1), before.tail(1)])
    return rows["event_at"].dt.date().unique().sort().to_list()


def _write(
    ctx: StepContext, partition: dict[str, str], result: DayResult, inputs: list[Input]
) -> list[Written]:
    events = _with_first_run(result.events, ctx.warehouse.read(TABLES[0], partition))
    frames = zip(TABLES, (events, result.candidates, result.evidence), strict=True)
    return [
        ctx.warehouse.write(table, partition, frame, inputs=inputs, code_version=CODE_VERSION)
        for table, frame in frames
    ]


def _with_first_run(events: pl.DataFrame, standing: pl.DataFrame | None) -> pl.DataFrame:
    """Keep the run that first wrote the same rows, so that repeating a day changes nothing."""
    if standing is not None and events.drop("run_id").equals(standing.drop("run_id")):
        return standing
    return events


def _context_partitions(network: str, day: date) -> list[dict[str, str]]:
    return [
        day_partition(day - timedelta(days=back), network)
        for back in range(POLICY.context_days, -1, -1)
    ]


def _with_context(ctx: StepContext, table: str, network: str, day: date) -> pl.DataFrame:
    return _concat(ctx, table, _context_partitions(network, day))


def incident_plots(ctx: StepContext, network: str, days: Sequence[date]) -> dict[str, bytes]:
    """Return pictures of the last days: the signal with its detections, the map with candidates.

    Empty where nothing was scored.
    """
    from leak_assets.reports.figures import current_state, map_figure, signal_figure

    partitions = [day_partition(day, network) for day in sorted(days)[-SHOWN_DAYS:]]
    scores, residuals, events, candidates = (
        _concat(ctx, table, partitions)
        for table in ("scores.window_scores", "features.residuals", TABLES[0], TABLES[1])
    )
    if scores.is_empty():
        return {}
    plots = {"signal": signal_figure(scores=scores, residuals=residuals, events=events)}
    if not events.is_empty():
        newest = current_state(events).tail(1)
        entry = ctx.network(network)
        plots["network"] = map_figure(
            nodes=nodes_frame(entry),
            links=links_frame(entry),
            sensors=sensors_frame(entry, ctx.layout(network)),
            candidates=candidates.join(newest, on=["incident_id", "revision"], how="semi"),
            title=f"Candidate pipes of {newest['incident_id'][0]}",
        )
    return plots


def _concat(ctx: StepContext, table: str, partitions: Sequence[dict[str, str]]) -> pl.DataFrame:
    frames = [f for p in partitions if (f := ctx.warehouse.read(table, p)) is not None]
    return pl.concat(frames) if frames else SCHEMAS[table].empty()
