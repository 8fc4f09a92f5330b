"""Scoring of a whole file with one package, in as many processes as are asked for.

Windows are scored in chunks that follow from the data alone, so any number of processes gives the
same bytes. Operation's days are scored by `scoring`.
"""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError, MissingInputError
from leak_assets.features.windows import window_features
from leak_assets.models.artefact import Artefact, load_artefact
from leak_assets.models.config import DETECTOR
from leak_assets.models.dataset import WindowSet, window_set
from leak_assets.models.session import ExportedModel
from leak_assets.system.files import publish
from leak_assets.system.processes import fan_out

from .scoring import MAX_MISSING_SHARE

# Windows of one call of the network: its last bits depend on the call.
CHUNK = 4096
_KEYS = ("scenario_id", "window_start", "window_end")
_CHANNEL = ("sensor_id", "quantity")
_RESIDUALS = ("ts_utc", *_CHANNEL, "residual_z", "residual_si", "mask")
_UTC = pl.Datetime("us", "UTC")
_SUFFIXES = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True)
class BatchScores:
    """What became of a file.

    Attributes
    ----------
    windows, alarms, unscored
        Windows in all, those that alarm, those with too many channels missing.
    """

    windows: int
    alarms: int
    unscored: int


def batch_score(model: Path, data: Path, output: Path, *, workers: int = 1) -> BatchScores:
    """Score the windows of files and write a row for each.

    Parameters
    ----------
    model
        Folder of a package.
    data
        Parquet or CSV file, or a folder of such: rows of `features.windows` (or of
        `features.training_windows`), or of `features.residuals` of one network, which are windowed
        first.
    output
        Parquet file: keys of the windows, state, and of a detector `anomaly_score`, `threshold`,
        `is_alarm`; of a pinpointer `top_link_id`, `top_probability`.
    workers
        Processes; the file is the same for any number.

    Raises
    ------
    MissingInputError
        There is no such file or package.
    InputError
        The package was changed, or the files lack a column, or are of other sensors.
    """
    artefact = load_artefact(model)
    with tempfile.TemporaryDirectory(prefix="leak-assets-batch-") as folder:
        source = _as_windows(_files(data), artefact, Path(folder) / "windows.parquet")
        names = [n for n in _KEYS if n in pl.scan_parquet(source).collect_schema()]
        keys = _keys(source, names, data)
        chunks = [keys[begin : begin + CHUNK] for begin in range(0, keys.height, CHUNK)]
        tasks = [
            _Task(chunk.select(names[:-1]).row(0), chunk.select(names[:-1]).row(-1), chunk.height)
            for chunk in chunks
        ]
        score = partial(_scored, model, artefact.manifest_sha256, str(source), tuple(names))
        found = dict(fan_out(score, tasks, workers=workers))
    named = keys.with_columns(model=pl.lit(artefact.model), version=pl.lit(artefact.version))
    rows = named.hstack(pl.concat([found[task] for task in tasks]).rechunk())
    _write(rows, output)
    alarms = int(rows["is_alarm"].sum()) if "is_alarm" in rows.columns else 0
    return BatchScores(rows.height, alarms, rows.filter(state="insufficient_data").height)


@dataclass(frozen=True)
class _Task:
    """A chunk: keys of its first and last window, and how many windows it has."""

    first: tuple[Any, ...]
    last: tuple[Any, ...]
    windows: int


def _scored(
    model: Path, manifest_sha256: str, source: str, names: tuple[str, ...], task: _Task
) -> pl.DataFrame:
    """Score one chunk, in a process of its own or in this one."""
    exported = _exported(model, manifest_sha256)
    artefact = exported.artefact
    order = names[:-1]
    rows = pl.scan_parquet(source).filter(_between(order, task)).collect()
    _check_rows(rows, artefact)
    windows = window_set(rows, artefact.statistics, channels=artefact.channels)
    _check_values(windows)
    if len(windows) != task.windows:
        message = f"{len(windows)} windows were read, {task.windows} are there"
        raise RuntimeError(message)
    return _score_chunk(exported, windows)


def _between(order: Sequence[str], task: _Task) -> pl.Expr:
    """Return the rows of a chunk: one key from first to last, or two in order."""
    first, last = ([pl.lit(value) for value in values] for values in (task.first, task.last))
    if len(order) == 1:
        return pl.col(order[0]).is_between(first[0], last[0])
    outer, inner = (pl.col(name) for name in order)
    after = (outer > first[0]) | ((outer == first[0]) & (inner >= first[1]))
    before = (outer < last[0]) | ((outer == last[0]) & (inner <= last[1]))
    # The bounds of the outer key alone let whole row groups be passed over.
    return outer.is_between(first[0], last[0]) & after & before


def _score_chunk(exported: ExportedModel, windows: WindowSet) -> pl.DataFrame:
    artefact = exported.artefact
    enough = (~windows.usable).sum(axis=1) <= MAX_MISSING_SHARE * len(artefact.channels)
    outputs = exported.run_chunk(windows.values)
    state = pl.Series("state", np.where(enough, "scored", "insufficient_data").astype(object))
    if artefact.model == DETECTOR:
        alarm = enough & (outputs >= np.float32(artefact.alarm_threshold))
        score = np.where(enough, outputs.astype(np.float64), np.nan)
        return pl.DataFrame(
            {
                "anomaly_score": pl.Series(score).fill_nan(None),
                "threshold": np.full(len(windows), artefact.alarm_threshold),
                "is_alarm": alarm,
                "state": state.cast(pl.String),
            }
        )
    best: NDArray[np.int64] = outputs.argmax(axis=1)
    links = np.array(artefact.link_ids, dtype=object)[best]
    return pl.DataFrame(
        {
            "top_link_id": pl.Series(links, dtype=pl.String),
            "top_probability": outputs[np.arange(len(windows)), best].astype(np.float64),
            "state": state.cast(pl.String),
        }
    )


_OPEN: dict[tuple[Path, str], ExportedModel] = {}


def _exported(model: Path, manifest_sha256: str) -> ExportedModel:
    """Return a package's network, opened and verified once in a process."""
    key = model, manifest_sha256
    if key not in _OPEN:
        _OPEN[key] = ExportedModel(load_artefact(model, manifest_sha256=manifest_sha256))
    return _OPEN[key]


def _files(data: Path) -> list[Path]:
    if not data.exists():
        raise MissingInputError("no such file", remedy="Give a Parquet or CSV file", file=data)
    found = [data] if data.is_file() else sorted(p for p in data.rglob("*") if p.is_file())
    usable = [path for path in found if path.name.endswith(_SUFFIXES)]
    if not usable:
        raise InputError(
            "there is no Parquet or CSV file", remedy=f"Name it {', '.join(_SUFFIXES)}", file=data
        )
    return usable


def _as_windows(files: Sequence[Path], artefact: Artefact, target: Path) -> Path:
    """Return one Parquet file of window features in order; a sorted one is used as it is."""
    if len(files) == 1 and files[0].suffix == ".parquet":
        frame = _scan(files[0])
        schema = frame.collect_schema()
        _check_columns(schema, artefact, files[0])
        key = next(name for name in _KEYS if name in schema) if "window_start" in schema else ""
        # In order, a chunk is a few row groups; else each chunk would read the whole file.
        if key and schema["window_start"] == _UTC and _is_sorted(frame, key):
            return files[0]
    parts = []
    for path in files:
        part = _scan(path)
        _check_columns(part.collect_schema(), artefact, path)
        parts.append(part)
    frame = pl.concat(parts, how="diagonal_relaxed")
    if "window_start" not in frame.collect_schema():
        residuals = frame.with_columns(pl.col("ts_utc").cast(_UTC), pl.col("mask").cast(pl.Int8))
        frame = window_features(residuals.collect(), network=artefact.network).lazy()
    order = [n for n in (*_KEYS[:2], "quantity", "sensor_id") if n in frame.collect_schema()]
    windows = frame.with_columns(pl.col("window_start", "window_end").cast(_UTC))
    windows.sort(order).collect().write_parquet(target, row_group_size=64 * 1024)
    return target


def _is_sorted(frame: pl.LazyFrame, key: str) -> bool:
    return bool(frame.select(key).collect().to_series().is_sorted())


def _scan(path: Path) -> pl.LazyFrame:
    try:
        if path.suffix == ".parquet":
            frame = pl.scan_parquet(path)
            frame.collect_schema()
            return frame
        return pl.read_csv(path, try_parse_dates=True, infer_schema_length=10_000).lazy()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"cannot be read: {str(error).splitlines()[0]}",
            remedy="Give Parquet, or CSV with commas and a header",
            file=path,
        ) from error


def _check_columns(schema: pl.Schema, artefact: Artefact, file: Path) -> None:
    wanted: tuple[str, ...] = ("window_start", "window_end", *_CHANNEL, *artefact.statistics)
    if "window_start" not in schema and "residual_z" in schema:
        wanted = _RESIDUALS
    if missing := [name for name in wanted if name not in schema]:
        raise InputError(
            f"column {missing[0]} is missing",
            remedy="Give rows of features.windows or of features.residuals",
            file=file,
            column=missing[0],
        )


def _keys(source: Path, names: Sequence[str], data: Path) -> pl.DataFrame:
    """Return the windows of a file in order."""
    rows = pl.scan_parquet(source).select(names).collect()
    if rows.is_empty():
        raise InputError("there is no window in it", remedy="Give a file with rows", file=data)
    # In a file in order a window begins where a key changes: a fifth of the time of a sort.
    changes = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in names)
    keys = rows.filter(changes.fill_null(value=True))
    order = list(names[:-1])
    if not _is_in_order(keys, order):
        keys = rows.unique(maintain_order=False).sort(order)
    if keys.select(order).is_duplicated().any():
        raise InputError(
            "a window has two ends",
            remedy="Give windows of one length; several runs need a column scenario_id",
            file=data,
        )
    return keys


def _is_in_order(keys: pl.DataFrame, order: Sequence[str]) -> bool:
    later = pl.col(order[-1]) > pl.col(order[-1]).shift()
    if len(order) > 1:
        outer = pl.col(order[0])
        later = (outer > outer.shift()) | ((outer == outer.shift()) & later)
    return bool(keys.select(later.fill_null(value=True).all()).item())


def _check_rows(rows: pl.DataFrame, artefact: Artefact) -> None:
    """Refuse windows of another network, of no known sensor, or with a value that is none."""
    if "network" in rows.columns:
        others = sorted(set(rows["network"].unique().drop_nulls()) - {artefact.network})
        if others:
            raise InputError(
                f"windows of {', '.join(others)}, {artefact.model} {artefact.version} of"
                f" {artefact.network}",
                remedy="Score each network with its own models",
            )
    pairs = rows.select("quantity", "sensor_id").unique().iter_rows()
    if not {f"{quantity}/{sensor}" for quantity, sensor in pairs} & set(artefact.channels):
        raise InputError(
            f"no channel of {artefact.model} {artefact.version} is there"
            f" ({', '.join(artefact.channels[:3])} …)",
            remedy="Give windows of the sensors that it was trained for",
        )


def _check_values(windows: WindowSet) -> None:
    infinite = np.isinf(windows.values).any(axis=(0, 2))
    if infinite.any():
        name = windows.statistics[int(infinite.argmax())]
        raise InputError(
            f"column {name} holds an infinite value",
            remedy="Leave out what is missing, or write it as null",
            column=name,
        )


def _write(rows: pl.DataFrame, output: Path) -> None:
    buffer = io.BytesIO()
    rows.rechunk().write_parquet(buffer, compression="zstd", statistics=False)
    publish(output, buffer.getvalue())
