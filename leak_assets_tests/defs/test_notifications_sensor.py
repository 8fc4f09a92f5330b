"""The sensor of the notifications: idle without a sink, one pass of the outbox with one."""

from pathlib import Path

import dagster as dg
import pytest

from leak_assets.defs.incidents.sensors import notifications
from leak_assets.defs.resources import Platform
from leak_assets_tests.hypotheses import story
from leak_assets_tests.unit.incidents.lake import lake


def told(home: Path) -> str:
    """Return what a tick says; it requests no run."""
    context = dg.build_sensor_context(resources={"platform": Platform(home=str(home))})
    result = notifications(context)
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


def test_a_tick_serves_the_sinks_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file for one incident, and none again."""
    lake(tmp_path, story("h1", "rrr"), days=3)
    assert "no sink is named" in told(tmp_path)
    monkeypatch.setenv("NOTIFY_FOLDER", str(tmp_path / "told"))
    assert told(tmp_path).startswith("1 queued, 1 sent, 0 failed")
    assert told(tmp_path).startswith("0 queued, 0 sent, 0 failed")
    assert len(list((tmp_path / "told").glob("*.json"))) == 1
