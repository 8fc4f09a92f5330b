"""Every endpoint over a real warehouse: documented fields, filters, pages, series, validators."""

import shutil
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from leak_assets.pipeline.context import StepContext
from leak_assets.serving import incident_shapes, network_shapes, series_shapes, site_shapes
from leak_assets.settings import Settings
from leak_assets_tests.unit.incidents.lake import NET
from leak_assets_tests.unit.serving.conftest import client_of
from leak_assets_tests.unit.serving.served import write_network_days

SHAPES = {
    "/incidents": incident_shapes.Incidents,
    "/incidents/{id}": incident_shapes.Detail,
    "/incidents/{id}/history": incident_shapes.History,
    "/incidents/{id}/candidates.geojson": network_shapes.GeoJson,
    "/incidents/{id}/lineage": incident_shapes.Lineage,
    "/networks": network_shapes.Networks,
    f"/networks/{NET}.geojson": network_shapes.GeoJson,
    f"/networks/{NET}/residuals": network_shapes.Residuals,
    f"/quality?network={NET}": network_shapes.Quality,
    f"/water-balance?network={NET}": network_shapes.WaterBalance,
    f"/models?network={NET}": network_shapes.Models,
    f"/readings?site={NET}&sensor=n1&quantity=pressure": series_shapes.ReadingSeries,
    "/readings?site=villa&sensor=main&quantity=flow": series_shapes.ReadingSeries,
    "/readings?site=works&sensor=wtf-pipe-1&quantity=temperature": series_shapes.ReadingSeries,
    "/readings?site=estate&sensor=m0001&quantity=volume": series_shapes.ReadingSeries,
    f"/scores?network={NET}": series_shapes.ScoreSeries,
    f"/channels?network={NET}&channel=pressure/n1": series_shapes.ChannelSeries,
    "/sites": site_shapes.Sites,
    f"/sites/{NET}": site_shapes.SiteDetail,
    "/sites/villa": site_shapes.SiteDetail,
    "/sites/works": site_shapes.SiteDetail,
    "/sites/estate": site_shapes.SiteDetail,
    "/households/villa": site_shapes.Household,
    "/keys": site_shapes.KeyList,
}


def found(client: TestClient, path: str, **parameters: Any) -> Any:
    """Return the document at a path."""
    answer = client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def newest_id(client: TestClient) -> str:
    """Return the incident that was reported last."""
    return str(found(client, "/incidents")["incidents"][0]["incident_id"])


@pytest.mark.parametrize("path", SHAPES)
def test_answers_are_as_documented(asked: TestClient, path: str) -> None:
    """API6: what is said of an answer holds; asked again with its validator nothing is sent."""
    path = path.replace("{id}", newest_id(asked))
    answer = asked.get(path)
    assert answer.status_code == 200, answer.text
    SHAPES[path.replace(newest_id(asked), "{id}")].model_validate_json(answer.content)
    again = asked.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]


def test_pages_cover_every_incident_once(asked: TestClient) -> None:
    """API8: page and next, newest report first."""
    everything = found(asked, "/incidents")
    assert everything["total"] == everything["count"] == 3
    assert everything["next"] is None
    seen, parameters = [], {"limit": 1}
    while True:
        page = found(asked, "/incidents", **parameters)
        assert page["total"] == 3
        seen += page["incidents"]
        if page["next"] is None:
            break
        parameters = {"limit": 1, "next": page["next"]}
    assert seen == everything["incidents"]
    reports = [row["detected_at"] for row in seen]
    assert reports == sorted(reports, reverse=True)


def test_incidents_are_filtered(asked: TestClient) -> None:
    """API8: since, until, zone, type, severity, status, network; nothing is no error."""
    rows = found(asked, "/incidents")["incidents"]
    middle = rows[1]["detected_at"]
    assert found(asked, "/incidents", since=middle)["incidents"] == rows[:2]
    assert found(asked, "/incidents", until=middle)["incidents"] == rows[2:]
    for column, name in (("status", "status"), ("severity", "severity"), ("zone", "zone")):
        for value in {row[column] for row in rows}:
            if value is not None:
                expected = [row for row in rows if row[column] == value]
                assert found(asked, "/incidents", **{name: value})["incidents"] == expected
    both = found(asked, "/incidents", status=["new", "closed"])["incidents"]
    assert both == rows
    assert found(asked, "/incidents", network="other")["count"] == 0
    assert found(asked, "/incidents", type="leak")["count"] == 3


def test_an_incident_has_all_that_is_known(asked: TestClient) -> None:
    """Row, where to search, which sensors, flow by day, cost, what may be done."""
    detail = found(asked, f"/incidents/{newest_id(asked)}")
    assert [c["order"] for c in detail["candidates"]] == [1, 2]
    assert {"sensor_id": "n1", "quantity": "pressure"}.items() <= detail["evidence"][0].items()
    assert detail["possible_actions"][0] == "acknowledge"
    assert len(detail["days"]) == 4
    assert detail["forecast"]["eur_per_day"] > 0
    assert detail["people_revision"] == 0
    where = found(asked, f"/incidents/{newest_id(asked)}/candidates.geojson")
    pipe, zone = where["features"][0], where["features"][-1]
    assert pipe["geometry"]["type"] == "LineString"
    assert pipe["properties"]["rank"] == 1
    assert pipe["properties"]["stroke"].startswith("#")
    assert zone["properties"]["radius"] > 0


def test_a_network_is_drawn_as_its_model_has_it(asked: TestClient) -> None:
    """LOC6: links with both ends, sensors, in coordinates of the model."""
    features = found(asked, f"/networks/{NET}.geojson")["features"]
    by_id = {feature["id"]: feature for feature in features}
    assert by_id["link/p1"]["geometry"]["coordinates"] == [[0.0, 0.0], [100.0, 0.0]]
    assert by_id["link/p3"]["properties"]["zone"] == "1"
    assert by_id["sensor/pressure/n2"]["geometry"]["coordinates"] == [100.0, 1.0]


def test_a_series_keeps_its_spike(asked: TestClient) -> None:
    """However few points, each bucket has least and largest value; what is unusable is counted."""
    asked_for = {"site": NET, "sensor": "n1", "quantity": "pressure"}
    series = found(asked, "/readings", **asked_for, points=10)
    assert series["count"] <= 10
    assert max(series["high"]) == 25.0
    assert min(series["low"]) == 20.0
    assert sum(series["n"]) == 287
    assert sum(series["unusable"]) == 1
    assert series["unit"] == "m"
    fine = found(asked, "/readings", **asked_for, points=5000)
    assert fine["count"] == 288
    both = found(asked, "/readings", **asked_for, since="2019-01-15", until="2019-01-17")
    assert sum(both["n"]) == 2 * 287
    times = [datetime.fromisoformat(t) for t in both["t"]]
    assert all(b - a == timedelta(seconds=both["step_s"]) for a, b in pairwise(times))
    assert found(asked, "/readings", **asked_for | {"sensor": "nobody"})["count"] == 0


def test_scores_and_channels_tell_alarm_and_band(asked: TestClient) -> None:
    """A window's alarm survives thinning; expected values have their band."""
    scores = found(asked, "/scores", network=NET, since="2019-01-15", until="2019-01-18", points=10)
    assert sum(scores["is_alarm"]) == 2
    assert max(scores["high"]) == 0.9
    channel = found(asked, "/channels", network=NET, channel="pressure/n1")
    assert channel["expected"][0] - channel["expected_low"][0] == pytest.approx(1.5)
    assert channel["measured"][0] == 20.0
    # A channel that nothing calibrates has no band.
    other = found(asked, "/channels", network=NET, channel="balance/0")
    assert other["count"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/incidents?limit=0",
        "/incidents?limit=-1",
        "/incidents?limit=1001",
        "/incidents?limit=99999999999999999999",
        "/incidents?next=bm8",
        "/incidents?since=yesterday",
        "/incidents?since=0001-01-01",
        "/incidents?status=lost",
        f"/readings?site={NET}&sensor=n1&quantity=pressure&points=1",
        f"/readings?site={NET}&sensor=n1&quantity=pressure&points=5001",
        f"/readings?site={NET}&sensor=n1&quantity=pressure&since=2019-01-01&until=2020-01-01",
        f"/readings?site={NET}&sensor=n1&quantity=pressure&since=2019-01-02&until=2019-01-01",
        f"/readings?site={NET}",
        "/quality",
        f"/water-balance?network={NET}&first=9",
    ],
)
def test_what_cannot_be_served_is_refused(asked: TestClient, path: str) -> None:
    """422 with the reason, never an answer to another question."""
    answer = asked.get(path)
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/nobody",
        "/incidents/..%2f..%2fetc/history",
        "/incidents/nobody/lineage",
        "/incidents/nobody/candidates.geojson",
        "/incidents/nobody/replay",
        "/networks/nowhere.geojson",
        "/networks/..%2f..%2fsecret.geojson",
        "/networks/villa.geojson",
        "/households/net1",
        "/sites/nowhere",
        "/quality?network=villa",
        "/readings?site=nowhere&sensor=a&quantity=flow",
    ],
)
def test_what_is_not_there_is_not_found(asked: TestClient, path: str) -> None:
    """404, also of a site of another kind and of names that are paths."""
    assert asked.get(path).status_code == 404


def test_data_that_change_change_the_validator(
    served_ctx: StepContext, asked: TestClient, tmp_path: Path
) -> None:
    """Two instances on one warehouse agree, before and after something is published."""
    shutil.copytree(served_ctx.settings.home, tmp_path / "home")
    path = f"/readings?site={NET}&sensor=n1&quantity=pressure"
    with client_of(tmp_path / "home") as one, client_of(tmp_path / "home") as other:
        before = one.get(path)
        assert before.json() == other.get(path).json() == asked.get(path).json()
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))
        write_network_days(ctx, value=21.0)
        after = one.get(path, headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert min(low for low in after.json()["low"] if low is not None) == 21.0
        assert other.get(path).headers["etag"] == after.headers["etag"]


def test_meters_are_told_in_the_unit_that_the_answer_names(asked: TestClient) -> None:
    """A counter that was sent in liters is told in m3; its site has a sensor and a day."""
    series = found(asked, "/readings?site=estate&sensor=m0001&quantity=volume&points=24")
    assert series["unit"] == "m3"
    assert [value for value in series["low"] if value is not None][:2] == [1.0, 1.002]
    (site,) = [s for s in found(asked, "/sites")["sites"] if s["name"] == "estate"]
    assert (site["kind"], site["days"]) == ("meters", 1)


def test_monitoring_tells_networks_and_requests(asked: TestClient) -> None:
    """OPS6: ten series and more, valid as Prometheus reads them."""
    families = {
        family.name: family
        for family in text_string_to_metric_families(asked.get("/metrics/prometheus").text)
    }
    assert len(families) >= 10
    opened = {s.labels["severity"]: s.value for s in families["leak_assets_open_incidents"].samples}
    assert sum(opened.values()) == 2
    assert families["leak_assets_silent_sensors"].samples[0].value == 1
    routes = {s.labels["route"] for s in families["leak_assets_api_requests"].samples}
    assert "/incidents" in routes


def test_lineage_names_deliveries_and_runs(asked: TestClient) -> None:
    """The boxes of the audit, and OpenLineage on demand."""
    path = f"/incidents/{newest_id(asked)}/lineage"
    boxes = found(asked, path)["boxes"]
    assert any(box["kind"] == "incident" for box in boxes)
    assert all(set(box["sources"]) <= {b["key"] for b in boxes} for box in boxes)
    document = found(asked, path, format="openlineage")
    assert document["openlineage"]
