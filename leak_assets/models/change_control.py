"""A changed configuration needs a change request: what counts as changed, and against what."""

from collections.abc import Mapping
from typing import Any

from .config import ModelConfig, load_config, settings_sha256


def change_failure(config: ModelConfig, in_use: Mapping[str, Any] | None) -> str | None:
    """Return in one line why a configuration may not go into use, or None.

    Parameters
    ----------
    in_use
        Configuration of the model in use; None: there is none.

    Notes
    -----
    Agreed on are the packaged configuration and the one in use. The request is named anew with
    each change: that of an older change does not cover it.
    """
    agreed = {load_config(config.model).settings_sha256}
    former = None
    if in_use is not None:
        agreed.add(settings_sha256(dict(in_use)))
        former = in_use.get("change_request")
    if config.settings_sha256 in agreed:
        return None
    if config.change_request is None:
        return (
            "gate change_request failed: the configuration differs from the one agreed on, and"
            " names no change request"
        )
    if config.change_request == former:
        return (
            f"gate change_request failed: {former} asked for the configuration in use, not for this"
            " one"
        )
    return None
