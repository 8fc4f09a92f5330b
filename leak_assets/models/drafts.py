"""A trained model before it is exported: what runs it, in a folder of its own, not yet packed.

The evaluation measures the draft, and the package is the draft with what was measured; so what is
gated is what is used. Packing belongs in `export`.
"""

import hashlib
import io
import json
import logging
import warnings
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from leak_assets.errors import InputError
from leak_assets.features.windows import SPEC
from leak_assets.system.code import commit
from leak_assets.system.files import publish, publishing_folder

from .artefact import DRAFT_FILES, MANIFEST, METRICS, Artefact, draft_folder, load_artefact
from .estimator import WindowModel
from .evaluation import Evaluation
from .session import INPUT, open_session
from .training import TrainingResult
from .versions import training_code_version

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy", "polars", "leak-assets")


def write_draft(result: TrainingResult, drafts_dir: Path) -> Artefact:
    """Write a trained model as a draft and read it back.

    Raises
    ------
    RuntimeError
        If onnxruntime and torch differ by more than the configuration allows.
    """
    target = draft_folder(drafts_dir, result.config.model, result.version)
    with publishing_folder(target, MANIFEST) as folder:
        write_files(draft_files(result), draft_manifest(result), folder)
    return load_artefact(target, files=DRAFT_FILES)


def write_metrics(draft: Path, evaluation: Evaluation) -> None:
    """Put `metrics.json` beside a draft; the package takes this very file."""
    publish(draft.parent / METRICS, json_bytes(evaluation.to_json()))


def read_metrics(draft: Path) -> bytes:
    """Return `metrics.json` of a draft.

    Raises
    ------
    InputError
        It was not evaluated yet.
    """
    path = draft.parent / METRICS
    if not path.is_file():
        raise InputError(
            "the model was not evaluated yet", remedy="Run `leak-assets evaluate`", file=path
        )
    return path.read_bytes()


def draft_files(result: TrainingResult) -> dict[str, bytes]:
    """Return the content of a draft's files by name, the manifest left out."""
    model, config = result.model, result.config
    onnx = onnx_bytes(model)
    _verify(model, onnx, config.export.tolerance)
    exported = model.exported()
    signature = {
        "inputs": [
            {
                "name": INPUT,
                "dtype": "float32",
                "shape": ["batch", len(model.statistics_), len(model.channels_)],
                "meaning": "features.windows scaled by scaler.json, 0 where missing",
            }
        ],
        "outputs": list(exported.outputs),
        "channels": list(model.channels_),
        "statistics": list(model.statistics_),
        "window": asdict(SPEC),
        "link_ids": list(exported.link_ids),
    }
    return {
        "model.onnx": onnx,
        "scaler.json": json_bytes(model.scaler_.to_dict(model.channels_, model.statistics_)),
        "signature.json": json_bytes(signature),
        "thresholds.yaml": yaml.safe_dump(exported.thresholds).encode(),
        "config.yaml": yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False).encode(),
    }


def draft_manifest(result: TrainingResult) -> dict[str, Any]:
    """Return what a manifest says of a model, the hashes of its files left out."""
    return {
        "model": result.config.model,
        "network": result.network,
        "version": result.version,
        "created_at": result.trained_at.isoformat(),
        "seed": result.config.seed,
        "config_sha256": result.config.sha256,
        "change_request": result.config.change_request,
        "code_version": training_code_version(),
        "git_sha": commit(),
        "contract_sha256": result.contract_sha256,
        **(result.provenance.hashes() if result.provenance else {}),
        "weights_sha256": result.model.weights_sha256(),
        "data_versions": result.data_versions,
        "split": asdict(result.split),
        "packages": {name: package_version(name) for name in _PACKAGES},
    }


def write_files(files: dict[str, bytes], manifest: dict[str, Any], folder: Path) -> None:
    """Write files into a folder, the manifest with their hashes last."""
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in files.items()}
    (folder / MANIFEST).write_bytes(json_bytes(manifest | {"files": hashes}))


def onnx_bytes(model: WindowModel) -> bytes:
    """Return a fitted model in ONNX: one file, free batch size, weights inside."""
    import torch

    exported = model.exported()
    # Two rows: the exporter takes a batch of one for a constant.
    example = torch.zeros(2, len(model.statistics_), len(model.channels_))
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore", FutureWarning)
            program = torch.onnx.export(
                exported.module.eval(),
                (example,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[output["name"] for output in exported.outputs],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        message = "torch.onnx.export returned no program"
        raise RuntimeError(message)
    return program.model_proto.SerializeToString()


def _verify(model: WindowModel, onnx: bytes, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, len(model.statistics_), len(model.channels_))).astype(np.float32)
    x[:, :, rng.random(x.shape[2]) < 0.1] = np.nan
    found = open_session(onnx).run(None, {INPUT: model.scaler_.transform(x)})[-1]
    difference = float(np.abs(found - model.predict_proba(x)).max())
    if difference > tolerance:
        message = f"onnxruntime and torch differ by {difference:.2g} (limit {tolerance:g})"
        raise RuntimeError(message)


def json_bytes(content: Any) -> bytes:
    """Return JSON for people and programs."""
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
