"""Reads leak schedules of users' files into `Leak`s, in the formats that BattLeDIM and LeakDB have.

Only reading; what a leak is belongs in `leaks`, writing truth in the exports. Times without a
zone are UTC.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import pi
from pathlib import Path
from typing import Any

import yaml

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.system.clock import as_utc, parse_utc

SCHEDULE_COLUMNS = ("linkID", "startTime", "endTime", "diameter_m", "type", "peakTime")
# BattLeDIM's own generator spells the suffix `.yalm`.
CONFIG_SUFFIXES = (".yaml", ".yml", ".yalm")
_FORMATS = "Give BattLeDIM's leaks.csv, its dataset_configuration.yaml, or a LeakDB scenario folder"
_ROW = f"A row is {', '.join(SCHEDULE_COLUMNS)}"
# LeakDB is simulated in steps of 30 minutes (its generator's `sim_step_minutes`).
_LEAKDB_STEP = timedelta(minutes=30)
_LEAKDB_TIMES = ("Timestamps.csv", "Labels.csv")


def read_leaks(path: Path, *, start_at: datetime | None = None) -> tuple[Leak, ...]:
    """Read the leaks of a schedule; what the path is tells the format.

    Parameters
    ----------
    path
        * a file `.csv` or `.txt`: BattLeDIM's list (`read_schedule`);
        * a file `.yaml`, `.yml` or `.yalm`: configuration of a dataset generator, BattLeDIM's or
          LDIMBenchmark's (`read_configuration`);
        * a folder with `Leaks/`, such a `Leaks` folder, or one `Leak_<node>_info.csv`: a LeakDB
          scenario (`read_leakdb`);
        * a folder with `leaks.csv`: that file.
    start_at
        Time of step 0 of a LeakDB scenario whose times are step numbers and which has neither
        `Timestamps.csv` nor `Labels.csv`. UTC.

    Raises
    ------
    InputError
        No such path, none of these formats, or an unusable value; names file, row and remedy.
    """
    if path.is_dir():
        if path.name == "Leaks" or (path / "Leaks").is_dir():
            return read_leakdb(path, start_at=start_at)
        if (path / "leaks.csv").is_file():
            return read_schedule(path / "leaks.csv")
        raise InputError("the folder has neither leaks.csv nor Leaks/", remedy=_FORMATS, file=path)
    if not path.is_file():
        raise InputError("the leak schedule does not exist", remedy=_FORMATS, file=path)
    if path.suffix.lower() in CONFIG_SUFFIXES:
        return read_configuration(path)
    if path.name.startswith("Leak_") and path.name.endswith("_info.csv"):
        return read_leakdb(path, start_at=start_at)
    if path.suffix.lower() in (".csv", ".txt"):
        return read_schedule(path)
    raise InputError(
        f"no known format of leak schedules has the suffix {path.suffix!r}",
        remedy=_FORMATS,
        file=path,
    )


def read_schedule(path: Path) -> tuple[Leak, ...]:
    """Read a leak schedule (`leaks.csv`), as BattLeDIM's towns have it, into leaks to simulate.

    Raises
    ------
    InputError
        A missing file, or a row that cannot be read.
    """
    if not path.is_file():
        raise InputError(
            "the leak schedule does not exist", remedy="Check the path of leaks.csv", file=path
        )
    leaks = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        text = line.strip()
        if text and not text.startswith(("#", "linkID")):
            leaks.append(_from_row(text, path, number))
    return tuple(leaks)


def read_configuration(path: Path) -> tuple[Leak, ...]:
    """Read the leaks of a dataset generator's configuration.

    The key `leakages` holds a list. An entry is text as in BattLeDIM's `dataset_configuration`
    (`linkID, startTime, endTime, leakDiameter (m), leakType, peakTime`) or a mapping as in
    LDIMBenchmark's (`linkID`, `startTime`, `peakTime`, `endTime`, `leakDiameter` in m); a
    mapping is incipient when its peak is later than its start. Empty entries, which BattLeDIM's
    comment row leaves behind, are passed over. A file of BattLeDIM's bare rows, which its scoring
    code names `leakages_info.yalm`, is read as such.

    Raises
    ------
    InputError
        No YAML, no list `leakages`, or an entry that cannot be read; names the row.
    """
    try:
        # Composed, not loaded: nodes know their rows.
        root = yaml.compose(_text(path), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise InputError(
            f"this is no YAML: {error.problem}",
            remedy="Mend the file",
            file=path,
            row=None if error.problem_mark is None else error.problem_mark.line + 1,
        ) from error
    if isinstance(root, yaml.ScalarNode):
        return read_schedule(path)
    entries = None
    if isinstance(root, yaml.MappingNode):
        entries = next((value for key, value in root.value if key.value == "leakages"), None)
    if entries is None or (
        not isinstance(entries, yaml.SequenceNode) and entries.value not in ("", "null", "~")
    ):
        raise InputError(
            "there is no list `leakages`",
            remedy=f"Write `leakages:` with one entry per leak. {_ROW}",
            file=path,
            row=None if entries is None else entries.start_mark.line + 1,
        )
    leaks = []
    for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
        number = entry.start_mark.line + 1
        if isinstance(entry, yaml.MappingNode):
            leaks.append(_from_mapping({k.value: v.value for k, v in entry.value}, path, number))
        elif isinstance(entry, yaml.ScalarNode) and entry.value in ("", "null", "~"):
            continue
        else:
            leaks.append(_from_row(str(entry.value), path, number))
    return tuple(leaks)


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
        As in `read_leaks`.

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
    for number, line in enumerate(_text(file).splitlines(), start=1):
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
    return _leak(
        file,
        None,
        lambda: Leak(link, start_at, diameter_m, kind, peak_at, end_at, node_id=node),
    )


def _from_row(text: str, path: Path, number: int) -> Leak:
    try:
        pipe, start, end, diameter, kind, peak = (cell.strip() for cell in text.split(","))
        return Leak(pipe, parse_utc(start), float(diameter), kind, parse_utc(peak), parse_utc(end))
    except ValueError as error:
        raise InputError(
            f"cannot read {text!r}: {getattr(error, 'problem', error)}",
            remedy=_ROW,
            file=path,
            row=number,
        ) from error


def _from_mapping(entry: dict[str, str], path: Path, number: int) -> Leak:
    try:
        start_at, peak_at, end_at = (
            parse_utc(entry[name]) for name in ("startTime", "peakTime", "endTime")
        )
        diameter_m = float(entry["leakDiameter"])
        pipe = entry["linkID"]
    except KeyError as error:
        raise InputError(
            f"the leak has no {error.args[0]}",
            remedy="Write linkID, startTime, peakTime, endTime and leakDiameter",
            file=path,
            row=number,
        ) from error
    except ValueError as error:
        raise InputError(
            f"cannot read the leak: {error}",
            remedy="Write times as 2018-01-31 13:30 and leakDiameter in metres",
            file=path,
            row=number,
        ) from error
    kind = "incipient" if peak_at > start_at else "abrupt"
    return _leak(path, number, lambda: Leak(pipe, start_at, diameter_m, kind, peak_at, end_at))


def _leak(path: Path, row: int | None, make: Callable[[], Leak]) -> Leak:
    """Return the leak; what it refuses is told with the file."""
    try:
        return make()
    except InputError as error:
        raise InputError(error.problem, remedy=error.remedy, file=path, row=row) from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("this is not UTF-8 text", remedy=_FORMATS, file=path) from error
