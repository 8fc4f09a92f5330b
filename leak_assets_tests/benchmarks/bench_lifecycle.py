"""What the models' life costs: one window, whole files, a training; two runs to the same hash.

Run it: python -m leak_assets_tests.benchmarks.bench_lifecycle [--smoke]
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from leak_assets.features.windows import STATISTICS
from leak_assets.hydraulics.plan.plan import ScenarioPlan
from leak_assets.models.artefact import Artefact
from leak_assets.models.config import DETECTOR, PINPOINTER, load_config
from leak_assets.models.dataset import WindowSet, training_set
from leak_assets.models.export import export
from leak_assets.models.pipes import CandidatePipes
from leak_assets.models.session import ExportedModel, open_session
from leak_assets.models.training import TrainingResult, train
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.sites.tables import links_frame, pipe_distance_frame
from leak_assets_tests.benchmarks.bench_events import towns_of
from leak_assets_tests.benchmarks.figures import Figure, print_figures

COMMAND = "python -m leak_assets_tests.benchmarks.bench_lifecycle"
_RUNS = 500
_SCORE = """
import sys, time
from pathlib import Path
from leak_assets.detection.windows.batch_score import batch_score
begin = time.perf_counter()
batch_score(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), workers=int(sys.argv[4]))
print(time.perf_counter() - begin)
"""


@dataclass(frozen=True)
class Size:
    """How much is measured on."""

    network: str
    plan: ScenarioPlan
    windows: int


FULL = Size("l-town", ScenarioPlan(batches=16, scenarios_per_batch=24, record_all=False), 400_000)
SMOKE = Size("hanoi", ScenarioPlan(batches=5, scenarios_per_batch=7, record_all=False), 2_000)


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield latency, throughput, training time, reproducibility, agreement of the two runtimes."""
    size = SMOKE if smoke else FULL
    site = network_site(size.network, Settings())
    parts = towns_of(size.network, size.plan)
    features = [frame for _, (frame, _) in parts]
    truth = pl.concat([tables.leak_truth for _, (_, tables) in parts])
    pipes = CandidatePipes.from_tables(links_frame(site.network), pipe_distance_frame(site.network))
    with tempfile.TemporaryDirectory() as folder:
        yield from _training(size, features, truth, pipes, Path(folder))


def _training(
    size: Size,
    features: list[pl.DataFrame],
    truth: pl.DataFrame,
    pipes: CandidatePipes,
    folder: Path,
) -> Iterator[Figure]:
    def trained(name: str) -> TrainingResult:
        # From the stored rows on, as the training stage does.
        return train(
            load_config(name),
            training_set(features, STATISTICS),
            network=size.network,
            leak_truth=truth,
            data_versions={},
            contract_sha256="",
            trained_at=datetime.now(UTC),
            pipes=pipes,
        )

    topic = f"Model lifecycle: {size.network}, {size.plan.batches} towns"
    begin = time.process_time()
    first = trained(DETECTOR)
    seconds = time.process_time() - begin
    yield Figure(topic, "training of the detector, processor time", seconds, "s", "≤ 60", COMMAND)
    same = first.model.weights_sha256() == trained(DETECTOR).model.weights_sha256()
    yield Figure(topic, "two trainings, same weights", "yes" if same else "no", "", "yes", COMMAND)
    windows = training_set(features, STATISTICS)
    artefacts = []
    for result in (first, trained(PINPOINTER)):
        artefact = export(result, folder)
        artefacts.append(artefact)
        gap = _difference(artefact, result, windows)
        name = f"onnxruntime against torch, {artefact.model}"
        yield Figure(topic, name, f"{gap:.1e}", "", "≤ 1e-4", COMMAND)
    p50, p95, p99 = _latency_ms(artefacts, windows)
    yield Figure(topic, "one window through both models, p50", p50, "ms", "", COMMAND)
    yield Figure(topic, "one window through both models, p95", p95, "ms", "≤ 5", COMMAND)
    yield Figure(topic, "one window through both models, p99", p99, "ms", "", COMMAND)
    yield from _throughput(topic, artefacts[0], features, size.windows, folder)


def _difference(artefact: Artefact, result: TrainingResult, windows: WindowSet) -> float:
    x = windows.of(artefact.statistics, artefact.channels).values[:2000]
    found = open_session(artefact.onnx).run(None, {"input_features": artefact.scaler.transform(x)})[
        -1
    ]
    return float(np.abs(found - result.model.predict_proba(x)).max())


def _latency_ms(artefacts: list[Artefact], windows: WindowSet) -> tuple[float, float, float]:
    """Return percentiles of one window through detector and pinpointer, scaling included."""
    models = [ExportedModel(one) for one in artefacts]
    values = [windows.of(one.statistics, one.channels).values for one in artefacts]
    times = []
    for number in range(_RUNS):
        row = number % len(windows)
        begin = time.perf_counter()
        for model, x in zip(models, values, strict=True):
            model.run(x[row : row + 1])
        times.append((time.perf_counter() - begin) * 1000)
    p50, p95, p99 = (float(np.percentile(times, p)) for p in (50, 95, 99))
    return p50, p95, p99


def _throughput(
    topic: str, artefact: Artefact, features: list[pl.DataFrame], wanted: int, folder: Path
) -> Iterator[Figure]:
    """Yield windows a second of one and of two processes, each of one thread."""
    data = folder / "windows.parquet"
    count = _write_windows(features, wanted, data)
    seconds, contents = {}, {}
    for workers in (1, 2):
        out = folder / f"{workers}.parquet"
        command = [sys.executable, "-c", _SCORE, str(artefact.folder), str(data), str(out)]
        done = subprocess.run(
            [*command, str(workers)],
            check=True,
            capture_output=True,
            text=True,
            # One thread for one worker: more would be no comparison.
            env=os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        seconds[workers] = float(done.stdout)
        contents[workers] = out.read_bytes()
    topic = f"{topic}; batch scoring of {count:,} windows"
    yield Figure(topic, "one worker", count / seconds[1], "windows/s", "", COMMAND)
    yield Figure(topic, "two workers", count / seconds[2], "windows/s", "≥ 20,000", COMMAND)
    yield Figure(topic, "two against one", seconds[1] / seconds[2], "×", "≥ 1.7", COMMAND)
    same = "yes" if contents[1] == contents[2] else "no"
    yield Figure(topic, "same bytes", same, "", "yes", COMMAND)


def _write_windows(features: list[pl.DataFrame], wanted: int, path: Path) -> int:
    """Write the windows of the towns again and again, each time later, in order of time."""
    rows = pl.concat(features).drop(
        "batch", "is_leak", "link_id", "leak_type", "leak_flow_m3_per_h"
    )
    rows = rows.sort("scenario_id", "window_start", "quantity", "sensor_id")
    once = rows.select("scenario_id", "window_start").n_unique()
    copies = max(1, -(-wanted // once))
    moved = (
        rows.with_columns(
            scenario_id=pl.lit(f"{n:04d}/") + pl.col("scenario_id"),
            window_start=pl.col("window_start") + timedelta(days=n),
            window_end=pl.col("window_end") + timedelta(days=n),
        )
        for n in range(copies)
    )
    pl.concat(moved).write_parquet(path, row_group_size=64 * 1024)
    return copies * once


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
