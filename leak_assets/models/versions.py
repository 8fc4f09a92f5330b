"""The name of a model version: everything that makes a model, in one hash."""

from collections.abc import Mapping

from leak_assets.pipeline.code import code_version
from leak_assets.sites.provenance import Provenance

from .config import ModelConfig, sha256_of

# Light: whoever asks for a version does not load what trains it.
_TRAINING = "leak_assets.models.training"


def training_code_version() -> str:
    """Return the hash of the modules that train a model."""
    return code_version(_TRAINING)


def model_version(
    config: ModelConfig,
    data_versions: Mapping[str, str],
    provenance: Provenance | None = None,
    *,
    code: str | None = None,
) -> str:
    """Return `<configuration version>-<8 digits of a hash>`.

    The hash is over everything that makes a model: configuration, data, network and code. What
    differs in one of them can never take the name of a model in use.

    Parameters
    ----------
    code
        Version of the training code; default: that of the present one.
    """
    content = {
        "code": code or training_code_version(),
        "config": config.sha256,
        "data": dict(data_versions),
        "network": provenance.hashes() if provenance else {},
    }
    return f"{config.version}-{sha256_of(content)[:8]}"
