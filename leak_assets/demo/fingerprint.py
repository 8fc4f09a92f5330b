"""Whether the demo's results still stand: same code, same options, same data."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from leak_assets.pipeline.context import StepContext

from .town import DemoSize

_PACKAGE = Path(__file__).parents[1]
_STATE = "state.json"
_RESULTS = ("incidents.incident_events", "incidents.summaries", "detection.window_scores")


def demo_fingerprint(size: DemoSize, seed: int) -> str:
    """Return a hash over the package's code and data and the demo's options."""
    digest = hashlib.sha256(json.dumps([asdict(size), seed]).encode())
    for path in sorted(_PACKAGE.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".yaml", ".j2"):
            digest.update(str(path.relative_to(_PACKAGE)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def remember(ctx: StepContext, folder: Path, fingerprint: str, network: str) -> None:
    """Note what the demo left, so that the next one can tell that it stands."""
    state = {"fingerprint": fingerprint, "network": network, "results": _results(ctx, network)}
    (folder / _STATE).write_text(json.dumps(state, indent=1))


def is_standing(ctx: StepContext, folder: Path, fingerprint: str, report: Path) -> bool:
    """Whether the last demo was the same and its results are untouched."""
    path = folder / _STATE
    if not path.is_file() or not report.is_file():
        return False
    state = json.loads(path.read_text())
    return (
        state["fingerprint"] == fingerprint and _results(ctx, state["network"]) == state["results"]
    )


def _results(ctx: StepContext, network: str) -> dict[str, str]:
    """Return the data version of every result partition, by name."""
    return {
        f"{record.table}/{record.partition}": record.data_version
        for table in _RESULTS
        for partition in ctx.warehouse.partitions(table, network=network)
        if (record := ctx.warehouse.record(table, partition)) is not None
    }
