"""Sites that a YAML file describes: metered zones without a model, plants, households.

Reading, checking and keeping the file belong here. What a kind says beyond its sensors stands in
`details`, which the room of that kind reads.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.clock import is_timezone
from leak_assets.system.files import publish
from leak_assets.system.strict_yaml import read_mapping, validated
from leak_assets.units import QUANTITIES, unit_choices

from .registry import LONGEST_NAME, packaged_names, registered_names, slug
from .sensors import DEFAULT_UNIT, Sensor, SensorLayout, counter_of

DescribedKind = Literal["zones", "plant", "household", "meters"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SensorGroup(_Strict):
    """Sensors of one quantity that are delivered in one unit.

    With `counter` they deliver registers of volume in `unit`, which begin again at zero after so
    many of it.
    """

    quantity: str
    unit: str = ""
    counter: float | None = Field(None, allow_inf_nan=False)
    ids: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unit_fits(self) -> "SensorGroup":
        if self.quantity not in QUANTITIES:
            raise ValueError(f"quantity `{self.quantity}` is none of {', '.join(QUANTITIES)}")
        if self.counter is not None:
            counter_of(self.quantity, self._unit, self.counter)
        elif self.unit and self.unit not in unit_choices(self.quantity):
            choices = ", ".join(unit_choices(self.quantity))
            raise ValueError(f"unit `{self.unit}` of {self.quantity} is none of {choices}")
        return self

    def sensors(self) -> list[Sensor]:
        """Return the sensors; without a model an element is a measuring point."""
        counter = counter_of(self.quantity, self._unit, self.counter)
        return [Sensor(name, self.quantity, "point", self._unit, counter) for name in self.ids]

    @property
    def _unit(self) -> str:
        return self.unit or DEFAULT_UNIT[self.quantity if self.counter is None else "volume"]


class SiteDescription(_Strict):
    """The content of a site's file.

    Parameters
    ----------
    name
        Unique over all kinds; landing folder and partition key.
    kind
        `zones` (district metered areas with meters only), `plant`, `household`, or `meters` (the
        smart meters of many homes, a sensor each).
    title
        Name for people.
    timezone
        IANA zone of local days and nights, and of delivered times that state no offset.
    country
        ISO 3166 code with an optional subdivision (`DE`, `DE-BY`), for holidays; empty: none.
    cadence_s
        Seconds between two readings of a sensor; must divide a day.
    sensors
        Groups of sensors.
    details
        What the kind says beyond that.
    """

    name: str = Field(max_length=LONGEST_NAME)
    kind: DescribedKind
    title: str = ""
    timezone: str = "UTC"
    country: str = ""
    cadence_s: int = Field(300, gt=0)
    sensors: tuple[SensorGroup, ...] = Field(min_length=1)
    details: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _is_a_slug(cls, name: str) -> str:
        if not name or slug(name) != name:
            raise ValueError(f"`{name}` must be lower-case letters, digits and single hyphens")
        return name

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, timezone: str) -> str:
        if not is_timezone(timezone):
            raise ValueError(f"`{timezone}` is no IANA time zone")
        return timezone

    @model_validator(mode="after")
    def _fits(self) -> "SiteDescription":
        if 86_400 % self.cadence_s:
            raise ValueError(f"cadence_s {self.cadence_s} does not divide a day")
        columns = [sensor.column for group in self.sensors for sensor in group.sensors()]
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            raise ValueError(f"sensor `{twice[0]}` is given twice")
        return self

    def layout(self) -> SensorLayout:
        """Return all sensors, in the order of the file."""
        return SensorLayout(self.name, tuple(s for group in self.sensors for s in group.sensors()))


@dataclass(frozen=True)
class Described:
    """A description and the hash of what it says."""

    description: SiteDescription
    sha256: str


def described_names(settings: Settings) -> tuple[str, ...]:
    """Return the sorted names of the sites that were registered by a file."""
    return tuple(sorted(path.stem for path in settings.sites_dir.glob("*.yaml")))


def described_site(name: str, settings: Settings) -> Described | None:
    """Return the registered description of a name, or None where there is none.

    Raises
    ------
    InputError
        Its file was changed into one that cannot be used.
    """
    # A name is part of a path: nothing but a slug is looked up.
    path = settings.sites_dir / f"{slug(name)}.yaml"
    return read_description(path) if path.is_file() else None


def register_site(path: Path, settings: Settings) -> Described:
    """Check a site's file and keep a copy; a site of the same name is replaced by it.

    Raises
    ------
    InputError
        The file cannot be used, or a network has its name.
    """
    found = read_description(path)
    name = found.description.name
    if name in {*packaged_names(), *registered_names(settings)}:
        raise InputError(
            f"the name {name!r} belongs to a network model",
            remedy="Choose another name",
            file=path,
            column="name",
        )
    own = settings.sites_dir / f"{name}.yaml"
    if own.is_file() and (before := read_description(own).description.kind) != (
        found.description.kind
    ):
        raise InputError(
            f"the name {name!r} belongs to a site of kind {before}",
            remedy="Choose another name",
            file=path,
            column="name",
        )
    publish(own, path.read_bytes())
    return found


def read_description(path: Path) -> Described:
    """Read a site's file.

    Raises
    ------
    InputError
        It is missing, no YAML mapping, or has an unknown, missing or wrong key; file, line and key
        are named.
    """
    keys = ", ".join(SiteDescription.model_fields)
    content, text = read_mapping(path, "site", remedy=f"The keys are {keys}")
    description = validated(SiteDescription, content, file=path, text=text, remedy="Mend the value")
    said = yaml.safe_dump(content, sort_keys=True)
    return Described(description, hashlib.sha256(said.encode()).hexdigest())
