"""Evaluation measures the exported model: what changes in its folder changes the figures."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from leak_assets.errors import InputError
from leak_assets.models.artefact import Artefact, load_artefact
from leak_assets.models.evaluation import evaluate_artefact, evaluations_frame
from leak_assets.models.gates import advice, failed_gates, findings


def evaluated(artefact: Artefact, windows, scenarios):
    """Return the metrics by split."""
    return evaluate_artefact(artefact, windows, scenarios.leak_truth, scenarios.pipes).metrics


def rewritten(artefact: Artefact, folder: Path, name: str, content: bytes) -> Artefact:
    """Return a copy of a model folder with another file, its manifest in order."""
    copy = shutil.copytree(artefact.folder, folder / "changed")
    (copy / name).write_bytes(content)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return load_artefact(copy)


def test_the_exported_models_reach_what_the_trained_ones_did(
    artefacts, detector, pinpointer, windows, scenarios
) -> None:
    """On the same held-out scenarios; the latency is measured here alone."""
    for artefact, result in zip(artefacts, (detector, pinpointer), strict=True):
        found = evaluated(artefact, windows, scenarios)
        p50, p95, p99 = (found["test"].pop(f"latency_ms_p{p}") for p in (50, 95, 99))
        assert 0 < p50 <= p95 <= p99
        assert p95 < 50
        for split, metrics in found.items():
            assert metrics == pytest.approx(result.metrics[split], rel=1e-3, nan_ok=True)


def test_another_threshold_gives_another_evaluation(
    tmp_path, artefacts, windows, scenarios
) -> None:
    """Everything alarms: no leak is missed, every leak-free window is a false alarm."""
    low = yaml.safe_dump({"anomaly_score": 0.0}).encode()
    changed = rewritten(artefacts[0], tmp_path, "thresholds.yaml", low)
    before = evaluated(artefacts[0], windows, scenarios)["test"]
    after = evaluated(changed, windows, scenarios)["test"]
    assert (after["recall"], after["far_without_leak"], after["far_as_labelled"]) == (1, 1, 1)
    assert before["far_without_leak"] < 0.1
    assert after["auc"] == before["auc"]


def test_another_network_gives_another_evaluation(
    tmp_path, artefacts, detector, windows, scenarios
) -> None:
    """Weights of noise in the folder: the figures of training do not hide it."""
    import torch

    from leak_assets.models.drafts import onnx_bytes

    model = detector.model
    kept = {name: value.clone() for name, value in model.network_.state_dict().items()}
    with torch.no_grad():
        for value in model.network_.head.parameters():
            value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(1)))
    try:
        noise = onnx_bytes(model)
    finally:
        model.network_.load_state_dict(kept)
    changed = rewritten(artefacts[0], tmp_path, "model.onnx", noise)
    assert changed.metrics == artefacts[0].metrics
    assert evaluated(changed, windows, scenarios)["test"]["auc"] < 0.9


def test_a_pinpointer_that_knows_nothing_fails_its_gates(
    tmp_path, artefacts, pinpointer_config, windows, scenarios
) -> None:
    """Inputs scaled to nothing: the same answer every time, and fast enough is not good enough."""
    artefact = artefacts[1]
    scaler = json.loads((artefact.folder / "scaler.json").read_text())
    scaler["std"] = np.zeros_like(scaler["std"]).tolist()
    blind = rewritten(artefact, tmp_path, "scaler.json", json.dumps(scaler).encode())
    for model, names in ((artefact, []), (blind, ["near_hit", "distance_vs_fixed_guess"])):
        metrics = evaluated(model, windows, scenarios)
        frame = evaluations_frame(
            metrics, pinpointer_config.gates, network="line", model=model.model, version="1"
        )
        failed = failed_gates(frame, pinpointer_config.gates)
        assert [line.split()[1] for line in failed if "distance" in line] == names[1:]


def test_towns_that_are_gone_and_other_pipes_are_refused(artefacts, windows, scenarios) -> None:
    """One line with the remedy."""
    of_training = artefacts[0].manifest["split"]["sets"]["train"]
    rest = windows.select(windows.index["scenario_id"].is_in(list(of_training)).to_numpy())
    with pytest.raises(InputError, match=r"no scenario of its validation split.*leak-assets train"):
        evaluated(artefacts[0], rest, scenarios)
    fewer = replace(scenarios.pipes, link_ids=scenarios.pipes.link_ids[1:])
    with pytest.raises(InputError, match="ranks other pipes"):
        evaluate_artefact(artefacts[1], windows, scenarios.leak_truth, fewer)


def test_findings_say_what_was_tried_and_what_a_guess_gives(artefacts, windows, scenarios) -> None:
    """Flows, false incidents, distance; a detector that finds nothing is not passed over."""
    metrics = {a.model: evaluated(a, windows, scenarios)["test"] for a in artefacts}
    lines = findings(metrics)
    assert len(lines) == 3
    assert "four of five windows alarm" in lines[0]
    assert "most central pipe" in lines[2]
    blind = metrics["leak_detector"] | {"found_from_m3_per_h": None}
    assert "not even the largest" in findings({"leak_detector": blind})[0]


def test_advice_names_what_to_change_and_what_works_without() -> None:
    """The detector's gates decide; where only places fail, the detector goes alone."""
    detector = advice("net3", {"leak_detector": ["x"], "leak_pinpointer": ["y"]})
    assert "place-sensors --network net3" in detector[0]
    assert "needs no training" in detector[1]
    assert "the detector is used alone" in advice("ky4", {"leak_pinpointer": ["y"]})[0]
    assert advice("ky4", {}) == []
    (request,) = advice("ky4", {"leak_detector": ["gate change_request failed: none is named"]})
    assert "`change_request: " in request
    assert advice("ky4", {"leak_detector": ["gate net_eur failed: 1 EUR"]}) == []
