"""Writing a trained model as an artefact folder: ONNX and everything needed to use and judge it.

Reading it belongs in `artefact`. No pickle is written.
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

from leak_assets.features.windows import SPEC
from leak_assets.system.files import publishing_folder

from .artefact import FILES, MANIFEST, Artefact, artefact_folder, load_artefact
from .card import model_card
from .estimator import WindowModel
from .session import INPUT, open_session
from .training import TrainingResult
from .versions import training_code_version

ONNX_TOLERANCE = 1e-4
_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy", "polars", "leak-assets")


def export(result: TrainingResult, models_dir: Path) -> Artefact:
    """Write a model to `<models_dir>/<model>/<network>/<version>/` and read it back.

    The folder appears whole: it is written beside its place and renamed. A folder of the same
    version is replaced; whether it may be, because no registry knows it, is the caller's matter.

    Returns
    -------
    Artefact
        Verified. Its metrics are those of the trained network; what is gated is measured on the
        artefact itself, in `evaluation`.

    Raises
    ------
    RuntimeError
        If onnxruntime and torch differ by more than 1e-4.
    """
    target = artefact_folder(models_dir, result.config.model, result.network, result.version)
    with publishing_folder(target, MANIFEST) as draft:
        _write(result, draft)
    return load_artefact(target)


def _write(result: TrainingResult, folder: Path) -> None:
    model, config = result.model, result.config
    onnx = onnx_bytes(model)
    _verify(model, onnx)
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
    texts = {
        "scaler.json": _json(model.scaler_.to_dict(model.channels_, model.statistics_)),
        "signature.json": _json(signature),
        "thresholds.yaml": yaml.safe_dump(exported.thresholds),
        "metrics.json": _json(result.metrics),
        "config.yaml": yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False),
        "MODEL_CARD.md": model_card(result),
    }
    contents = {"model.onnx": onnx} | {name: text.encode() for name, text in texts.items()}
    manifest = {
        "model": config.model,
        "network": result.network,
        "version": result.version,
        "created_at": result.trained_at.isoformat(),
        "seed": config.seed,
        "config_sha256": config.sha256,
        "code_version": training_code_version(),
        "contract_sha256": result.contract_sha256,
        **(result.provenance.hashes() if result.provenance else {}),
        "weights_sha256": model.weights_sha256(),
        "data_versions": result.data_versions,
        "split": asdict(result.split),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "files": {name: hashlib.sha256(contents[name]).hexdigest() for name in FILES},
    }
    contents[MANIFEST] = _json(manifest).encode()
    for name, raw in contents.items():
        (folder / name).write_bytes(raw)


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


def _verify(model: WindowModel, onnx: bytes) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, len(model.statistics_), len(model.channels_))).astype(np.float32)
    x[:, :, rng.random(x.shape[2]) < 0.1] = np.nan
    found = open_session(onnx).run(None, {INPUT: model.scaler_.transform(x)})[-1]
    difference = float(np.abs(found - model.predict_proba(x)).max())
    if difference > ONNX_TOLERANCE:
        message = f"onnxruntime and torch differ by {difference:.2g} (limit {ONNX_TOLERANCE:g})"
        raise RuntimeError(message)


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
