"""What callers say of incidents through the API: transitions, conflicts, who said it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets_tests.unit.serving.conftest import client_of


@pytest.fixture
def changed(served_ctx: StepContext, tmp_path: Path) -> Iterator[TestClient]:
    """A server over a home of this test's own."""
    shutil.copytree(served_ctx.settings.home, tmp_path / "home")
    with client_of(tmp_path / "home", LEAK_ASSETS_USER="ann") as client:
        yield client


def newest(client: TestClient) -> dict[str, Any]:
    """Return the incident that was reported last."""
    found: dict[str, Any] = client.get("/incidents").json()["incidents"][0]
    return found


def test_an_incident_goes_from_alarm_to_closed(changed: TestClient) -> None:
    """API7: each change is seen at once, with who made it; `status` and `action` lead there."""
    row = newest(changed)
    path = f"/incidents/{row['incident_id']}"
    steps: list[tuple[dict[str, Any], str]] = [
        ({"status": "open"}, "open"),
        ({"action": "assign", "assignee": "crew 3"}, "open"),
        ({"status": "field_work", "note": "<b>dig</b>"}, "field_work"),
        ({"status": "closed", "reason": "confirmed_leak", "found_x": 310, "found_y": 4}, "closed"),
        ({"status": "open", "note": "again"}, "open"),
    ]
    for number, (change, status) in enumerate(steps):
        answer = changed.patch(path, json=change | {"people_revision": number})
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["revision"], said["to_status"], said["actor"]) == (number + 1, status, "ann")
        now = changed.get(path).json()
        assert (now["status"], now["people_revision"]) == (status, number + 1)
    history = changed.get(f"{path}/history").json()
    assert [one["action"] for one in history["said"]] == [
        "acknowledge", "assign", "dispatch", "close", "reopen",
    ]  # fmt: skip
    assert history["said"][3]["found_link_id"] == "p4"
    assert history["said"][2]["note"] == "<b>dig</b>"
    assert history["derived"]
    # The state is the warehouse's, not this server's.
    settings = Settings(LEAK_ASSETS_HOME=changed.app.state.serving.settings.home)  # type: ignore[attr-defined]
    stored = StepContext.local(settings).warehouse.sql(
        "SELECT status FROM incidents.incidents WHERE incident_id = ?", [row["incident_id"]]
    )
    assert stored["status"].to_list() == ["open"]


def test_who_comes_too_late_is_told(changed: TestClient) -> None:
    """409: somebody spoke first, or the status does not allow it; nothing is written."""
    path = f"/incidents/{newest(changed)['incident_id']}"
    assert changed.patch(path, json={"people_revision": 0, "status": "open"}).status_code == 200
    late = changed.patch(path, json={"people_revision": 0, "status": "field_work"})
    assert late.status_code == 409
    assert "ann said `acknowledge`" in late.json()["detail"]
    illegal = changed.patch(path, json={"people_revision": 1, "action": "reopen"})
    assert illegal.status_code == 409
    assert "Possible now" in illegal.json()["detail"]
    assert changed.get(path).json()["people_revision"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"people_revision": 0},
        {"people_revision": -1, "status": "open"},
        {"people_revision": 0, "status": "open", "action": "note"},
        {"people_revision": 0, "status": "gone"},
        {"people_revision": 0, "action": "escalate"},
        {"people_revision": 0, "status": "closed"},
        {"people_revision": 0, "status": "closed", "reason": "duplicate", "duplicate_of": "no"},
        {"people_revision": 0, "status": "closed", "reason": "confirmed_leak",
         "found_link_id": "no"},
        {"people_revision": 0, "status": "closed", "reason": "confirmed_leak", "found_x": 1},
        {"people_revision": 0, "action": "note", "note": "x" * 3000},
        {"people_revision": 0, "action": "note"},
        {"people_revision": 0, "action": "snooze", "snooze_until": "2001-01-01"},
        {"people_revision": 0, "status": "open", "happened_at": "2150-01-01"},
        {"people_revision": 0, "status": "open", "actor": "somebody else"},
    ],
)  # fmt: skip
def test_words_that_cannot_be_used_are_refused(asked: TestClient, change: dict[str, Any]) -> None:
    """422 with the reason, nothing written; nobody speaks for another."""
    path = f"/incidents/{newest(asked)['incident_id']}"
    answer = asked.patch(path, json=change)
    assert answer.status_code == 422, answer.text
    assert "--" not in str(answer.json()["detail"])
    assert asked.get(path).json()["people_revision"] == 0


def test_bodies_are_bounded(asked: TestClient) -> None:
    """OPS8: too large, too deep, no JSON, not a number: refused, never a fault."""
    path = f"/incidents/{newest(asked)['incident_id']}"
    assert asked.patch(path, content=b"x" * 100_000).status_code == 413
    deep = b"[" * 30_000 + b"]" * 30_000
    json = {"Content-Type": "application/json"}
    for body in (deep, b"{", b'{"people_revision": NaN, "status": "open"}', b"\xff\xfe"):
        assert asked.patch(path, content=body, headers=json).status_code in (400, 422)
    assert (
        asked.patch("/incidents/nobody", json={"people_revision": 0, "status": "open"}).status_code
        == 404
    )
