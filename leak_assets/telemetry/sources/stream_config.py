"""How a stream is configured: one YAML file, or a URL; secrets come from the environment alone.

What the options of a driver mean is its own matter.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.strict_yaml import read_mapping, validated
from leak_assets.telemetry.readers.messages import FIELDS, Names, ValueField

from .spool import check_source_name

_HOLE = re.compile(r"\{(\w+)\}")
_IN_TOPIC = ("site", "sensor", "quantity", "unit")
_ENVIRONMENT = "Set LEAK_ASSETS_SOURCE_USERNAME and LEAK_ASSETS_SOURCE_PASSWORD in the environment"
# What people call a secret in a query, a file or an option, in small letters without `-` and `_`.
_SECRETS = frozenset(
    {"user", "username", "login", "password", "passwd", "passphrase", "pass", "pwd", "auth"}
    | {"authorization", "token", "accesstoken", "secret", "credentials", "apikey"}
)


class Value(BaseModel):
    """A field of a message that is a value itself.

    Parameters
    ----------
    sensor
        Where one message has several sensors.
    words
        Of values that are words (`home`, `away`): they become numbers by their place here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: str
    unit: str | None = None
    sensor: str | None = None
    words: tuple[str, ...] = ()

    @property
    def as_field(self) -> ValueField:
        """What the reader of messages takes."""
        words = {word.lower(): number for number, word in enumerate(self.words)}
        return ValueField(self.quantity, self.unit, self.sensor, words or None)


class StreamConfig(BaseModel):
    """One stream: where it is, how its messages are read, when a batch is closed.

    Parameters
    ----------
    name
        Value of the column `source` and folder of its spool.
    url
        `redis://`, `rediss://` (TLS), `mqtt://`, `mqtts://` (TLS), or a driver's own.
    topics
        Topic filters (MQTT), keys of streams or channels (Redis).
    topic
        What a topic says, as `dma/{site}/sensor/{sensor}`; of site, sensor, quantity, unit.
    site
        Network of all messages; otherwise the topic or the message names it.
    fields
        Field of the format to the source's name of it.
    values
        Fields that are values themselves, with quantity, unit and sensor.
    driver
        `package.module:Class` of a driver that is not installed as an entry point.
    batch_readings, batch_mib, batch_s
        A batch is closed when it has so many readings or bytes, or is so old.
    options
        Of the driver.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    url: str
    topics: tuple[str, ...] = Field(min_length=1)
    topic: str | None = None
    site: str | None = None
    fields: dict[str, str] = {}
    values: dict[str, Value] = {}
    driver: str | None = None
    batch_readings: int = Field(20_000, ge=1, le=1_000_000)
    batch_mib: float = Field(16.0, gt=0, le=1024)
    batch_s: float = Field(1.0, gt=0, le=3600)
    options: dict[str, Any] = {}

    username: str | None = Field(None, exclude=True)
    password: SecretStr | None = Field(None, exclude=True)

    @field_validator("name")
    @classmethod
    def _is_a_folder(cls, name: str) -> str:
        return check_source_name(name)

    @field_validator("url")
    @classmethod
    def _has_no_secret(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"the URL holds a user or a password. {_ENVIRONMENT}")
        if secret := _secret_among(
            key for key, _ in parse_qsl(parts.query, keep_blank_values=True)
        ):
            raise ValueError(f"the URL's query holds `{secret}`. {_ENVIRONMENT}")
        if not parts.scheme:
            raise ValueError(f"`{url}` is no URL. Write for example redis://localhost:6379")
        return url

    @field_validator("topic")
    @classmethod
    def _has_known_holes(cls, template: str | None) -> str | None:
        holes = _HOLE.findall(template or "")
        if unknown := [hole for hole in holes if hole not in _IN_TOPIC]:
            raise ValueError(f"`{{{unknown[0]}}}` is none of {', '.join(_IN_TOPIC)}")
        if len(holes) != len(set(holes)):
            raise ValueError(f"`{template}` says something twice")
        return template

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, fields: dict[str, str]) -> dict[str, str]:
        if unknown := [name for name in fields if name not in FIELDS]:
            raise ValueError(f"`{unknown[0]}` is none of {', '.join(FIELDS)}")
        return fields

    @property
    def names(self) -> Names:
        """How its fields are called."""
        return Names(self.fields, {name: value.as_field for name, value in self.values.items()})

    @property
    def scheme(self) -> str:
        """Which driver it needs."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Host of the broker."""
        return urlsplit(self.url).hostname or "localhost"

    def port(self, default: int) -> int:
        """Return the port of the broker."""
        return urlsplit(self.url).port or default

    def option(self, name: str, default: Any) -> Any:
        """Return an option of the driver.

        Raises
        ------
        InputError
            It is of another type than its default.
        """
        value = self.options.get(name, default)
        kind = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, kind) or isinstance(value, bool) != isinstance(default, bool):
            raise InputError(
                f"{self.name}: option {name} is {value!r}",
                remedy=f"Give a value such as {default!r}",
            )
        return value

    def check_options(self, known: tuple[str, ...]) -> None:
        """Refuse options that a driver does not know.

        Raises
        ------
        InputError
            An option is none of `known`.
        """
        if unknown := sorted(set(self.options) - set(known)):
            raise InputError(
                f"{self.name}: no option `{unknown[0]}`",
                remedy=f"Options of {self.scheme}: {', '.join(known)}",
            )


def topic_pattern(template: str) -> re.Pattern[str]:
    """Return the expression that takes what a topic says; a hole ends at the next `/`."""
    parts = _HOLE.split(template)
    made = [
        f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part).replace(r"\+", "[^/]+")
        for number, part in enumerate(parts)
    ]
    return re.compile("".join(made), re.DOTALL)


def load_stream(source: str, settings: Settings) -> StreamConfig:
    """Return the configuration of a stream from a YAML file, or from a URL.

    Parameters
    ----------
    source
        Path of a `.yaml` file, or a URL whose query has what the file would:
        `redis://localhost:6379?topics=telemetry&site=l-town`.
    settings
        Hold user and password.

    Raises
    ------
    InputError
        The file cannot be read, or a value cannot be used; key and file are named.
    """
    remedy = "docs/sources.md has an example"
    if "://" in source:
        # What was given may hold a password: messages do not repeat it.
        config = validated(StreamConfig, _from_url(source), file=None, remedy=remedy)
    else:
        path = Path(source)
        content, text = read_mapping(path, "source", remedy=remedy)
        options = content.get("options")
        if secret := _secret_among([*content, *(options if isinstance(options, dict) else ())]):
            raise InputError(f"`{secret}` stands in the file", remedy=_ENVIRONMENT, file=path)
        config = validated(StreamConfig, content, file=path, text=text, remedy=remedy)
    return config.model_copy(
        update={"username": settings.source_username, "password": settings.source_password}
    )


def _from_url(text: str) -> dict[str, Any]:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise InputError(f"the URL cannot be read: {error}", remedy="Correct it") from error
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    if secret := _secret_among(key for key, _ in pairs):
        raise InputError(f"the URL's query holds `{secret}`", remedy=_ENVIRONMENT)
    query = {key: value for key, value in pairs if value}
    topics = [t for t in query.pop("topics", "").split(",") if t]
    if parts.scheme.startswith("redis") and not topics:
        topics = ["telemetry"]
    known = set(StreamConfig.model_fields) - {"fields", "values", "options", "driver"}
    own = {key: value for key, value in query.items() if key in known}
    options = {key: _plain(value) for key, value in query.items() if key not in known}
    name = own.pop("name", re.sub(r"[^a-z0-9.-]+", "-", f"{parts.scheme}-{parts.hostname}"))
    url = parts._replace(query="").geturl()
    return {"name": name, "url": url, "topics": topics, "options": options, **own}


def _secret_among(names: Iterable[object]) -> str | None:
    """Return the first name that is one of a user, a password or a token."""
    plain = {str(name): re.sub("[-_]", "", str(name).lower()) for name in names}
    return next((name for name, word in plain.items() if word in _SECRETS), None)


def _plain(text: str) -> Any:
    return int(text) if text.isdecimal() else text
