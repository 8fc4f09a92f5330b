"""Everything that an incident was made from, by the records that the partition files carry.

Only the files on the way are opened, never the whole lake's footers. What a user sees of the
trace (stages, words, links) is `chain`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.detection.methods import METHODS
from leak_assets.errors import InputError
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.partition_files import DamagedPartitionError
from leak_assets.warehouse.record import WriteRecord

EVENTS = "incidents.incident_events"
SUMMARIES = "incidents.summaries"
STATES = "detection.states"
DAYS = "incidents.incident_days"
TRAINING_RUNS = "models.training_runs"
# What the trained models said of the same days, whichever method raised the incident.
BESIDE = "detection.window_scores"
# What goes on from day to day holds, in the end, every day before: it is followed to the begin of
# the leak, and named beyond.
MEMORIES = (STATES, DAYS)
_DETECTION = ("detection.hypotheses", "detection.leak_candidates", "detection.evidence", STATES)


@dataclass(frozen=True)
class Node:
    """One thing on the way: a version of a partition, a delivery, a model, a setting.

    Parameters
    ----------
    source
        What it is and which version was read.
    record
        Of a partition, the record of the write of that version; None where no file has it.
    is_current
        Whether that version is the one that queries see now; true of what is no partition.
    is_followed
        Whether its own inputs are part of the trace.
    """

    source: Input
    record: WriteRecord | None = None
    is_current: bool = True
    is_followed: bool = True

    @property
    def day(self) -> date | None:
        """Day of its partition, if it has one."""
        text = partition_values(self.source.partition).get("date")
        return None if text is None else date.fromisoformat(text)


@dataclass(frozen=True)
class Trace:
    """An incident, the revisions looked at, and all that they were made from.

    Parameters
    ----------
    incident
        The newest row of `incidents.incident_events` of it.
    revisions
        Rows of the revisions that were followed, in order.
    nodes
        By what was read, from the incident back to the deliveries.
    edges
        What each was made from.
    """

    incident: Mapping[str, Any]
    revisions: Sequence[Mapping[str, Any]]
    nodes: dict[Input, Node] = field(repr=False)
    edges: dict[Input, tuple[Input, ...]] = field(repr=False)

    @property
    def network(self) -> str:
        """Network of the incident."""
        return str(self.incident["network"])

    def of(self, name: str) -> list[Node]:
        """Return the nodes of a table, or of another thing by its name, in order of partitions."""
        found = (node for node in self.nodes.values() if node.source.name == name)
        return sorted(found, key=lambda node: node.source.partition)

    @property
    def superseded(self) -> list[Node]:
        """Partitions that have been written anew since the incident was made from them."""
        return [node for node in self.nodes.values() if not node.is_current]


def partition_values(partition: str) -> dict[str, str]:
    """Return the values of a partition's name; nothing of what is no partition."""
    return dict(part.split("=", 1) for part in partition.split("__") if "=" in part)


def incident_revisions(warehouse: Warehouse, incident_id: str) -> list[dict[str, Any]]:
    """Return the rows of `incidents.incident_events` of an incident, by revision.

    Raises
    ------
    InputError
        There is no such incident.
    """
    rows = warehouse.sql(
        f"SELECT * FROM {EVENTS} WHERE incident_id = ? ORDER BY revision", [incident_id]
    )
    if rows.is_empty():
        raise InputError(
            f"there is no incident {incident_id!r}",
            remedy="`leak-assets incidents list` names them",
        )
    return rows.to_dicts()


def trace_incident(
    warehouse: Warehouse,
    incident_id: str,
    *,
    revision: int | None = None,
    revisions: Sequence[Mapping[str, Any]] | None = None,
) -> Trace:
    """Return everything that an incident was made from.

    Parameters
    ----------
    revision
        The one to follow; by default the report that opened the incident and the newest.
    revisions
        Rows of `incidents.incident_events` of the incident, where they are known already.

    Raises
    ------
    InputError
        There is no such incident, or no such revision of it.
    """
    known = list(revisions or incident_revisions(warehouse, incident_id))
    chosen = _chosen(known, revision)
    opened = known[0]
    walk = _Walk(
        warehouse,
        method=str(opened["method"]),
        first_day=opened["leak_start"].date(),
        opened_day=day_of_event(opened),
    )
    for row in chosen:
        partition = {"date": day_of_event(row).isoformat(), "network": str(row["network"])}
        for table in (EVENTS, SUMMARIES, BESIDE):
            walk.take(table, partition)
    walk.run()
    return Trace(known[-1], chosen, walk.nodes, walk.edges)


def day_of_event(row: Mapping[str, Any]) -> date:
    """Return the day in whose partition a row of an incident's events lies.

    Data that end at midnight are of the day before.
    """
    at: datetime = row["event_at"]
    return (at.astimezone(UTC) - timedelta(microseconds=1)).date()


def _chosen(
    known: Sequence[Mapping[str, Any]], revision: int | None
) -> Sequence[Mapping[str, Any]]:
    if revision is None:
        return known[:1] if len(known) == 1 else [known[0], known[-1]]
    found = [row for row in known if row["revision"] == revision]
    if not found:
        raise InputError(
            f"incident {known[0]['incident_id']} has no revision {revision}",
            remedy=f"It has revisions {known[0]['revision']} to {known[-1]['revision']}",
        )
    return found


class _Walk:
    """The way upstream, one record after the other."""

    def __init__(
        self, warehouse: Warehouse, *, method: str, first_day: date, opened_day: date
    ) -> None:
        self.warehouse = warehouse
        self.first_day, self.opened_day = first_day, opened_day
        self.nodes: dict[Input, Node] = {}
        self.edges: dict[Input, tuple[Input, ...]] = {}
        self._waiting: list[Input] = []
        self._records: dict[tuple[str, str], WriteRecord | None] = {}
        self._wanted = _tables_of(method)

    def take(self, table: str, partition: Mapping[str, str]) -> None:
        """Begin at the present version of a partition, where it exists."""
        found = self.warehouse.as_input(table, partition)
        if found is not None:
            self._see(found)

    def run(self) -> None:
        """Follow what waits until the deliveries are reached."""
        while self._waiting:
            source = self._waiting.pop()
            record, is_current = self._version(source)
            is_followed = record is not None and self._is_followed(source)
            self.nodes[source] = Node(source, record, is_current, is_followed)
            if record is None or not is_followed:
                continue
            inputs = tuple(self._followed_inputs(source, record))
            self.edges[source] = inputs
            for entry in inputs:
                self._see(entry)

    def _see(self, source: Input) -> None:
        if source in self.nodes:
            return
        self.nodes[source] = Node(source)
        if source.kind == "table":
            self._waiting.append(source)
        elif source.kind == "model":
            for run in self._training_run(source):
                self.edges[source] = (run,)
                self._see(run)

    def _followed_inputs(self, source: Input, record: WriteRecord) -> Iterator[Input]:
        for entry in record.inputs:
            # A day's hypotheses are those of all methods, each with its own tables.
            is_other_methods = source.name in _DETECTION and entry.kind == "table"
            if not is_other_methods or entry.name in self._wanted:
                yield entry

    def _is_followed(self, source: Input) -> bool:
        if source.name not in MEMORIES:
            return True
        text = partition_values(source.partition).get("date")
        return text is not None and (self.first_day <= date.fromisoformat(text) <= self.opened_day)

    def _version(self, source: Input) -> tuple[WriteRecord | None, bool]:
        """Return the record of the version that was read, and whether it is the present one."""
        key = (source.name, source.partition)
        if key not in self._records:
            values = partition_values(source.partition)
            try:
                self._records[key] = self.warehouse.record(source.name, values)
            except DamagedPartitionError:
                # An audit tells what it finds; `warehouse check` tells how to mend it.
                self._records[key] = None
        record = self._records[key]
        if record is None or record.data_version == source.version:
            return record, record is not None
        for old in record.superseded:
            if old["data_version"] == source.version:
                inputs = tuple(Input(**entry) for entry in old["inputs"])
                return WriteRecord(**{**old, "inputs": inputs, "superseded": ()}), False
        return None, False

    def _training_run(self, model: Input) -> list[Input]:
        if not model.partition or not model.version:
            return []
        partition = {"version": f"{model.name}-{model.version}", "network": model.partition}
        run = self.warehouse.as_input(TRAINING_RUNS, partition)
        return [] if run is None else [run]


def _tables_of(method: str) -> frozenset[str]:
    """Return the tables that a method's hypotheses rest on; of one that is gone, all tables."""
    found = METHODS.get(method)
    names = [t for one in METHODS.values() for t in (*one.tables, *one.site_tables)]
    if found is not None:
        names = [*found.tables, *found.site_tables]
    return frozenset([*names, STATES])


def deliveries(trace: Trace) -> list[Input]:
    """Return the files and messages that the raw rows on the way came with."""
    found = {
        entry
        for source, inputs in trace.edges.items()
        if source.name == "telemetry.raw_readings"
        for entry in inputs
        if entry.kind != "table"
    }
    return sorted(found, key=lambda entry: (entry.name, entry.version))


def ledger_rows(warehouse: Warehouse, trace: Trace) -> pl.DataFrame:
    """Return the rows of `telemetry.ingest_ledger` of the deliveries on the way."""
    wanted = [entry.version for entry in deliveries(trace)]
    rows = warehouse.scan("telemetry.ingest_ledger", network=trace.network)
    return rows.filter(pl.col("file_sha256").is_in(wanted)).sort("received_at").collect()
