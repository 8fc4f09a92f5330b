"""Scoring of a whole file with one package, in as many processes as are asked for.

Windows are scored in chunks that follow from the data alone, so any number of processes gives the
same bytes. Operation's days are scored by `scoring`.
"""

import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from pathlib import Path

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
from leak_assets.system.processes import share_out

from .scoring import MAX_MISSING_SHARE

# Windows of one call of the network: its last bits depend on the call.
CHUNK = 4096
# Rows whose keys are read at once: in less time than others take for the chunks given to them.
_KEY_ROWS = 1 << 19
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
    files = _files(data)
    with tempfile.TemporaryDirectory(prefix="leak-assets-batch-") as folder:
        source = _file_of_windows(files, artefact)
        try:
            # Nearly every file is in order; the first chunks tell where one is not.
            keys, parts = _score_file(source or _sorted(files, artefact, folder), artefact, workers)
        except _OrderError:
            keys, parts = _score_file(_sorted(files, artefact, folder), artefact, workers)
    if not parts:
        raise InputError("there is no window in it", remedy="Give a file with rows", file=data)
    named = keys.with_columns(model=pl.lit(artefact.model), version=pl.lit(artefact.version))
    rows = named.hstack(pl.concat(parts).rechunk())
    _write(rows, output)
    alarms = int(rows["is_alarm"].sum()) if "is_alarm" in rows.columns else 0
    return BatchScores(rows.height, alarms, rows.filter(state="insufficient_data").height)


class _OrderError(Exception):
    """The windows of a file are not in order of run and time."""


@dataclass(frozen=True)
class _Chunk:
    """Rows of a file that hold so many whole windows."""

    first_row: int
    rows: int
    windows: int


def _score_file(
    source: Path, artefact: Artefact, workers: int
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Return the windows of a file in order, and their scores chunk by chunk.

    This process reads on and takes its share of the chunks while others score: neither their
    start nor the reading of the keys is waited for.
    """
    found: list[pl.DataFrame] = []
    score = partial(_scored, artefact.folder, artefact.manifest_sha256, str(source))
    parts = list(share_out(score, _chunks(source, found), workers=workers))
    return pl.concat(found) if found else pl.DataFrame(), parts


def _chunks(source: Path, found: list[pl.DataFrame]) -> Iterator[_Chunk]:
    """Yield the chunks of a file, and keep the keys of its windows in `found`.

    Raises
    ------
    _OrderError
        A window does not begin after the one before it.
    InputError
        A key is missing.
    """
    frame = pl.scan_parquet(source)
    names = [name for name in _KEYS if name in frame.collect_schema()]
    # First rows of windows that are not in a chunk yet.
    starts: list[int] = []
    last: pl.DataFrame | None = None
    height = 0
    while (rows := frame.select(names).slice(height, _KEY_ROWS).collect()).height:
        for name in names:
            if rows[name].null_count():
                raise InputError(
                    f"column {name} is empty in a row of a window",
                    remedy="Give each row the keys of its window",
                    column=name,
                )
        begins = _begins(rows, last)
        keys = rows.filter(begins)
        _check_order(keys if last is None else pl.concat([last, keys]), names[:-1])
        found.append(keys)
        last = rows.tail(1)
        starts += (begins.arg_true() + height).to_list()
        height += rows.height
        # The last window may go on in the rows that follow.
        while len(starts) > CHUNK:
            yield _Chunk(starts[0], starts[CHUNK] - starts[0], CHUNK)
            starts = starts[CHUNK:]
    if starts:
        yield _Chunk(starts[0], height - starts[0], len(starts))


def _begins(rows: pl.DataFrame, last: pl.DataFrame | None) -> pl.Series:
    """Return where a window begins: where a key differs from that of the row before."""
    before = [
        (rows[name] != rows[name].shift()).fill_null(
            value=last is None or rows[name][0] != last[name][0]
        )
        for name in rows.columns
    ]
    return reduce(or_, before)


def _check_order(keys: pl.DataFrame, order: Sequence[str]) -> None:
    later = pl.col(order[-1]) > pl.col(order[-1]).shift()
    if len(order) > 1:
        outer = pl.col(order[0])
        later = (outer > outer.shift()) | ((outer == outer.shift()) & later)
    if not keys.select(later.fill_null(value=True).all()).item():
        raise _OrderError


def _scored(model: Path, manifest_sha256: str, source: str, chunk: _Chunk) -> pl.DataFrame:
    """Score one chunk, in a process of its own or in this one."""
    exported = _exported(model, manifest_sha256)
    artefact = exported.artefact
    rows = pl.scan_parquet(source).slice(chunk.first_row, chunk.rows).collect()
    _check_rows(rows, artefact)
    windows = window_set(rows, artefact.statistics, channels=artefact.channels)
    _check_values(windows)
    if len(windows) != chunk.windows:
        message = f"{len(windows)} windows were read, {chunk.windows} are there"
        raise RuntimeError(message)
    return _score_chunk(exported, windows)


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


def _file_of_windows(files: Sequence[Path], artefact: Artefact) -> Path | None:
    """Return the one Parquet file of window features that can be read as it is."""
    if len(files) > 1 or files[0].suffix != ".parquet":
        return None
    schema = _scan(files[0]).collect_schema()
    _check_columns(schema, artefact, files[0])
    return files[0] if schema.get("window_start") == _UTC else None


def _sorted(files: Sequence[Path], artefact: Artefact, folder: str) -> Path:
    """Return one Parquet file of the window features of files, in order of run and time."""
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
    keys = [name for name in order if name in _KEYS]
    windows = frame.with_columns(pl.col("window_start", "window_end").cast(_UTC)).sort(order)
    rows = windows.collect()
    if (rows.group_by(keys).agg(pl.col("window_end").n_unique())["window_end"] > 1).any():
        raise InputError(
            "a window has two ends",
            remedy="Give windows of one length; several runs need a column scenario_id",
            file=files[0],
        )
    target = Path(folder) / "windows.parquet"
    rows.write_parquet(target, row_group_size=64 * 1024)
    return target


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
