"""Windows as JSON lines: one a line, with the values of the sensors and the label."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.exchange.windows_jsonl import scenario_frames, write_windows_jsonl
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.settings import Settings
from leak_assets.sites import load_layout, resolve

MONDAY = datetime(2019, 1, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """Return a day of Net1, 289 steps, with a leak from 10:00 to 16:00."""
    network = resolve("net1", Settings(LEAK_ASSETS_HOME=tmp_path_factory.mktemp("home")))
    leak = Leak("22", MONDAY + 10 * HOUR, 0.03, end_at=MONDAY + 16 * HOUR)
    return run_scenario(network, load_layout(network), start_at=MONDAY, leaks=[leak], record="all")


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_window_a_line(run, tmp_path: Path) -> None:
    """289 steps give 43 windows of 36 steps; values are the sensors' readings in SI."""
    path = tmp_path / "data" / "training_data.jsonl"
    telemetry, truth = scenario_frames(run, "net1/b000/s001")
    assert write_windows_jsonl(path, telemetry, truth, run.layout.columns()) == 43
    lines = _lines(path)
    assert len(lines) == 43
    first = lines[0]
    assert (first["scenario"], first["step_s"]) == ("net1/b000/s001", 300)
    assert (first["window_start"], first["window_end"]) == (
        "2019-01-07T00:00:00Z",
        "2019-01-07T02:55:00Z",
    )
    assert tuple(first["values"]) == run.layout.columns()
    wide = run.wide()
    for number, line in enumerate(lines):
        for channel, values in line["values"].items():
            part = wide[channel][6 * number : 6 * number + 36].to_numpy()
            assert np.array(values) == pytest.approx(part, rel=1e-6)


def test_labels_follow_the_leak(run, tmp_path: Path) -> None:
    """A window is a leak window from half of its steps on, and names the pipe."""
    path = tmp_path / "w.jsonl"
    write_windows_jsonl(path, *scenario_frames(run, "s"), run.layout.columns())
    lines = _lines(path)
    leaking = [line for line in lines if line["is_leak"]]
    assert leaking[0]["window_start"] == "2019-01-07T08:30:00Z"
    assert leaking[-1]["window_start"] == "2019-01-07T14:30:00Z"
    assert len(leaking) == 13
    assert {(line["link"], line["leak_type"]) for line in leaking} == {("22", "abrupt")}
    assert all(line["leak_flow_m3_per_h"] > 0 for line in leaking)
    assert lines[0]["link"] is None
    assert lines[0]["leak_flow_m3_per_h"] == 0


def test_only_sensors_get_into_a_window(run, tmp_path: Path) -> None:
    """Telemetry of all elements has the leak flow in it; windows have the layout's channels."""
    telemetry = run.long().with_columns(scenario_id=pl.lit("s"))
    assert "leak_flow" in telemetry["quantity"].unique()
    _, truth = scenario_frames(run, "s")
    all_of, sensors = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_windows_jsonl(all_of, telemetry, truth, run.layout.columns())
    write_windows_jsonl(sensors, *scenario_frames(run, "s"), run.layout.columns())
    assert all_of.read_bytes() == sensors.read_bytes()


def test_scenarios_are_windowed_apart_and_gaps_are_null(run, tmp_path: Path) -> None:
    """No window spans two scenarios; a missing reading is null."""
    channel = run.layout.columns()[0]
    frames = [scenario_frames(run, name) for name in ("s1", "s2")]
    quantity, sensor = channel.split("/")
    gap = pl.all_horizontal(
        pl.col("scenario_id") == "s2",
        pl.col("ts_utc") == MONDAY,
        pl.col("quantity") == quantity,
        pl.col("element_id") == sensor,
    )
    telemetry = pl.concat([t for t, _ in frames]).filter(~gap)
    truth = pl.concat([t for _, t in frames])
    path = tmp_path / "w.jsonl"
    assert write_windows_jsonl(path, telemetry, truth, run.layout.columns()) == 86
    lines = _lines(path)
    assert [line["scenario"] for line in lines] == ["s1"] * 43 + ["s2"] * 43
    assert lines[0]["values"][channel][0] is not None
    assert lines[43]["values"][channel][:1] == [None]


def test_too_short_a_run_is_refused(run, tmp_path: Path) -> None:
    """Nothing is written when no window fits."""
    telemetry, truth = scenario_frames(run, "s")
    short = telemetry.filter(pl.col("ts_utc") < MONDAY + HOUR)
    with pytest.raises(InputError, match="no window of 10800 s"):
        write_windows_jsonl(tmp_path / "w.jsonl", short, truth, run.layout.columns())
    assert list(tmp_path.iterdir()) == []
