"""BattLeDIM's truth folder: period, network model, leaks and the flow of each at every step.

Reading and writing; what a detection is worth by it is `benchmark.score`.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.exchange.text_file import parse_time, read_text
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.sites.registry import Network, slug
from leak_assets.system.files import publish

from .leaks import leak_list, read_leak_list
from .names import LEAK_FLOWS, LEAKS, META, MINUTE_FORMAT, STEP

_PER_M3 = 100  # Integer columns of leak_flows.parquet count 0.01 m3/h.


@dataclass(frozen=True)
class TrueLeak:
    """A leak that flowed in a period.

    Parameters
    ----------
    leak
        Pipe, times, size.
    end_at
        Its end; the period's or later where it runs on.
    flow_m3_per_h
        Flow at each 5-minute step of the period (T).
    """

    leak: Leak
    end_at: datetime
    flow_m3_per_h: NDArray[np.float64]

    @property
    def link_id(self) -> str:
        """Leaking pipe."""
        return self.leak.element_id

    @property
    def start_at(self) -> datetime:
        """Start, which may lie before the period."""
        return self.leak.start_at


@dataclass(frozen=True)
class Truth:
    """A truth folder: the evaluation period, the network model's path, and the leaks.

    Parameters
    ----------
    start_at, end_at
        First and last step, UTC.
    inp_path
        Network model that pipe distance is measured on; a relative one is relative to the folder.
    """

    name: str
    start_at: datetime
    end_at: datetime
    inp_path: Path
    leaks: tuple[TrueLeak, ...]

    @classmethod
    def of_run(
        cls,
        name: str,
        inp_path: Path,
        start_at: datetime,
        end_at: datetime,
        leaks: Sequence[Leak],
        flow_m3_per_h: NDArray[np.float64],
    ) -> "Truth":
        """Return the truth of simulated leaks; those that do not run in the period are left out.

        Parameters
        ----------
        flow_m3_per_h
            Flow at evenly spaced steps from start to end (T × leaks); a value holds until the
            next.
        """
        flow = _on_scoring_steps(flow_m3_per_h, start_at, end_at)
        return cls(
            name,
            start_at,
            end_at,
            inp_path,
            tuple(
                # A leak that runs on ends at no time before its peak.
                TrueLeak(leak, leak.end_at or max(end_at, leak.peak), flow[:, i])
                for i, leak in enumerate(leaks)
                if leak.start_at < end_at and (leak.end_at is None or leak.end_at > start_at)
            ),
        )

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


def read_truth(folder: Path) -> Truth:
    """Return the truth of a folder with `meta.json`, `leaks.csv` and `leak_flows.parquet`.

    `meta.json` has `start`, `end` and `network` (path of the model, relative to the folder);
    `leak_flows.parquet` has a column per leak (`0_p257` or `p257`), a row per 5-minute step,
    m3/h (integer columns: hundredths). The flows may be missing where there is no leak.

    Raises
    ------
    InputError
        A file is missing or cannot be used.
    """
    meta_file = folder / META
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
    leaks = read_leak_list(folder / LEAKS)
    steps = round((end - start) / STEP) + 1
    flows = _flows(folder / LEAK_FLOWS, [leak.element_id for leak in leaks], steps)
    return Truth(
        str(meta.get("name", folder.resolve().parent.name)),
        start,
        end,
        inp,
        tuple(
            TrueLeak(leak, leak.end_at or end, flow)
            for leak, flow in zip(leaks, flows, strict=True)
        ),
    )


def write_truth(truth: Truth, folder: Path, meta: dict[str, Any] | None = None) -> list[Path]:
    """Write `leaks.csv`, `leak_flows.parquet` and `meta.json`; return the files.

    Parameters
    ----------
    meta
        More entries for `meta.json`, e.g. seeds and settings.
    """
    rows = leak_list((t.leak, t.end_at) for t in truth.leaks)
    flows = pl.DataFrame(
        {
            f"{i}_{t.link_id}": np.rint(t.flow_m3_per_h * _PER_M3).astype(np.int32)
            for i, t in enumerate(truth.leaks)
        }
    )
    buffer = io.BytesIO()
    flows.write_parquet(buffer)
    content = {
        "name": truth.name,
        "start": truth.start_at.strftime(MINUTE_FORMAT),
        "end": truth.end_at.strftime(MINUTE_FORMAT),
        "network": str(truth.inp_path),
    }
    publish(folder / LEAKS, rows.encode())
    publish(folder / LEAK_FLOWS, buffer.getvalue())
    publish(folder / META, json.dumps(content | (meta or {}), indent=1).encode())
    return [folder / name for name in (LEAKS, LEAK_FLOWS, META)]


def _on_scoring_steps(
    flow: NDArray[np.float64], start_at: datetime, end_at: datetime
) -> NDArray[np.float64]:
    """Return flow at the scorer's steps of 5 minutes; a value holds until the next."""
    rows = len(flow)
    period = end_at - start_at
    steps = period // STEP + 1
    if rows < 2 or rows == steps:
        return flow
    seconds = np.arange(steps) * STEP.total_seconds()
    index = np.floor(seconds * (rows - 1) / period.total_seconds() + 1e-9).astype(np.int64)
    return flow[index]


def _meta(file: Path) -> dict[str, object]:
    text = read_text(file)
    try:
        meta = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON: {error.msg}", remedy="Mend the file", file=file, row=error.lineno
        ) from error
    if not isinstance(meta, dict):
        raise InputError("not a JSON object", remedy="Write {…} with the keys", file=file)
    missing = [key for key in ("start", "end", "network") if key not in meta]
    if missing:
        raise InputError(f"{', '.join(missing)} missing", remedy="Add the keys", file=file)
    return meta


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
        if not table[name].dtype.is_numeric():
            raise InputError(
                f"the flow of leak {link_id} is {table[name].dtype}, not a number",
                remedy="Make the truth again",
                file=file,
                column=name,
            )
        scale = _PER_M3 if table[name].dtype.is_integer() else 1.0
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
