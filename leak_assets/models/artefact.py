"""The folder of an exported model: reading it, and refusing what was changed.

Every file is covered by a SHA-256 in `manifest.json`; the platform unpickles none of them (who
must, uses `pickles`). Writing the folder belongs in `export`.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leak_assets.errors import InputError, MissingInputError
from leak_assets.features.grid import WindowSpec

from .scaler import WindowScaler

MANIFEST = "manifest.json"
METRICS, CARD, PICKLE = "metrics.json", "MODEL_CARD.md", "scaler.pkl"
# What a trained model is before it was evaluated, and what is needed to run it.
DRAFT_FILES = ("model.onnx", "scaler.json", "signature.json", "thresholds.yaml", "config.yaml")
FILES = (*DRAFT_FILES, METRICS, CARD)
# Packages of older versions have no pickle.
PACKAGE_FILES = (*FILES, PICKLE)
_REMEDY = "Export the model again, or restore the folder from a backup."


@dataclass(frozen=True)
class Artefact:
    """A verified model folder.

    Attributes
    ----------
    manifest
        Content of `manifest.json`: model, network, version, hashes, provenance.
    manifest_sha256
        Hash of `manifest.json` itself, as the registry records it.
    metrics
        Metrics by split and name, and what `evaluation` adds; empty before the evaluation.
    config
        Content of the configuration that it was trained with.
    channels, statistics
        Inputs in order: `<quantity>/<sensor_id>`, columns of the window features.
    window
        Windows that it was trained on.
    link_ids
        Candidate pipes in output order; empty for the detector.
    threshold
        Score from which a window alarms; None for the pinpointer.
    """

    folder: Path
    manifest: dict[str, Any]
    manifest_sha256: str
    scaler: WindowScaler
    channels: tuple[str, ...]
    statistics: tuple[str, ...]
    window: WindowSpec
    link_ids: tuple[str, ...]
    threshold: float | None
    metrics: dict[str, Any]
    config: dict[str, Any]

    @property
    def model(self) -> str:
        """`leak_detector` or `leak_pinpointer`."""
        return str(self.manifest["model"])

    @property
    def network(self) -> str:
        """Network it was trained for."""
        return str(self.manifest["network"])

    @property
    def version(self) -> str:
        """Version of the model."""
        return str(self.manifest["version"])

    @property
    def alarm_threshold(self) -> float:
        """Score from which a window alarms; without a threshold only certainty does."""
        return 1.0 if self.threshold is None else self.threshold

    @property
    def onnx(self) -> bytes:
        """The network in ONNX, checked against its hash again as it is read."""
        return verified_bytes(self.folder, "model.onnx", self.manifest["files"]["model.onnx"])


def artefact_folder(models_dir: Path, model: str, version: str) -> Path:
    """Return where the folder of a version is, whether or not it exists.

    Versions end in a hash of network and data, so networks do not meet.
    """
    return models_dir / model / version


def draft_folder(drafts_dir: Path, model: str, version: str) -> Path:
    """Return where the draft of a version is, whether or not it exists."""
    return artefact_folder(drafts_dir, model, version) / "model"


def load_artefact(
    folder: Path, *, manifest_sha256: str | None = None, files: tuple[str, ...] = FILES
) -> Artefact:
    """Read and verify a model folder.

    Parameters
    ----------
    folder
        `<models>/<model>/<version>`.
    manifest_sha256
        Hash of the manifest that the registry recorded; without it the manifest is trusted.
    files
        Those that must be there.

    Raises
    ------
    MissingInputError
        There is no manifest.
    InputError
        A file is absent, was changed, or is not of the manifest; names file and remedy.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingInputError(
            "no model here", remedy="Train and export a model first.", file=path
        )
    raw = path.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if manifest_sha256 not in (None, found):
        raise InputError("differs from what the registry recorded", remedy=_REMEDY, file=path)
    try:
        manifest = json.loads(raw)
    except ValueError as error:
        raise InputError("is not JSON", remedy=_REMEDY, file=path) from error
    listed = manifest.get("files", {})
    strange = sorted({p.name for p in folder.iterdir()} - {*listed, MANIFEST})
    missing = sorted(set(files) - set(listed))
    if strange or missing:
        problem = f"is not listed in {MANIFEST}" if strange else f"has no entry in {MANIFEST}"
        raise InputError(problem, remedy=_REMEDY, file=folder / (strange or missing)[0])
    content = {name: verified_bytes(folder, name, digest) for name, digest in listed.items()}
    signature = json.loads(content["signature.json"])
    return Artefact(
        folder=folder,
        manifest=manifest,
        manifest_sha256=found,
        scaler=WindowScaler.from_dict(json.loads(content["scaler.json"])),
        channels=tuple(signature["channels"]),
        statistics=tuple(signature["statistics"]),
        window=WindowSpec(**signature["window"]),
        link_ids=tuple(signature["link_ids"]),
        threshold=yaml.safe_load(content["thresholds.yaml"]).get("anomaly_score"),
        metrics=json.loads(content.get(METRICS, b"{}")),
        config=yaml.safe_load(content["config.yaml"]),
    )


def verified_bytes(folder: Path, name: str, digest: str) -> bytes:
    """Return the content of a file of a package.

    Raises
    ------
    InputError
        It is missing, or not what the manifest says.
    """
    path = folder / name
    if not path.is_file():
        raise InputError("file of the model is missing", remedy=_REMEDY, file=path)
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != digest:
        raise InputError(f"was changed after export ({MANIFEST})", remedy=_REMEDY, file=path)
    return raw
