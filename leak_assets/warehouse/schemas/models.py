"""Tables of the models: how they were trained, how good they are, which one is in use."""

import polars as pl

from .features import TRAINING_WINDOWS
from .table import NETWORK, UTC_US, Column, Table, View

_MODEL = Column("model", pl.String, "`leak_detector` or `leak_pinpointer`")
_VERSION = Column("version", pl.String, "`<configuration version>-<hash of configuration, data>`")

# What a scenario is to a simulated window, an incident is to a real one.
_JUDGED = {
    column.name: column
    for column in (
        Column("batch", pl.String, "`operation`"),
        Column("scenario_id", pl.String, "incident"),
        Column("is_leak", pl.Boolean, "the person confirmed a leak"),
        Column("link_id", pl.String, "pipe on which it was found, where one was named", True),
        Column("leak_type", pl.String, "null: nobody says", True),
        Column("leak_flow_m3_per_h", pl.Float64, "estimated flow of the incident; 0: no leak"),
    )
}
_FROM_BACKUP = "restore it from a backup, or train again: leak-assets train"

TRAINING_RUNS = Table(
    "models",
    "training_runs",
    "One epoch of one training run.",
    ("version", "network"),
    ("network", "model", "version", "epoch"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column("epoch", pl.Int64, "from 0"),
        Column("train_loss", pl.Float64, "mean loss over the training windows"),
        Column("validation_loss", pl.Float64, "mean loss over the validation windows"),
        Column("is_best", pl.Boolean, "the epoch whose weights were kept"),
        Column("seed", pl.Int64, "seed of weights and order"),
        Column("config_sha256", pl.String, "hash of the configuration"),
        Column("contract_sha256", pl.String, "hash of the telemetry contract"),
        Column("data_sha256", pl.String, "hash over the training partitions' data versions"),
        Column("trained_at", UTC_US, "when"),
    ),
    if_lost=_FROM_BACKUP,
    known_at="trained_at",
)

EVALUATIONS = Table(
    "models",
    "evaluations",
    "One metric of one model version on scenarios it has never seen.",
    ("version", "network"),
    ("network", "model", "version", "split", "metric"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column("split", pl.String, "`validation` or `test`; no scenario stands in two splits"),
        Column("metric", pl.String, "name of terms-and-metrics, e.g. `auc`, `top5_hit`"),
        Column("value", pl.Float64, "value", True),
        Column("gate", pl.Float64, "limit of the quality gate, null if there is none", True),
        Column("passed", pl.Boolean, "whether the gate holds, null if there is none", True),
    ),
    if_lost=_FROM_BACKUP,
)

REGISTRY_EVENTS = Table(
    "models",
    "registry_events",
    "One change of status of a model version. Append only.",
    ("event", "network"),
    ("event_id",),
    (
        NETWORK,
        Column("event_id", pl.String, "identifier of the change"),
        _MODEL,
        _VERSION,
        Column("status", pl.String, "`candidate`, `rejected`, `champion` or `retired`"),
        Column("artefact_path", pl.String, "folder below `MODELS/`"),
        Column("manifest_sha256", pl.String, "hash of the artefact's manifest"),
        Column("event_at", UTC_US, "when"),
        Column("actor", pl.String, "who or what changed it"),
        Column("note", pl.String, "why"),
    ),
    if_lost=_FROM_BACKUP,
    known_at="event_at",
)

JUDGED_WINDOWS = Table(
    "models",
    "judged_windows",
    "One channel in one window of an incident that a person closed with a reason, as the models "
    "learn from it; a snapshot of the last training.",
    ("network",),
    ("scenario_id", "window_start", "sensor_id", "quantity"),
    tuple(_JUDGED.get(column.name, column) for column in TRAINING_WINDOWS.columns),
    # The snapshot belongs to a training; labels given since would make another.
    if_lost=_FROM_BACKUP,
)

REGISTRY = View(
    "models",
    "registry",
    "Current status of each model version.",
    """
    SELECT * FROM models.registry_events
    QUALIFY row_number() OVER (PARTITION BY network, model, version ORDER BY event_at DESC) = 1
    """,
)

TABLES = (JUDGED_WINDOWS, TRAINING_RUNS, EVALUATIONS, REGISTRY_EVENTS)
VIEWS = (REGISTRY,)
