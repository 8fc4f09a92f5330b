"""What plant monitors are asked for, of `leak-assets serve` itself: requests, fields, messages."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leak_assets.demo.plant import serving
from leak_assets.runs.plant_watch import PlantWatch
from leak_assets_tests.brokers import free_port
from leak_assets_tests.plants import plant_home, said, spool, steady


@dataclass(frozen=True)
class Plant:
    """A server, and when its plant's anomalies were."""

    url: str
    now: datetime

    @property
    def spike(self) -> datetime:
        """Time of the hot reading."""
        return self.now - timedelta(seconds=120)

    @property
    def drift(self) -> datetime:
        """Begin of the low pressure."""
        return self.now - timedelta(seconds=60)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A plant that is watched live and has done what the example tells; no run, no model."""
    port = free_port()
    found = Plant(f"http://127.0.0.1:{port}", datetime.now(UTC).replace(microsecond=0))
    now, spike, drift = found.now, found.spike, found.drift
    ctx = plant_home(tmp_path_factory.mktemp("plant") / "home", SUMMARY_INTERVAL=1)
    sent = [
        *steady(now - timedelta(seconds=140), spike - timedelta(seconds=2)),
        said(spike, temperature=45.2),
        *steady(spike + timedelta(seconds=2), drift - timedelta(seconds=2)),
        *steady(drift, drift + timedelta(seconds=16), pressure=0.8),
        *steady(drift + timedelta(seconds=18), now - timedelta(seconds=12)),
        said(now, pressure=4.5),
    ]
    spool(ctx.settings, sent, now)
    watch = PlantWatch(ctx, ctx.site("works"), lambda _line: None, take_after_s=None)
    watch.step(now)
    watch.tell_now()
    with serving(ctx.settings, port):
        yield found


def get(url: str) -> Any:
    """Return the JSON of an answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
        return json.load(answer)


def zulu(moment: datetime) -> str:
    """Return a time as the examples write it."""
    return moment.isoformat().replace("+00:00", "Z")


def test_anomalies(plant: Plant) -> None:
    """`curl /anomalies`: the fields and the long messages, newest first."""
    found = get(f"{plant.url}/anomalies?limit=10")
    assert [(a["type"], a["parameter"], a["value"]) for a in found] == [
        ("spike", "pressure", 4.5),
        ("dropout", None, 12.0),
        ("drift", "pressure", 0.8),
        ("spike", "temperature", 45.2),
    ]
    assert found[0] == {
        "type": "spike",
        "timestamp": zulu(plant.now),
        "sensor_id": "wtf-pipe-1",
        "parameter": "pressure",
        "value": 4.5,
        "message": "Pressure spike detected: 4.5 exceeds threshold 4.0",
        "started_at": None,
        "duration_s": None,
    }
    assert found[3]["message"].startswith("Temperature spike detected: 45.2")
    assert (found[2]["started_at"], found[2]["duration_s"]) == (zulu(plant.drift), 16.0)
    assert len(get(f"{plant.url}/anomalies?limit=3")) == 3


def test_summary(plant: Plant) -> None:
    """`curl /summary`: both documents' keys; sensor, values and times are in the text."""
    found = get(f"{plant.url}/summary")
    assert set(found) == {"summary", "timestamp", "generated_by", "summaries", "count"}
    assert (found["generated_by"], found["count"]) == ("template", 1)
    for needed in (
        "wtf-pipe-1",
        "45.2 °C",
        zulu(plant.spike),
        zulu(plant.drift),
        "lasting 16 s",
        "UTC+00:00",
    ):
        assert needed in found["summary"]


def test_status(plant: Plant) -> None:
    """`curl /status`: data flow, though no run of a day has ever been."""
    found = get(f"{plant.url}/status")
    flows = {"healthy": True, "message": "Data flowing normally"}
    assert found["data_stream"] == {"last_received": zulu(plant.now), **flows}
    assert found["redis"]["connected"] is False
    assert found["last_reading_time"] == zulu(plant.now)
    assert found["anomaly_count_24h"] == 4
    for part, active in (("sensor", True), ("detector", True), ("llm", False), ("api", True)):
        assert found[f"{part}_active"] is active


def test_metrics_health_and_documents(plant: Plant) -> None:
    """`curl /metrics`, `/health`, `/docs`."""
    found = get(f"{plant.url}/metrics")
    assert found["total_anomalies"] == 4
    assert found["anomalies_by_type"] == {"spike": 2, "drift": 1, "dropout": 1}
    assert found["anomalies_by_parameter"] == {"temperature": 1, "pressure": 2, "flow": 0}
    assert found["last_update"] == zulu(plant.now)
    assert get(f"{plant.url}/health") == {"status": "ok"}
    with urllib.request.urlopen(f"{plant.url}/docs", timeout=10) as page:  # noqa: S310
        assert page.status == 200
    with pytest.raises(urllib.error.HTTPError, match="422"):
        get(f"{plant.url}/anomalies?limit=0")
