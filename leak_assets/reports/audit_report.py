"""The audit of an incident as one HTML page: the graph drawn, every box with its facts and SQL.

Static: no script, no external asset, readable on paper. What is in the boxes is `audit`'s.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leak_assets.audit.chain import Box, Chain, short
from leak_assets.audit.reading import ReadingTrace

from .page import shared_css, templates

# Of the drawing, in its own units: CSS pixels at full size.
BOX_W, BOX_H, GAP_X, GAP_Y, MARGIN = 186, 58, 44, 14, 12
_TITLE_LETTERS, _LINE_LETTERS = 23, 25


@dataclass(frozen=True)
class DrawnBox:
    """A box with its place in the drawing."""

    box: Box
    anchor: str
    x: float
    y: float
    title: str
    lines: tuple[str, ...]


def audit_page(
    chain: Chain, *, sample: ReadingTrace | None = None, made_at: datetime | None = None
) -> str:
    """Return the page.

    Parameters
    ----------
    sample
        A reading that the incident rests on, followed to the line of its file.
    made_at
        When it was made, UTC; now by default.
    """
    environment = templates(Path(__file__).parent / "audit_page")
    boxes = drawn(chain)
    return environment.get_template("page.html.j2").render(
        css=shared_css() + (Path(__file__).parent / "audit_page" / "page.css").read_text("utf-8"),
        incident=chain.trace.incident,
        revisions=chain.trace.revisions,
        notes=chain.notes,
        boxes=boxes,
        details=sorted(boxes, key=lambda one: -one.box.stage),
        edges=_edges(boxes),
        width=max((b.x for b in boxes), default=0) + BOX_W + MARGIN,
        height=max((b.y for b in boxes), default=0) + BOX_H + MARGIN,
        box_w=BOX_W,
        box_h=BOX_H,
        sample=sample,
        short=short,
        made_at=f"{made_at or datetime.now(UTC):%Y-%m-%d %H:%M}",
    )


def drawn(chain: Chain) -> list[DrawnBox]:
    """Return the boxes with their places: stages from left to right, near what they are made of."""
    placed: dict[str, DrawnBox] = {}
    stages = chain.by_stage()
    tallest = max((len(stage) for stage in stages), default=1)
    number = 0
    for column, stage in enumerate(stages):
        middle = (tallest - len(stage)) / 2
        rows = sorted(stage, key=lambda box: _height_of_sources(box, placed))
        for row, box in enumerate(rows):
            number += 1
            placed[box.key] = DrawnBox(
                box,
                f"b{number}",
                MARGIN + column * (BOX_W + GAP_X),
                MARGIN + (middle + row) * (BOX_H + GAP_Y),
                _cut(box.title, _TITLE_LETTERS),
                tuple(_cut(line, _LINE_LETTERS) for line in box.lines[:2]),
            )
    return list(placed.values())


def _height_of_sources(box: Box, placed: dict[str, DrawnBox]) -> tuple[float, str]:
    heights = [placed[key].y for key in box.sources if key in placed]
    is_given = box.kind != "delivery"
    return (sum(heights) / len(heights) if heights else 0.0, f"{is_given} {box.kind} {box.key}")


def _edges(boxes: list[DrawnBox]) -> list[dict[str, Any]]:
    """Return a curve from each box to each that was made from it."""
    at = {one.box.key: one for one in boxes}
    found = []
    for target in boxes:
        for key in target.box.sources:
            source = at[key]
            x1, y1 = source.x + BOX_W, source.y + BOX_H / 2
            x2, y2 = target.x, target.y + BOX_H / 2
            bend = max(GAP_X, (x2 - x1) / 2)
            path = f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
            found.append({"path": path, "kind": source.box.kind})
    return found


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
