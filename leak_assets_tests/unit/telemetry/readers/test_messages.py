"""Messages to rows: the formats that are documented, and that no bytes stop a batch."""

import io
import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.telemetry.readers.messages import (
    MOST_BYTES,
    Message,
    Names,
    Reading,
    Unusable,
    ValueField,
    decode,
    frame_of,
    readings,
    site_named,
)
from leak_assets.telemetry.readers.spooled import SPOOLED
from leak_assets.telemetry.readers.times import TimeRange

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ALLOWED = TimeRange(date(2018, 1, 1), NOW, 3600)
WIDE = Names(
    {"sensor": "sensor_id", "ts": "timestamp"},
    {"pressure": ValueField("pressure", "bar"), "flow": ValueField("flow", "L/min")},
)


def rows_of(payload: object, names: Names | None = None, **given: str) -> pl.DataFrame:
    """Return the rows of one message, given as bytes or as what is sent as JSON."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    message = Message("dma/x", "1", data)
    document = decode(message)
    found = (
        [document]
        if isinstance(document, Unusable)
        else list(readings(document, names or Names(), given))
    )
    return frame_of([(message, found)], ALLOWED, "UTC")


def test_an_object_is_a_reading() -> None:
    """Every field arrives, the number as it was written."""
    text = b'{"sensor":"n1","quantity":"pressure","value":28.930,"unit":"m","ts":"2026-03-04T11:00:00.250Z","seq":7}'  # noqa: E501
    [row] = rows_of(text).to_dicts()
    assert (row["sensor_id"], row["quantity"], row["unit"]) == ("n1", "pressure", "m")
    assert (row["raw_text"], row["value"], row["sequence"]) == ("28.930", 28.93, 7)
    assert row["ts_utc"] == datetime(2026, 3, 4, 11, 0, 0, 250_000, tzinfo=UTC)
    assert (row["message"], row["item"], row["reason"]) == ("dma/x@1", 1, None)


@pytest.mark.parametrize(
    "ts",
    ["2026-03-04 11:00:00", "2026-03-04T12:00:00+01:00", 1772622000, 1772622000000, 1772622000.0],
)
def test_times_in_several_notations(ts: object) -> None:
    """ISO with or without offset, seconds and milliseconds since 1970."""
    [row] = rows_of({"sensor": "a", "value": 1, "ts": ts}).to_dicts()
    assert row["ts_utc"] == NOW - timedelta(hours=1)


def test_lists_and_snapshots() -> None:
    """A list of objects; an object around a list says what the entries do not."""
    one = {"sensor": "a", "value": 1, "ts": "2026-03-04T11:00Z"}
    assert rows_of([one, one])["item"].to_list() == [1, 2]
    snapshot = {
        "ts": "2026-03-04T11:00Z",
        "unit": "bar",
        "readings": [{"sensor": "a", "value": 1}, {"sensor": "b", "value": 2, "unit": "m"}],
    }
    rows = rows_of(snapshot)
    assert rows.select("sensor_id", "unit").rows() == [("a", "bar"), ("b", "m")]


def test_values_that_are_fields() -> None:
    """A plant's message holds several quantities; what it calls its fields is configured."""
    rows = rows_of(
        {"sensor_id": "p1", "timestamp": "2026-03-04T11:00:00Z", "pressure": 2.5, "flow": None},
        WIDE,
    )
    assert rows.select("sensor_id", "quantity", "value", "unit").rows() == [
        ("p1", "pressure", 2.5, "bar")
    ]


def test_the_topic_says_the_rest() -> None:
    """A message without a sensor is of the one in its topic; a missing value is no error."""
    rows = rows_of({"value": "1.5", "ts": "2026-03-04T11:00Z"}, sensor="n9")
    assert rows.select("sensor_id", "value").rows() == [("n9", 1.5)]
    assert rows_of({"value": None, "ts": "2026-03-04T11:00Z"}, sensor="n9").is_empty()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "malformed_json"),
        (b"", "malformed_json"),
        (b"\x1f\x8b\x08\x00", "not_utf8"),
        (b"[" * 200_000, "malformed_json"),
        (b'{"a":' * 100_000, "malformed_json"),
        (b" " * (MOST_BYTES + 1), "too_large"),
        (b"[" + b"1," * 20_000 + b"1]", "too_many_readings"),
        (b"12", "no_object"),
        (b"[[]]", "no_object"),
        ({"value": 1, "ts": "2026-03-04T11:00Z"}, "no_sensor"),
        ({"sensor": {}, "value": 1, "ts": "2026-03-04T11:00Z"}, "no_sensor"),
        ({"sensor": "a", "ts": "2026-03-04T11:00Z"}, "no_value"),
        ({"sensor": "a", "value": 1}, "no_ts"),
        ({"sensor": "a", "value": 1, "ts": [1]}, "no_ts"),
        ({"sensor": "a", "value": 1, "ts": "soon"}, "bad_timestamp"),
        (b'{"sensor": "a", "value": 1, "ts": 1e400}', "bad_timestamp"),
        ({"sensor": "a", "value": 1, "ts": "1970-01-01T00:00Z"}, "timestamp_out_of_range"),
        ({"sensor": "a", "value": 1, "ts": 0}, "timestamp_out_of_range"),
        ({"sensor": "a", "value": 1, "ts": "2099-01-01T00:00Z"}, "timestamp_out_of_range"),
        (b'{"sensor": "a", "value": NaN, "ts": "2026-03-04T11:00Z"}', "not_finite"),
        (b'{"sensor": "a", "value": -Infinity, "ts": "2026-03-04T11:00Z"}', "not_finite"),
        (b'{"sensor": "a", "value": 1e999, "ts": "2026-03-04T11:00Z"}', "not_finite"),
        (b'{"sensor": "a", "value": ' + b"9" * 9000 + b', "ts": 1}', "timestamp_out_of_range"),
        ({"sensor": "a", "value": "1,5", "ts": "2026-03-04T11:00Z"}, "not_a_number"),
        ({"sensor": "a", "value": True, "ts": "2026-03-04T11:00Z"}, "not_a_number"),
        ({"sensor": "a", "value": {"x": 1}, "ts": "2026-03-04T11:00Z"}, "not_a_number"),
    ],
)
def test_what_cannot_be_used_has_a_reason(payload: object, reason: str) -> None:
    """One row with reason, words and remedy; the beginning of the text is kept."""
    [row] = rows_of(payload).to_dicts()
    assert row["reason"] == reason
    assert row["problem"]
    assert row["remedy"]
    assert len(row["raw_text"]) <= 200


def test_a_bad_reading_does_not_take_the_others_along() -> None:
    """Ten of a hundred readings are bad: ninety arrive."""
    good = {"sensor": "a", "value": 1, "ts": "2026-03-04T11:00Z"}
    rows = rows_of([good if n % 10 else {**good, "value": "x"} for n in range(100)])
    assert rows["reason"].null_count() == 90
    assert rows.filter(pl.col("reason").is_not_null())["item"].to_list() == list(range(1, 100, 10))


def test_a_list_of_another_site_is_not_taken_for_this_one() -> None:
    """A message is of one site; a reading that names another is told."""
    one = b'{"site": "a", "sensor": "s", "value": 1, "ts": 1}'
    other = one.replace(b'"a"', b'"b"')
    document = decode(Message("x", "1", b"[" + one + b"," + other + b"]"))
    assert site_named(document, Names()) == "a"
    found = list(readings(document, Names(), {"site": "a"}))
    assert isinstance(found[0], Reading)
    assert isinstance(found[1], Unusable)
    assert found[1].reason == "other_site"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("sensor", "quantity", "value", "unit", "ts", "seq", "readings"), JSON),
)


BYTES = st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))


@settings(max_examples=50, deadline=None)
@given(st.lists(BYTES, max_size=20), st.lists(st.lists(FIELDS, max_size=5) | FIELDS, max_size=20))
def test_nothing_that_comes_raises(payloads: list[bytes], documents: list[object]) -> None:
    """Any bytes, wrong types anywhere: the rest arrives, and every row can be written or used."""
    payloads += [json.dumps(document).encode() for document in documents]
    messages = []
    for number, payload in enumerate(payloads):
        message = Message("dma/\ud800", str(number), payload)
        document = decode(message)
        found = [document] if isinstance(document, Unusable) else readings(document, Names(), {})
        messages.append((message, list(found)))
    good = b'{"sensor": "a", "value": 1, "ts": "2026-03-04T11:00Z"}'
    last = Message("dma", "last", good)
    messages.append((last, list(readings(decode(last), Names(), {}))))
    rows = frame_of(messages, ALLOWED, "UTC")
    assert rows.schema == SPOOLED
    rows.write_parquet(io.BytesIO())
    usable = rows.filter(pl.col("reason").is_null())
    assert usable["value"].is_finite().all()
    assert usable.select("ts_utc", "sensor_id", "value").null_count().row(0) == (0, 0, 0)
    assert "dma@last" in usable["message"].to_list()
