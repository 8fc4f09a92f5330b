"""The commands of incidents: from alarm to closed, and what is refused, by exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from leak_assets.cli import run
from leak_assets_tests.hypotheses import story
from leak_assets_tests.unit.incidents.lake import lake, only_id


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one new incident, of the user ann."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("LEAK_ASSETS_USER", "ann")
    lake(tmp_path, story("h1", "rrrr"))
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Return what a command prints as JSON; it must end well."""
    code = run([*arguments, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line of a command that ends with exit code 2."""
    assert run([*arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_from_alarm_to_closed_and_the_precision_view(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of the README."""
    (listed,) = told(capsys, "incidents", "list")
    name = listed["incident_id"]
    assert listed["status"] == "new"
    assert told(capsys, "incidents", "acknowledge", name)["actor"] == "ann"
    told(capsys, "incidents", "assign", name, "--to", "bob")
    told(capsys, "incidents", "start", name, "--field-work")
    shown = told(capsys, "incidents", "show", name)
    assert (shown["status"], shown["assignee"]) == ("field_work", "bob")
    assert shown["forecast"]["eur_per_day"] == pytest.approx(230.4)
    assert shown["candidates"][0]["link_id"] == "p2"
    assert "close" in shown["possible_actions"]
    told(capsys, "incidents", "close", name, "--reason", "false_positive", "--revision", "3")
    (row,) = told(capsys, "incidents", "precision")
    assert (row["false_alarms"], row["precision"]) == (1, 0)
    history = told(capsys, "incidents", "history", name)
    assert [w["action"] for w in history["said"]] == ["acknowledge", "assign", "dispatch", "close"]
    assert told(capsys, "incidents", "list", "--status", "new") == []


def test_a_confirmed_place_is_set_beside_the_candidates(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By coordinates: the nearest pipe, which was the second candidate."""
    name = told(capsys, "incidents", "list")[0]["incident_id"]
    row = told(
        capsys, "incidents", "close", name, "--reason", "confirmed_leak", "--at", "250,3",
        "--repaired", "2019-02-01T10:00",
    )  # fmt: skip
    assert row["found_link_id"] == "p3"
    assert row["repaired_at"] == "2019-02-01T10:00:00+00:00"


def test_search_order_as_csv_and_geojson(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed, and as a file."""
    name = told(capsys, "incidents", "list")[0]["incident_id"]
    assert run(["incidents", "candidates", name]) == 0
    header, first, *_ = capsys.readouterr().out.splitlines()
    assert header.startswith("order,link_id,rank,probability,length_m,probability_per_m")
    assert first.startswith("1,p2,1,0.6,100.0,")
    out = tmp_path / "where.geojson"
    assert run(["incidents", "candidates", name, "--format", "geojson", "--out", str(out)]) == 0
    assert len(json.loads(out.read_text())["features"]) == 3


def test_what_is_refused_is_one_line_with_a_remedy(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown ids, illegal transitions, conflicts, places, times, calendar entries, no sink."""
    name = told(capsys, "incidents", "list")[0]["incident_id"]
    assert "no incident 'x'" in refused(capsys, "incidents", "show", "x")
    assert "Possible now: acknowledge" in refused(capsys, "incidents", "reopen", name)
    close = ("incidents", "close", name, "--reason")
    assert "no pipe of net1" in refused(capsys, *close, "confirmed_leak", "--at-link", "p9")
    assert "no place" in refused(capsys, *close, "confirmed_leak", "--at", "here")
    assert "Reasons are: confirmed_leak" in refused(capsys, *close, "boredom")
    assert "no time" in refused(capsys, *close, "fire_flow", "--when", "yesterday")
    assert "--hours or --until" in refused(capsys, "incidents", "snooze", name)
    told(capsys, "incidents", "note", name, "looks real")
    stale = ("incidents", "acknowledge", name, "--revision", "0")
    assert "ann said `note`" in refused(capsys, *stale)
    work = ("calendar", "add", "--network", "net1", "--from", "2019-02-01", "--to", "2019-01-01")
    assert "not after it begins" in refused(capsys, *work)
    work = (*work[:-1], "2019-02-02", "--kind", "meter_change", "--sensor", "p9")
    assert "net1 has no sensor 'p9'" in refused(capsys, *work)
    assert "NOTIFY_WEBHOOK_URL" in refused(capsys, "notify")
    assert "no status" in refused(capsys, "incidents", "list", "--status", "odd")


def test_the_calendar_and_the_folder_of_notifications(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Work is entered, listed with what it explains, and taken back; then the incident is told."""
    row = told(
        capsys, "calendar", "add", "--network", "net1", "--from", "2019-01-06", "--to",
        "2019-01-20", "--kind", "flushing", "--zone", "0",
    )  # fmt: skip
    assert told(capsys, "calendar", "list")[0]["detections"] == 1
    assert told(capsys, "incidents", "list") == []
    told(capsys, "calendar", "remove", row["entry_id"])
    assert told(capsys, "calendar", "list") == []
    monkeypatch.setenv("NOTIFY_FOLDER", str(home / "told"))
    passed = told(capsys, "notify")
    assert (passed["queued"], passed["sent"]) == (1, 1)
    (path,) = (home / "told").glob("*.json")
    assert json.loads(path.read_text())["incident"]["status"] == "new"


def test_only_id_is_the_incident(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`show` for people names state, cost and what is possible."""
    from leak_assets.pipeline.context import StepContext

    name = only_id(StepContext.local())
    assert run(["incidents", "show", name]) == 0
    shown = capsys.readouterr().out
    for text in ("new, revision 0", "zone 0", "flow between 9.6 and 17.4", "possible now"):
        assert text in shown
