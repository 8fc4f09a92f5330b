"""The files of a BattLeDIM evaluation: the truth folder and the submission.

Reading, writing and checking belong here; what a detection is worth is `battledim_score`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.sites.registry import Network, slug
from leak_assets.system.clock import parse_utc
from leak_assets.system.files import publish

STEP = timedelta(minutes=5)
_TIME_REMEDY = "Write times as `2019-01-31 23:55`"
_HUNDREDTHS = 100.0  # Integer columns of leak_flows.parquet count 0.01 m3/h.


@dataclass(frozen=True)
class Leak:
    """One true leak: pipe, times in UTC, and its flow in m3/h at every step of the period."""

    link_id: str
    start_at: datetime
    end_at: datetime
    diameter_m: float
    leak_type: str
    peak_at: datetime
    flow_m3_per_h: NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """A truth folder: the evaluation period, the network model's path, and the leaks."""

    name: str
    start_at: datetime
    end_at: datetime
    inp_path: Path
    leaks: tuple[Leak, ...]

    @property
    def steps(self) -> int:
        """Number of 5-minute steps of the period, both ends included."""
        return round((self.end_at - self.start_at) / STEP) + 1

    def step(self, when: datetime) -> int:
        """Return the step of a time, counted from the period's start (negative before it)."""
        return round((when - self.start_at) / STEP)

    def network(self) -> Network:
        """Return the network model of the folder."""
        return Network(slug(self.inp_path.stem), self.inp_path.stem, self.inp_path, sha256="")


def parse_time(text: str, *, file: object, row: int | None = None, column: str) -> datetime:
    """Return a time of an evaluation file as UTC (the files have no zone).

    Raises
    ------
    InputError
        The text is not a time.
    """
    try:
        return parse_utc(text)
    except ValueError as error:
        raise InputError(
            f"{text.strip()!r} is not a time",
            remedy=_TIME_REMEDY,
            file=file,
            row=row,
            column=column,
        ) from error


def read_truth(folder: Path) -> Truth:
    """Return the truth of a folder with `meta.json`, `leaks.csv` and `leak_flows.parquet`.

    `meta.json` has `start`, `end` and `network` (path of the model, relative to the folder);
    `leaks.csv` has `linkID,startTime,endTime,diameter_m,type,peakTime`; `leak_flows.parquet`
    has a column per leak (`0_p257` or `p257`), a row per 5-minute step, m3/h (integer columns:
    hundredths). The flows may be missing where there is no leak.

    Raises
    ------
    InputError
        A file is missing or cannot be used.
    """
    meta_file = folder / "meta.json"
    meta = _meta(meta_file)
    start = parse_time(str(meta["start"]), file=meta_file, column="start")
    end = parse_time(str(meta["end"]), file=meta_file, column="end")
    if end < start:
        raise InputError(
            "the period ends before it starts", remedy="Swap the times", file=meta_file
        )
    inp = (folder / str(meta["network"])).resolve()
    if not inp.is_file():
        raise InputError(
            f"the network model {meta['network']!r} is not there ({inp})",
            remedy="Put the .inp file there or change `network` (relative to the folder)",
            file=meta_file,
        )
    rows = list(_leak_rows(folder / "leaks.csv"))
    steps = round((end - start) / STEP) + 1
    flows = _flows(folder / "leak_flows.parquet", [str(r[0]) for r in rows], steps)
    leaks = tuple(Leak(*row, flow) for row, flow in zip(rows, flows, strict=True))
    return Truth(str(meta.get("name", folder.resolve().parent.name)), start, end, inp, leaks)


def read_submission(path: Path) -> list[tuple[int, str, datetime]]:
    """Return line number, link and time of each detection, in file order.

    Lines are `linkID, startTime[, …]`; empty lines, `#` comments and a heading are skipped.

    Raises
    ------
    InputError
        The file is missing, or a line has no two fields or no time.
    """
    out = []
    for number, fields in _csv_rows(path, fields=2):
        when = parse_time(fields[1], file=path, row=number, column="startTime")
        out.append((number, fields[0], when))
    return out


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a text file so that a reader sees the old or the new one, never half of it."""
    publish(path, "".join(f"{line}\n" for line in lines).encode())


def _meta(file: Path) -> dict[str, object]:
    text = _text(file)
    try:
        meta = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON: {error.msg}", remedy="Mend the file", file=file, row=error.lineno
        ) from error
    missing = [key for key in ("start", "end", "network") if key not in meta]
    if missing:
        raise InputError(f"{', '.join(missing)} missing", remedy="Add the keys", file=file)
    return dict(meta)


def _leak_rows(file: Path) -> Iterator[tuple[str, datetime, datetime, float, str, datetime]]:
    for number, f in _csv_rows(file, fields=6):
        times = [
            parse_time(f[i], file=file, row=number, column=name)
            for i, name in ((1, "startTime"), (2, "endTime"), (5, "peakTime"))
        ]
        try:
            diameter = float(f[3])
        except ValueError as error:
            raise InputError(
                f"{f[3]!r} is not a number",
                remedy="Give the diameter in metres with a decimal point",
                file=file,
                row=number,
                column="diameter_m",
            ) from error
        yield f[0], times[0], times[1], diameter, f[4], times[2]


def _csv_rows(file: Path, *, fields: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_text(file).splitlines(), start=1):
        content = line.strip()
        if not content or content.startswith("#") or content.lower().startswith("linkid"):
            continue
        parts = [part.strip() for part in content.split(",")]
        if len(parts) < fields or not all(parts[:fields]):
            raise InputError(
                f"{content[:80]!r} has fewer than {fields} fields",
                remedy="Separate the fields with commas, e.g. `p257, 2019-01-31 23:55`",
                file=file,
                row=number,
            )
        yield number, parts


def _flows(file: Path, link_ids: list[str], steps: int) -> list[NDArray[np.float64]]:
    if not link_ids:
        return []
    if not file.is_file():
        raise InputError("no such file", remedy="Name a folder with the truth files", file=file)
    try:
        table = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"not a Parquet file: {error}", remedy="Make the truth again", file=file
        ) from error
    out = []
    for number, link_id in enumerate(link_ids):
        name = f"{number}_{link_id}" if f"{number}_{link_id}" in table.columns else link_id
        if name not in table.columns:
            raise InputError(
                f"no flow of leak {link_id}", remedy="Make the truth again", file=file, column=name
            )
        scale = _HUNDREDTHS if table[name].dtype.is_integer() else 1.0
        flow = table[name].cast(pl.Float64).fill_null(0.0).to_numpy() / scale
        if len(flow) != steps:
            raise InputError(
                f"{len(flow)} rows where the period has {steps} steps",
                remedy="Make the truth again",
                file=file,
                column=name,
            )
        out.append(flow)
    return out


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("no such file", remedy="Check the path", file=file) from error
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(
            f"not a readable text file ({type(error).__name__})", remedy="Check the path", file=file
        ) from error
