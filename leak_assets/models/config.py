"""Configuration of the models: one YAML file per model, every key typed.

Types, ranges and reading belong here; defaults that a user should see stand in `configs/`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from leak_assets.errors import InputError, MissingInputError
from leak_assets.system.strict_yaml import line_of, read_mapping, validated

CONFIG_DIR = Path(__file__).parent / "configs"
DETECTOR, PINPOINTER = "leak_detector", "leak_pinpointer"
MODELS = (DETECTOR, PINPOINTER)

# Metrics that are shares: a limit beyond 0 to 1 can never, or always, hold.
_SHARES = {
    "auc", "precision", "recall", "f1", "far_without_leak", "far_as_labelled", "event_precision",
    "event_recall", "near_hit", "hit_300m", "coverage_90", "ece", "top1_hit", "top3_hit",
    "top5_hit", "top10_hit", "node_top1_hit", "node_top3_hit", "node_top5_hit", "node_top10_hit",
}  # fmt: skip
# What changes with every change, or only tells of it.
_NOT_SETTINGS = ("version", "change_request")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class DataConfig(_Strict):
    """What is learned from.

    Attributes
    ----------
    source
        Table of labelled windows.
    contract
        Version of the table's contract that the model was made for; another one is refused.
    judged_windows
        Whether windows that people judged are learned from, too.
    """

    source: Literal["features.training_windows"]
    contract: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    judged_windows: bool


class Architecture(_Strict):
    """Size and regularization of the network."""

    hidden: int = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    channel_dropout: float = Field(ge=0, lt=1)


class TrainingConfig(_Strict):
    """Optimization."""

    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    patience: int = Field(gt=0)
    threads: int = Field(gt=0)


class SplitConfig(_Strict):
    """Shares of the groups held out; the rest is trained on. And how often in turn.

    Attributes
    ----------
    folds
        Folds of the grouped cross-validation, 0: none.
    """

    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    folds: int = Field(ge=0, le=20)

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.validation + self.test >= 1:
            message = f"validation {self.validation} + test {self.test} leave nothing to train on"
            raise ValueError(message)
        if self.folds == 1:
            message = "one fold has nothing to be held out against; give 0 or at least 2 folds"
            raise ValueError(message)
        return self


class CostConfig(_Strict):
    """What the two mistakes cost, from which the threshold follows.

    Attributes
    ----------
    false_call_eur
        A window that alarms although nothing leaks.
    missed_window_eur
        A window with a leak that does not alarm: the water lost until the next one.
    """

    false_call_eur: float = Field(gt=0)
    missed_window_eur: float = Field(gt=0)

    @property
    def false_alarm_weight(self) -> float:
        """What a false alarm weighs against a missed leak, both as rates."""
        return self.false_call_eur / self.missed_window_eur


class GateLimit(_Strict):
    """Limits of one metric: at least `min`, at most `max`, or both."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.min is None and self.max is None:
            message = "give `min` or `max`"
            raise ValueError(message)
        if self.min is not None and self.max is not None and self.min > self.max:
            message = f"at least {self.min:g} and at most {self.max:g} contradict each other"
            raise ValueError(message)
        return self


class EuroGate(_Strict):
    """The backtest on generated towns in which a candidate may not be worth less than before.

    Attributes
    ----------
    towns, days, history_days, first_seed
        How many towns, valued days and days before them to learn from, seed of the first town.
    tolerance_eur
        By how much less in all is still as good.
    """

    towns: int = Field(ge=0, le=20)
    days: int = Field(ge=7, le=366)
    history_days: int = Field(ge=14, le=366)
    first_seed: int = Field(ge=0)
    tolerance_eur: float = Field(ge=0)


class DriftLimits(_Strict):
    """When operation differs from what the model learned: limits of `models.drift`.

    Attributes
    ----------
    days
        Days looked back over.
    psi, ks, bias_z
        How far is far: a feature's or score's population stability index and Kolmogorov-Smirnov
        distance, both; the mean of a channel's residual, in standard deviations.
    standard_errors
        How far is farther than chance, in standard errors of the difference of the means. The
        month drifts when one feature or residual is both; there may be a hundred of them, each
        night.
    """

    days: int = Field(ge=1, le=366)
    psi: float = Field(gt=0)
    ks: float = Field(gt=0, lt=1)
    bias_z: float = Field(gt=0)
    standard_errors: float = Field(gt=0)


class ExportConfig(_Strict):
    """What the package must keep.

    Attributes
    ----------
    tolerance
        By how much onnxruntime may differ from torch.
    """

    format: Literal["onnx"]
    tolerance: float = Field(gt=0, le=0.01)


class ModelConfig(_Strict):
    """What all models share.

    Attributes
    ----------
    version
        Version of the configuration; the model's version is this plus a hash of configuration
        and data.
    change_request
        Name of the request that asked for this configuration, where it differs from the one in
        use.
    statistics
        Columns of the window features that the model reads.
    metrics
        Metrics that are kept and shown; none named: all.
    gates
        Quality gates on the test split, by metric.
    """

    model: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    change_request: str | None = Field(None, min_length=1, max_length=100)
    seed: int = Field(ge=0)
    data: DataConfig
    statistics: tuple[Literal["mean", "slope_per_h", "std"], ...] = Field(min_length=1)
    split: SplitConfig
    architecture: Architecture
    training: TrainingConfig
    metrics: tuple[str, ...]
    gates: dict[str, GateLimit]
    export: ExportConfig

    @model_validator(mode="after")
    def _gates_can_hold(self) -> Self:
        for name, limit in self.gates.items():
            if self.metrics and name not in self.metrics:
                message = f"gate {name} is on a metric that `metrics` leaves out"
                raise ValueError(message)
            low = 0.0 if limit.min is None else limit.min
            high = 1.0 if limit.max is None else limit.max
            if name in _SHARES and not (0 <= low <= 1 and 0 <= high <= 1):
                message = f"gate {name} can never hold: the metric lies between 0 and 1"
                raise ValueError(message)
        return self

    @property
    def sha256(self) -> str:
        """Hash of the configuration's content."""
        return sha256_of(self.model_dump(mode="json"))

    @property
    def settings_sha256(self) -> str:
        """Hash of what a change request is asked for: all but the version and the request."""
        return settings_sha256(self.model_dump(mode="json"))


class DetectorConfig(ModelConfig):
    """The leak detector.

    Attributes
    ----------
    target_far
        False-alarm rate on the validation windows at which the threshold is set; below the
        gate, so that an unseen town has room.
    """

    model: Literal["leak_detector"]
    target_far: float = Field(gt=0, lt=1)
    costs: CostConfig
    euro_gate: EuroGate
    drift: DriftLimits


class PinpointerConfig(ModelConfig):
    """The leak pinpointer.

    Attributes
    ----------
    distance_scale_m
        Pipes at distance d from the leaking one get target weight exp(-d / scale).
    """

    model: Literal["leak_pinpointer"]
    distance_scale_m: float = Field(gt=0)


# A further kind of model is one class here, its network in a module, and its entry in `kinds`.
KINDS: dict[str, type[DetectorConfig | PinpointerConfig]] = {
    DETECTOR: DetectorConfig,
    PINPOINTER: PinpointerConfig,
}


def load_config(
    source: str | Path, folder: Path | None = None
) -> DetectorConfig | PinpointerConfig:
    """Read a model configuration.

    Parameters
    ----------
    source
        Path of a YAML file, or `leak_detector` / `leak_pinpointer` for the one of `folder`, or,
        where that has none, the packaged one.

    Raises
    ------
    InputError
        File absent, not YAML, unknown key or a value out of range; names the key, file and line.
    """
    if source in KINDS:
        own = None if folder is None else folder / f"{source}.yaml"
        path = own if own is not None and own.is_file() else CONFIG_DIR / f"{source}.yaml"
    else:
        path = Path(source)
    if not path.is_file():
        raise MissingInputError(
            "no such model configuration", remedy="Give a YAML file or a model name.", file=path
        )
    content, text = read_mapping(
        path, "model configuration", remedy="Write `key: value` lines, `model:` among them"
    )
    return parse_config(content, file=path, text=text)


def parse_config(
    content: dict[str, Any], *, file: Path | None = None, text: str = ""
) -> DetectorConfig | PinpointerConfig:
    """Return the typed configuration of a mapping; see `load_config` for the errors."""
    name = content.get("model")
    if name not in KINDS:
        raise InputError(
            f"key `model` is {name!r}",
            remedy=f"Use one of {', '.join(KINDS)}",
            file=file,
            row=line_of(("model",), text) if text else None,
        )
    return validated(
        KINDS[name], content, file=file, text=text, remedy="Give a value within its range"
    )


def settings_sha256(content: dict[str, Any]) -> str:
    """Return the hash of a configuration's mapping without what only tells of a change."""
    return sha256_of({key: value for key, value in content.items() if key not in _NOT_SETTINGS})


def sha256_of(content: Any) -> str:
    """Return the hash of JSON-ready content, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
