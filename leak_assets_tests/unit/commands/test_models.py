"""`train` and `evaluate` when a gate does not hold."""

import pytest
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.models import steps
from leak_assets.pipeline.context import StepContext
from leak_assets.runs import daemonless as batch

pytestmark = pytest.mark.slow
LINE = "leak_detector 1.0.0: auc is 0.5000, the gate is 0.9"


@pytest.fixture
def failing_gate(ctx: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained models of Hanoi that do not hold a gate; the training itself is left out."""
    del ctx  # its home is the environment's
    monkeypatch.setattr(steps, "failed_gates", lambda *_: [LINE])
    monkeypatch.setattr(batch, "train", lambda *_: [LINE])


@pytest.mark.usefixtures("failing_gate")
def test_train_prints_metrics_and_every_failed_gate() -> None:
    """Exit code 1, and the reason stands on the screen."""
    result = CliRunner().invoke(app, ["train", "--network", "hanoi"])
    assert result.exit_code == 1
    assert "Held-out towns" in result.output
    assert f"gate failed: {LINE}" in result.output
    assert "in force" not in result.output


@pytest.mark.usefixtures("failing_gate")
def test_evaluate_prints_metrics_and_ends_with_1() -> None:
    """The answer is no."""
    result = CliRunner().invoke(app, ["evaluate", "--network", "hanoi"])
    assert result.exit_code == 1
    assert "Held-out towns" in result.output
