"""Messages of streams to readings: one small JSON format, and what can be wrong with it.

Whatever the bytes are, the result is rows; nothing here raises for them. Which sensors exist and
which values are possible is judged when a batch is taken (`spooled`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from .problems import RAW_TEXT_LIMIT, shown
from .spooled import SPOOLED
from .times import TimeRange, parse_times

# A gateway's snapshot of a thousand tags has 100 kB.
MOST_BYTES = 2**20
MOST_ITEMS = 10_000
_LONGEST_NUMBER = 100
_INT64 = 2**63
# Epoch seconds reach this in the year 5138, milliseconds had passed it in March 1973.
_FIRST_MILLISECONDS = 1e11
FIELDS = ("site", "sensor", "quantity", "value", "unit", "ts", "seq")


class _Number(str):
    """A number as it was written; JSON's own readers lose that."""

    __slots__ = ()


@dataclass(frozen=True)
class Message:
    """One message as a stream hands it out.

    Parameters
    ----------
    topic
        Topic, channel or key that it came by.
    identity
        The same when the message comes again, another for every other message.
    payload
        Its bytes; of a message of more than `MOST_BYTES` the beginning is enough.
    token
        What the stream needs to acknowledge it.
    size_bytes
        Size of the whole payload where it was cut.
    """

    topic: str
    identity: str
    payload: bytes
    token: Any = None
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """What tables call it: `<topic>@<identity>`."""
        return f"{clean(self.topic)[:120]}@{self.identity}"


@dataclass(frozen=True)
class Unusable:
    """What is wrong with a message, or one of its readings."""

    reason: str
    problem: str
    remedy: str
    text: str = ""
    field: str = ""
    item: int = 0


@dataclass(frozen=True)
class Reading:
    """One reading as it was written; None where the message does not say it.

    `item` counts the readings of its message from 1.
    """

    item: int
    sensor: str
    quantity: str | None
    unit: str | None
    ts: str
    is_epoch: bool
    value: str
    sequence: int | None


@dataclass(frozen=True)
class ValueField:
    """What a field is that is a value itself.

    Parameters
    ----------
    quantity, unit, sensor
        Of the reading; None where the message or the layout says it.
    words
        Of values that are words: the number that stands for each, in small letters.
    """

    quantity: str
    unit: str | None = None
    sensor: str | None = None
    words: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Names:
    """How a source calls the fields of its messages.

    Parameters
    ----------
    fields
        Field of the format to the source's name of it, where they differ.
    values
        Fields that are values themselves: one object holds several readings then.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, ValueField] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return the source's name of a field."""
        return self.fields.get(name, name)


def decode(message: Message) -> Any | Unusable:
    """Return the JSON document of a message, numbers as they were written."""
    size = message.size_bytes or len(message.payload)
    start = message.payload[:RAW_TEXT_LIMIT].decode("utf-8", "backslashreplace")
    if size > MOST_BYTES:
        return Unusable(
            "too_large",
            f"a message of {size:,} bytes",
            f"Send at most {MOST_BYTES:,} bytes in one message",
            start,
        )
    try:
        text = message.payload.decode("utf-8")
    except UnicodeDecodeError as error:
        return Unusable(
            "not_utf8", f"the message is not UTF-8 (byte {error.start})", "Send JSON", start
        )
    try:
        return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    except json.JSONDecodeError as error:
        return Unusable(
            "malformed_json",
            f"the message is no JSON: {error.msg} at character {error.pos}",
            "Send an object, or a list of objects",
            start,
        )
    except RecursionError:
        return Unusable(
            "malformed_json",
            "the message is nested too deep",
            "Send an object, or a list of objects",
            start,
        )


def site_named(document: Any, names: Names) -> str | None:
    """Return the site that a message names, where it does."""
    first = document[0] if isinstance(document, list) and document else document
    found = first.get(names.of("site")) if isinstance(first, dict) else None
    return clean(found) if isinstance(found, str) else None


def readings(document: Any, names: Names, given: Mapping[str, str]) -> Iterator[Reading | Unusable]:
    """Yield the readings of a decoded message, and what is wrong with others.

    Parameters
    ----------
    document
        An object; a list of objects; or an object with a list `readings` whose entries have what
        the object around them does not say.
    names
        How its fields are called.
    given
        Fields that its topic says; `site` where the message named its site itself.
    """
    items: list[Any] = [document]
    around: dict[str, Any] = {}
    if isinstance(document, list):
        items = document
    elif isinstance(document, dict) and isinstance(document.get("readings"), list):
        items = document["readings"]
        around = {key: value for key, value in document.items() if key != "readings"}
    if len(items) > MOST_ITEMS:
        yield Unusable(
            "too_many_readings",
            f"a message of {len(items):,} readings",
            f"Send at most {MOST_ITEMS:,} in one message",
        )
        return
    number = 0
    for item in items:
        if not isinstance(item, dict):
            number += 1
            yield Unusable(
                "no_object",
                f"`{shown(_text(item))}` is no object",
                'Send objects such as {"sensor": "n105", "value": 28.93, "ts": "…"}',
                _text(item),
                item=number,
            )
            continue
        whole = {**around, **item} if around else item
        named = whole.get(names.of("site"))
        if "site" in given and named is not None and named != given["site"]:
            number += 1
            yield _of_another_site(named, given["site"], number)
            continue
        for single in _singles(whole, names):
            number += 1
            found = _reading(whole, single, number, names, given)
            if found is not None:
                yield found


def frame_of(
    messages: Sequence[tuple[Message, Sequence[Reading | Unusable]]],
    allowed: TimeRange,
    source_timezone: str,
) -> pl.DataFrame:
    """Return the readings and problems of messages as rows of the spool.

    Times and numbers are read here, all at once.

    Parameters
    ----------
    messages
        Messages with what `readings` made of each.
    allowed
        Time stamps that can be true.
    source_timezone
        Zone of times without offset.
    """
    rows = []
    bad = []
    for message, found in messages:
        for one in found:
            if isinstance(one, Unusable):
                text, problem = clean(one.text)[:RAW_TEXT_LIMIT], clean(one.problem)
                bad.append(
                    (message.name, one.item, text, one.field, one.reason, problem, one.remedy)
                )
            else:
                rows.append(
                    (
                        message.name,
                        one.item,
                        one.sequence,
                        one.sensor,
                        one.quantity,
                        one.unit,
                        one.ts,
                        one.is_epoch,
                        one.value,
                    )
                )
    good = _as_columns(rows).with_columns(_times(rows, source_timezone))
    # Without a number of the device's own, the place in the batch.
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    good = good.with_columns(sequence=pl.col("sequence").fill_null(place))
    value = pl.col("raw_text").str.strip_chars().cast(pl.Float64, strict=False)
    ts, written = pl.col("ts_utc"), pl.col("raw_text").str.slice(0, RAW_TEXT_LIMIT)
    bad_time = ts.is_null() | ~ts.is_between(allowed.earliest, allowed.latest)
    good = good.with_columns(value=value).with_columns(
        reason=pl.when(ts.is_null())
        .then(pl.lit("bad_timestamp"))
        .when(bad_time)
        .then(pl.lit("timestamp_out_of_range"))
        .when(pl.col("value").is_null())
        .then(pl.lit("not_a_number"))
        .when(~pl.col("value").is_finite())
        .then(pl.lit("not_finite"))
    )
    good = good.with_columns(
        raw_text=pl.when(bad_time).then("ts").otherwise(written),
        field=pl.when(bad_time).then(pl.lit("ts")).otherwise(pl.lit("value")),
        problem=_sentence(
            {
                "bad_timestamp": ("ts", " is not a time stamp"),
                "timestamp_out_of_range": (
                    "ts",
                    f" lies before {allowed.first_day} or more than"
                    f" {allowed.max_ahead_s / 60:g} min after the message came",
                ),
                "not_a_number": ("raw_text", " is not a number"),
                "not_finite": ("raw_text", " is not a finite number"),
            }
        ),
        remedy=pl.col("reason").replace_strict(_REMEDIES, default=None, return_dtype=pl.String),
    )
    told = pl.DataFrame(
        bad,
        schema=["message", "item", "raw_text", "field", "reason", "problem", "remedy"],
        orient="row",
    )
    frames = [good.select(SPOOLED.names()).cast(SPOOLED)]
    if bad:
        missing = [
            pl.lit(None, dtype).alias(name)
            for name, dtype in SPOOLED.items()
            if name not in told.columns
        ]
        frames.append(told.with_columns(missing).select(SPOOLED.names()).cast(SPOOLED))
    return pl.concat(frames)


_REMEDIES = {
    "bad_timestamp": "Send ISO 8601 with offset, or seconds or milliseconds since 1970",
    "timestamp_out_of_range": "Check the clock of the device",
    "not_a_number": "Send a number, or null for a missing value",
    "not_finite": "Send null for a missing value",
}
_ROW = {
    "message": pl.String,
    "item": pl.Int64,
    "sequence": pl.Int64,
    "sensor_id": pl.String,
    "quantity": pl.String,
    "unit": pl.String,
    "ts": pl.String,
    "is_epoch": pl.Boolean,
    "raw_text": pl.String,
}


def _as_columns(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(_ROW)
    return pl.DataFrame(
        {
            name: pl.Series(name, column, dtype)
            for (name, dtype), column in zip(_ROW.items(), columns, strict=True)
        }
    )


def _times(rows: Sequence[tuple[Any, ...]], source_timezone: str) -> pl.Series:
    """Return the time of each row in UTC, null where there is none."""
    texts = dict.fromkeys((row[6], row[7]) for row in rows)
    written = [text for text, is_epoch in texts if not is_epoch]
    epochs = [text for text, is_epoch in texts if is_epoch]
    parsed = parse_times(pl.Series("ts", written, pl.String), source_timezone)
    numbers = pl.Series("ts", epochs, pl.String).cast(pl.Float64, strict=False)
    known = dict(zip(((text, False) for text in written), parsed["ts_utc"], strict=True))
    known |= dict(zip(((text, True) for text in epochs), _epoch(numbers), strict=True))
    return pl.Series("ts_utc", [known[row[6], row[7]] for row in rows], pl.Datetime("us", "UTC"))


def _epoch(numbers: pl.Series) -> pl.Series:
    """Return seconds or milliseconds since 1970 as times, null where no calendar has them."""
    is_seconds = pl.col("n").abs() < _FIRST_MILLISECONDS
    micros = (pl.col("n") * pl.when(is_seconds).then(1e6).otherwise(1e3)).round()
    # Beyond the year 9999 Python has no time for it.
    inside = micros.is_between(-62e15, 253e15)
    times = pl.when(inside).then(micros).cast(pl.Int64, strict=False)
    return pl.DataFrame({"n": numbers}).select(times.cast(pl.Datetime("us", "UTC"))).to_series()


def _sentence(told: Mapping[str, tuple[str, str]]) -> pl.Expr:
    found: pl.Expr = pl.lit(None, pl.String)
    for reason, (column, rest) in told.items():
        quoted = pl.col(column).str.slice(0, 60).str.replace_all(r"[\x00-\x1f\x7f]", " ")
        sentence = pl.concat_str(pl.lit("`"), quoted, pl.lit(f"`{rest}"))
        found = pl.when(pl.col("reason") == reason).then(sentence).otherwise(found)
    return found


def _singles(item: Mapping[str, Any], names: Names) -> list[tuple[Any, ValueField | None]]:
    """Return value and field of each reading of an object, as far as they are fixed."""
    wide: list[tuple[Any, ValueField | None]] = [
        (item[name], said) for name, said in names.values.items() if name in item
    ]
    return wide or [(item.get(names.of("value"), _MISSING), None)]


_MISSING = object()


def _reading(
    item: Mapping[str, Any],
    single: tuple[Any, ValueField | None],
    number: int,
    names: Names,
    given: Mapping[str, str],
) -> Reading | Unusable | None:
    """Return one reading; None where its value is null: missing values are no error."""
    value, said = single
    if value is None:
        return None
    if value is _MISSING:
        return _lacks("value", names, item, number)
    if said is not None and said.words is not None:
        value = said.words.get(_text(value).strip().lower(), value)
        if not isinstance(value, int):
            return _unknown_word(value, said, item, number)
    texts: dict[str, str | None] = dict.fromkeys(("sensor", "quantity", "unit"))
    if said is not None:
        texts = {"sensor": said.sensor, "quantity": said.quantity, "unit": said.unit}
    for name, text in texts.items():
        if text is not None:
            continue
        found = item.get(names.of(name), given.get(name))
        if found is not None and not isinstance(found, str):
            return _lacks(name, names, item, number)
        texts[name] = None if found is None else clean(found).strip() or None
    sensor, quantity = texts["sensor"], texts["quantity"]
    ts = item.get(names.of("ts"))
    if sensor is None or not isinstance(ts, str):
        return _lacks("sensor" if sensor is None else "ts", names, item, number)
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        value = f"{value[:_LONGEST_NUMBER]}…"
    return Reading(
        item=number,
        sensor=sensor,
        quantity=quantity,
        unit=texts["unit"],
        ts=clean(ts)[:RAW_TEXT_LIMIT],
        is_epoch=isinstance(ts, _Number),
        value=_text(value),
        sequence=_whole(item.get(names.of("seq"))),
    )


def _lacks(what: str, names: Names, item: Mapping[str, Any], number: int) -> Unusable:
    name = names.of(what)
    problem = f"the reading has no usable `{shown(name)}`"
    remedy = f"Send `{name}` as text" if what != "value" else f"Send `{name}`"
    return Unusable(f"no_{what}", problem, remedy, _text(item), name, number)


def _unknown_word(value: Any, said: ValueField, item: Mapping[str, Any], number: int) -> Unusable:
    return Unusable(
        "unknown_word",
        f"nobody knows the word `{shown(_text(value))}` of {said.quantity}",
        f"Send one of {', '.join(said.words or ())}",
        _text(item),
        said.quantity,
        number,
    )


def _of_another_site(named: Any, site: str, number: int) -> Unusable:
    return Unusable(
        "other_site",
        f"the reading is of `{shown(_text(named))}`, its message of `{shown(site)}`",
        "Send the readings of each site in a message of its own",
        _text(named),
        "site",
        number,
    )


def _whole(value: Any) -> int | None:
    """Return a whole number that fits into 64 bits, or None."""
    if not isinstance(value, str) or len(value) > 20:
        return None
    try:
        number = int(value)
    except ValueError:
        return None
    return number if -_INT64 <= number < _INT64 else None


def _text(value: Any) -> str:
    """Return a value as it was written, as far as tables have room for it."""
    if isinstance(value, str):
        return clean(value)
    match value:
        case dict():
            # Not all of a large object for the beginning of it.
            value = {key: value[key] for key, _ in zip(value, range(20), strict=False)}
        case list():
            value = value[:20]
    try:
        return clean(json.dumps(value, ensure_ascii=False, default=str))[:RAW_TEXT_LIMIT]
    except RecursionError:
        return "…"


def clean(text: str) -> str:
    """Return text that UTF-8 can hold: JSON may name halves of characters."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
