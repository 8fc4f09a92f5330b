"""The dashboard's pages: complete, escaped, small; who may do what; what a button does; no data."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from leak_assets.pipeline.context import StepContext
from leak_assets.serving.keys import add_key
from leak_assets.serving.pages.live import changes, version_of
from leak_assets.serving.pages.shell import PAGES as KINDS
from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse
from leak_assets_tests.unit.incidents.lake import NET
from leak_assets_tests.unit.serving.conftest import client_of
from leak_assets_tests.unit.serving.dashboard_home import (
    HOSTILE,
    PAGES,
    incident_ids,
    make_dashboard_home,
    write_sensors,
)
from leak_assets_tests.unit.serving.served import DAYS, midnight, rows

FIRST_VIEW_BYTES = 500 * 1024


@pytest.fixture(scope="module")
def ctx(served_ctx: StepContext, tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    """A home with hostile names; for reading only."""
    return make_dashboard_home(served_ctx, tmp_path_factory.mktemp("pages") / "home")


@pytest.fixture(scope="module")
def shown(ctx: StepContext) -> Iterator[TestClient]:
    """A server over it."""
    with client_of(ctx.settings.home) as client:
        yield client


@pytest.fixture
def own(ctx: StepContext, tmp_path: Path) -> Iterator[TestClient]:
    """A server over a copy of this test's own."""
    shutil.copytree(ctx.settings.home, tmp_path / "home")
    with client_of(tmp_path / "home", LEAK_ASSETS_USER="ann") as client:
        yield client


def every_page(ctx: StepContext) -> list[str]:
    """Return the addresses of all pages."""
    return [*PAGES, *(f"/view/incident/{name}" for name in incident_ids(ctx))]


def test_every_page_is_small_says_its_clock_and_shows_names_as_text(
    ctx: StepContext, shown: TestClient
) -> None:
    """HTML and script in names and notes are shown; nothing of them is part of the page."""
    carrying = 0
    files = sum(len(shown.get(path).content) for path in assets_of(shown))
    for path in every_page(ctx):
        answer = shown.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"].startswith("text/html")
        assert len(answer.content) + files < FIRST_VIEW_BYTES
        page = answer.text
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
        assert "Times by the clock of" in page
        assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
        carrying += escape(HOSTILE) in page
    # Map, data quality, plant, household and the history of an incident name it.
    assert carrying >= 5


def assets_of(client: TestClient) -> list[str]:
    """Return the addresses of style and script."""
    return re.findall(r'"(/view/assets/[^"]+)"', client.get("/").text)


def test_style_and_script_are_kept_by_browsers(shown: TestClient) -> None:
    """Their address follows from their content; nothing else is loaded."""
    found = assets_of(shown)
    assert [path.split("?")[0] for path in found] == [
        "/view/assets/page.css",
        "/view/assets/page.js",
    ]
    for path in found:
        assert "immutable" in shown.get(path).headers["cache-control"]
    assert shown.get("/view/assets/../shell.py").status_code == 404


def test_an_incident_shows_signals_evidence_place_cost_text_and_actions(
    ctx: StepContext, shown: TestClient
) -> None:
    """What an operator asks of it is on its page."""
    page = shown.get(f"/view/incident/{incident_ids(ctx)[0]}").text
    for needed in ("Signals", "Which sensors say so", "Where to search", "If nobody", "Summary",
                   "History", "Acknowledge", "Start field work", "Snooze", "m³/h"):  # fmt: skip
        assert needed.lower() in page.lower(), needed
    assert 'class="candidates"' in page


def test_impossible_values_are_shown_with_their_file(own: TestClient, tmp_path: Path) -> None:
    """Validation knows a file by its hash; the page says its name, and the value as text."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))
    partition = {"date": DAYS[-1].isoformat(), "network": NET}
    at, sha256 = midnight(DAYS[-1]), "ab" * 32
    ctx.warehouse.write("telemetry.unusable_readings", partition, rows(
        "telemetry.unusable_readings", 1, network=NET, file_path=f"sha256:{sha256[:16]}",
        source="file", message_id=f"{sha256}:7", file_row=7, raw_text=HOSTILE, received_at=at,
        message=f"sha256:{sha256[:16]}, row 7: cannot be true",
    ))  # fmt: skip
    ctx.warehouse.write("telemetry.ingest_ledger", partition, rows(
        "telemetry.ingest_ledger", 1, network=NET, source="file", file_path="net/x_Flows.csv",
        file_sha256=sha256, received_at=at,
    ))  # fmt: skip
    page = own.get(f"/view/quality?site={NET}").text
    assert "net/x_Flows.csv, row 7: cannot be true" in page
    assert page.count(escape(HOSTILE)) > 0
    assert "<script>alert" not in page


def test_models_show_gates_drift_and_their_challenger(shown: TestClient) -> None:
    """What is in use, how far the data have moved, and why another is not in use yet."""
    page = shown.get("/view/models").text
    for needed in ("AUC", "passed", "Drift", "mean/pressure/", "In shadow mode", "too few days"):
        assert needed in page, needed


def test_meters_are_listed_by_what_they_lost_or_lose(shown: TestClient) -> None:
    """Both orders, what all of them cost, how many were measured."""

    def places(path: str) -> list[int]:
        page = shown.get(path).text
        return [page.index(f">{name}<") for name in ("m1", escape(HOSTILE))]

    lost, flow = places("/view/meters"), places("/view/meters?by=flow")
    assert lost == sorted(lost)
    assert flow == sorted(flow, reverse=True)
    page = shown.get("/view/meters?by=nothing").text
    for needed in ("11 m³", "2 of 3", "Continuous flow of all meters"):
        assert needed in page, needed


@pytest.mark.parametrize("path", PAGES)
def test_a_home_without_anything_has_its_pages_too(path: str, tmp_path: Path) -> None:
    """Each says what is missing and which command brings it."""
    with client_of(tmp_path) as client:
        answer = client.get(path)
    assert answer.status_code == 200
    assert "leak-assets" in answer.text
    assert "empty" in answer.text


def test_a_plant_alone_has_the_first_page(ctx: StepContext, tmp_path: Path) -> None:
    """`/` leads to what there is to look at."""
    (tmp_path / "var").mkdir()
    shutil.copytree(ctx.settings.sites_dir, tmp_path / "var" / "sites")
    (tmp_path / "var" / "sites" / "villa.yaml").unlink()
    with client_of(tmp_path) as client:
        assert client.get("/").url.path == "/view/plant"


@pytest.mark.parametrize("path", ["/?site=none", "/view/incident/none", "/view/water?site=villa"])
def test_what_is_not_there_is_a_page_too(shown: TestClient, path: str) -> None:
    """404 with a way back."""
    answer = shown.get(path)
    assert answer.status_code == 404
    assert "Back to the overview" in answer.text


def test_a_store_that_cannot_be_read_is_told_without_its_paths(own: TestClient) -> None:
    """500 as a page; the reason is in the log."""
    home: Path = own.app.state.serving.settings.home  # type: ignore[attr-defined]
    for file in (home / "warehouse/lake/incidents/incident_events").glob("date=*"):
        file.write_bytes(b"no parquet")
    answer = own.get("/")
    assert answer.status_code == 500
    assert "cannot be read" in answer.text
    assert str(home) not in answer.text


# ------------------------------------------------------------------------------ what buttons do
def act(client: TestClient, action: str, **form: Any) -> Any:
    """Send a form about the newest incident, as the page would."""
    name = newest(client)["incident_id"]
    given = {"people_revision": newest(client)["people_revision"], **form}
    return client.post(f"/view/incident/{name}/{action}", data=given, follow_redirects=False)


def newest(client: TestClient) -> dict[str, Any]:
    """Return the incident that was reported last."""
    found: dict[str, Any] = client.get("/incidents").json()["incidents"][0]
    return found


def test_buttons_lead_from_alarm_to_closed(own: TestClient) -> None:
    """Acknowledge, investigate, field work, close with a reason: each leads back to the page."""
    for action, form, status in (
        ("acknowledge", {}, "open"),
        ("investigate", {"note": "looking"}, "under_investigation"),
        ("dispatch", {"note": "crew 3"}, "field_work"),
        ("snooze", {"hours": "4"}, "field_work"),
        ("close", {"reason": "confirmed_leak", "found_link_id": "p4"}, "closed"),
    ):
        answer = act(own, action, **form)
        assert answer.status_code == 303, answer.text
        assert newest(own)["status"] == status
        assert own.get(answer.headers["location"]).status_code == 200
    page = own.get(f"/view/incident/{newest(own)['incident_id']}").text
    for said in ("looking", "crew 3", "Leak confirmed", "found at pipe p4", "ann", "Reopen"):
        assert said in page


@pytest.mark.parametrize(
    ("action", "form", "status", "said"),
    [
        ("close", {"reason": ""}, 422, "no reason"),
        ("close", {"reason": "confirmed_leak", "found_link_id": "p99"}, 422, "p99"),
        ("close", {"reason": "duplicate", "duplicate_of": "none"}, 422, "none"),
        ("snooze", {"hours": "soon"}, 422, "soon"),
        ("snooze", {"hours": "1e9"}, 422, "hours"),
        ("snooze", {"hours": "nan"}, 422, "hours"),
        ("note", {"note": "x" * 3000}, 422, "note"),
        ("reopen", {}, 409, "reopen"),
        ("explode", {}, 422, "action"),
        ("acknowledge", {"people_revision": "99"}, 409, "revision"),
        ("acknowledge", {"happened_at": "2999-01-01T00:00Z"}, 422, "happened"),
    ],
)
def test_what_cannot_be_done_is_said_on_the_page(
    shown: TestClient, action: str, form: dict[str, str], status: int, said: str
) -> None:
    """The page stands again with the reason; nothing was written."""
    before = newest(shown)
    answer = act(shown, action, **form)
    assert answer.status_code == status, answer.text
    assert 'role="alert"' in answer.text
    assert said in answer.text
    assert newest(shown) == before


def test_forms_of_other_sites_are_refused(shown: TestClient) -> None:
    """CSRF: a page elsewhere cannot make a browser act here."""
    path = f"/view/incident/{newest(shown)['incident_id']}/acknowledge"
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert shown.post(path, data={}, headers=headers).status_code == 403


def test_roles_and_sites_hold_for_pages(ctx: StepContext, tmp_path: Path) -> None:
    """A viewer sees no buttons and can do nothing; a tenant sees its sites and no other."""
    home = tmp_path / "home"
    shutil.copytree(ctx.settings.home, home)
    settings = Settings(LEAK_ASSETS_HOME=home)
    viewer = ("", add_key(settings, "viewer", "viewer", None))
    tenant = ("", add_key(settings, "tenant", "operator", ["villa"]))
    incident = f"/view/incident/{incident_ids(ctx)[0]}"
    with client_of(home) as client:
        refused = client.get("/", headers={"Accept": "text/html"})
        assert refused.status_code == 401
        # A browser asks for the key by itself.
        assert refused.headers["www-authenticate"].startswith("Basic")
        page = client.get(incident, auth=viewer)
        assert page.status_code == 200
        assert 'class="actions"' not in page.text
        assert client.post(f"{incident}/acknowledge", auth=viewer).status_code == 403
        assert client.get(incident, auth=tenant).status_code == 404
        assert client.post(f"{incident}/acknowledge", auth=tenant).status_code == 404
        assert "net1" not in client.get("/", auth=tenant).text.lower()
        assert client.get("/view/household", auth=tenant).status_code == 200
        assert client.get("/view/plant?site=works", auth=tenant).status_code == 404


# ---------------------------------------------------------------------------------- live update
class _Browser:
    """A request that is there for so many looks."""

    def __init__(self, looks: int, last: str = "") -> None:
        self.headers = {"last-event-id": last} if last else {}
        self.looks = looks

    async def is_disconnected(self) -> bool:
        self.looks -= 1
        return self.looks <= 0


def events(warehouse: Warehouse, tables: tuple[str, ...], seen: str, last: str = "") -> list[str]:
    """Return what a browser is told at its first look."""

    async def listen() -> list[str]:
        stream = changes(warehouse, tables, _Browser(1, last), seen)  # type: ignore[arg-type]
        return [event async for event in stream]

    return asyncio.run(listen())


def test_a_change_of_a_pages_tables_is_told_once(ctx: StepContext, tmp_path: Path) -> None:
    """By the version that the page shows; whoever comes back with the newest is told nothing."""
    shutil.copytree(ctx.settings.home, tmp_path / "home")
    own = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))
    tables = KINDS["quality"].tables
    shown = version_of(own.warehouse, tables)
    assert not any("changed" in event for event in events(own.warehouse, tables, shown))
    write_sensors(own, health=0.5)
    now = version_of(own.warehouse, tables)
    assert now != shown
    (told,) = [event for event in events(own.warehouse, tables, shown) if "changed" in event]
    assert f"id: {now}" in told
    assert not any("changed" in e for e in events(own.warehouse, tables, shown, last=now))
