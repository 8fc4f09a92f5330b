"""The models room's steps on a trained home: what training again leaves in force."""

from pathlib import Path

import pytest

from leak_assets.errors import InputError, MissingInputError
from leak_assets.models import training
from leak_assets.models.steps import champions, newest_artefacts, train_models
from leak_assets.pipeline.context import StepContext

pytestmark = pytest.mark.slow


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_model_says_which_network_and_sensors_it_is_of(ctx: StepContext) -> None:
    """The manifest has the hashes that scoring compares."""
    site = ctx.network("hanoi")
    for artefact in champions(ctx, site).values():
        assert site.provenance.differences(artefact.manifest) == []
        assert artefact.manifest["code_version"] == training.CODE_VERSION


def test_training_again_from_the_same_keeps_everything(ctx: StepContext) -> None:
    """Nothing is trained, nothing is written."""
    assert not any(written.changed for written in train_models(ctx, ctx.network("hanoi")))


def test_new_training_code_asks_for_new_models(
    ctx: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The models in force do not pass for those of the new code."""
    monkeypatch.setattr(training, "CODE_VERSION", "another")
    with pytest.raises(MissingInputError, match="is not trained"):
        newest_artefacts(ctx, ctx.network("hanoi"))
    assert len(champions(ctx, ctx.network("hanoi"))) == 2


def test_folder_of_a_registered_version_is_never_replaced(ctx: StepContext) -> None:
    """What is in force stays as the registry has it, until another version's gates have held."""
    detector = champions(ctx, ctx.network("hanoi"))["leak_detector"]
    before = files(detector.folder)
    partition = {"version": f"leak_detector-{detector.version}", "network": "hanoi"}
    ctx.warehouse.path("models.training_runs", partition).unlink()
    with pytest.raises(InputError, match=r"is registered but has no row.*--seed"):
        train_models(ctx, ctx.network("hanoi"))
    assert files(detector.folder) == before
    assert champions(ctx, ctx.network("hanoi"))["leak_detector"].version == detector.version
