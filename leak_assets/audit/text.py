"""Chains and readings as compact trees of text, from the incident back to the deliveries."""

from collections.abc import Iterator

from .chain import Box, Chain
from .reading import ReadingTrace

_SHOWN_RUNS = 3


def chain_text(chain: Chain, *, with_sql: bool = False) -> str:
    """Return the tree.

    Parameters
    ----------
    with_sql
        Print with each box the SQL that finds it.
    """
    return "\n".join(_lines(chain, with_sql=with_sql))


def _lines(chain: Chain, *, with_sql: bool) -> Iterator[str]:
    incident = chain.trace.incident
    yield (
        f"incident {incident['incident_id']}, revision {incident['revision']}:"
        f" {incident['status']}, {incident['severity']}"
    )
    yield (
        f"  pipe {incident['top_link_id']}, {incident['estimated_flow_m3_per_h']:.1f} m3/h since"
        f" {incident['leak_start']:%Y-%m-%d %H:%M} UTC, {incident['volume_lost_m3']:,.0f} m3 lost"
    )
    for note in chain.notes:
        yield f"  note: {note}"
    shown = [box for stage in reversed(chain.by_stage()) for box in stage]
    for number, box in enumerate(shown, start=1):
        last = number == len(shown)
        yield f"{'└' if last else '├'}─ {box.title}"
        for line in _facts(box, with_sql=with_sql):
            yield f"{' ' if last else '│'}    {line}"


def _facts(box: Box, *, with_sql: bool) -> Iterator[str]:
    yield from box.lines
    runs = [f"{run} {url}" if url else run for run, url in box.runs]
    if runs:
        more = f" and {len(runs) - _SHOWN_RUNS} more" if len(runs) > _SHOWN_RUNS else ""
        yield f"run {', '.join(runs[:_SHOWN_RUNS])}{more}"
    if with_sql:
        for query in box.queries:
            yield f"sql {query}"


def reading_text(found: ReadingTrace) -> str:
    """Return a reading, and the lines of the files that it came with, as text."""
    lines = []
    if found.reading is not None:
        row = found.reading
        value = "no value" if row["value_si"] is None else f"{row['value_si']:.6g} (SI)"
        lines.append(
            f"reading {row['sensor_id']}, {row['quantity']}, {row['ts_utc']:%Y-%m-%d %H:%M:%S} UTC:"
            f" {value}, {row['quality']}"
        )
    if not found.raw:
        lines.append("└─ nothing was delivered for it: the value is an estimate or a gap")
    for number, raw in enumerate(found.raw, start=1):
        last = number == len(found.raw)
        what = "counts" if raw.is_used else "does not count"
        lines.append(
            f"{'└' if last else '├'}─ raw {raw.row['raw_text']!r} {raw.row['unit']}, received"
            f" {raw.row['received_at']:%Y-%m-%d %H:%M:%S} UTC: {what}"
        )
        bar = " " if last else "│"
        lines.append(f"{bar}    {raw.delivery or 'a delivery that the ledger does not know'}")
        if raw.sha256:
            lines.append(f"{bar}    sha256 {raw.sha256}")
        if raw.message:
            lines.append(f"{bar}    message {raw.message}")
        else:
            lines.append(f"{bar}    line {raw.line}" + (f": {raw.text}" if raw.text else ""))
    return "\n".join(lines)
