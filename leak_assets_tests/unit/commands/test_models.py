"""`train` and `evaluate` where gates fail, with models that really fail them."""

import hashlib
import json
import re

import pytest
import yaml
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.models.artefact import Artefact, load_artefact
from leak_assets.models.in_use import champions
from leak_assets.pipeline.context import StepContext

pytestmark = pytest.mark.slow


def rewrite(artefact: Artefact, name: str, content: str) -> None:
    """Change a file of a model and its manifest: the folder stays sound, the model does not."""
    (artefact.folder / name).write_text(content)
    manifest = json.loads((artefact.folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content.encode()).hexdigest()
    (artefact.folder / "manifest.json").write_text(json.dumps(manifest))


def run(*arguments: str) -> tuple[int, str]:
    """Return exit code and output, its white space folded."""
    result = CliRunner().invoke(app, [*arguments, "--network", "hanoi"])
    return result.exit_code, re.sub(r"\s+", " ", result.output)


@pytest.mark.usefixtures("ctx")
def test_evaluate_prints_figures_and_what_they_mean() -> None:
    """Strong and weak ones, and what the sensors let the models find."""
    code, output = run("evaluate")
    assert code == 0
    assert "far_as_labelled" in output
    assert "false_incidents_per_leak_free_week" in output
    assert "four of five windows alarm" in output
    assert "all gates hold" in output


def test_evaluate_measures_the_exported_detector(ctx: StepContext) -> None:
    """A threshold of nothing in the folder: every window alarms, and the way on is told."""
    detector = champions(ctx, ctx.network("hanoi"))["leak_detector"]
    rewrite(detector, "thresholds.yaml", "anomaly_score: 0.0\n")
    code, output = run("evaluate")
    assert code == 1
    assert "gate far_without_leak failed: 1, must be at most 0.05" in output
    assert "the likelihood method works, which needs no training" in output
    row = ctx.warehouse.sql(
        "SELECT value, passed FROM models.evaluations"
        " WHERE metric = 'far_without_leak' AND split = 'test'"
    ).row(0)
    assert row == (1.0, False)


def test_evaluate_tells_of_a_pinpointer_that_knows_nothing(ctx: StepContext) -> None:
    """Inputs scaled to nothing; the detector's gates hold, and the message says what that means."""
    pinpointer = champions(ctx, ctx.network("hanoi"))["leak_pinpointer"]
    scaler = json.loads((pinpointer.folder / "scaler.json").read_text())
    scaler["std"] = [[0.0] * len(row) for row in scaler["std"]]
    rewrite(pinpointer, "scaler.json", json.dumps(scaler))
    code, output = run("evaluate")
    assert code == 1
    assert "leak_pinpointer" in output
    assert "gate distance_vs_fixed_guess failed" in output
    assert "the detector is used alone, and incidents name no pipe" in output


def test_stages_one_by_one_give_the_model_of_the_whole_training(ctx: StepContext) -> None:
    """MOD2, MOD7, MOD13: five commands, another version's name; weights, inputs, metrics are equal.

    The home was trained in one go. What `evaluate` wrote is what `export` packs, byte by byte.
    """
    whole = champions(ctx, ctx.network("hanoi"))["leak_detector"]
    # Without the backtest in euro, which has tests of its own.
    path = ctx.settings.configs_dir / "leak_detector.yaml"
    content = yaml.safe_load(path.read_text("utf-8")) | {"change_request": "CR-2"}
    content["euro_gate"]["towns"] = 0
    path.write_text(yaml.safe_dump(content))
    for stage in (["preprocess"], ["featurize"], ["train", "--alone"], ["evaluate"]):
        code, output = run(*stage, "--version", "9.0.0")
        assert code == 0, output
    (draft,) = ctx.settings.drafts_dir.glob("leak_detector/9.0.0-*/**/metrics.json")
    measured = draft.read_bytes()
    code, output = run("export", "--version", "9.0.0")
    assert code == 0, output
    (folder,) = ctx.settings.models_dir.glob("leak_detector/9.0.0-*")
    stages = load_artefact(folder)
    assert (folder / "metrics.json").read_bytes() == measured
    for name in ("weights_sha256", "data_versions", "contract_sha256", "split"):
        assert stages.manifest[name] == whole.manifest[name]
    for name in ("model.onnx", "scaler.json", "thresholds.yaml"):
        assert stages.manifest["files"][name] == whole.manifest["files"][name]
    accuracy = ("auc", "precision", "recall", "far_without_leak", "ece", "windows")
    for name in accuracy:
        assert stages.metrics["test"][name] == whole.metrics["test"][name]
    card = (folder / "MODEL_CARD.md").read_text()
    for heading in ("Intended use", "Data", "Metrics", "By class", "Limits and known failures"):
        assert f"\n## {heading}" in card
    assert all(f"\n| {name} |" in card for name in ("leak_size", "leak_type", "dma", "day_phase"))
    assert "$" not in card


def test_a_training_whose_gates_fail_changes_nothing_in_use(ctx: StepContext) -> None:
    """Three towns of six scenarios teach too little; the models before stay."""
    site = ctx.network("hanoi")
    before = {name: a.version for name, a in champions(ctx, site).items()}
    code, output = run("train", "--batches", "3", "--scenarios", "6", "--seed", "5")
    assert code == 1
    assert re.search(r"leak_detector 3\.0\.0-\w+: gate \w+ failed", output)
    assert {name: a.version for name, a in champions(ctx, site).items()} == before
