"""How good detector and pinpointer are on Hanoi, beside a random forest on the same split.

Run it: python leak_assets_tests/benchmarks/bench_hanoi.py
"""

import sys
import time
from datetime import UTC, datetime

import polars as pl

from leak_assets.hydraulics.plan.plan import ScenarioPlan
from leak_assets.models.baseline import ForestPinpointer
from leak_assets.models.config import DETECTOR, PINPOINTER, load_config
from leak_assets.models.dataset import WindowSet, training_set
from leak_assets.models.metrics import Metrics, localisation_metrics
from leak_assets.models.pipes import CandidatePipes
from leak_assets.models.training import TrainingResult, train
from leak_assets.settings import Settings
from leak_assets.sites import links_frame, pipe_distance_frame, resolve
from leak_assets_tests.towns import batch_residuals

NETWORK = "hanoi"
FULL = ScenarioPlan(batches=20, scenarios_per_batch=26, record_all=False)
SMOKE = ScenarioPlan(batches=5, scenarios_per_batch=6, record_all=False)
DETECTOR_ROWS = (
    "auc",
    "precision",
    "recall",
    "far",
    "far_as_labelled",
    "event_precision",
    "event_recall",
    "time_to_detection_s_p50",
)
PINPOINTER_ROWS = ("top5_hit", "node_top5_hit", "atd", "atd_far_end", "atd_m")


def forest_metrics(result: TrainingResult, windows: WindowSet, pipes: CandidatePipes) -> Metrics:
    """Return the metrics of a random forest on the pinpointer's split."""
    scenario = windows.index["scenario_id"]
    train_set = windows.select(result.split.rows("train", scenario))
    test_set = windows.select(result.split.rows("test", scenario) & windows.is_leak)
    forest = ForestPinpointer().fit(train_set, pipes)
    truth = pipes.positions(test_set.index["link_id"])
    return localisation_metrics(forest.predict_proba(test_set), truth, pipes)


def main(*, smoke: bool = False) -> None:
    """Simulate, train both models and print the table."""
    plan = SMOKE if smoke else FULL
    network = resolve(NETWORK, Settings())
    begin = time.perf_counter()
    parts = [batch_residuals(network, batch, plan) for batch in plan.batch_names()]
    simulated_s = time.perf_counter() - begin
    leak_truth = pl.concat([tables.leak_truth for _, tables in parts])
    pipes = CandidatePipes.from_tables(links_frame(network), pipe_distance_frame(network))
    spec = load_config(DETECTOR).window.spec
    windows = training_set((residuals for residuals, _ in parts), leak_truth, spec)
    results, seconds = {}, {}
    for name in (DETECTOR, PINPOINTER):
        begin = time.perf_counter()
        results[name] = train(
            load_config(name),
            windows,
            network=NETWORK,
            leak_truth=leak_truth,
            data_versions={},
            contract_sha256="",
            trained_at=datetime.now(UTC),
            pipes=pipes,
        )
        seconds[name] = time.perf_counter() - begin
    print(  # noqa: T201
        f"{NETWORK}: {plan.batches} towns, {plan.batches * plan.scenarios_per_batch} scenarios"
        f" ({simulated_s:.0f} s), test split by {results[DETECTOR].split.grouped_by};"
        f" trained in {seconds[DETECTOR]:.0f} s and {seconds[PINPOINTER]:.0f} s"
    )
    found = results[DETECTOR].metrics["test"]
    for metric in DETECTOR_ROWS:
        print(f"  {metric:26}{_number(found[metric])}")  # noqa: T201
    ours = results[PINPOINTER].metrics["test"]
    forest = forest_metrics(results[PINPOINTER], windows, pipes)
    print(f"  {'':26}{'pinpointer':>12}{'forest':>12}")  # noqa: T201
    for metric in PINPOINTER_ROWS:
        print(f"  {metric:26}{_number(ours[metric])}{_number(forest[metric])}")  # noqa: T201


def _number(value: float | None) -> str:
    return f"{'–':>12}" if value is None else f"{value:12.3f}"


if __name__ == "__main__":
    main(smoke="--smoke" in sys.argv)
