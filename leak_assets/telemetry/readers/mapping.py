"""The mapping of a site's own exports: which tag is which sensor, in which unit and time zone.

Reading and checking `mapping.yaml` belong here; files are read by it in `mapped`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from leak_assets.errors import InputError
from leak_assets.sites.sensors import COUNTED, SensorLayout
from leak_assets.system.strict_yaml import line_of, read_mapping, validated
from leak_assets.units import QUANTITIES, unit_by_name, unit_choices

MAPPING_FILE = "mapping.yaml"
EPOCHS = {"unix_s": 1_000_000, "unix_ms": 1000}
_MOST_BYTES = 16 * 2**20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Tag(_Strict):
    """What a tag stands for.

    Parameters
    ----------
    sensor, quantity
        Of the site's layout.
    unit
        Unit of its values; a unit that stands beside a value in the file counts more. Without
        either, values are taken in the layout's unit and marked as undeclared.
    factor
        What a value is multiplied with to be in `unit` (counts of a logger, litres per pulse).
    """

    sensor: str
    quantity: str
    unit: str | None = None
    factor: float = Field(1.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _fits(self) -> "Tag":
        if self.quantity not in QUANTITIES:
            raise ValueError(f"quantity `{self.quantity}` is none of {', '.join(QUANTITIES)}")
        kinds = [self.quantity, *(["volume"] if self.quantity in COUNTED else [])]
        if self.unit is not None and not any(unit_by_name(kind, self.unit) for kind in kinds):
            choices = ", ".join(unit_choices(self.quantity))
            raise ValueError(f"unit `{self.unit}` of {self.quantity} is none of {choices}")
        if self.factor == 0:
            raise ValueError("a factor of 0 leaves nothing of a value")
        return self


class FileMapping(_Strict):
    """How files of one kind are laid out.

    Parameters
    ----------
    match
        Pattern of file names (`export_*.csv`), upper and lower case alike; the first that fits
        counts.
    layout
        `wide`: a column per tag; `long`: a value per line, its tag in the column `tag`.
    time
        Column of the time stamps, or several that make one (date and clock).
    time_format
        As of `strftime` (`%d.%m.%Y %H:%M`), `unix_s` or `unix_ms`; by default ISO 8601.
    timezone
        IANA zone of times that state no offset; by default the contract's.
    delimiter, decimal, skip_lines
        Of CSV files: sign between fields, decimal sign, lines above the header.
    tag, value, unit
        Columns of the long layout; `unit` may be missing.
    ignore
        Columns of the wide layout that are no tags.
    """

    match: str = "*"
    layout: Literal["wide", "long"]
    time: tuple[str, ...]
    time_format: str | None = None
    timezone: str | None = None
    delimiter: str = Field(",", min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    skip_lines: int = Field(0, ge=0, le=1000)
    tag: str | None = None
    value: str | None = None
    unit: str | None = None
    ignore: tuple[str, ...] = ()

    @field_validator("time", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> "FileMapping":
        if not self.time:
            raise ValueError("`time` names no column")
        if self.timezone is not None and self.timezone not in available_timezones():
            raise ValueError(f"timezone `{self.timezone}` is no IANA time zone")
        if self.delimiter in ('"', "\n", "\r") or not self.delimiter.isascii():
            raise ValueError(f"{self.delimiter!r} cannot stand between fields")
        if self.delimiter == self.decimal:
            raise ValueError("`delimiter` and `decimal` are the same sign")
        if self.layout == "long" and not (self.tag and self.value):
            raise ValueError("the long layout needs `tag` and `value`: its columns")
        if self.layout == "wide" and (self.tag or self.value or self.unit):
            raise ValueError("`tag`, `value` and `unit` belong to the long layout")
        if self.time_format is not None and self.time_format not in EPOCHS:
            _check_format(self.time_format)
        return self


class MappingContent(_Strict):
    """What a mapping file says: kinds of files, and the tags of all of them."""

    files: tuple[FileMapping, ...] = Field(min_length=1)
    tags: dict[str, Tag] = Field(min_length=1)


@dataclass(frozen=True, eq=False)
class SiteMapping:
    """A site's mapping, checked; `sha256` is of its content, without comments."""

    content: MappingContent
    sha256: str

    @classmethod
    def of(cls, content: MappingContent) -> "SiteMapping":
        """Return the mapping of a content."""
        text = json.dumps(content.model_dump(mode="json"), sort_keys=True)
        return cls(content, hashlib.sha256(text.encode()).hexdigest())

    @property
    def tags(self) -> Mapping[str, Tag]:
        """What each tag stands for."""
        return self.content.tags

    def file(self, name: str) -> FileMapping | None:
        """Return how a file of a name is laid out; None where the mapping does not say."""
        lower = name.lower()
        return next((f for f in self.content.files if fnmatchcase(lower, f.match.lower())), None)


def site_mapping(folder: Path, layout: SensorLayout) -> SiteMapping | None:
    """Return the mapping in a site's landing folder; None where there is none.

    Raises
    ------
    InputError
        As of `load_mapping`.
    """
    path = folder / MAPPING_FILE
    return None if path.is_symlink() or not path.is_file() else load_mapping(path, layout)


def load_mapping(path: Path, layout: SensorLayout) -> SiteMapping:
    """Read a mapping file and compare it with what the site measures.

    Raises
    ------
    InputError
        It cannot be read, is no YAML, has an unknown, doubled or wrong key, names a sensor that
        the layout does not have, or one sensor twice; file, line and remedy are told.
    """
    try:
        state = path.stat()
        return _loaded(path, state.st_mtime_ns, state.st_size, layout)
    except OSError as error:
        raise InputError(
            f"the mapping cannot be read ({error.strerror or error})",
            remedy="Check the file and its permissions",
            file=path,
        ) from error


@lru_cache(maxsize=64)
def _loaded(path: Path, _mtime_ns: int, size: int, layout: SensorLayout) -> SiteMapping:
    if size > _MOST_BYTES:
        raise InputError("the mapping is larger than 16 MiB", remedy="Shorten it", file=path)
    remedy = "Begin with `files:` and `tags:` (docs/sources.md has examples)"
    given, text = read_mapping(path, "mapping", remedy=remedy, as_text=True)
    remedy = "Mend the value; docs/sources.md has examples"
    content = validated(MappingContent, given, file=path, text=text, remedy=remedy)
    _check_sensors(content.tags, layout, text, path)
    return SiteMapping.of(content)


def _check_sensors(tags: Mapping[str, Tag], layout: SensorLayout, text: str, path: Path) -> None:
    known = {(s.quantity, s.sensor_id): s for s in layout.sensors}
    seen: dict[tuple[str, str], str] = {}
    for name, tag in tags.items():
        one = (tag.quantity, tag.sensor)
        if one not in known:
            some = ", ".join(layout.ids(tag.quantity)[:3]) or "none"
            raise InputError(
                f"tag `{name}`: `{tag.sensor}` is no {tag.quantity} sensor of {layout.network}",
                remedy=f"Name one of its sensors ({some}, …) or add it to the layout",
                file=path,
                row=line_of(("tags", name), text),
            )
        measured = known[one].delivered
        if tag.unit is not None and unit_by_name(measured, tag.unit) is None:
            counter = "is" if measured != tag.quantity else "is not"
            raise InputError(
                f"tag `{name}`: `{tag.unit}` is no unit of {measured}; its sensor {counter}"
                " a counter in the layout",
                remedy=f"Write one of {', '.join(unit_choices(measured))}, or change the layout",
                file=path,
                row=line_of(("tags", name), text),
            )
        if one in seen:
            raise InputError(
                f"tags `{seen[one]}` and `{name}` stand for the same sensor {'/'.join(one)}",
                remedy="Keep one of them: two values of one instant cannot be told apart",
                file=path,
                row=line_of(("tags", name), text),
            )
        seen[one] = name


def _check_format(time_format: str) -> None:
    """Refuse a format that does not give a day back: the parser takes any text and finds none."""
    sample = pl.Series([datetime(2019, 11, 28, 23, 55, tzinfo=UTC).strftime(time_format)])
    try:
        found = clock_by_format(sample, time_format).item()
    except pl.exceptions.PolarsError:
        found = None
    if found is None or (found.year, found.month, found.day) != (2019, 11, 28):
        raise ValueError(
            f"time_format `{time_format}` has no year, month and day that can be read again"
        )


def clock_by_format(text: pl.Series, time_format: str) -> pl.Series:
    """Return times read from text, with a zone where the format has an offset; null where none."""
    zone = "UTC" if has_offset(time_format) else None
    # `%z` alone takes no `Z` and no `+01`.
    given = time_format.replace("%z", "%#z")
    return text.str.to_datetime(given, time_unit="us", time_zone=zone, strict=False)


def has_offset(time_format: str) -> bool:
    """Whether times of a format state their offset."""
    return any(sign in time_format for sign in ("%z", "%:z", "%#z", "%+"))
