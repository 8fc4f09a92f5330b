"""Which network models there are: packaged ones by name, a user's own `.inp` by path.

Models stay where they are installed (L-Town and Hanoi are EUPL and never copied into this
repository); only a user's own file is copied, into `Settings.networks_dir`, and only when it is
registered: asking for a network writes nothing. Nothing here writes a model back, and neither
wntr nor epyt is imported to list or resolve names.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.clock import is_timezone
from leak_assets.system.files import publish
from leak_assets.system.strict_yaml import read_mapping

from .model_file import check_text, model_bytes, read_model
from .sensors import SensorLayout

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONDAY = date(2018, 1, 1)
# One whole week, so that every weekday of a town's true demand pattern has its say.
REFERENCE_DAYS = 7
# Channels are half-hours: each needs a reading.
_SLOWEST_S = 1800
# A name is part of the names of files and folders, with a date and a draft's suffix beside it.
LONGEST_NAME = 100
# Where wheels keep their models; the first one that has a name wins.
_PACKAGED = (("wntr", "library/networks"), ("epyt", "networks"))


@dataclass(frozen=True)
class Network:
    """A network model by name.

    Parameters
    ----------
    name
        Lower-case slug, e.g. `l-town`; the value of the column `network`.
    title
        Name for people.
    inp_path
        The EPANET file. It is only read.
    sha256
        Content hash of the file.
    reference_first_days, reference_days
        Days without leaks in the delivered telemetry that calibrate the twin: first day of each
        reference period, oldest first (empty: the first days of the telemetry serve), and how
        many complete days a period has.
    pattern_first_weekday
        Weekday (0 is Monday) of index 0 of the model's time patterns.
    settings_path
        The user's YAML beside the registered model (sensors, title, reference days), or None.
    is_registered
        Packaged or registered, so that its name stands for this model everywhere. False for a
        file that was given by path and is known to this run only.
    timezone, country
        IANA zone of its local days and nights, and ISO 3166 code for holidays. Delivered times
        without offset are UTC all the same.
    cadence_s
        Seconds between two readings; None for the contract's. Half an hour at most: slower
        loggers leave half-hours without a reading.
    """

    name: str
    title: str
    inp_path: Path
    sha256: str
    reference_first_days: tuple[date, ...] = ()
    reference_days: int = REFERENCE_DAYS
    pattern_first_weekday: int = 0
    settings_path: Path | None = None
    is_registered: bool = True
    timezone: str = "UTC"
    country: str = ""
    cadence_s: int | None = None

    @property
    def pattern_epoch(self) -> date:
        """A day on which the model's time patterns start at index 0."""
        return _MONDAY + timedelta(days=self.pattern_first_weekday)

    def water_network(self) -> Any:
        """Return a fresh `wntr.network.WaterNetworkModel`; changes to it stay in memory.

        Raises
        ------
        InputError
            The file is missing or cannot be read.
        """
        return read_model(self.inp_path)

    def shared_model(self) -> Any:
        """Return the model for reading: the same object for all, which nobody may change.

        Reading L-Town's file takes as long as a simulated day of it.
        """
        return _shared_model(self.inp_path, self.sha256)


@lru_cache(maxsize=4)
def _shared_model(path: Path, sha256: str) -> Any:
    """Return the model of a file; `sha256` keys the cache."""
    return read_model(path)


def slug(text: str) -> str:
    """Return the lower-case name of a network: `L-TOWN` gives `l-town`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def packaged_names() -> tuple[str, ...]:
    """Return the sorted names of all models that installed packages bring."""
    return tuple(sorted(_packaged_paths()))


def registered_names(settings: Settings) -> tuple[str, ...]:
    """Return the sorted names of the models that the user registered."""
    return tuple(sorted(path.stem for path in settings.networks_dir.glob("*.inp")))


def is_path(text: str) -> bool:
    """Whether what was given for a network is the path of its model."""
    return text.lower().endswith(".inp") or os.sep in text


def resolve(name_or_path: str | Path, settings: Settings) -> Network:
    """Return the network of a name, or of the path of an `.inp` file; nothing is written.

    A file with the content of a packaged or registered model is that network. Any other is a
    network of this run only, with a name that none of those has.

    Raises
    ------
    InputError
        Unknown name (with close matches), missing or unreadable file.
    """
    text = str(name_or_path)
    if is_path(text):
        return _in_place(Path(text), settings)
    name = slug(text)
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"a network name of {len(name)} letters", remedy="`leak-assets networks list` names all"
        )
    if (own := settings.networks_dir / f"{name}.inp").is_file():
        return _build(name, own, settings)
    if (packaged := _packaged_paths().get(name)) is not None:
        return _build(name, packaged, settings)
    known = sorted({*packaged_names(), *registered_names(settings)})
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"Did you mean {', '.join(close)}? " if close else ""
    raise InputError(
        f"unknown network {text!r}",
        remedy=f"{hint}`leak-assets networks list` names them; a path to an .inp file works too",
    )


def resolve_registered(name_or_path: str | Path, settings: Settings) -> Network:
    """Return a network that is packaged or registered: only such ones have tables.

    Raises
    ------
    InputError
        As `resolve`, or a file that is not registered as it is.
    """
    network = resolve(name_or_path, settings)
    if not network.is_registered:
        raise InputError(
            "the network model is not registered, or changed since",
            remedy=f"Register it: leak-assets networks register {name_or_path}",
            file=name_or_path,
        )
    return network


def _in_place(path: Path, settings: Settings) -> Network:
    """Return the network of a file where it lies."""
    path = _absolute(path)
    check_text(path)
    digest = _sha256(path)
    wanted = slug(path.stem)[:LONGEST_NAME] or "network"
    known = _packaged_paths() | {
        name: settings.networks_dir / f"{name}.inp" for name in registered_names(settings)
    }
    # Its own name first: some packages bring one model under two names.
    for name in sorted(known, key=lambda name: (name != wanted, name)):
        if _sha256(known[name]) == digest:
            return _build(name, known[name], settings)
    _shared_model(path, digest)
    return Network(
        name=f"{wanted}-{digest[:6]}" if wanted in known else wanted,
        title=path.stem,
        inp_path=path,
        sha256=digest,
        is_registered=False,
    )


def register(
    path: Path,
    settings: Settings,
    *,
    name: str | None = None,
    title: str | None = None,
    reference_first_day: date | None = None,
    reference_days: int | None = None,
    pattern_first_weekday: str | None = None,
    timezone: str | None = None,
    country: str | None = None,
    cadence_s: int | None = None,
    layout: SensorLayout | None = None,
) -> Network:
    """Register a user's model: check it, copy it to `networks_dir` and write its YAML.

    A file with the same content as a packaged model is that model: it is not copied, the options
    are written beside where its copy would be. A file whose name another
    model has taken gets the beginning of its hash appended, so that no results are mixed; the
    same file registered again after an edit replaces its copy.

    Parameters
    ----------
    path
        The user's `.inp` file.
    name
        Name to give it; by default made from the file name.
    title, reference_days, pattern_first_weekday, timezone, country, cadence_s
        Written to the YAML; None keeps what it says, or the default.
    reference_first_day
        Added to those in the YAML: days before the new period keep the reference they had.
    layout
        Its sensors are written to the YAML; None keeps those it has.

    Raises
    ------
    InputError
        Missing or unreadable file, or a given name that is taken.
    """
    path = _absolute(path)
    check_text(path)
    digest = _sha256(path)
    if name is not None and not slug(name):
        raise InputError(
            f"the name {name!r} has neither letters nor digits",
            remedy="Choose another name",
            file=path,
        )
    wanted = slug(name or path.stem) or "network"
    if len(wanted) > LONGEST_NAME:
        raise InputError(
            f"the name has {len(wanted)} letters",
            remedy=f"Give one of up to {LONGEST_NAME} with --name",
            file=path,
        )
    given = {
        "title": title,
        "reference_days": reference_days,
        "pattern_first_weekday": pattern_first_weekday,
        "timezone": timezone,
        "country": country,
        "cadence_s": cadence_s,
        "sensors": None if layout is None else _groups(layout),
    }
    given = {key: value for key, value in given.items() if value is not None}
    packaged = _packaged_paths().get(wanted)
    if packaged is not None and _sha256(packaged) == digest:
        if given or reference_first_day is not None:
            _write_options(settings.networks_dir / f"{wanted}.yaml", given, reference_first_day)
        return _build(wanted, packaged, settings)
    read_model(path)
    if packaged is not None or _is_taken(wanted, path, digest, settings):
        if name is not None:
            raise InputError(
                f"the name {wanted!r} belongs to another network model",
                remedy="Choose another name",
                file=path,
            )
        wanted = f"{wanted}-{digest[:6]}"
    target = settings.networks_dir / f"{wanted}.inp"
    publish(target, model_bytes(path))
    _write_options(
        target.with_suffix(".yaml"),
        {"source": str(path)} | given,
        reference_first_day,
        defaults={
            "title": path.stem,
            "reference_days": REFERENCE_DAYS,
            "pattern_first_weekday": "monday",
        },
    )
    return _build(wanted, target, settings)


def adopt(network: Network, layout: SensorLayout, settings: Settings) -> None:
    """Register a network as it is in another home, with the sensors of a layout.

    Parameters
    ----------
    settings
        Of the home that gets it.
    """
    own = settings.networks_dir / f"{network.name}.inp"
    if packaged_path(network.name) != network.inp_path:
        publish(own, model_bytes(network.inp_path))
    cadence = {} if network.cadence_s is None else {"cadence_s": network.cadence_s}
    options = cadence | {
        "title": network.title,
        "reference_days": network.reference_days,
        "pattern_first_weekday": WEEKDAYS[network.pattern_first_weekday],
        "sensors": _groups(layout),
    }
    publish(own.with_suffix(".yaml"), yaml.safe_dump(options, sort_keys=True).encode())


def _groups(layout: SensorLayout) -> list[dict[str, Any]]:
    """Return the sensors of a layout as a network's YAML has them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for sensor in layout.sensors:
        groups.setdefault((sensor.quantity, sensor.unit), []).append(sensor.sensor_id)
    return [
        {"quantity": quantity, "unit": unit, "ids": ids} for (quantity, unit), ids in groups.items()
    ]


def packaged_path(name: str) -> Path | None:
    """Return the model file that an installed package brings, if there is one of the name."""
    return _packaged_paths().get(name)


def source_of(network: Network) -> str:
    """Return what to register to change a network's settings: its file, or a packaged name."""
    if network.inp_path == packaged_path(network.name):
        return network.name
    options = {} if network.settings_path is None else read_settings(network.settings_path)
    return str(options.get("source", network.inp_path))


def _write_options(
    file: Path,
    given: Mapping[str, Any],
    reference_first_day: date | None,
    *,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write given options over those in a network's YAML, and these over defaults."""
    options = {**defaults, **read_settings(file), **given}
    if reference_first_day is not None:
        options["reference_first_day"] = sorted({*_first_days(options, file), reference_first_day})
    _options(options, file)
    publish(file, yaml.safe_dump(options, sort_keys=True).encode())


def _is_taken(name: str, path: Path, digest: str, settings: Settings) -> bool:
    """Say whether another file is registered under the name."""
    own = settings.networks_dir / f"{name}.inp"
    if not own.is_file() or own.resolve() == path or _sha256(own) == digest:
        return False
    return read_settings(own.with_suffix(".yaml")).get("source") != str(path)


def _build(name: str, path: Path, settings: Settings) -> Network:
    own = settings.networks_dir / f"{name}.yaml"
    options = _known().get(name, {}) | read_settings(own)
    return Network(
        name=name,
        inp_path=path,
        sha256=_sha256(path),
        settings_path=own if own.is_file() else None,
        **_options(options, own),
    )


@lru_cache(maxsize=1)
def _known() -> dict[str, dict[str, Any]]:
    """Return what is known of packaged networks."""
    known: dict[str, dict[str, Any]] = yaml.safe_load(
        (resources.files(__package__) / "known.yaml").read_text("utf-8")
    )
    return known


def _options(options: dict[str, Any], file: Path) -> dict[str, Any]:
    """Check the values of a network's YAML and return them as fields of `Network`."""
    weekday = str(options.get("pattern_first_weekday", "monday")).lower()
    if weekday not in WEEKDAYS:
        raise InputError(
            f"{weekday!r} is not a weekday",
            remedy=f"Use one of {', '.join(WEEKDAYS)}",
            file=file,
            column="pattern_first_weekday",
        )
    days = options.get("reference_days", REFERENCE_DAYS)
    if not isinstance(days, int) or days < 1:
        raise InputError(
            f"{days!r} is not a number of days",
            remedy="Use a whole number from 1",
            file=file,
            column="reference_days",
        )
    timezone = str(options.get("timezone", "UTC"))
    if not is_timezone(timezone):
        raise InputError(
            f"{timezone!r} is no time zone",
            remedy="Use an IANA name, e.g. Europe/Rome",
            file=file,
            column="timezone",
        )
    cadence_s = options.get("cadence_s")
    if cadence_s is not None and (
        not isinstance(cadence_s, int) or cadence_s < 1 or _SLOWEST_S % cadence_s
    ):
        raise InputError(
            f"{cadence_s!r} is no number of seconds that divides half an hour",
            remedy="Use the seconds between two readings, e.g. 900",
            file=file,
            column="cadence_s",
        )
    return {
        "cadence_s": cadence_s,
        "timezone": timezone,
        "country": str(options.get("country", "")),
        "title": str(options.get("title", file.stem)),
        "reference_first_days": _first_days(options, file),
        "reference_days": days,
        "pattern_first_weekday": WEEKDAYS.index(weekday),
    }


def _first_days(options: dict[str, Any], file: Path) -> tuple[date, ...]:
    """Return the first days of all reference periods: the YAML has one date, a list or none."""
    given = options.get("reference_first_day")
    days = given if isinstance(given, list) else [] if given is None else [given]
    for day in days:
        if not isinstance(day, date) or isinstance(day, datetime):
            raise InputError(
                f"{day!r} is not a date",
                remedy="Write it as 2019-01-31, several as [2019-01-01, 2019-01-31]",
                file=file,
                column="reference_first_day",
            )
    return tuple(sorted(set(days)))


def read_settings(path: Path) -> dict[str, Any]:
    """Return what the YAML beside a registered model says; nothing where there is none.

    Raises
    ------
    InputError
        It is no YAML, or no mapping.
    """
    if not path.is_file():
        return {}
    if not path.read_bytes().strip():
        return {}
    return read_mapping(path, "network settings file", remedy="Write `key: value` lines")[0]


def _absolute(path: Path) -> Path:
    """Return a path that means the same from every folder.

    Raises
    ------
    InputError
        A home that is not known, or links that lead in a circle.
    """
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"the path cannot be followed: {error}", remedy="Check the path", file=path
        ) from error


def _sha256(path: Path) -> str:
    """Return the content hash of a model file; a byte order mark does not count."""
    return hashlib.sha256(model_bytes(path)).hexdigest()


@lru_cache(maxsize=1)
def _packaged_paths() -> dict[str, Path]:
    """Find the model files inside installed wheels without importing the packages."""
    found: dict[str, Path] = {}
    for package, folder in _PACKAGED:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        for path in sorted(Path(spec.origin).parent.joinpath(folder).rglob("*.inp")):
            found.setdefault(slug(path.stem), path)
    return found
