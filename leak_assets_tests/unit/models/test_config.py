"""Model configurations: the packaged ones, and what is refused."""

import pytest
import yaml

from leak_assets.errors import InputError, MissingInputError
from leak_assets.features.windows import STATISTICS
from leak_assets.models.config import CONFIG_DIR, load_config


@pytest.mark.parametrize("name", ["leak_detector", "leak_pinpointer"])
def test_packaged_configurations_load(name: str) -> None:
    """Version, and statistics that the window features have."""
    config = load_config(name)
    assert config.version == "3.0.0"
    assert set(config.statistics) <= set(STATISTICS)


def test_detector_gates_are_those_of_the_requirements() -> None:
    """AUC 0.90, precision 0.85, recall 0.85, false alarms 0.05, latency 50 ms."""
    gates = load_config("leak_detector").gates
    assert gates["auc"].min == 0.90
    assert gates["precision"].min == gates["recall"].min == 0.85
    assert gates["far_without_leak"].max == 0.05
    assert gates["far_as_labelled"].max == 0.10
    assert gates["latency_ms_p95"].max == 50
    assert gates["ece"].max == 0.1


def _changed(tmp_path, change):
    content = yaml.safe_load((CONFIG_DIR / "leak_detector.yaml").read_text())
    change(content)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(epoch=3), r"mine\.yaml.*row \d+: key `epoch` is unknown"),
        (
            lambda c: c["training"].update(lr=3),
            r"mine\.yaml.*key `training\.lr` is unknown.*learning_rate",
        ),
        (
            lambda c: c["architecture"].update(hiden=c["architecture"].pop("hidden")),
            r"row 4: key `architecture\.hiden` is unknown.*hidden",
        ),
        (
            lambda c: c["training"].update(epochs="many"),
            r"key `training\.epochs`: Input should be a valid integer",
        ),
        (lambda c: c.update(statistics=["median"]), r"key `statistics\.0`: Input should be 'mean'"),
        (lambda c: c["gates"].update(auc={}), r"key `gates\.auc`: give `min` or `max`"),
        (
            lambda c: c["gates"].update(auc={"min": 0.9, "max": 0.5}),
            r"key `gates\.auc`: at least 0.9 and at most 0.5 contradict each other",
        ),
        (lambda c: c["gates"].update(auc={"min": 1.2}), r"gate auc can never hold"),
        (lambda c: c.update(metrics=["auc"]), r"gate \w+ is on a metric that `metrics` leaves out"),
        (lambda c: c["split"].update(test=0.9), r"leave nothing to train on"),
        (lambda c: c["split"].update(folds=1), r"one fold has nothing to be held out against"),
        (lambda c: c["costs"].update(false_call_eur=0), r"key `costs\.false_call_eur`"),
        (lambda c: c.update(model="other"), r"mine\.yaml.*row \d+: key `model` is 'other'"),
    ],
)
def test_unknown_keys_and_bad_values_name_key_and_file(tmp_path, change, message: str) -> None:
    """MOD1: one clear line."""
    with pytest.raises(InputError, match=message):
        load_config(_changed(tmp_path, change))


def test_absent_and_broken_files_are_named(tmp_path) -> None:
    """No file, no YAML."""
    with pytest.raises(MissingInputError, match="absent"):
        load_config(tmp_path / "absent.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1")
    with pytest.raises(InputError, match=r"broken\.yaml.*no valid YAML"):
        load_config(broken)


def test_same_content_has_the_same_hash() -> None:
    """The hash is of the content, not of the file's layout."""
    config = load_config("leak_detector")
    assert config.sha256 == load_config(CONFIG_DIR / "leak_detector.yaml").sha256
    assert config.sha256 != config.model_copy(update={"seed": 8}).sha256
