"""`train` and `evaluate` where gates fail, with models that really fail them."""

import hashlib
import json
import re

import pytest
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.models.artefact import Artefact
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


def test_a_training_whose_gates_fail_changes_nothing_in_use(ctx: StepContext) -> None:
    """Three towns of six scenarios teach too little; the models before stay."""
    site = ctx.network("hanoi")
    before = {name: a.version for name, a in champions(ctx, site).items()}
    code, output = run("train", "--batches", "3", "--scenarios", "6", "--seed", "5")
    assert code == 1
    assert re.search(r"leak_detector 3\.0\.0-\w+: gate \w+ failed", output)
    assert {name: a.version for name, a in champions(ctx, site).items()} == before
