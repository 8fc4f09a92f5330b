"""What a training was asked for: the configurations of its models, each read once.

Which data they learn from is `batches`' matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.pipeline.work import Work
from leak_assets.settings import Settings
from leak_assets.warehouse.contract import contract_of

from .config import MODELS, DetectorConfig, ModelConfig, PinpointerConfig, load_config


@dataclass(frozen=True)
class TrainingPlan:
    """The models to train, by name.

    Parameters
    ----------
    configs
        Configuration of each.
    """

    configs: Mapping[str, DetectorConfig | PinpointerConfig]

    @classmethod
    def of(
        cls, settings: Settings, config: Path | None = None, version: str | None = None
    ) -> "TrainingPlan":
        """Return the plan of a home.

        Parameters
        ----------
        config
            A file of one model, which alone is then trained; by default all models with the
            home's configurations, or the packaged ones.
        version
            Takes the place of the configurations' own.

        Raises
        ------
        InputError
            A configuration cannot be used, or was made for another contract.
        """
        if config is None:
            found = [load_config(name, settings.configs_dir) for name in MODELS]
        else:
            found = [load_config(config)]
        if version is not None:
            found = [_with_version(one, version) for one in found]
        for one in found:
            check_contract(one)
        return cls({one.model: one for one in found})

    @classmethod
    def for_work(cls, work: Work) -> "TrainingPlan":
        """Return the plan that a step was given, or the home's."""
        return work.plan if isinstance(work.plan, cls) else cls.of(work.settings)


def check_contract(config: ModelConfig) -> None:
    """Refuse a configuration that was made for another contract of what it learns from.

    Raises
    ------
    InputError
        Names both versions.
    """
    contract = contract_of(config.data.source)
    now = contract.version if contract is not None else "none"
    if config.data.contract != now:
        raise InputError(
            f"the configuration is for contract {config.data.contract} of {config.data.source},"
            f" which has {now} now",
            remedy="Look at what changed, then set `data.contract` (and a `change_request`)",
        )


def _with_version(
    config: DetectorConfig | PinpointerConfig, version: str
) -> DetectorConfig | PinpointerConfig:
    try:
        return type(config).model_validate(config.model_dump() | {"version": version})
    except ValueError as error:
        raise InputError(
            f"{version!r} is no version", remedy="Write three numbers, e.g. 1.0.0"
        ) from error
