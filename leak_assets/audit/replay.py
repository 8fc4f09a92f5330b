"""An incident scored again from its inputs: identical, or different in what, side by side.

The detection itself is `rescore`; here its rows are held against those that were published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.detection.steps import HYPOTHESES_STEP, SCORES_STEP
from leak_assets.incidents.steps import DAYS, INCIDENTS_STEP, days_gone_on_from
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import inputs_of
from leak_assets.pipeline.step import Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas import TABLES

from .rescore import HYPOTHESES, SCORE_TABLES, Rescored, Variant, rescore
from .trace import EVENTS, day_of_event, incident_revisions

# A leak that nobody repairs runs for years; the days in which it was found and followed at first
# are replayed in some seconds.
MOST_DAYS = 60
_TRACKED = {
    EVENTS: "incident_events",
    "incidents.candidates": "candidates",
    "incidents.evidence": "evidence",
}
DIFFERENCES: dict[str, Any] = {
    "table": pl.String,
    "row": pl.String,
    "column": pl.String,
    "published": pl.String,
    "replayed": pl.String,
}
# The run that first wrote a row is not what it says.
_NOT_COMPARED = ("run_id",)


@dataclass(frozen=True)
class Replay:
    """What came of a replay.

    Parameters
    ----------
    incident_id, variant, first_day, last_day
        What was replayed, how, and over which days.
    revisions, all_revisions
        Revisions of the incident within these days, and in all.
    compared
        Published rows by table.
    differences
        One row for each value that differs; a row that only one side has is `(no row)` on the
        other.
    raised
        Incidents of the replay, by their newest state.
    notes
        What a reader must know: changed inputs, other code.
    """

    incident_id: str
    variant: Variant
    first_day: date
    last_day: date
    revisions: int
    all_revisions: int
    compared: Mapping[str, int]
    differences: pl.DataFrame = field(repr=False)
    raised: pl.DataFrame = field(repr=False)
    notes: Sequence[str] = ()

    @property
    def is_identical(self) -> bool:
        """Whether every stored value came out the same."""
        return self.differences.is_empty()


def replay_incident(
    ctx: StepContext,
    incident_id: str,
    *,
    variant: Variant | None = None,
    until: date | None = None,
) -> Replay:
    """Detect again over the days of an incident, and compare with what was published.

    Parameters
    ----------
    variant
        How; by default as it was: the same method, models and settings.
    until
        Last day; by default that of the newest revision, but not more than `MOST_DAYS` days.

    Raises
    ------
    InputError
        There is no such incident, or the variant cannot be made.
    """
    revisions = incident_revisions(ctx.warehouse, incident_id)
    opened = revisions[0]
    site = ctx.network(str(opened["network"]))
    variant = variant or Variant(method=str(opened["method"]))
    first, last = _period(ctx.warehouse, revisions, until)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    rescored = rescore(
        ctx, site, variant, days, previous_days=open_before(ctx.warehouse, site.name, first)
    )
    published = _published(ctx.warehouse, site.name, opened, variant, days)
    replayed = _replayed(rescored, opened)
    differences = pl.concat(
        [
            pl.DataFrame(schema=DIFFERENCES),
            *(_differences(name, published[name], replayed[name]) for name in published),
        ]
    )
    within = [row for row in revisions if day_of_event(row) <= last]
    return Replay(
        incident_id,
        variant,
        first,
        last,
        len(within),
        len(revisions),
        {name: frame.height for name, frame in published.items() if frame.height},
        differences,
        raised(rescored),
        tuple(_notes(ctx, site, days)),
    )


def open_before(warehouse: Warehouse, network: str, day: date) -> pl.DataFrame:
    """Return the rows of `incidents.incident_days` that a day goes on from."""
    frames = [
        warehouse.require(DAYS, day_partition(before, network), remedy="ingest its day again")
        for before in days_gone_on_from(warehouse, network, day)
    ]
    return pl.concat([TABLES[DAYS].empty(), *frames])


def raised(rescored: Rescored) -> pl.DataFrame:
    """Return the incidents that detection raised anew, by their newest state."""
    events = rescored.tracked.incident_events
    opened = events.filter(pl.col("event") == "opened").select("incident_id")
    return (
        events.join(opened, on="incident_id", how="semi")
        .sort("revision")
        .group_by("incident_id", maintain_order=True)
        .last()
        .sort("detected_at", "incident_id")
        .select(
            "incident_id",
            "status",
            "severity",
            "leak_start",
            "detected_at",
            "estimated_flow_m3_per_h",
            "volume_lost_m3",
            "value_eur",
            "top_link_id",
        )
    )


def _period(
    warehouse: Warehouse, revisions: Sequence[Mapping[str, Any]], until: date | None
) -> tuple[date, date]:
    """Return the first day of which the hypothesis was known, and the last to replay."""
    opened = revisions[0]
    opened_on = day_of_event(opened)
    rows = warehouse.read(HYPOTHESES[0], day_partition(opened_on, str(opened["network"])))
    seen = None
    if rows is not None:
        seen = rows.filter(hypothesis_id=opened["hypothesis_id"])["first_seen_at"].min()
    first = opened_on
    if isinstance(seen, datetime):
        first = min((seen - timedelta(microseconds=1)).date(), opened_on)
    newest = day_of_event(revisions[-1])
    last = min(newest, max(opened_on, first + timedelta(days=MOST_DAYS - 1)))
    return first, max(until, opened_on) if until is not None else last


def _published(
    warehouse: Warehouse,
    network: str,
    incident: Mapping[str, Any],
    variant: Variant,
    days: Sequence[date],
) -> dict[str, pl.DataFrame]:
    """Return the stored rows of an incident: scores of its days, hypothesis, revisions."""
    rows = {
        name: _rows(warehouse, name, network, days)
        for name in (*SCORE_TABLES, *HYPOTHESES, *_TRACKED)
    }
    if variant.method != "windows":
        rows |= {name: TABLES[name].empty() for name in SCORE_TABLES}
    return _of_incident(rows, incident)


def _replayed(rescored: Rescored, incident: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    tracked = {name: getattr(rescored.tracked, field) for name, field in _TRACKED.items()}
    return _of_incident({**rescored.tables, **tracked}, incident)


def _of_incident(
    rows: Mapping[str, pl.DataFrame], incident: Mapping[str, Any]
) -> dict[str, pl.DataFrame]:
    kept = {}
    for name, frame in rows.items():
        chosen = frame
        for column in ("incident_id", "hypothesis_id"):
            if column in frame.columns:
                chosen = frame.filter(pl.col(column) == incident[column])
                break
        kept[name] = chosen.drop(_NOT_COMPARED, strict=False)
    return kept


def _rows(warehouse: Warehouse, table: str, network: str, days: Sequence[date]) -> pl.DataFrame:
    read = (warehouse.read(table, day_partition(day, network)) for day in days)
    return pl.concat([TABLES[table].empty(), *(frame for frame in read if frame is not None)])


def _differences(table: str, published: pl.DataFrame, replayed: pl.DataFrame) -> pl.DataFrame:
    """Return the values that differ, to the last digit stored."""
    # Another model or method has another version: that is what differs, not which row it is.
    key = [column for column in TABLES[table].key if column != "method_version"]
    if published.equals(replayed):
        return pl.DataFrame(schema=DIFFERENCES)
    both = published.join(replayed, on=key, how="full", suffix=" replayed", coalesce=True)
    sides = {
        "published": pl.DataFrame(published.select(key)).with_columns(there=pl.lit(value=True)),
        "replayed": pl.DataFrame(replayed.select(key)).with_columns(here=pl.lit(value=True)),
    }
    both = both.join(sides["published"], on=key, how="left").join(
        sides["replayed"], on=key, how="left"
    )
    shown = pl.concat_str([pl.col(name).cast(pl.String) for name in key[1:] or key], separator=" ")
    found = [
        both.filter(pl.col("there").is_null() | pl.col("here").is_null()).select(
            table=pl.lit(table),
            row=shown,
            column=pl.lit(""),
            published=pl.when(pl.col("there")).then(pl.lit("a row")).otherwise(pl.lit("(no row)")),
            replayed=pl.when(pl.col("here")).then(pl.lit("a row")).otherwise(pl.lit("(no row)")),
        )
    ]
    matched = both.filter(pl.col("there") & pl.col("here"))
    for column in published.columns:
        if column in key:
            continue
        other = f"{column} replayed"
        found.append(
            matched.filter(pl.col(column).ne_missing(pl.col(other))).select(
                table=pl.lit(table),
                row=shown,
                column=pl.lit(column),
                published=pl.col(column).cast(pl.String),
                replayed=pl.col(other).cast(pl.String),
            )
        )
    return pl.concat(found)


def _notes(ctx: StepContext, site: NetworkSite, days: Sequence[date]) -> list[str]:
    """Return what may keep a replay from being identical, as the records have it."""
    notes = []
    for step in (SCORES_STEP, HYPOTHESES_STEP, INCIDENTS_STEP):
        changed, other_code = _changed(ctx, site, step, days)
        if other_code:
            notes.append(f"{step.name} of {other_code} days was written by other code")
        if changed:
            notes.append(f"inputs of {step.name} have changed since on {changed} days")
    return notes


def _changed(
    ctx: StepContext, site: NetworkSite, step: Step, days: Sequence[date]
) -> tuple[int, int]:
    work = Work(ctx, site, step)
    changed = other_code = 0
    for day in days:
        partition = day_partition(day, site.name)
        record = ctx.warehouse.record(step.writes[0], partition)
        if record is None:
            continue
        other_code += record.code_version != step.code_version
        changed += set(record.inputs) != set(inputs_of(work, partition) or ())
    return changed, other_code
