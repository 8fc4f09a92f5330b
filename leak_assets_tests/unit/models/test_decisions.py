"""The registry on disk: one file per decision, whoever decides and whenever a process is killed."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leak_assets.errors import InputError, MissingInputError
from leak_assets.models.artefact import Artefact, load_artefact
from leak_assets.models.decisions import decide, registry_events, roll_back, step_to
from leak_assets.models.drafts import write_draft, write_metrics
from leak_assets.models.evaluation import Evaluation
from leak_assets.models.in_use import challengers, champions, versions_in_use
from leak_assets.models.registration import register_candidates
from leak_assets.models.registry import (
    CHAMPION,
    RETIRED,
    SHADOW,
    VALIDATION,
    IllegalStepError,
    RegistryConflictError,
    current,
    revision,
)
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings

MODEL = "leak_detector"


class Site:
    """As much of a network as the registry asks for."""

    name = "line"


def other_version(artefact: Artefact, models_dir: Path, version: str) -> Artefact:
    """Lay a copy of a package down under another version."""
    folder = shutil.copytree(artefact.folder, models_dir / MODEL / version)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": version}))
    return load_artefact(folder)


@pytest.fixture
def ctx(tmp_path: Path, artefacts) -> StepContext:
    """A home with version 1 in use and version 2 in shadow mode."""
    made = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"), run_id="test")
    for version in ("1.0.0-one", "2.0.0-two"):
        register_candidates(made, [other_version(artefacts[0], made.settings.models_dir, version)])
    for version, status in (
        ("1.0.0-one", VALIDATION),
        ("1.0.0-one", CHAMPION),
        ("2.0.0-two", VALIDATION),
        ("2.0.0-two", SHADOW),
    ):
        step(made, version, status)
    return made


def step(ctx: StepContext, version: str, status: str, **options: object) -> None:
    """Take a version one step on."""
    step_to(ctx, "line", MODEL, version, status, actor="test", note="test", **options)


def statuses(ctx: StepContext) -> dict[str, str]:
    """Return the status of each version."""
    rows = current(registry_events(ctx.warehouse, "line"), "line", MODEL)
    return dict(zip(rows["version"], rows["status"], strict=True))


def test_promotion_and_rollback_change_what_is_in_use(ctx: StepContext) -> None:
    """MOD9: one step each; what scores next asks the registry."""
    assert [a.version for a in challengers(ctx, Site())] == ["2.0.0-two"]
    step(ctx, "2.0.0", CHAMPION)
    assert versions_in_use(ctx.warehouse, "line") == {MODEL: "2.0.0-two"}
    assert champions(ctx, Site())[MODEL].version == "2.0.0-two"
    roll_back(ctx, "line", MODEL, actor="test", note="worse")
    assert statuses(ctx) == {"1.0.0-one": CHAMPION, "2.0.0-two": RETIRED}
    roll_back(ctx, "line", MODEL, actor="test", note="no, better", version="2.0.0")
    assert versions_in_use(ctx.warehouse, "line") == {MODEL: "2.0.0-two"}


def test_what_was_never_in_use_cannot_be_rolled_back_to(ctx: StepContext) -> None:
    """Neither a challenger, nor where there was none before."""
    with pytest.raises(IllegalStepError, match="it was not in use"):
        roll_back(ctx, "line", MODEL, actor="test", note="", version="2.0.0")
    with pytest.raises(IllegalStepError, match="cannot go back to a version before"):
        roll_back(ctx, "line", MODEL, actor="test", note="")
    assert statuses(ctx) == {"1.0.0-one": CHAMPION, "2.0.0-two": SHADOW}


def test_a_version_that_does_not_exist_changes_nothing(ctx: StepContext) -> None:
    """One line that names the known ones."""
    before = registry_events(ctx.warehouse, "line")
    with pytest.raises(MissingInputError, match=r"9\.9\.9 of line is not registered.*2\.0\.0-two"):
        step(ctx, "9.9.9", CHAMPION)
    assert registry_events(ctx.warehouse, "line").equals(before)


@pytest.mark.parametrize("change", ["remove", "alter"])
def test_a_package_with_a_missing_or_changed_file_is_not_promoted(
    ctx: StepContext, change: str
) -> None:
    """The one in use stays in use."""
    path = ctx.settings.models_dir / MODEL / "2.0.0-two" / "model.onnx"
    if change == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"model\.onnx"):
        step(ctx, "2.0.0", CHAMPION)
    assert statuses(ctx)["1.0.0-one"] == CHAMPION


def test_of_two_promotions_at_once_one_is_refused(ctx: StepContext, artefacts) -> None:
    """Both saw the same revision; the later one is told who was first."""
    register_candidates(ctx, [other_version(artefacts[0], ctx.settings.models_dir, "3.0.0-three")])
    for status in (VALIDATION, SHADOW):
        step(ctx, "3.0.0", status)
    seen = revision(registry_events(ctx.warehouse, "line"), "line", MODEL)

    def promote(version: str) -> str:
        try:
            step(ctx, version, CHAMPION, expected_revision=seen)
        except RegistryConflictError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(promote, ["2.0.0", "3.0.0"]))
    assert sorted(bool(answer) for answer in answers) == [False, True]
    assert f"has revision {seen + 1}, not {seen}: test made" in max(answers)
    assert list(statuses(ctx).values()).count(CHAMPION) == 1


def test_a_decision_that_says_nothing_writes_nothing(ctx: StepContext) -> None:
    """No empty file, no revision."""
    before = revision(registry_events(ctx.warehouse, "line"), "line", MODEL)
    assert decide(ctx, "line", MODEL, lambda events: events.clear()) is None
    assert revision(registry_events(ctx.warehouse, "line"), "line", MODEL) == before


def crashed(task: str, home: Path, copies: Path) -> list[Path]:
    """Return what processes left that were killed at each of their writes in turn."""
    copies.mkdir()
    found = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crash.py")), task, str(home), str(copies)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    count, code = (int(word) for word in found.stdout.split())
    assert code == 0
    assert count >= 2
    return [copies / str(number) for number in range(count + 1)]


def test_a_killed_promotion_leaves_one_model_in_use(ctx: StepContext, tmp_path: Path) -> None:
    """At every write: the old one in force until the decision's file is there, then the new one."""
    left = crashed("promote", ctx.settings.home, tmp_path / "copies")
    found = [
        statuses(StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="after"))
        for home in left
    ]
    old = {"1.0.0-one": CHAMPION, "2.0.0-two": SHADOW}
    new = {"1.0.0-one": RETIRED, "2.0.0-two": CHAMPION}
    assert found[0] == old
    assert found[-1] == new
    assert found == sorted(found, key=lambda one: one == new), "old, then new, never between"
    again = StepContext.local(Settings(LEAK_ASSETS_HOME=left[0]), run_id="again")
    step(again, "2.0.0", CHAMPION)
    assert statuses(again) == new


def test_a_killed_export_leaves_no_package_or_all_of_it(tmp_path: Path, detector) -> None:
    """At every write: no folder, or one that is verified; a repeated export mends it."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"), run_id="test")
    draft = write_draft(detector, ctx.settings.drafts_dir)
    write_metrics(draft.folder, Evaluation(detector.metrics))
    left = crashed("pack", ctx.settings.home, tmp_path / "copies")
    for number, home in enumerate(left):
        folder = home / "MODELS" / MODEL / detector.version
        assert folder.exists() == (number == len(left) - 1) or load_artefact(folder).metrics
    assert load_artefact(left[-1] / "MODELS" / MODEL / detector.version).version == detector.version
