"""Breakdown by class, calibration, cross-validation: on windows of a small training."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.errors import InputError
from leak_assets.models.breakdown import DIMENSIONS
from leak_assets.models.calibration import expected_calibration_error, platt_scaling, reliability
from leak_assets.models.cross_validation import cross_validate
from leak_assets.models.dataset import WindowSet
from leak_assets.models.detector import balanced_threshold
from leak_assets.models.evaluation import class_frames, evaluate_artefact
from leak_assets.models.pickles import open_scaler_pickle
from leak_assets.models.split import grouped_folds, grouped_split
from leak_assets.models.training import train
from leak_assets.warehouse.schemas.models import BREAKDOWNS, RELIABILITY


def test_every_dimension_sums_to_the_total(artefacts, windows, scenarios) -> None:
    """DET9: size, type, area, phase of the day; counts as of the whole test split."""
    for artefact in artefacts:
        found = evaluate_artefact(
            artefact,
            windows,
            scenarios.leak_truth,
            scenarios.pipes,
            frozen=windows.select(np.arange(400)),
            zones={"p00": "0", "p01": "1"},
        )
        assert tuple(found.breakdown) == DIMENSIONS
        counted = ("windows", "leak_windows", "hits")
        totals = {
            tuple(sum(row[name] for row in rows.values()) for name in counted)
            for rows in found.breakdown.values()
        }
        assert len(totals) == 1
        assert {"0", "1"} & set(found.breakdown["dma"]) or "unknown" in found.breakdown["dma"]
        assert set(found.breakdown["day_phase"]) <= {"night", "morning", "day", "evening"}
        assert json.loads(json.dumps(found.to_json()))["breakdown"].keys() == set(DIMENSIONS)
        frames = class_frames(found, network="line", model=artefact.model, version="1")
        assert frames[0].schema == BREAKDOWNS.polars_schema
        assert frames[1].schema == RELIABILITY.polars_schema
        assert "frozen" in found.metrics


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 5), st.floats(-2, 2))
def test_calibrated_scores_are_shares(seed: int, scale: float, offset: float) -> None:
    """DET6: logits off by any scale and offset come out with an error of at most 0.1."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 2, 3000)
    leaks = rng.random(3000) < 1 / (1 + np.exp(-true))
    a, b = platt_scaling(scale * true + offset, leaks)
    assert a > 0
    score = 1 / (1 + np.exp(-(a * (scale * true + offset) + b)))
    error = expected_calibration_error(reliability(score, leaks))
    assert error is not None
    assert error <= 0.1


def test_dearer_crews_raise_the_threshold() -> None:
    """DET6: never lower, and higher somewhere."""
    rng = np.random.default_rng(3)
    free, leaky = rng.normal(0.3, 0.15, 4000), rng.normal(0.6, 0.15, 4000)
    found = [balanced_threshold(free, leaky, 1.0, weight=weight) for weight in (0.5, 3, 20, 200)]
    assert found == sorted(found)
    assert found[-1] > found[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(6, 9), st.integers(0, 9))
def test_no_scenario_is_in_two_folds(batches: int, per_batch: int, seed: int) -> None:
    """MOD3: every scenario in one fold, towns whole where there are enough."""
    table = pl.DataFrame(
        [
            {"scenario_id": f"b{b}/s{s}", "batch": f"b{b}", "is_leak": s % 2 == 0}
            for b in range(batches)
            for s in range(per_batch)
        ]
    )
    folds = grouped_folds(table, folds=5, seed=seed)
    members = [name for fold in folds for name in fold]
    assert sorted(members) == sorted(table["scenario_id"])
    if batches >= 5:
        towns = [{name.split("/")[0] for name in fold} for fold in folds]
        assert sum(map(len, towns)) == batches


def test_cross_validation_tells_mean_and_spread(windows, scenarios, detector_config) -> None:
    """Three folds of the small training; the spread stands beside each mean."""
    few = detector_config.model_copy(
        update={"split": detector_config.split.model_copy(update={"folds": 3})}
    )
    found = cross_validate(few, windows, scenarios.leak_truth, scenarios.pipes)
    assert 0.9 <= found["auc"] <= 1
    assert 0 <= found["auc_std"] < 0.1


def test_frozen_scenarios_are_always_tested_on(windows) -> None:
    """Whatever the seed of a variant; the shares stay."""
    scenarios = windows.index.select("scenario_id", "batch", "is_leak")
    frozen = frozenset(n for n in scenarios["scenario_id"].unique() if "/b004/" in n)
    for seed in range(5):
        split = grouped_split(scenarios, validation=0.2, test=0.2, seed=seed, frozen=frozen)
        assert frozen <= set(split.sets["test"])
        assert not frozen & {*split.sets["train"], *split.sets["validation"]}


def test_the_scalers_pickle_says_what_its_json_says(artefacts) -> None:
    """For programs that ask for one; opened only with the registered hash."""
    for artefact in artefacts:
        found = open_scaler_pickle(artefact.folder, manifest_sha256=artefact.manifest_sha256)
        assert found == json.loads((artefact.folder / "scaler.json").read_text())
    with pytest.raises(InputError, match="differs from what the registry recorded"):
        open_scaler_pickle(artefacts[0].folder, manifest_sha256="0" * 64)


def infinite(windows: WindowSet) -> WindowSet:
    """Return the windows with one value that no sensor gives."""
    values = windows.values.copy()
    values[5, 0, 1] = np.inf
    return replace(windows, values=values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (infinite, r"mean of .* is infinite in a window of line/b000"),
        (lambda w: w.select(np.zeros(len(w), dtype=bool)), "no window to learn from"),
        (lambda w: replace(w, values=np.full_like(w.values, np.nan)), "every value .* is missing"),
        (lambda w: w.select(w.is_leak), "holds one class only: leaks in all"),
        (lambda w: w.select(~w.is_leak & (w.leak_flow_m3_per_h == 0)), "one class only: no leaks"),
        (
            lambda w: w.select((w.index["batch"] == "b000").to_numpy()).select(np.arange(60)),
            "too few",
        ),
    ],
)
def test_windows_that_teach_nothing_are_refused(
    windows, scenarios, detector_config, change, message: str
) -> None:
    """NaN everywhere, an infinite value, an empty split, one class: one line, nothing trained."""
    with pytest.raises(InputError, match=message):
        train(
            detector_config,
            change(windows),
            network="line",
            leak_truth=scenarios.leak_truth,
            data_versions={},
            contract_sha256="0",
            trained_at=scenarios.leak_truth["leak_start"][0],
        )
