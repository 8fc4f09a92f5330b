"""Replays through the API: the result, how far it is meanwhile, one at a time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from leak_assets.serving.context import Serving
from leak_assets.serving.replays import Asked, BusyError, Replays
from leak_assets.settings import Settings
from leak_assets_tests.unit.serving.conftest import client_of

pytestmark = pytest.mark.slow
ENDLESS_S = 120.0


def test_whoever_cannot_wait_is_told_how_far_it_is(ten_days: Path) -> None:
    """202 while it runs, nobody else meanwhile, then the result for whoever asks again."""
    serving = Serving.of(Settings(LEAK_ASSETS_HOME=ten_days))
    incident = serving.store.ask("SELECT min(incident_id) FROM incidents.incidents").item()
    replays = Replays(serving, patience_s=0.0)
    asked = Asked(incident, "likelihood", None, None)

    async def ask_until_done() -> dict[str, Any]:
        found, is_done = await replays.ask(asked)
        assert not is_done
        assert (found["incident_id"], found["status"]) == (incident, "running")
        with pytest.raises(BusyError):
            await replays.ask(Asked(incident, "likelihood", None, 30.0))
        async with asyncio.timeout(ENDLESS_S):
            while not is_done:
                await asyncio.sleep(0.1)
                found, is_done = await replays.ask(asked)
        return found

    found = asyncio.run(ask_until_done())
    assert found["identical"] is True
    assert found["revisions"] > 0


def test_a_replay_is_answered_beside_what_was_published(ten_days: Path) -> None:
    """API7: another threshold as `docs/api.md` asks, and a variant that cannot be made."""
    with client_of(ten_days) as client:
        row = client.get("/incidents", params={"limit": 1}).json()["incidents"][0]
        path = f"/incidents/{row['incident_id']}/replay"
        answer = client.get(path, params={"threshold": 1e6})
        while answer.status_code == 202:
            assert answer.headers["retry-after"] == "5"
            answer = client.get(path, params={"threshold": 1e6})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["identical"] is False
        assert found["variant"] == "likelihood, threshold 1e+06"
        assert {one["replayed"] for one in found["differences"]} == {"(no row)"}
        assert found["raised"] == []
        # The second time nothing runs.
        assert client.get(path, params={"threshold": 1e6}).json() == found
        refused = client.get(path, params={"model": "9.9.9"})
        assert refused.status_code == 422
        assert "asks no trained model" in refused.text
