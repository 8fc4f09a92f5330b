"""A trace as people see it: the tables of one step as one box, in stages, with where to look.

Words, links and the order of the boxes belong here; how they are printed or drawn does not.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl

from leak_assets.models.artefact import MANIFEST
from leak_assets.models.registry import current
from leak_assets.settings import Settings
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.schemas import TABLES

from .trace import (
    BESIDE,
    EVENTS,
    SUMMARIES,
    Node,
    Trace,
    deliveries,
    ledger_rows,
    partition_values,
)

HASH_SHOWN = 12
_NAMED = 4


@dataclass(frozen=True)
class Box:
    """What one step wrote on the way, or one thing that it was given.

    Parameters
    ----------
    key
        Unique name.
    kind
        `incident`, `table`, `delivery`, or the kind of the input.
    title, lines
        What it is, in words; the lines are one fact each.
    nodes
        Partitions and versions.
    stage
        0 for what came from outside; one more than all that it was made from.
    sources
        Keys of the boxes that it was made from.
    queries
        SQL that finds it in the warehouse.
    runs
        Runs that wrote it, with the address in Dagster's interface where Dagster knows them.
    asset_url
        Address of its first table's asset.
    """

    key: str
    kind: str
    title: str
    lines: tuple[str, ...]
    nodes: tuple[Node, ...] = field(repr=False)
    stage: int
    sources: tuple[str, ...]
    queries: tuple[str, ...] = ()
    runs: tuple[tuple[str, str | None], ...] = ()
    asset_url: str | None = None


@dataclass(frozen=True)
class Chain:
    """An incident's boxes, from the deliveries on, with what a reader must know first."""

    trace: Trace
    boxes: tuple[Box, ...]
    notes: tuple[str, ...]
    ledger: pl.DataFrame = field(repr=False)
    summaries: pl.DataFrame = field(repr=False)

    def by_stage(self) -> list[list[Box]]:
        """Return the boxes of each stage, deliveries first."""
        last = max((box.stage for box in self.boxes), default=0)
        return [[b for b in self.boxes if b.stage == stage] for stage in range(last + 1)]


def chain_of(warehouse: Warehouse, settings: Settings, trace: Trace) -> Chain:
    """Return the boxes of a trace."""
    ledger = ledger_rows(warehouse, trace)
    summaries = _summaries(warehouse, trace)
    maker = _Maker(warehouse, settings, trace, ledger, summaries)
    return Chain(trace, maker.boxes(), _notes(trace, maker.missing_models), ledger, summaries)


def run_url(settings: Settings, run_id: str) -> str | None:
    """Return a run's address in Dagster's interface; None of a run of the command line."""
    try:
        UUID(run_id)
    except ValueError:
        return None
    return f"{settings.dagster_ui_url.rstrip('/')}/runs/{run_id}"


def asset_url(settings: Settings, table: str) -> str:
    """Return the address of a table's asset in Dagster's interface."""
    return f"{settings.dagster_ui_url.rstrip('/')}/assets/{table.replace('.', '/')}"


def short(digest: str) -> str:
    """Return the begin of a hash, as lists show it."""
    return digest[:HASH_SHOWN]


class _Maker:
    """Groups nodes into boxes."""

    def __init__(
        self,
        warehouse: Warehouse,
        settings: Settings,
        trace: Trace,
        ledger: pl.DataFrame,
        summaries: pl.DataFrame,
    ) -> None:
        self.warehouse, self.settings, self.trace = warehouse, settings, trace
        self.ledger, self.summaries = ledger, summaries
        self.missing_models: list[str] = []
        self._deliveries = set(deliveries(trace))
        self._key: dict[Input, str] = {}
        self._members: dict[str, list[Node]] = {}

    def boxes(self) -> tuple[Box, ...]:
        for source, node in self.trace.nodes.items():
            key = self._key_of(source)
            self._key[source] = key
            self._members.setdefault(key, []).append(node)
        sources = self._sources()
        stages = _stages(sources)
        made = [self._box(key, stages[key], sources[key]) for key in self._members]
        return tuple(sorted(made, key=lambda box: (box.stage, box.kind != "table", box.key)))

    def _key_of(self, source: Input) -> str:
        """Return the box of a node: tables that are written together share one."""
        if source in self._deliveries:
            return f"delivery {source.name} {source.version}"
        if source.kind == "setting":
            return "settings"
        if source.kind != "table":
            return f"{source.kind} {source.name} {source.version}"
        return f"table {_SIBLINGS.get(source.name, source.name)}"

    def _sources(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {key: {} for key in self._members}
        for source, inputs in self.trace.edges.items():
            own = self._key[source]
            found[own].update((self._key[i], None) for i in inputs if self._key[i] != own)
        return {key: tuple(names) for key, names in found.items()}

    def _box(self, key: str, stage: int, sources: tuple[str, ...]) -> Box:
        nodes = tuple(sorted(self._members[key], key=lambda n: (n.source.name, n.source.partition)))
        first = nodes[0].source
        if first in self._deliveries:
            return self._delivery(key, stage, nodes)
        if first.kind == "table":
            return self._table(key, stage, sources, nodes)
        return self._given(key, stage, sources, nodes)

    def _table(
        self, key: str, stage: int, sources: tuple[str, ...], nodes: tuple[Node, ...]
    ) -> Box:
        # The first of a step's tables names its box.
        names = sorted({node.source.name for node in nodes}, key=lambda n: (_ORDER.get(n, 0), n))
        records = [node.record for node in nodes if node.record is not None]
        lines = [_partitions(nodes), f"{sum(r.rows for r in records):,} rows"]
        if codes := dict.fromkeys(r.code_version for r in records):
            lines.append(f"code {_listed(codes)}")
        lines += self._about(names)
        runs = dict.fromkeys(r.run_id for r in records)
        return Box(
            key,
            "incident" if EVENTS in names else "table",
            ", ".join([names[0], *(name.partition(".")[2] for name in names[1:])]),
            tuple(lines),
            nodes,
            stage,
            sources,
            tuple(self._queries(names, nodes)),
            tuple((run, run_url(self.settings, run)) for run in runs),
            asset_url(self.settings, names[0]),
        )

    def _about(self, names: Sequence[str]) -> list[str]:
        """Return what an auditor asks of some tables beside rows and versions."""
        incident = self.trace.incident
        if EVENTS in names:
            revisions = ", ".join(str(row["revision"]) for row in self.trace.revisions)
            return [f"revision {revisions}", f"contract {short(incident['contract_sha256'])}"]
        if "detection.hypotheses" in names:
            return [
                f"method {incident['method']}, version {incident['method_version']}",
                f"hypothesis {incident['hypothesis_id']}",
            ]
        if names[0] == BESIDE and incident["method"] != "windows":
            return ["said beside: raises no incident here"]
        if names[0] == SUMMARIES:
            return [
                f"revision {row['revision']}: {row['model_name'] or row['generated_by']},"
                f" prompt {short(row['prompt_sha256'])}"
                for row in self.summaries.iter_rows(named=True)
            ]
        return []

    def _queries(self, names: Sequence[str], nodes: Sequence[Node]) -> Iterable[str]:
        identity = {
            "incident_id": self.trace.incident["incident_id"],
            "hypothesis_id": self.trace.incident["hypothesis_id"],
        }
        for name in names:
            columns = TABLES[name].polars_schema.names()
            own = next((column for column in identity if column in columns), None)
            if own is not None:
                yield f"SELECT * FROM {name} WHERE {own} = {_quoted(identity[own])}"
            mine = [node.source.partition for node in nodes if node.source.name == name]
            yield (
                f"SELECT * FROM audit.data_versions WHERE table_name = {_quoted(name)}"
                f" AND partition IN ({', '.join(_quoted(partition) for partition in mine)})"
            )

    def _delivery(self, key: str, stage: int, nodes: tuple[Node, ...]) -> Box:
        source = nodes[0].source
        rows = self.ledger.filter(
            (pl.col("file_sha256") == source.version) & (pl.col("file_path") == source.name)
        )
        lines = [f"sha256 {source.version}"]
        runs: dict[str, None] = {}
        for row in rows.iter_rows(named=True):
            lines.append(f"{row['accepted']:,} of {row['readings']:,} values taken")
            lines.append(f"received {row['received_at']:%Y-%m-%d %H:%M} UTC, {row['format']}")
            runs[row["run_id"]] = None
        if rows.is_empty():
            lines.append("the ledger does not know it")
        sql = _quoted(source.version)
        return Box(
            key,
            "delivery",
            source.name,
            tuple(lines),
            nodes,
            stage,
            (),
            (
                f"SELECT * FROM telemetry.ingest_ledger WHERE file_sha256 = {sql}",
                "SELECT sensor_id, ts_utc, raw_text, sequence AS line FROM telemetry.raw_readings"
                f" WHERE starts_with(message_id, {sql}) LIMIT 100",
            ),
            tuple((run, run_url(self.settings, run)) for run in runs),
        )

    def _given(
        self, key: str, stage: int, sources: tuple[str, ...], nodes: tuple[Node, ...]
    ) -> Box:
        source = nodes[0].source
        if source.kind == "setting":
            lines = [f"{node.source.name} = {node.source.version}" for node in nodes]
        else:
            lines = [source.version] if source.version else []
        if source.kind == "model" and source.partition:
            lines += self._model(source)
        queries = tuple(
            f"SELECT * FROM audit.lineage WHERE input_kind = {_quoted(node.source.kind)}"
            f" AND input_name = {_quoted(node.source.name)}"
            f" AND input_version = {_quoted(node.source.version)} LIMIT 10"
            for node in nodes
        )
        title = "settings" if source.kind == "setting" else f"{source.kind} {source.name}"
        if source.kind == "model" and not source.partition:
            title = f"texts by {source.name}"
        return Box(key, source.kind, title, tuple(lines), nodes, stage, sources, queries)

    def _model(self, source: Input) -> list[str]:
        """Return what a model was trained from: registry, seed, code, scenarios."""
        events = self.warehouse.read_all("models.registry_events", network=source.partition)
        known = current(events, source.partition, source.name).filter(version=source.version)
        if known.is_empty():
            self.missing_models.append(f"{source.name} {source.version}")
            return ["not in the registry"]
        row = known.row(0, named=True)
        lines = [f"{row['status']} since {row['event_at']:%Y-%m-%d %H:%M}"]
        manifest = _manifest(self.settings.models_dir / row["artefact_path"])
        if manifest is None:
            self.missing_models.append(f"{source.name} {source.version}")
            return [*lines, "its folder is gone"]
        sets = manifest.get("split", {}).get("sets", {})
        return [
            *lines,
            f"seed {manifest['seed']}, code {manifest['code_version']}",
            f"trained {str(manifest['created_at'])[:16]} on"
            f" {sum(len(s) for s in sets.values())} scenarios of"
            f" {len(manifest.get('data_versions', {}))} batches",
            f"manifest {short(row['manifest_sha256'])}",
        ]


def _siblings() -> dict[str, str]:
    """Return for each table the first of those that are written with it."""
    groups = (
        ("incidents.incident_events", "incidents.incident_days", "incidents.candidates",
         "incidents.evidence"),
        ("detection.hypotheses", "detection.leak_candidates", "detection.evidence",
         "detection.states"),
        ("detection.window_scores", "detection.window_candidates"),
        ("features.calibrations", "features.channel_references"),
        ("simulation.telemetry", "simulation.scenarios", "simulation.leak_truth",
         "simulation.event_truth", "simulation.sensor_fault_labels"),
        ("network.links", "network.nodes", "network.sensors", "network.pipe_distance"),
    )  # fmt: skip
    return {name: group[0] for group in groups for name in group}


_SIBLINGS = _siblings()
_ORDER = {name: number for number, name in enumerate(_SIBLINGS)}


def _stages(sources: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the longest way from what came from outside; circles are cut where they close."""
    found: dict[str, int] = {}

    def stage(key: str, under_way: frozenset[str]) -> int:
        if key not in found:
            before = [s for s in sources[key] if s not in under_way]
            found[key] = 1 + max((stage(s, under_way | {key}) for s in before), default=-1)
        return found[key]

    for key in sources:
        stage(key, frozenset())
    return found


def _partitions(nodes: Sequence[Node]) -> str:
    days = sorted({node.day for node in nodes if node.day is not None})
    if not days:
        names = dict.fromkeys(node.source.partition for node in nodes)
        batches = sorted({b for b in (partition_values(n).get("batch") for n in names) if b})
        if batches:
            return f"{len(batches)} batches, {batches[0]} to {batches[-1]}"
        return _listed(names)
    if len(days) == 1:
        return f"day {days[0]}"
    return f"{len(days)} days, {days[0]} to {days[-1]}"


def _listed(values: Iterable[str]) -> str:
    found = list(values)
    rest = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + rest


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _summaries(warehouse: Warehouse, trace: Trace) -> pl.DataFrame:
    frames = [TABLES[SUMMARIES].empty()]
    for node in trace.of(SUMMARIES):
        day = node.day
        if day is not None:
            found = warehouse.read(SUMMARIES, {"date": day.isoformat(), "network": trace.network})
            frames += [] if found is None else [found]
    wanted = [row["revision"] for row in trace.revisions]
    return (
        pl.concat(frames)
        .filter(
            pl.col("incident_id") == trace.incident["incident_id"],
            pl.col("revision").is_in(wanted),
        )
        .sort("revision")
    )


def _notes(trace: Trace, missing_models: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if replaced := trace.superseded:
        gone = sum(node.record is None for node in replaced)
        tables = _listed(dict.fromkeys(node.source.name for node in replaced))
        notes.append(
            f"{len(replaced)} partitions have been written anew since ({tables})"
            + (f"; of {gone} the former version is not recorded any more" if gone else "")
        )
    notes += [f"{model} is not at hand any more" for model in missing_models]
    beyond = [node for node in trace.nodes.values() if not node.is_followed and node.record]
    if beyond:
        first = min((node.day for node in beyond if node.day is not None), default=None)
        notes.append(
            "What is remembered from day to day (states, open incidents) is followed to the begin"
            f" of the leak; beyond, the memory of {first} stands for the days before"
        )
    return tuple(notes)
