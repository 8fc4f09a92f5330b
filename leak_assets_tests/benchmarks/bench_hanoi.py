"""How good detector and pinpointer are on Hanoi, beside a random forest on the same split.

Run it: python leak_assets_tests/benchmarks/bench_hanoi.py
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl

from leak_assets.features.windows import STATISTICS
from leak_assets.hydraulics.plan.plan import ScenarioPlan
from leak_assets.models.baseline import ForestPinpointer
from leak_assets.models.config import DETECTOR, PINPOINTER, load_config
from leak_assets.models.dataset import WindowSet, training_set
from leak_assets.models.metrics import Metrics, localisation_metrics
from leak_assets.models.pipes import CandidatePipes
from leak_assets.models.training import TrainingResult, train
from leak_assets.settings import Settings
from leak_assets.sites import links_frame, pipe_distance_frame
from leak_assets.sites.site import network_site
from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.towns import batch_windows

NETWORK = "hanoi"
FULL = ScenarioPlan(batches=20, scenarios_per_batch=26, record_all=False)
SMOKE = ScenarioPlan(batches=5, scenarios_per_batch=6, record_all=False)
# Metrics with what they are to reach. The weak ones stand beside the strong ones: how many
# incidents are leaks, how many are false, how often the very pipe is among the first five.
DETECTOR_ROWS = {
    "auc": "≥ 0.90",
    "precision": "≥ 0.85",
    "recall": "≥ 0.85",
    "far_without_leak": "≤ 0.05",
    "far_as_labelled": "≤ 0.10",
    "event_precision": "",
    "event_recall": "",
    "false_incidents_per_leak_free_week": "",
    "time_to_detection_s_p50": "",
    "found_from_m3_per_h": "",
}
PINPOINTER_ROWS = {
    "top1_hit": "",
    "top5_hit": "",
    "node_top5_hit": "≥ 0.80",
    "near_hit": "≥ 0.50",
    "distance_vs_fixed_guess": "≤ 0.50",
    "atd": "≤ 1.3",
    "atd_far_end": "",
    "atd_m": "",
}


def forest_metrics(result: TrainingResult, windows: WindowSet, pipes: CandidatePipes) -> Metrics:
    """Return the metrics of a random forest on the pinpointer's split."""
    scenario = windows.index["scenario_id"]
    train_set = windows.select(result.split.rows("train", scenario))
    test_set = windows.select(result.split.rows("test", scenario) & windows.is_leak)
    forest = ForestPinpointer().fit(train_set, pipes)
    truth = pipes.positions(test_set.index["link_id"])
    return localisation_metrics(forest.predict_proba(test_set), truth, pipes)


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Simulate, train both models and yield what they reach on towns that they have not seen."""
    plan = SMOKE if smoke else FULL
    site = network_site(NETWORK, Settings())
    begin = time.perf_counter()
    parts = [batch_windows(site, batch, plan) for batch in plan.batch_names()]
    simulated_s = time.perf_counter() - begin
    leak_truth = pl.concat([tables.leak_truth for _, tables in parts])
    pipes = CandidatePipes.from_tables(links_frame(site.network), pipe_distance_frame(site.network))
    windows = training_set((features for features, _ in parts), STATISTICS)
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
    split = results[DETECTOR].split
    held_out = windows.index.filter(pl.col("scenario_id").is_in(split.sets["test"]))
    topic = (
        f"Trained models on {NETWORK}: {plan.batches} towns,"
        f" {plan.batches * plan.scenarios_per_batch} scenarios;"
        f" test on {held_out['batch'].n_unique()} towns, split by {split.grouped_by}"
    )
    yield Figure(topic, "simulation", simulated_s, "s")
    for name in (DETECTOR, PINPOINTER):
        yield Figure(topic, f"training of {name}", seconds[name], "s")
    found = results[DETECTOR].metrics["test"]
    for metric, reach in DETECTOR_ROWS.items():
        yield Figure(topic, f"detector: {metric}", found.get(metric), _unit(metric), reach)
    ours = results[PINPOINTER].metrics["test"]
    forest = forest_metrics(results[PINPOINTER], windows, pipes)
    for metric, reach in PINPOINTER_ROWS.items():
        yield Figure(topic, f"pinpointer: {metric}", ours.get(metric), _unit(metric), reach)
        yield Figure(topic, f"random forest: {metric}", forest.get(metric), _unit(metric))


def _unit(metric: str) -> str:
    return {"time_to_detection_s_p50": "s", "atd_m": "m", "atd": "hops", "atd_far_end": "hops"}.get(
        metric, ""
    )


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
