"""What plant monitors are asked for, of `leak-assets serve` itself: requests, fields, messages."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leak_assets.demo.plant import serving
from leak_assets.runs.plant_watch import PlantWatch
from leak_assets_tests.brokers import free_port
from leak_assets_tests.plants import plant_home, said, spool, steady

NOW = datetime.now(UTC).replace(microsecond=0)
SPIKE, DRIFT, HIGH = NOW - timedelta(seconds=120), NOW - timedelta(seconds=60), NOW


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A plant that is watched live and has done what the example tells; no run, no model."""
    ctx = plant_home(tmp_path_factory.mktemp("plant") / "home", SUMMARY_INTERVAL=1)
    sent = [
        *steady(NOW - timedelta(seconds=140), SPIKE - timedelta(seconds=2)),
        said(SPIKE, temperature=45.2),
        *steady(SPIKE + timedelta(seconds=2), DRIFT - timedelta(seconds=2)),
        *steady(DRIFT, DRIFT + timedelta(seconds=16), pressure=0.8),
        *steady(DRIFT + timedelta(seconds=18), HIGH - timedelta(seconds=12)),
        said(HIGH, pressure=4.5),
    ]
    spool(ctx.settings, sent, NOW)
    watch = PlantWatch(ctx, ctx.site("works"), lambda _line: None, take_after_s=None)
    watch.step()
    watch.tell_now()
    port = free_port()
    with serving(ctx.settings, port):
        yield f"http://127.0.0.1:{port}"


def get(url: str) -> Any:
    """Return the JSON of an answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
        return json.load(answer)


def zulu(moment: datetime) -> str:
    """Return a time as the examples write it."""
    return moment.isoformat().replace("+00:00", "Z")


def test_anomalies(url: str) -> None:
    """`curl /anomalies`: the fields and the long messages, newest first."""
    found = get(f"{url}/anomalies?limit=10")
    assert [(a["type"], a["parameter"], a["value"]) for a in found] == [
        ("spike", "pressure", 4.5),
        ("dropout", None, 12.0),
        ("drift", "pressure", 0.8),
        ("spike", "temperature", 45.2),
    ]
    assert found[0] == {
        "type": "spike",
        "timestamp": zulu(HIGH),
        "sensor_id": "wtf-pipe-1",
        "parameter": "pressure",
        "value": 4.5,
        "message": "Pressure spike detected: 4.5 exceeds threshold 4.0",
        "started_at": None,
        "duration_s": None,
    }
    assert found[3]["message"].startswith("Temperature spike detected: 45.2")
    assert (found[2]["started_at"], found[2]["duration_s"]) == (zulu(DRIFT), 16.0)
    assert len(get(f"{url}/anomalies?limit=3")) == 3


def test_summary(url: str) -> None:
    """`curl /summary`: both documents' keys; sensor, values and times are in the text."""
    found = get(f"{url}/summary")
    assert set(found) == {"summary", "timestamp", "generated_by", "summaries", "count"}
    assert (found["generated_by"], found["count"]) == ("template", 1)
    for needed in ("wtf-pipe-1", "45.2 °C", zulu(SPIKE), zulu(DRIFT), "lasting 16 s", "UTC+00:00"):
        assert needed in found["summary"]


def test_status(url: str) -> None:
    """`curl /status`: data flow, though no run of a day has ever been."""
    found = get(f"{url}/status")
    assert found["data_stream"] == {
        "healthy": True, "last_received": zulu(NOW), "message": "Data flowing normally"
    }  # fmt: skip
    assert found["redis"]["connected"] is False
    assert found["last_reading_time"] == zulu(NOW)
    assert found["anomaly_count_24h"] == 4
    for part, active in (("sensor", True), ("detector", True), ("llm", False), ("api", True)):
        assert found[f"{part}_active"] is active


def test_metrics_health_and_documents(url: str) -> None:
    """`curl /metrics`, `/health`, `/docs`."""
    found = get(f"{url}/metrics")
    assert found["total_anomalies"] == 4
    assert found["anomalies_by_type"] == {"spike": 2, "drift": 1, "dropout": 1}
    assert found["anomalies_by_parameter"] == {"temperature": 1, "pressure": 2, "flow": 0}
    assert found["last_update"] == zulu(HIGH)
    assert get(f"{url}/health") == {"status": "ok"}
    with urllib.request.urlopen(f"{url}/docs", timeout=10) as page:  # noqa: S310
        assert page.status == 200
    with pytest.raises(urllib.error.HTTPError, match="422"):
        get(f"{url}/anomalies?limit=0")
