"""Packing an evaluated model: the folder below `MODELS/` with all needed to use and judge it.

Training's draft is `drafts`'; reading a package belongs in `artefact`.
"""

import json
from pathlib import Path

from leak_assets.system.files import publishing_folder, sync_folder

from .artefact import (
    CARD,
    DRAFT_FILES,
    MANIFEST,
    METRICS,
    PICKLE,
    Artefact,
    artefact_folder,
    load_artefact,
)
from .card import model_card
from .drafts import read_metrics, write_draft, write_files, write_metrics
from .evaluation import Evaluation
from .pickles import pickled
from .training import TrainingResult


def package(draft: Artefact, models_dir: Path) -> Artefact:
    """Write an evaluated draft to `<models_dir>/<model>/<version>/` and read it back.

    The folder appears whole: it is written beside its place and renamed, so a process that is
    killed leaves none, or all. A folder of the same version is replaced; whether it may be,
    because no registry knows it, is the caller's matter.

    Raises
    ------
    InputError
        The draft was not evaluated, or was changed.
    """
    raw = read_metrics(draft.folder)
    files = {name: (draft.folder / name).read_bytes() for name in DRAFT_FILES}
    scaler = json.loads(files["scaler.json"])
    files |= {
        METRICS: raw,
        PICKLE: pickled(scaler),
        CARD: model_card(draft, json.loads(raw)).encode(),
    }
    about = {name: value for name, value in draft.manifest.items() if name != "files"}
    target = artefact_folder(models_dir, draft.model, draft.version)
    with publishing_folder(target, MANIFEST) as folder:
        write_files(files, about, folder)
        sync_folder(folder)
    sync_folder(target.parent)
    return load_artefact(target)


def export(result: TrainingResult, models_dir: Path, drafts_dir: Path | None = None) -> Artefact:
    """Write a model that was trained in memory, with the metrics of its training.

    Parameters
    ----------
    drafts_dir
        Where its draft is kept; by default beside the models.
    """
    draft = write_draft(result, drafts_dir or models_dir / ".drafts")
    write_metrics(draft.folder, Evaluation(result.metrics))
    return package(draft, models_dir)
