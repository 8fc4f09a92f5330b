"""What a benchmark returns, and how it is printed and written to `docs/figures.md`."""

import re
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


_HEAD = """# Figures

`make bench` measures everything again, `make bench ONLY="latency plant"` some of it; each part says
when and at which commit. Machines are noisy: compare ratios. What is weak stands beside what is
strong.
"""
_PART = re.compile(r"^<!-- (\w+) -->\n", re.MULTILINE)


def write_part(
    name: str, figures: Sequence[Figure], took_s: float, page: Path = PAGE, *, order: Sequence[str]
) -> None:
    """Write the figures of one benchmark into the page; the parts of the others stay.

    Parameters
    ----------
    name
        Of the benchmark: `latency`.
    figures
        Every one with what it was to be and how to measure it again.
    took_s
        Time of the benchmark, s.
    order
        Names of all benchmarks in the order of their parts; a part of no benchmark is dropped.
    """
    parts = _parts(page)
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit {_commit()} in {took_s:,.0f} s.",
    ]
    for topic, rows in groupby(figures, key=lambda figure: figure.topic):
        lines += ["", f"## {topic}", "", "| figure | value | reach | command |", "| --- " * 4 + "|"]
        lines += [f"| {r.name} | {r.text} | {r.reach} | `{r.command}` |" for r in rows]
    parts[name] = "\n".join(lines) + "\n"
    text = "\n".join([_HEAD, *(f"<!-- {n} -->\n{parts[n]}" for n in order if n in parts)])
    publish(page, text.encode())


def _parts(page: Path) -> dict[str, str]:
    """Return what a page says by benchmark."""
    if not page.is_file():
        return {}
    _, *pieces = _PART.split(page.read_text("utf-8"))
    return {
        name: text.rstrip("\n") + "\n" for name, text in zip(pieces[::2], pieces[1::2], strict=True)
    }


def _commit() -> str:
    """Return the commit measured; `+` says that files, but for the page, had changed since."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!docs/figures.md")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
