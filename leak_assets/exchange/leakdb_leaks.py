"""Reads the leaks of a LeakDB scenario folder; `leakdb` writes such folders.

Times without a zone are UTC.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import pi
from pathlib import Path
from typing import Any

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.system.clock import as_utc, parse_utc

from .text_file import read_text

# LeakDB is simulated in steps of 30 minutes (its generator's `sim_step_minutes`).
_LEAKDB_STEP = timedelta(minutes=30)
_LEAKDB_TIMES = ("Timestamps.csv", "Labels.csv")


def read_leakdb(path: Path, *, start_at: datetime | None = None) -> tuple[Leak, ...]:
    """Read the leaks of a LeakDB scenario folder (or of its `Leaks`, or one `…_info.csv`).

    Rows of an info file are `description , value`: Leak Node, Leak Diameter (m), Leak Type,
    Leak Start, Leak End, Peak Time; without a diameter, Leak Area (m2). Times are timestamps, as
    LeakDB's generator writes them, or numbers of steps from the first. `Leak End` names the last
    step with flow (`leakDataset.py` labels up to and including it), so the leak ends one step
    later. A row `Leak Link`, which our own export adds, makes it a leak at the middle of that
    pipe.

    Parameters
    ----------
    start_at
        Time of step 0 of a scenario whose times are step numbers and which has neither
        `Timestamps.csv` nor `Labels.csv`. UTC.

    Returns
    -------
    tuple of Leak
        In the order of the file names; none for a scenario without leaks.
    """
    if path.is_file():
        files, scenario = [path], path.parent.parent
    else:
        folder = path if path.name == "Leaks" else path / "Leaks"
        files, scenario = sorted(folder.glob("Leak_*_info.csv")), folder.parent
    clock = _clock(scenario, start_at)
    return tuple(_from_info(file, clock) for file in files)


@dataclass(frozen=True)
class _Clock:
    """Times of a LeakDB scenario: that of step 0, if it is known, and the step."""

    first: datetime | None
    step: timedelta

    def time(self, text: str) -> datetime:
        if not text.lstrip("-").isdigit():
            return parse_utc(text)
        if self.first is None:
            raise InputError(
                f"step number {text} without the time of step 0",
                remedy="Put Timestamps.csv beside the folder Leaks, or give the start",
            )
        return self.first + int(text) * self.step


def _clock(scenario: Path, start_at: datetime | None) -> _Clock:
    for name in _LEAKDB_TIMES:
        file = scenario / name
        if file.is_file() and (times := list(_first_times(file))):
            step = times[1] - times[0] if len(times) > 1 else _LEAKDB_STEP
            return _Clock(times[0], step)
    return _Clock(None if start_at is None else as_utc(start_at, "start"), _LEAKDB_STEP)


def _first_times(file: Path) -> Iterator[datetime]:
    """Return the first two values of the column `Timestamp`; nothing if there is none."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        header = [cell.strip() for cell in next(rows, [])]
        if "Timestamp" not in header:
            return
        column = header.index("Timestamp")
        for number, row in enumerate(rows, start=2):
            try:
                yield parse_utc(row[column])
            except (ValueError, IndexError) as error:
                raise InputError(
                    f"cannot read the time in {','.join(row)!r}",
                    remedy="Write times as 2018-01-31 13:30",
                    file=file,
                    row=number,
                    column="Timestamp",
                ) from error
            if number == 3:
                return


def _from_info(file: Path, clock: _Clock) -> Leak:
    values: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        name, _, value = line.partition(",")
        values[name.strip().lower()] = value.strip(), number

    def read(name: str, parse: Callable[[str], Any]) -> Any:
        if name.lower() not in values or not values[name.lower()][0]:
            raise InputError(
                f"there is no {name!r}",
                remedy=f"Write a row `{name} , value`",
                file=file,
            )
        text, number = values[name.lower()]
        try:
            return parse(text)
        except ValueError as error:
            remedy = getattr(error, "remedy", "Mend the value")
            raise InputError(
                f"{name} = {text!r}: {getattr(error, 'problem', error)}",
                remedy=remedy,
                file=file,
                row=number,
            ) from error

    node, link = read("Leak Node", str), None
    if "leak link" in values:
        node, link = None, read("Leak Link", str)
    if "leak diameter" in values:
        diameter_m = read("Leak Diameter", float)
    else:
        diameter_m = (4 * read("Leak Area", float) / pi) ** 0.5
    kind = read("Leak Type", str.lower)
    start_at = read("Leak Start", clock.time)
    end_at = read("Leak End", clock.time) + clock.step
    # LeakDB's generator gives abrupt leaks their end as the time of the peak.
    peak_at = read("Peak Time", clock.time) if kind == "incipient" else None
    try:
        return Leak(link, start_at, diameter_m, kind, peak_at, end_at, node_id=node)
    except InputError as error:
        raise InputError(error.problem, remedy=error.remedy, file=file) from error
