"""Configuration of the models: one YAML file per model, every key typed.

Types, ranges and reading belong here; defaults that a user should see stand in `configs/`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leak_assets.errors import InputError, MissingInputError

CONFIG_DIR = Path(__file__).parent / "configs"
DETECTOR, PINPOINTER = "leak_detector", "leak_pinpointer"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    """Shares of the groups held out; the rest is trained on."""

    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)


class GateLimit(_Strict):
    """Limit of one metric: at least `min`, or at most `max`."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.min is None) == (self.max is None):
            message = "give either `min` or `max`"
            raise ValueError(message)
        return self


class ModelConfig(_Strict):
    """What both models share.

    Attributes
    ----------
    version
        Version of the configuration; the model's version is this plus a hash of configuration
        and data.
    statistics
        Columns of the window features that the model reads.
    gates
        Quality gates on the test split, by metric.
    """

    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    seed: int = Field(ge=0)
    statistics: tuple[Literal["mean", "slope_per_h", "std"], ...] = Field(min_length=1)
    split: SplitConfig
    architecture: Architecture
    training: TrainingConfig
    gates: dict[str, GateLimit]

    @property
    def sha256(self) -> str:
        """Hash of the configuration's content."""
        return sha256_of(self.model_dump(mode="json"))


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


class PinpointerConfig(ModelConfig):
    """The leak pinpointer.

    Attributes
    ----------
    distance_scale_m
        Pipes at distance d from the leaking one get target weight exp(-d / scale).
    """

    model: Literal["leak_pinpointer"]
    distance_scale_m: float = Field(gt=0)


def load_config(source: str | Path) -> DetectorConfig | PinpointerConfig:
    """Read a model configuration.

    Parameters
    ----------
    source
        Path of a YAML file, or `leak_detector` / `leak_pinpointer` for the packaged one.

    Raises
    ------
    InputError
        File absent, not YAML, unknown key or a value out of range; names the key and the file.
    """
    path = CONFIG_DIR / f"{source}.yaml" if source in (DETECTOR, PINPOINTER) else Path(source)
    if not path.is_file():
        raise MissingInputError(
            "no such model configuration", remedy="Give a YAML file or a model name.", file=path
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise InputError(f"not YAML: {line}", remedy="Mend the file.", file=path) from error
    return parse_config(content, file=path)


def parse_config(content: Any, *, file: Path | None = None) -> DetectorConfig | PinpointerConfig:
    """Return the typed configuration of a mapping; see `load_config` for the errors."""
    kinds: dict[str, type[DetectorConfig | PinpointerConfig]] = {
        DETECTOR: DetectorConfig,
        PINPOINTER: PinpointerConfig,
    }
    name = content.get("model") if isinstance(content, dict) else None
    if name not in kinds:
        message = f"key `model` is {name!r}"
        raise InputError(message, remedy=f"Use one of {', '.join(kinds)}.", file=file)
    try:
        return kinds[name].model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        problem = f"unknown key `{key}`" if unknown else f"key `{key}`: {first['msg']}"
        remedy = "Remove or rename it." if unknown else f"Found {first['input']!r}."
        raise InputError(problem, remedy=remedy, file=file) from error


def sha256_of(content: Any) -> str:
    """Return the hash of JSON-ready content, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
