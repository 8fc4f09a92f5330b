"""The report: complete, escaped, self-contained, and alive in a browser."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from pathlib import Path

import polars as pl
import pytest

from leak_assets.reports.report import render_report, write_report
from leak_assets.reports.report_data import KnownLeak, ReportData
from leak_assets.warehouse.schemas.detection import WINDOW_SCORES
from leak_assets.warehouse.schemas.features import RESIDUALS
from leak_assets.warehouse.schemas.incidents import CANDIDATES, EVIDENCE, INCIDENT_EVENTS, SUMMARIES
from leak_assets.warehouse.schemas.models import EVALUATIONS
from leak_assets_tests.browser import CHROMIUM, chromium
from leak_assets_tests.towns import line_residuals

START = datetime(2019, 1, 7, tzinfo=UTC)
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
EMPTY = {
    "events": INCIDENT_EVENTS.empty(),
    "candidates": CANDIDATES.empty(),
    "evidence": EVIDENCE.empty(),
    "summaries": SUMMARIES.empty(),
    "scores": WINDOW_SCORES.empty(),
    "residuals": RESIDUALS.empty(),
    "models": [],
    "evaluations": EVALUATIONS.empty(),
    "truth": None,
}


@pytest.fixture
def report_data(small_town):
    """Build the data of a report; any part can be replaced."""
    first, second = small_town["events"]["incident_id"].unique(maintain_order=True)
    summaries = pl.DataFrame(
        [
            {
                "network": "net1",
                "incident_id": first,
                "revision": 1,
                "summary": "Dig at p2 first.",
                "generated_by": "template",
                "prompt_sha256": "0",
                "latency_s": 0.1,
                "fallback_reason": "no language model configured",
                "created_at": START,
            }
        ],
        schema=SUMMARIES.polars_schema,
    )
    evaluations = pl.DataFrame(
        [("net1", "leak_detector", "1.0.0-abc", "test", "auc", 0.97, 0.9, True)],
        schema=EVALUATIONS.polars_schema,
        orient="row",
    )
    base = {
        "town": "Net One",
        "network": "net1",
        "period_start": START,
        "period_end": START + timedelta(days=2),
        "generated_at": START + timedelta(days=3),
        "price_eur_per_m3": 0.8,
        "events": small_town["events"],
        "candidates": small_town["all_candidates"],
        "evidence": small_town["evidence"],
        "summaries": summaries,
        "nodes": small_town["nodes"],
        "links": small_town["links"],
        "sensors": small_town["sensors"],
        "scores": small_town["scores"],
        "residuals": small_town["residuals"],
        "models": [("leak_detector", "1.0.0-abc")],
        "evaluations": evaluations,
        "audit": [("detector", "1.0.0-abc"), ("contract", "c0ffee")],
        "truth": [
            KnownLeak(
                link_id="p2",
                leak_start=START + timedelta(hours=5),
                leak_end=START + timedelta(hours=15),
                max_flow_m3_per_h=12.0,
                volume_m3=120.0,
                incident_id=first,
                distance_m=0.0,
            ),
            KnownLeak(
                link_id="p4",
                leak_start=START + timedelta(hours=20),
                leak_end=None,
                max_flow_m3_per_h=1.0,
                volume_m3=28.0,
            ),
        ],
    }
    assert second != first
    return lambda **changes: ReportData(**(base | changes))


def chart_data(page: str) -> list[dict]:
    """Return the numbers behind the charts of a page."""
    blocks = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    return [json.loads(block) for block in blocks]


def test_it_holds_headlines_incidents_truth_summaries_models_and_audit(report_data):
    """What an operator, a scientist and an auditor look for is on the page."""
    page = render_report(report_data())
    for needed in (
        "Leak report for Net One",
        "1 of 2",
        "1 false alarm",
        "false alarm</td>",
        "not found",
        "Dig at p2 first.",
        "no language model configured",
        "leak_detector",
        "passed",
        "c0ffee",
        " h after start",
    ):
        assert needed in page, needed
    assert page.count('data-tip="pipe p2') == 2
    assert json.loads(unescape(re.search(r'data-names="(.*?)"', page)[1])) == [
        f"pipe p{n}" for n in range(1, 5)
    ]
    assert [s["name"] for s in chart_data(page)[2]["series"]] == ["n1", "n2", "n3"]


def test_it_loads_nothing_from_anywhere(report_data):
    """OPS3: no address, no import, and a policy that forbids both."""
    page = render_report(report_data())
    assert not re.search(r"https?:|//cdn|@import|url\(|<link|<iframe|\bsrc=", page)
    assert "default-src 'none'" in page


def test_everything_from_data_is_escaped(report_data, small_town):
    """Names, texts and audit values with markup stay text, in HTML and in the data block."""
    data = report_data(
        town=HOSTILE,
        audit=[(HOSTILE, HOSTILE)],
        events=small_town["events"].with_columns(top_link_id=pl.lit(HOSTILE)),
        candidates=small_town["all_candidates"].with_columns(link_id=pl.lit(HOSTILE)),
        evidence=small_town["evidence"].with_columns(sensor_id=pl.lit(HOSTILE)),
        sensors=small_town["sensors"].with_columns(sensor_id=pl.lit(HOSTILE)),
    )
    page = render_report(data)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert escape(HOSTILE) in page


def test_a_period_without_anything_is_a_report_too(report_data):
    """No incident, no score, no truth, no model."""
    page = render_report(report_data(**EMPTY))
    assert "No incident in this period." in page
    assert "beside the truth" not in page
    assert "No model is in use" in page
    assert "no calibration yet" in page
    assert "No incident." in page
    assert page.count("no data</p>") == 2


def test_missing_scores_are_told_with_their_cause(report_data):
    """A chart without scores does not look like a quiet network."""
    without = {"scores": WINDOW_SCORES.empty(), "evaluations": EVALUATIONS.empty()}
    page = render_report(report_data(**without, models=[]))
    assert "No window was scored in this period: no model is in use." in page
    page = render_report(report_data(**without))
    assert "No window was scored in this period." in page
    assert "The models in use have no evaluation here." in page


def test_long_periods_are_thinned(report_data):
    """The page of a long period stays small."""
    page = render_report(
        report_data(residuals=line_residuals(24 * 60), period_end=START + timedelta(days=60))
    )
    assert all(len(s["v"]) <= 2600 for chart in chart_data(page) for s in chart["series"])


def test_it_is_written_whole_and_replaces_the_one_before(report_data, tmp_path):
    """No temporary file is left, and a failure leaves the old report."""
    path = tmp_path / "reports" / "town.html"
    write_report(path, report_data())
    first = path.read_text(encoding="utf-8")
    assert first.endswith("</html>")
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        write_report(path, report_data(events=pl.DataFrame()))
    assert path.read_text(encoding="utf-8") == first
    assert [p.name for p in path.parent.iterdir()] == ["town.html"]


@pytest.mark.system
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("empty", [False, True])
def test_it_works_in_a_browser_without_error(report_data, tmp_path: Path, empty: bool):
    """Choose an incident, zoom the map, zoom the charts: no script error, no request."""
    path = tmp_path / "report.html"
    write_report(path, report_data(**(EMPTY if empty else {})))
    problems: list[str] = []
    requests: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: requests.append(r.url))
        page.goto(path.as_uri())
        chart = page.locator(".chart .plot").nth(1)
        if not empty:
            page.locator("tr[data-incident]").first.click()
            assert page.locator(".chips button.on").inner_text() == "Incident 1"
            assert page.locator(".of-incident:visible .bar b").first.inner_text() == "p2"
        before = page.locator("svg.network").get_attribute("viewBox")
        page.locator("svg.network").scroll_into_view_if_needed()
        page.locator("svg.network").click()
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(100)
        assert page.locator("svg.network").get_attribute("viewBox") != before
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        labels = chart.locator(".xtick").all_inner_texts()
        page.mouse.move(box["x"] + 300, box["y"] + 90)
        page.mouse.down()
        page.mouse.move(box["x"] + 500, box["y"] + 90, steps=4)
        assert page.locator("#tip").is_visible()
        page.mouse.up()
        assert chart.locator(".xtick").all_inner_texts() != labels
    assert problems == []
    assert requests == [path.as_uri()]
