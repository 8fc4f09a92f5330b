"""Writes a scenario run as a dataset of LDIMBenchmark.

Layout and names are what its loader reads (`ldimbenchmark.datasets.classes`, version 0.2.67).
The folder appears whole or not at all.
"""

import csv
import hashlib
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from leak_assets.errors import InputError
from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.sites.registry import Network
from leak_assets.system.clock import as_utc
from leak_assets.system.files import publishing_folder

from .inp import model_text

INFO_FILE = "dataset_info.yaml"
_FOLDERS = {
    "pressure": "pressures",
    "demand": "demands",
    "flow": "flows",
    "level": "levels",
}
_LEAK_COLUMNS = (
    "leak_pipe_id",
    "leak_time_start",
    "leak_time_end",
    "leak_time_peak",
    "leak_area",
    "leak_diameter",
    "leak_max_flow",
    "leak_type",
    "leak_node",
)
_SECOND = "%Y-%m-%d %H:%M:%S"
_DIGITS = 9  # of values in SI: 1e-9 m3/s is 0.0036 L/h


def write_ldim_dataset(
    network: Network,
    run: ScenarioRun,
    folder: Path,
    *,
    name: str | None = None,
    evaluation_from: datetime | None = None,
) -> Path:
    """Write a dataset folder and return its path.

    Parameters
    ----------
    network
        Network of the run; `model.inp` is its model as it is known, without town and leaks.
    name
        Name of the dataset; the network's without it.
    evaluation_from
        First step of the evaluation period, UTC; the training period ends one step before.
        Default: half-way from the start to the first leak, as in LDIMBenchmark's generator, or
        half-way through the run if no leak begins in it.

    Returns
    -------
    Path
        Folder with `dataset_info.yaml` (name, inp_file, periods, checksum of the other files),
        `model.inp`, `leaks.csv`, and one file per sensor with measured values in
        `pressures/` (m), `flows/` (m3/s), `demands/` (m3/s) and `levels/` (m): `Timestamp` and a
        column with the sensor's name. Missing values are empty.

    Raises
    ------
    InputError
        A run too short for two periods, a start of the evaluation that is not within it, or a
        folder that holds something else.

    Notes
    -----
    A leak at a node stands with the first pipe at that node, as in `simulation.leak_truth`, and
    with its node in `leak_node`.
    """
    split = _split(run, evaluation_from)
    step = timedelta(seconds=run.step_s)
    model = network.water_network()
    with publishing_folder(folder, INFO_FILE) as draft:
        (draft / "model.inp").write_text(model_text(model, draft / "written.inp"), "utf-8")
        (draft / "leaks.csv").write_text(_leaks(run, model))
        times = run.times.dt.strftime(_SECOND).alias("Timestamp")
        for quantity, sub in _FOLDERS.items():
            (draft / sub).mkdir()
            series = run.measured.get(quantity)
            for column, sensor in enumerate(() if series is None else series.ids):
                values = np.round(run.measured[quantity].values[:, column], _DIGITS)
                frame = pl.DataFrame([times, pl.Series(sensor, values, nan_to_null=True)])
                frame.write_csv(draft / sub / f"{sensor.replace('/', '%2F')}.csv")
        info: dict[str, Any] = {
            "name": name or network.name,
            "inp_file": "model.inp",
            "dataset": {
                "training": {
                    "start": f"{run.start_at:{_SECOND}}",
                    "end": f"{split - step:{_SECOND}}",
                },
                "evaluation": {
                    "start": f"{split:{_SECOND}}",
                    "end": f"{run.times[-1]:{_SECOND}}",
                },
            },
            "checksum": _checksum(draft),
        }
        (draft / INFO_FILE).write_text(yaml.safe_dump(info, sort_keys=False), "utf-8")
    return folder


def _split(run: ScenarioRun, evaluation_from: datetime | None) -> datetime:
    """Return the first step of the evaluation."""
    step = timedelta(seconds=run.step_s)
    end_at = run.start_at + (run.steps - 1) * step
    if evaluation_from is None:
        begins = [leak.start_at for leak in run.leaks if run.start_at < leak.start_at <= end_at]
        half = (min(begins, default=end_at) - run.start_at) / 2
        split = run.start_at + max(2, half // step) * step
    else:
        split = as_utc(evaluation_from, "start of the evaluation")
    if not run.start_at + 2 * step <= split < end_at:
        raise InputError(
            f"an evaluation from {split:{_SECOND}} leaves no training or no evaluation period in"
            f" {run.start_at:{_SECOND}} to {end_at:{_SECOND}}",
            remedy="Simulate longer, or choose a start of the evaluation within the run",
        )
    return split


def _leaks(run: ScenarioRun, model: Any) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_LEAK_COLUMNS)
    after_last = run.start_at + timedelta(seconds=run.steps * run.step_s)
    for number, leak in enumerate(run.leaks):
        pipe = leak.link_id or sorted(model.get_links_for_node(leak.node_id))[0]
        times = (leak.start_at, leak.end_at or after_last, leak.peak)
        table.writerow(
            [
                pipe,
                *(f"{time:{_SECOND}}" for time in times),
                f"{leak.area_m2:.9g}",
                f"{leak.diameter_m:.9g}",
                f"{run.leak_flow[:, number].max():.9g}",
                leak.kind,
                leak.node_id or "",
            ]
        )
    return text.getvalue()


def _checksum(folder: Path) -> str:
    """Return LDIMBenchmark's hash of a dataset: of the sorted hashes of its files."""
    hashes = sorted(
        hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != INFO_FILE
    )
    return hashlib.md5("".join(hashes).encode(), usedforsecurity=False).hexdigest()
