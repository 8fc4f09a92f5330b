"""What a benchmark returns, and how it is printed and written to `docs/figures.md`."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from leak_assets.system.files import publish

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "figures.md"


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    topic
        Heading that it stands under, with what it was measured on: number of towns, sizes.
    name
        What was measured.
    value
        Number, or text where one number does not say it (`3 of 12`); None where there is none.
    unit
        Of the value; empty for shares and texts.
    reach
        What it is to be, as `≤ 4`; empty where nothing was promised.
    command
        Command that measures it again.
    """

    topic: str
    name: str
    value: float | str | None
    unit: str = ""
    reach: str = ""
    command: str = "make bench"

    @property
    def text(self) -> str:
        """Value with its unit."""
        match self.value:
            case None:
                shown = "–"
            case str():
                shown = self.value
            case value:
                shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        return f"{shown} {self.unit}".strip()


def print_figures(figures: Iterable[Figure]) -> None:
    """Print figures as they come, a heading before each topic."""
    for topic, rows in groupby(figures, key=lambda figure: figure.topic):
        sys.stdout.write(f"{topic}\n")
        for row in rows:
            sys.stdout.write(f"  {row.name:70s} {row.text:>20s}  {row.reach}\n")
            sys.stdout.flush()


def write_page(figures: Sequence[Figure], page: Path = PAGE) -> None:
    """Write `docs/figures.md`: every figure with what it was to be and how to measure it again."""
    lines = [
        "# Figures",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit {_commit()}; `make bench` writes this"
        " page. Machines are noisy: compare ratios. What is weak stands beside what is strong.",
    ]
    for topic, rows in groupby(figures, key=lambda figure: figure.topic):
        lines += ["", f"## {topic}", "", "| figure | value | reach | command |", "| --- " * 4 + "|"]
        lines += [f"| {r.name} | {r.text} | {r.reach} | `{r.command}` |" for r in rows]
    publish(page, ("\n".join(lines) + "\n").encode())


def _commit() -> str:
    """Return the commit measured; `+` says that files had changed since."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
