"""Artefacts: content, agreement with torch, refusal of what was changed."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest

from leak_assets.errors import InputError, MissingInputError
from leak_assets.models.artefact import PACKAGE_FILES, load_artefact
from leak_assets.models.export import export
from leak_assets.models.session import ExportedModel


@pytest.fixture
def copy(tmp_path, artefacts):
    """Return a copy of the detector's folder that a test may change."""
    return shutil.copytree(artefacts[0].folder, tmp_path / "1.0.0")


def test_folder_holds_every_file(artefacts) -> None:
    """MOD7: `<models>/<model>/<version>/` with exactly the documented files."""
    for artefact in artefacts:
        assert {p.name for p in artefact.folder.iterdir()} == {*PACKAGE_FILES, "manifest.json"}
        assert artefact.folder.parts[-2:] == (artefact.model, artefact.version)
    assert not [p for p in artefacts[0].folder.parent.iterdir() if p.name.startswith(".")]


def test_onnx_equals_torch_for_any_batch_size(artefacts, detector, pinpointer, windows) -> None:
    """MOD7: within 1e-4, one window or many; label and score in this order."""
    for artefact, result in zip(artefacts, (detector, pinpointer), strict=True):
        session = onnxruntime.InferenceSession(artefact.onnx)
        values = windows.of(artefact.statistics).values
        for x in (values[3:4], values[:2000:7]):
            outputs = session.run(None, {"input_features": artefact.scaler.transform(x)})
            np.testing.assert_allclose(outputs[-1], result.model.predict_proba(x), atol=1e-4)
    session = onnxruntime.InferenceSession(artefacts[0].onnx)
    assert [o.name for o in session.get_outputs()] == ["label", "anomaly_score"]
    x = windows.of(artefacts[0].statistics).values
    label, score = session.run(None, {"input_features": artefacts[0].scaler.transform(x)})
    np.testing.assert_array_equal(label, score >= np.float32(artefacts[0].threshold))


def test_a_window_has_one_result_whatever_stands_beside_it(artefacts, windows) -> None:
    """A replay gives the same bits, one window at a time or a thousand."""
    for artefact in artefacts:
        model = ExportedModel(artefact)
        x = windows.of(artefact.statistics).values[:150]
        one_by_one = np.concatenate([model.run(x[i : i + 1]) for i in range(len(x))])
        np.testing.assert_array_equal(model.run(x), one_by_one)


def test_pinpointer_probabilities_sum_to_one(artefacts, windows) -> None:
    """Over all candidate pipes."""
    artefact = artefacts[1]
    probability = ExportedModel(artefact).run(windows.of(artefact.statistics).values[:50])
    assert probability.shape == (50, len(artefact.link_ids))
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-6)


def test_manifest_carries_the_provenance(artefacts, detector) -> None:
    """Seed, hashes of configuration, contract, weights and data, package versions."""
    manifest = artefacts[0].manifest
    assert manifest["contract_sha256"] == "c0ffee"
    assert manifest["data_versions"] == {"b000": "v1"}
    assert manifest["weights_sha256"] == detector.model.weights_sha256()
    assert {"torch", "onnxruntime"} <= set(manifest["packages"])
    card = (artefacts[0].folder / "MODEL_CARD.md").read_text()
    assert "48 scenarios of 6 simulated towns" in card
    assert "$" not in card


@pytest.mark.parametrize("name", PACKAGE_FILES)
def test_a_changed_file_is_refused_by_name(copy, name: str) -> None:
    """One more byte in any file."""
    with (copy / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(InputError, match=rf"{name}.*changed after export.*Export the model again"):
        load_artefact(copy)


def test_foreign_and_missing_files_are_refused(copy) -> None:
    """OPS9: a pickle laid into the folder, or in the place of ours, is not even looked at."""
    (copy / "other.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(InputError, match=r"other\.pkl.*not listed"):
        load_artefact(copy)
    (copy / "other.pkl").unlink()
    (copy / "scaler.json").unlink()
    with pytest.raises(InputError, match=r"scaler\.json.*missing"):
        load_artefact(copy)


def test_a_rewritten_manifest_is_refused_by_the_registry_hash(copy, artefacts) -> None:
    """Files and manifest changed together: only the registry can tell."""
    recorded = artefacts[0].manifest_sha256
    assert load_artefact(copy, manifest_sha256=recorded).version == artefacts[0].version
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"seed": 1}))
    with pytest.raises(InputError, match=r"manifest\.json.*registry"):
        load_artefact(copy, manifest_sha256=recorded)


def test_a_file_changed_after_loading_is_refused_when_read(copy) -> None:
    """The network is checked against its hash as it is read."""
    artefact = load_artefact(copy)
    (copy / "model.onnx").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"model\.onnx"):
        _ = artefact.onnx


def test_no_model_says_what_to_do(tmp_path) -> None:
    """An empty folder."""
    with pytest.raises(MissingInputError, match="Train and export"):
        load_artefact(tmp_path)


def test_exporting_again_replaces_the_version(tmp_path, detector) -> None:
    """Same version twice: one folder, nothing left beside it."""
    first = export(detector, tmp_path)
    second = export(detector, tmp_path)
    assert first.folder == second.folder
    assert [p.name for p in first.folder.parent.iterdir()] == [detector.version]
    assert first.manifest["files"]["model.onnx"] == second.manifest["files"]["model.onnx"]
