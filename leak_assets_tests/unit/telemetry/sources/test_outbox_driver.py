"""ING13: the documented driver of a third party keeps the contract, and is found by its name."""

import importlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from leak_assets.telemetry.sources.drivers import open_stream
from leak_assets.telemetry.sources.stream import Stream, StreamLostError
from leak_assets.telemetry.sources.stream_config import StreamConfig
from leak_assets.telemetry.sources.stream_contract import violations

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "outbox-driver"


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example as if its package were installed."""
    if not EXAMPLE.is_dir():
        pytest.skip("the examples are not here")
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return importlib.import_module("outbox_driver")


def config_of(database: Path) -> StreamConfig:
    return StreamConfig(
        name="scada", url=f"outbox://{database}", topics=("town",), site="hanoi",
        driver="outbox_driver:OutboxStream", options={"poll_s": 0.02},
    )  # fmt: skip


def put(driver: Any, database: Path, payloads: Sequence[str | bytes], topic: str = "town") -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(driver.OUTBOX)
        connection.executemany(
            "INSERT INTO outbox (topic, payload) VALUES (?, ?)", [(topic, p) for p in payloads]
        )


def test_the_reference_driver_keeps_the_contract(driver: Any, tmp_path: Path) -> None:
    """Its author's test is one line."""
    database = tmp_path / "outbox.db"

    def opened() -> Stream:
        return open_stream(config_of(database))

    assert violations(opened, lambda payloads: put(driver, database, payloads)) == []


def test_other_topics_stay_and_a_lost_database_is_told(driver: Any, tmp_path: Path) -> None:
    """Other topics stay, text is as good as bytes, a database that is gone is a lost stream."""
    database = tmp_path / "outbox.db"
    put(driver, database, [json.dumps({"n": 1}).encode()], topic="elsewhere")
    put(driver, database, [json.dumps({"n": 2})])
    stream = open_stream(config_of(database))
    [message] = stream.receive(10, 0.0)
    assert (message.topic, json.loads(message.payload)) == ("town", {"n": 2})
    stream.acknowledge([message])
    stream.close()
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT topic FROM outbox").fetchall() == [("elsewhere",)]
    with pytest.raises(StreamLostError, match="cannot be used"):
        open_stream(config_of(tmp_path / "nowhere" / "outbox.db")).receive(1, 0.0)
