"""A stream scored as it arrives, over a real broker: the topics of the source document."""

import json
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from leak_assets.errors import InputError
from leak_assets.models.config import CONFIG_DIR
from leak_assets.models.in_use import champions
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.realtime import Realtime, load_realtime
from leak_assets.settings import Settings
from leak_assets_tests.brokers import mosquitto
from leak_assets_tests.publishers import publish_mqtt

MESSAGES = 200


def write_config(home: Path, **changes: object) -> Path:
    """Write a configuration of the home."""
    content = yaml.safe_load((CONFIG_DIR / "realtime.yaml").read_text("utf-8"))
    for key, value in changes.items():
        content[key] = {**content["source"], **value} if key == "source" else value  # type: ignore[dict-item]
    path = home / "configs" / "realtime.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def test_messages_of_wildcard_topics_become_readings(tmp_path: Path) -> None:
    """ING5: `dma/+/sensor/+`, every message a row once; the loop ends when it is told."""
    start = datetime(2019, 3, 4, tzinfo=UTC)
    payloads = [
        json.dumps(
            {
                "ts": (start + timedelta(minutes=5 * n)).isoformat(),
                "value": 30 + n / 100,
                "unit": "m",
            }
        ).encode()
        for n in range(MESSAGES)
    ]
    with mosquitto(tmp_path / "broker") as broker:
        write_config(
            tmp_path,
            source={"url": f"mqtt://127.0.0.1:{broker.port}", "batch_s": 0.2},
            score_every_s=0.2,
        )
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), run_id="test")
        alerts: list[dict[str, object]] = []
        stream = Realtime(
            ctx, load_realtime(ctx.settings), alert=alerts.append, say=lambda _line: None
        )
        loop = threading.Thread(target=stream.run)
        loop.start()
        time.sleep(0.5)
        publish_mqtt(broker.port, "dma/hanoi/sensor/12")(payloads)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and loop.is_alive():
            rows = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
            if rows.height >= MESSAGES:
                break
            time.sleep(0.2)
        stream.stop()
        loop.join(timeout=60)
    rows = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert rows.height == MESSAGES
    assert rows["ts_utc"].n_unique() == MESSAGES
    assert stream.counts.readings == MESSAGES
    assert alerts == [], "no model is in use, so nothing alerts"


@pytest.mark.slow
def test_a_leak_in_the_stream_alerts_once_for_each_window(ten_days: Path, tmp_path: Path) -> None:
    """ING5: preprocess, score, threshold, alert; by the model in use, on the day after ten others.

    The last morning comes again a day later with more inflow and less pressure.
    """
    home = tmp_path / "home"
    shutil.copytree(ten_days, home)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="test")
    version = champions(ctx, ctx.network("hanoi"))["leak_detector"].version
    last = ctx.warehouse.read_all("telemetry.readings", network="hanoi")
    last = last.filter(pl.col("ts_utc").dt.date() == pl.col("ts_utc").max().dt.date())
    morning = last.filter(pl.col("ts_utc").dt.hour() < 4)
    with mosquitto(tmp_path / "broker") as broker:
        write_config(
            home,
            source={"url": f"mqtt://127.0.0.1:{broker.port}", "batch_s": 0.2},
            # All is received before it is scored: whatever waits is scored at the end.
            score_every_s=3600,
        )
        alerts: list[dict[str, object]] = []
        stream = Realtime(
            ctx, load_realtime(ctx.settings), alert=alerts.append, say=lambda _line: None
        )
        loop = threading.Thread(target=stream.run)
        loop.start()
        sent = {
            sensor: [
                json.dumps(
                    {
                        "ts": (row["ts_utc"] + timedelta(days=1)).isoformat(),
                        "value": row["value_si"] * (3600 * 1.3 if quantity == "flow" else 0.9),
                        "unit": "m3/h" if quantity == "flow" else "m",
                    }
                ).encode()
                for row in rows.iter_rows(named=True)
            ]
            for (sensor, quantity), rows in morning.sort("ts_utc").group_by("sensor_id", "quantity")
        }
        # Until it listens nobody keeps what is sent; the same message twice is one reading.
        probe = next(iter(sent))
        while stream.counts.readings == 0:
            publish_mqtt(broker.port, f"dma/hanoi/sensor/{probe}")(sent[probe][:1])
            time.sleep(0.1)
        for sensor, payloads in sent.items():
            publish_mqtt(broker.port, f"dma/hanoi/sensor/{sensor}")(payloads)
        deadline = time.monotonic() + 30
        while stream.counts.readings < morning.height and time.monotonic() < deadline:
            time.sleep(0.05)
        stream.stop()
        loop.join(timeout=60)
    raw = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert raw.filter(pl.col("ts_utc") > last["ts_utc"].max()).height == morning.height
    assert stream.counts.alerts == len(alerts) > 0
    ends = [alert["window_end"] for alert in alerts]
    assert len(set(ends)) == len(ends)
    for alert in alerts:
        assert alert["network"] == "hanoi"
        assert alert["model_version"] == version
        assert alert["anomaly_score"] >= alert["threshold"]
        assert alert["window_end"] > last["ts_utc"].max()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score_evry_s": 3}, r"realtime\.yaml.*row \d+: key `score_evry_s` is unknown"),
        ({"alert_from": 1.5}, r"key `alert_from`: Input should be less than or equal to 1"),
        ({"source": {"topcs": ["x"]}}, r"key `source\.topcs` is unknown"),
    ],
)
def test_a_typo_is_named_with_its_line(tmp_path: Path, change: dict, message: str) -> None:
    """One line for each, before anything is listened to."""
    path = write_config(tmp_path, **change)
    with pytest.raises(InputError, match=message):
        load_realtime(Settings(LEAK_ASSETS_HOME=tmp_path), path)


def test_the_packaged_configuration_has_the_topics_of_the_source_document() -> None:
    """S4: the wildcard of the stream, and the map of a topic."""
    config = load_realtime(Settings())
    assert config.source.topics == ("dma/+/sensor/+",)
    assert config.source.topic == "dma/{site}/sensor/{sensor}"
