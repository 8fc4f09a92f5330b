"""The plant's endpoints over a real warehouse: fields, limits, an empty home, a broken store."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from leak_assets.pipeline.context import StepContext
from leak_assets.plant.simulator.simulator import simulate_plant
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.failures import record_failed_run
from leak_assets.runs.plant_watch import PlantWatch
from leak_assets.serving.app import build_app
from leak_assets.serving.context import Serving
from leak_assets.serving.plant_answers import status
from leak_assets.serving.plant_rows import last_reading
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S
from leak_assets_tests.plants import plant_home, said, spool, steady

PLANT = """
name: works
kind: plant
cadence_s: 2
sensors:
  - {quantity: temperature, unit: °C, ids: [wtf-pipe-1, wtf-pipe-2]}
  - {quantity: pressure, unit: bar, ids: [wtf-pipe-1, wtf-pipe-2]}
  - {quantity: flow, unit: L/min, ids: [wtf-pipe-1, wtf-pipe-2]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose plant delivered two hours that ended a moment ago."""
    home = tmp_path_factory.mktemp("plant")
    settings = Settings(LEAK_ASSETS_HOME=home)
    (home / "works.yaml").write_text(PLANT)
    register_site(home / "works.yaml", settings)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    run = simulate_plant(7200, 11, start_at=start, sensors=2, anomaly_rate_per_h=20.0)
    file = home / "export.parquet"
    run.readings.rename({"parameter": "quantity"}).write_parquet(file)
    deliver([file], settings.landing_dir, "works")
    time.sleep(SETTLE_S + 0.1)
    ctx = StepContext.local(settings)
    process_landing_zone(ctx, ctx.site("works"))
    return home


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    """The API over that home."""
    with TestClient(build_app(Settings(LEAK_ASSETS_HOME=home))) as client:
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TestClient]:
    """The API over a home in which nothing has ever happened."""
    with TestClient(build_app(Settings(LEAK_ASSETS_HOME=tmp_path))) as client:
        yield client


def test_the_newest_anomalies_come_first(client: TestClient) -> None:
    """API1: so many as asked for, with the fields of the example."""
    found = client.get("/anomalies", params={"limit": 3}).json()
    assert len(found) == 3
    times = [datetime.fromisoformat(a["timestamp"]) for a in found]
    assert times == sorted(times, reverse=True)
    assert {"type", "timestamp", "sensor_id", "parameter", "value", "message"} <= set(found[0])
    everything = client.get("/anomalies", params={"limit": 1000}).json()
    assert {a["type"] for a in everything} == {"spike", "drift", "dropout"}
    for anomaly in everything:
        assert (anomaly["parameter"] is None) == (anomaly["type"] == "dropout")
        assert (anomaly["started_at"] is None) == (anomaly["type"] == "spike")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many"])
def test_limits_that_cannot_be_served_are_refused(client: TestClient, limit: str) -> None:
    """API1: 422 with the field that is wrong."""
    answer = client.get("/anomalies", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "limit"]


def test_counts_add_up(client: TestClient) -> None:
    """API4: types to the total, parameters to the total without dropouts; Prometheus agrees."""
    counts = client.get("/metrics").json()
    by_type = counts["anomalies_by_type"]
    assert sum(by_type.values()) == counts["total_anomalies"] > 0
    assert (
        sum(counts["anomalies_by_parameter"].values())
        == counts["total_anomalies"] - by_type["dropout"]
    )
    documents = client.get("/openapi.json").json()["components"]["schemas"]
    # DET13: the types that may be there are documented.
    assert set(by_type) <= set(documents["Anomaly"]["properties"]["type"]["enum"])
    text = client.get("/metrics/prometheus").text
    samples = {
        (s.name, s.labels.get("type")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    assert samples["leak_assets_plant_recent_anomalies", "spike"] == by_type["spike"]


def test_the_summary_is_the_newest_of_all(client: TestClient) -> None:
    """All five fields; every interval with anomalies has its text."""
    answer = client.get("/summary").json()
    assert set(answer) == {"summary", "timestamp", "generated_by", "summaries", "count"}
    assert answer["count"] == len(answer["summaries"]) > 1
    assert answer["summary"] == answer["summaries"][0]
    assert "wtf-pipe-" in answer["summary"]
    assert answer["generated_by"] == "template"


def test_status_of_a_stream_that_flows(client: TestClient) -> None:
    """API3: the keys of both documents."""
    answer = client.get("/status").json()
    assert set(answer) == {
        "data_stream", "redis", "sensor_active", "detector_active", "llm_active", "api_active",
        "last_reading_time", "anomaly_count_24h",
    }  # fmt: skip
    assert set(answer["data_stream"]) == {"healthy", "last_received", "message"}
    assert answer["redis"]["connected"] is False
    assert answer["llm_active"] is False
    assert answer["anomaly_count_24h"] == len(
        client.get("/anomalies", params={"limit": 1000}).json()
    )


@pytest.mark.parametrize(("age_s", "healthy"), [(60, True), (61, False)])
def test_a_stream_that_stopped_is_told_after_a_minute(
    home: Path, age_s: int, healthy: bool
) -> None:
    """VAL10: a generator that stopped 61 seconds ago."""
    settings = Settings(LEAK_ASSETS_HOME=home)
    rows = Serving.of(settings).rows
    last = last_reading(rows, ["works"])
    assert last is not None
    state = status(rows, ["works"], settings, last + timedelta(seconds=age_s))
    assert state.data_stream.healthy is state.sensor_active is healthy
    assert state.data_stream.last_received == last
    assert healthy or state.data_stream.message == "No data for 61 s"


def test_status_says_how_redis_answers_the_watch(tmp_path: Path) -> None:
    """API3: the API needs none; of a watch that uses one, its process knows."""
    ctx = plant_home(tmp_path / "home", sensors=1)
    lost = ["connection refused"]
    for asked, expected in (
        ((), (False, "Redis is not configured; the warehouse is the store")),
        ((lambda: lost[-1],), (False, "works: connection refused")),
        ((lambda: "",), (True, "Redis answers the watch of works; the warehouse is the store")),
    ):
        watch = PlantWatch(ctx, ctx.site("works"), lambda _: None, take_after_s=None)
        watch.redis = asked
        watch.step()
        found = status(Serving.of(ctx.settings).rows, ["works"], ctx.settings, datetime.now(UTC))
        assert (found.redis.connected, found.redis.message) == expected
    later = datetime.now(UTC) + timedelta(minutes=5)
    found = status(Serving.of(ctx.settings).rows, ["works"], ctx.settings, later)
    assert "not configured" in found.redis.message


def test_a_running_watch_is_monitored(tmp_path: Path) -> None:
    """OPS6: age of the last reading, what waits, anomalies, texts, what was not judged and why."""
    ctx = plant_home(tmp_path / "home", sensors=2)
    now = datetime.now(UTC)
    second = timedelta(seconds=1)
    watch = PlantWatch(ctx, ctx.site("works"), lambda _: None, take_after_s=None)
    first = [*steady(now - 20 * second, now - 6 * second), said(now - 4 * second, temperature=45.2)]
    spool(ctx.settings, [*first, said(now + 1800 * second)], now - second)
    watch.step(now)
    watch.tell_now()
    spool(ctx.settings, [said(now - 2 * second, temperature=45.2)], now)
    watch.step(now)
    record_failed_run(ctx.warehouse, "r1", job="micro_batch", site="works", problem="no disk")
    with TestClient(build_app(ctx.settings)) as client:
        text = client.get("/metrics/prometheus").text
    samples = {
        (s.name.removeprefix("leak_assets_"), *(v for k, v in s.labels.items() if k != "site")): s
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.labels.get("site") == "works"
    }
    value = {key: sample.value for key, sample in samples.items()}
    assert value["plant_watch_up",] == 1
    assert 0 < value["plant_watch_last_reading_age_seconds",] < 600
    assert value["plant_watch_waiting_deliveries",] == 2
    assert value["plant_watch_anomalies_total",] == 2
    assert value["plant_watch_untold_anomalies",] == 1
    assert value["plant_watch_summaries_total", "template"] == 1
    assert value["plant_watch_not_judged_readings_total", "ahead"] == 3
    assert value["plant_watch_failures_total",] == 0
    assert value["failed_runs", "micro_batch"] == 1


def test_an_empty_home_answers(empty: TestClient) -> None:
    """API2, API3: nothing is no error."""
    assert empty.get("/anomalies").json() == []
    assert empty.get("/summary").json()["summary"] == ""
    assert empty.get("/summary").json()["count"] == 0
    assert empty.get("/metrics").json()["total_anomalies"] == 0
    state = empty.get("/status").json()
    assert state["data_stream"] == {
        "healthy": False, "last_received": None, "message": "No data received yet"
    }  # fmt: skip
    assert empty.get("/health").json() == {"status": "ok"}


def test_unknown_plants_are_not_found(client: TestClient) -> None:
    """The name is told, as text."""
    answer = client.get("/anomalies", params={"site": "<script>"})
    assert answer.status_code == 404
    assert answer.json() == {"detail": "there is no plant '<script>'"}


def test_a_store_that_fails_is_told(home: Path, tmp_path: Path) -> None:
    """API1: 500 as JSON; `/health` and `/status` still answer."""
    broken = tmp_path / "home"
    shutil.copytree(home, broken)
    for file in (broken / "warehouse" / "lake" / "plant" / "anomalies").glob("date=*"):
        file.write_bytes(b"PAR1 this is no file of Parquet")
    application = build_app(Settings(LEAK_ASSETS_HOME=broken))
    with TestClient(application, raise_server_exceptions=False) as client:
        answer = client.get("/anomalies")
        assert answer.status_code == 500
        assert "cannot be read" in answer.json()["detail"]
        state = client.get("/status")
        assert state.status_code == 200
        assert "cannot be read" in state.json()["redis"]["message"]
        assert client.get("/health").status_code == 200


def test_two_instances_agree(home: Path, client: TestClient) -> None:
    """Nothing is held that the other does not see."""
    with TestClient(build_app(Settings(LEAK_ASSETS_HOME=home))) as other:
        for path in ("/anomalies", "/summary", "/metrics"):
            assert client.get(path).json() == other.get(path).json()


def test_the_documents_list_every_route(client: TestClient) -> None:
    """API6: OpenAPI with response models."""
    said = client.get("/openapi.json").json()
    for path in ("/anomalies", "/summary", "/status", "/metrics", "/health"):
        schema = said["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        assert schema["schema"]
    assert client.get("/docs").status_code == 200
