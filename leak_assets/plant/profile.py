"""Rule profiles of a treatment plant: limits and durations, by YAML.

Two come with the package; a plant's own stands in its site file. Reading and checking only, the
rules are in `rules`.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from leak_assets.errors import InputError
from leak_assets.sites.site import DescribedSite, Site
from leak_assets.system.strict_yaml import validated

UNITS = {"temperature": "°C", "pressure": "bar", "flow": "L/min"}
"""Parameters of a plant, and the unit of its limits and readings."""

DEFAULT_PROFILE = "wtf_strict"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Limits(_Strict):
    """Readings below `min` or above `max` are out of bounds; at a limit they are not."""

    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _have_an_inside(self) -> "Limits":
        if self.min is None and self.max is None:
            raise ValueError("neither `min` nor `max` is given")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min {self.min} must be below max {self.max}")
        return self


class RuleProfile(_Strict):
    """When a reading, a stretch of readings or a silence is an anomaly.

    Parameters
    ----------
    name
        What anomalies and previews call it.
    spike_thresholds
        Limits of a single reading, by parameter.
    drift_thresholds
        Limits that readings may pass for `drift_duration` seconds, by parameter.
    drift_duration
        Seconds; a stretch of exactly so long is no drift.
    dropout_s
        Seconds without any reading of a sensor; exactly so long is no dropout.
    """

    name: str
    spike_thresholds: dict[str, Limits]
    drift_thresholds: dict[str, Limits]
    drift_duration: float = Field(15.0, gt=0)
    dropout_s: float = Field(10.0, gt=0)

    @model_validator(mode="after")
    def _rules_agree(self) -> "RuleProfile":
        for block in ("spike_thresholds", "drift_thresholds"):
            if unknown := sorted(set(getattr(self, block)) - set(UNITS)):
                raise ValueError(f"{block}.{unknown[0]}: a parameter is one of {', '.join(UNITS)}")
        for parameter in self.spike_thresholds.keys() & self.drift_thresholds.keys():
            spike, drift = self.spike_thresholds[parameter], self.drift_thresholds[parameter]
            if _above(drift.max, spike.max) or _above(spike.min, drift.min):
                raise ValueError(f"{parameter}: the drift limits must lie inside the spike limits")
        return self

    @cached_property
    def sha256(self) -> str:
        """Hash of what the profile says; comments of its file do not change it."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


def packaged_profiles() -> tuple[str, ...]:
    """Return the sorted names of the profiles that the package brings."""
    folder = resources.files(__package__) / "profiles"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir()))


def load_profile(name: str) -> RuleProfile:
    """Return a packaged profile.

    Raises
    ------
    InputError
        Unknown name.
    """
    if name not in packaged_profiles():
        raise InputError(
            f"unknown rule profile {name!r}", remedy=f"Use one of {', '.join(packaged_profiles())}"
        )
    text = (resources.files(__package__) / "profiles" / f"{name}.yaml").read_text("utf-8")
    return parse_profile(yaml.safe_load(text), file=f"{name}.yaml")


def parse_profile(content: Any, *, file: object) -> RuleProfile:
    """Return the profile that a YAML mapping describes.

    Raises
    ------
    InputError
        Unknown, missing or wrong key; it is named.
    """
    if not isinstance(content, Mapping):
        raise InputError(
            "the rule profile is no mapping of keys to values",
            remedy=f"The keys are {', '.join(RuleProfile.model_fields)}",
            file=file,
        )
    return validated(RuleProfile, dict(content), file=file, remedy="Mend the value")


def check_details(details: Mapping[str, Any], *, file: object) -> None:
    """Refuse what a plant's site file says beyond its sensors where no rule could follow it.

    Raises
    ------
    InputError
        A key other than `profile`, an unknown profile's name, or one that cannot be used.
    """
    if unknown := sorted(set(details) - {"profile"}):
        raise InputError(
            f"key `details.{unknown[0]}` is unknown",
            remedy="Remove it; a plant's `details` have the key profile",
            file=file,
        )
    said = details.get("profile", DEFAULT_PROFILE)
    if isinstance(said, str):
        load_profile(said)
    else:
        parse_profile(said, file=file)


def profile_of(site: Site) -> RuleProfile:
    """Return the profile of a plant: `details.profile` of its file, a name or a whole profile.

    Raises
    ------
    InputError
        Unknown name, or a profile that cannot be used.
    """
    said = site.details.get("profile", DEFAULT_PROFILE) if isinstance(site, DescribedSite) else ""
    if isinstance(said, str):
        return load_profile(said or DEFAULT_PROFILE)
    return parse_profile(said, file=f"{site.name}.yaml")


def _above(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low > high
