"""Who is let in: keys, roles, sites, rate, hosts, changes from other sites; what answers carry."""

import base64
import logging
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.serving.access import Role
from leak_assets.serving.app import build_app
from leak_assets.serving.guard import HEADERS
from leak_assets.serving.keys import add_key, keys_path, remove_key
from leak_assets.serving.rate import MOST_CLIENTS, Rate
from leak_assets.serving.server import LOOPBACK, is_loopback, make_server
from leak_assets.settings import Settings
from leak_assets_tests.unit.incidents.lake import NET
from leak_assets_tests.unit.serving.conftest import client_of

EVERY = ("/incidents", "/networks", "/sites", "/quality?network=net1", "/households/villa",
         "/readings?site=net1&sensor=n1&quantity=pressure", "/models?network=net1",
         "/water-balance?network=net1", "/scores?network=net1", "/anomalies", "/status",
         "/metrics", "/metrics/prometheus", "/summary", "/openapi.json", "/docs")  # fmt: skip


@pytest.fixture(scope="module")
def keyed(served_ctx: StepContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a key for each role, and one that sees the household alone."""
    home = tmp_path_factory.mktemp("keyed") / "home"
    shutil.copytree(served_ctx.settings.home, home)
    settings = Settings(LEAK_ASSETS_HOME=home)
    roles: tuple[Role, ...] = ("viewer", "operator", "admin")
    made = {role: add_key(settings, role, role, None) for role in roles}
    made["tenant"] = add_key(settings, "tenant", "operator", ["villa"])
    (home / "given").write_text("\n".join(f"{name} {key}" for name, key in made.items()))
    return home


@pytest.fixture(scope="module")
def keys(keyed: Path) -> dict[str, str]:
    """The keys, by name."""
    return dict(line.split(" ") for line in (keyed / "given").read_text().splitlines())


@pytest.fixture(scope="module")
def guarded(keyed: Path) -> Iterator[TestClient]:
    """A server that asks for keys."""
    with client_of(keyed) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    """Return the header that says who one is."""
    return {"Authorization": f"Bearer {key}"}


def incident_path(client: TestClient, key: str) -> str:
    """Return the path of an incident."""
    rows = client.get("/incidents", headers=bearer(key)).json()["incidents"]
    return f"/incidents/{rows[0]['incident_id']}"


@pytest.mark.parametrize("path", EVERY)
def test_without_a_key_nothing_is_told(guarded: TestClient, path: str) -> None:
    """API9: 401 and how to ask; a wrong key is none."""
    for headers in ({}, bearer("wrong"), {"X-API-Key": "wrong"}, {"Authorization": "Basic ?"}):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.json()) == {"detail"}
    page = guarded.get("/", headers={"Accept": "text/html"})
    assert page.headers["www-authenticate"].startswith("Basic")
    assert guarded.get("/health").json() == {"status": "ok"}


def test_a_key_is_given_in_three_ways(guarded: TestClient, keys: dict[str, str]) -> None:
    """As bearer, in a header of its own, and as a browser's password."""
    key = keys["viewer"]
    password = base64.b64encode(f"anybody:{key}".encode()).decode()
    for headers in (bearer(key), {"X-API-Key": key}, {"Authorization": f"Basic {password}"}):
        assert guarded.get("/incidents", headers=headers).json()["total"] == 3


def test_roles_say_what_may_be_done(guarded: TestClient, keys: dict[str, str]) -> None:
    """A viewer reads, an operator speaks under the key's name, an admin sees who may."""
    path = incident_path(guarded, keys["viewer"])
    note = {"people_revision": 0, "action": "note", "note": "seen"}
    assert guarded.patch(path, json=note, headers=bearer(keys["viewer"])).status_code == 403
    assert guarded.get(f"{path}/replay", headers=bearer(keys["viewer"])).status_code == 403
    said = guarded.patch(path, json=note, headers=bearer(keys["operator"]))
    assert (said.status_code, said.json()["actor"]) == (200, "operator")
    assert guarded.get("/keys", headers=bearer(keys["operator"])).status_code == 403
    known = guarded.get("/keys", headers=bearer(keys["admin"]))
    assert known.json()["count"] == 4
    assert not any(key in known.text for key in keys.values())
    assert "sha256" not in known.text


def test_a_tenant_sees_its_sites_alone(guarded: TestClient, keys: dict[str, str]) -> None:
    """OPS14: what is another's does not exist, in lists, details, series, files and changes."""
    path = incident_path(guarded, keys["viewer"])
    own = bearer(keys["tenant"])
    assert guarded.get("/incidents", headers=own).json()["total"] == 0
    assert guarded.get("/networks", headers=own).json()["networks"] == []
    assert [s["name"] for s in guarded.get("/sites", headers=own).json()["sites"]] == ["villa"]
    assert guarded.get("/households/villa", headers=own).status_code == 200
    note = {"people_revision": 0, "action": "note", "note": "seen"}
    assert guarded.patch(path, json=note, headers=own).status_code == 404
    for foreign in (
        path, f"{path}/history", f"{path}/lineage", f"{path}/replay",
        f"{path}/candidates.geojson", f"/networks/{NET}.geojson", f"/networks/{NET}/residuals",
        f"/sites/{NET}", f"/quality?network={NET}", f"/models?network={NET}",
        f"/water-balance?network={NET}", f"/scores?network={NET}",
        f"/channels?network={NET}&channel=pressure/n1",
        f"/readings?site={NET}&sensor=n1&quantity=pressure", "/anomalies?site=works",
    ):  # fmt: skip
        assert guarded.get(foreign, headers=own).status_code == 404, foreign
    pages = ("", "view/quality", "view/water", "view/models", "view/household", "view/meters")
    for page in (*(f"/{one}" for one in pages), f"/?site={NET}", f"/view/quality?site={NET}"):
        assert f">{NET}" not in guarded.get(page, headers=own).text, page
    assert (
        guarded.get(f"/view{path}".replace("incidents", "incident"), headers=own).status_code == 404
    )
    text = guarded.get("/metrics/prometheus", headers=own).text
    assert NET not in text
    assert "api_requests" not in text


def test_a_removed_key_ends_at_once(keyed: Path, guarded: TestClient, tmp_path: Path) -> None:
    """Without a restart; a file that is gone or broken lets nobody in, rather than everybody."""
    home = tmp_path / "home"
    settings = Settings(LEAK_ASSETS_HOME=home)
    first, second = (add_key(settings, name, "viewer", None) for name in ("one", "two"))
    with client_of(home) as client:
        assert client.get("/sites", headers=bearer(first)).status_code == 200
        remove_key(settings, "one")
        assert client.get("/sites", headers=bearer(first)).status_code == 401
        assert client.get("/sites", headers=bearer(second)).status_code == 200
        keys_path(settings).write_text("keys: [")
        assert client.get("/sites", headers=bearer(second)).status_code == 401
        keys_path(settings).unlink()
        assert client.get("/sites", headers=bearer(second)).status_code == 401
        assert client.get("/sites").status_code == 401


def test_keys_stand_nowhere(
    keyed: Path, guarded: TestClient, keys: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Hashes alone are kept, for the owner; no key is logged."""
    with caplog.at_level(logging.DEBUG):
        guarded.get("/incidents", headers=bearer(keys["viewer"]))
    file = keys_path(Settings(LEAK_ASSETS_HOME=keyed))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for key in keys.values():
        assert key not in file.read_text() + caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "keys: []",
        "keys:\n- {name: a, role: king, sha256: " + "0" * 64 + "}",
        "keys:\n- {name: a, role: viewer, sha256: nothing}",
        "keys:\n- {name: a, role: viewer, key: secret}",
        "keys:\n- &k {name: a, role: viewer, sha256: " + "0" * 64 + "}\n- *k",
    ],
)
def test_a_file_of_keys_that_cannot_be_used_stops_the_server(tmp_path: Path, content: str) -> None:
    """Told in a line; it never serves as if there were none."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    keys_path(settings).parent.mkdir()
    keys_path(settings).write_text(content)
    with pytest.raises(InputError, match=r"api-keys\.yaml"):
        build_app(settings)


def test_only_loopback_is_served_without_keys(tmp_path: Path) -> None:
    """API13: any other address is refused with the remedy, before anything is bound."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org", ""):  # noqa: S104
        assert not is_loopback(host)
        with pytest.raises(InputError, match="keys add"):
            make_server(settings, host=host)
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        assert is_loopback(host)
    assert make_server(settings).config.host == "127.0.0.1"
    assert make_server(settings).config.port == 8000
    add_key(settings, "ops", "admin", None)
    assert make_server(settings, host="0.0.0.0").config.host == "0.0.0.0"  # noqa: S104


def test_pages_elsewhere_neither_read_nor_change(served_ctx: StepContext) -> None:
    """No other name for this server, no foreign origin; no answer allows another origin to read."""
    app = build_app(served_ctx.settings, hosts=LOOPBACK, grace_s=0.0)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        assert client.get("/sites").status_code == 200
        assert client.get("/sites", headers={"Host": "evil.example"}).status_code == 400
        assert client.get("/sites", headers={"Host": "[::1]:8000"}).status_code == 200
        asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PATCH"}
        for answer in (
            client.get("/sites", headers=asked),
            client.options("/sites", headers=asked),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]
        body = {"people_revision": 0, "action": "note", "note": "x"}
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                        {"Sec-Fetch-Site": "cross-site"}):  # fmt: skip
            assert client.patch("/incidents/x", json=body, headers=headers).status_code == 403
        own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
        assert client.patch("/incidents/x", json=body, headers=own).status_code == 404


def test_nothing_passes_beside_the_guard(guarded: TestClient) -> None:
    """A WebSocket is closed before any route sees it."""
    with pytest.raises(WebSocketDisconnect) as closed, guarded.websocket_connect("/view/events"):
        pass
    assert closed.value.code == 1008


def test_every_answer_carries_the_same_protection(asked: TestClient, guarded: TestClient) -> None:
    """Also refusals and errors."""
    for answer in (asked.get("/sites"), asked.get("/nowhere"), guarded.get("/sites"),
                   asked.get("/incidents?limit=0"), asked.get("/docs")):  # fmt: skip
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
        assert "server" not in answer.headers
        assert "private" in answer.headers["cache-control"]


def test_the_documents_load_nothing_from_outside(asked: TestClient) -> None:
    """OPS3: Swagger UI comes from this server, and no script stands in the page."""
    page = asked.get("/docs").text
    assert "http" not in page.replace("http-equiv", "")
    assert "<script>" not in page
    for path in ("/docs/start.js", "/docs/assets/swagger-ui-bundle.js",
                 "/docs/assets/swagger-ui.css"):  # fmt: skip
        assert asked.get(path).status_code == 200


def test_too_many_requests_are_told_when_to_come_again(served_ctx: StepContext) -> None:
    """API9: more than N in a minute give 429 with Retry-After; health is always answered."""
    with client_of(served_ctx.settings.home, API_REQUESTS_PER_MINUTE=5) as client:
        assert [client.get("/sites").status_code for _ in range(6)] == [200] * 5 + [429]
        refused = client.get("/sites")
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert refused.json()["detail"]
        assert client.get("/health").status_code == 200


def test_rates_are_of_each_client_and_refill() -> None:
    """A bucket for each; it fills evenly; those of long ago are forgotten."""
    now = 0.0
    rate = Rate(60, clock=lambda: now)
    assert [rate.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert rate.wait_s("a") == pytest.approx(1.0)
    assert rate.wait_s("b") == 0.0
    now = 1.5
    assert rate.wait_s("a") == 0.0
    assert rate.wait_s("a") == pytest.approx(0.5)
    for number in range(MOST_CLIENTS):
        rate.wait_s(f"client {number}")
    assert len(rate._left) == MOST_CLIENTS
