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
        Column("git_sha", pl.String, "commit of the code; null outside of a checkout", True),
        Column("change_request", pl.String, "who asked for the configuration", True),
    ),
    if_lost=_FROM_BACKUP,
    known_at="trained_at",
)

SPLITS = Table(
    "models",
    "splits",
    "One scenario in the set that a training run put it into.",
    ("version", "network"),
    ("network", "model", "version", "scenario_id", "split"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column("scenario_id", pl.String, "scenario"),
        Column("batch", pl.String, "its town"),
        Column("split", pl.String, "`train`, `validation` or `test`"),
        Column("grouped_by", pl.String, "what was split: whole towns (`batch`) or `scenario_id`"),
        Column("fold", pl.Int64, "fold of the cross-validation in which it is tested on", True),
        Column("is_frozen", pl.Boolean, "in the test set that never changes"),
    ),
    if_lost=_FROM_BACKUP,
)

EVALUATIONS = Table(
    "models",
    "evaluations",
    "One metric of one model version on scenarios that it has never seen.",
    ("version", "network"),
    ("network", "model", "version", "split", "metric"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column(
            "split",
            pl.String,
            "`validation`, `test` (no scenario stands in two of them), `frozen`: the test set that "
            "never changes, `cross_validation`: mean over the folds",
        ),
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
    "One change of status of a model version; those of one decision share a file. Append only.",
    ("event", "network"),
    ("event_id",),
    (
        NETWORK,
        Column("event_id", pl.String, "identifier of the change"),
        _MODEL,
        _VERSION,
        Column(
            "status",
            pl.String,
            "`candidate`, `validation`, `shadow`, `champion`, `retired`, or `rejected` by a gate",
        ),
        Column("artefact_path", pl.String, "folder below `MODELS/`"),
        Column("manifest_sha256", pl.String, "hash of the artefact's manifest"),
        Column("event_at", UTC_US, "when"),
        Column("actor", pl.String, "who or what changed it"),
        Column("note", pl.String, "why"),
        Column("revision", pl.Int64, "number of the decision about the model, from 1", True),
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

BREAKDOWNS = Table(
    "models",
    "breakdowns",
    "How good a model version is on one class of test windows; the classes of a dimension sum to "
    "all windows.",
    ("version", "network"),
    ("network", "model", "version", "dimension", "class"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column("dimension", pl.String, "`leak_size`, `leak_type`, `dma` or `day_phase`"),
        Column("class", pl.String, "class within the dimension; `no leak` where no water leaks"),
        Column("windows", pl.Int64, "windows of the class"),
        Column("leak_windows", pl.Int64, "of these labelled as leaking"),
        Column("alarms", pl.Int64, "detector: windows that alarm; pinpointer: 0"),
        Column("hits", pl.Int64, "leak windows that alarm, or whose pipe is among the best five"),
        Column("recall", pl.Float64, "hits in leak windows; null without", True),
        Column("precision", pl.Float64, "hits in alarms; null without", True),
        Column("false_alarm_rate", pl.Float64, "alarms in leak-free windows; null without", True),
    ),
    if_lost=_FROM_BACKUP,
)

RELIABILITY = Table(
    "models",
    "reliability",
    "One class of scores of a model version: what it says beside how often a leak runs.",
    ("version", "network"),
    ("network", "model", "version", "bin"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column("bin", pl.Int64, "tenth of the range of scores, 0 to 9"),
        Column("windows", pl.Int64, "test windows with such a score"),
        Column("mean_score", pl.Float64, "what the model says"),
        Column("leak_share", pl.Float64, "how many of them leak"),
    ),
    if_lost=_FROM_BACKUP,
)

PACKAGES = Table(
    "models",
    "packages",
    "One file of an exported model, as it lies below `MODELS/`.",
    ("version", "network"),
    ("network", "model", "version", "file"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column("file", pl.String, "name, e.g. `model.onnx`"),
        Column("sha256", pl.String, "hash of its content, as the manifest has it"),
        Column("size_bytes", pl.Int64, "size"),
        Column("artefact_path", pl.String, "folder below `MODELS/`"),
    ),
    if_lost=_FROM_BACKUP,
)

FROZEN_WINDOWS = Table(
    "models",
    "frozen_windows",
    "One channel in one window of the test set that stays the same for every comparison; towns of "
    "the first training, never learned from.",
    ("network",),
    ("scenario_id", "window_start", "sensor_id", "quantity"),
    TRAINING_WINDOWS.columns,
    if_lost=_FROM_BACKUP,
)

SHADOW_REPORT = Table(
    "models",
    "shadow_report",
    "How a challenger in shadow mode compares with the model in use, on the days both scored.",
    ("version", "network"),
    ("network", "model", "version"),
    (
        NETWORK,
        _MODEL,
        _VERSION,
        Column("champion_version", pl.String, "version in use that it is compared with"),
        Column("first_day", pl.Date, "first day compared", True),
        Column("last_day", pl.Date, "last day compared", True),
        Column("days", pl.Int64, "days compared"),
        Column("windows", pl.Int64, "windows that both scored"),
        Column("agreement", pl.Float64, "share with the same answer", True),
        Column("only_challenger", pl.Int64, "windows in which the challenger alone alarms"),
        Column("only_champion", pl.Int64, "windows in which the champion alone alarms"),
        Column("other_place", pl.Int64, "alarmed windows whose likeliest pipe differs"),
        Column("challenger_incidents", pl.Int64, "incidents that it would have raised"),
        Column("champion_incidents", pl.Int64, "incidents that the champion's windows lead to"),
        Column("challenger_eur", pl.Float64, "value of those incidents"),
        Column("champion_eur", pl.Float64, "value of those incidents"),
        Column("euro_difference", pl.Float64, "challenger less champion"),
        Column("may_be_promoted", pl.Boolean, "whether the rule of the settings holds"),
        Column("reason", pl.String, "why, or why not"),
        Column("reported_at", UTC_US, "when"),
    ),
    if_lost="it is made again: leak-assets models shadow-report",
)

DRIFT = Table(
    "models",
    "drift",
    "How far one feature, score or residual of the days up to this one lies from the days that the "
    "model in use began with.",
    ("date", "network"),
    ("network", "model", "version", "kind", "subject"),
    (
        NETWORK,
        Column("date", pl.Date, "last day looked at"),
        _MODEL,
        _VERSION,
        Column("kind", pl.String, "`feature`, `score`, `residual_bias`, or `all`: the verdict"),
        Column("subject", pl.String, "`<statistic>/<quantity>/<sensor>`, channel or output"),
        Column("windows", pl.Int64, "windows of the days looked at"),
        Column("reference_windows", pl.Int64, "windows that they are compared with"),
        Column("psi", pl.Float64, "population stability index", True),
        Column("ks", pl.Float64, "Kolmogorov-Smirnov distance", True),
        Column("bias_z", pl.Float64, "mean less the reference's, in its standard deviations", True),
        Column(
            "bias_se",
            pl.Float64,
            "the same in standard errors, from how far weeks of the reference lie apart",
            True,
        ),
        Column("is_drift", pl.Boolean, "whether the limits of the configuration are passed"),
    ),
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

TABLES = (
    JUDGED_WINDOWS,
    FROZEN_WINDOWS,
    TRAINING_RUNS,
    SPLITS,
    EVALUATIONS,
    BREAKDOWNS,
    RELIABILITY,
    PACKAGES,
    REGISTRY_EVENTS,
    SHADOW_REPORT,
    DRIFT,
)
VIEWS = (REGISTRY,)
