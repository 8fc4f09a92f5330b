"""What a layout lets expect: Hanoi finds and places leaks, other layouts say what they cannot."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from leak_assets.benchmark.expectation import Drawn, Expectation, expect, precision
from leak_assets.benchmark.expected_noise import made_reference
from leak_assets.benchmark.layout_expectation import expect_layout
from leak_assets.cli import app
from leak_assets.detection.likelihood.explanations import Explanations
from leak_assets.detection.likelihood.noise import PRESSURE_COURSE, Course, Noise
from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites import layout_from_headers
from leak_assets.sites.site import NetworkSite, network_site


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    """Return a context of an empty home."""
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def site(ctx: StepContext) -> NetworkSite:
    """Return Hanoi with its packaged sensors."""
    return network_site("hanoi", ctx.settings)


@pytest.fixture(scope="module")
def hanoi_expectation(ctx: StepContext, site: NetworkSite) -> Expectation:
    """Return what Hanoi's sensors let expect."""
    return expect_layout(ctx, site).expectation


def _with_sensors(site: NetworkSite, **ids: list[str]) -> NetworkSite:
    return replace(site, layout=layout_from_headers(site.network, ids))


def _made(effects: list[list[float]]) -> tuple[Explanations, Noise]:
    """Return pipes 1 km from each other with these effects, m per m3/h, and noise of 1 cm."""
    leaks = np.array(effects)
    count, channels = leaks.shape
    apart = 1000.0 * np.abs(np.arange(count)[:, None] - np.arange(count)[None])
    pipes = tuple(f"p{i}" for i in range(count))
    explanations = Explanations(pipes, leaks, np.zeros((0, channels)), apart, channels)
    return explanations, Noise(np.eye(channels) * 0.01**2, (PRESSURE_COURSE,) * channels)


def test_larger_leaks_are_found_sooner(hanoi_expectation: Expectation) -> None:
    """More days and larger leaks never make fewer found; large ones are found, most are placed."""
    for one in hanoi_expectation.sizes:
        shares = [one.found_share(days) for days in (1, 7, 30)]
        assert shares == sorted(shares)
    months = [one.found_share(30) for one in hanoi_expectation.sizes]
    assert all(later >= sooner - 0.02 for sooner, later in pairwise(months))
    assert months[0] < 0.5
    assert months[-1] > 0.95
    assert (hanoi_expectation.sizes[-1].near_share or 0) > 0.5
    assert hanoi_expectation.usual_distance_m(4).shape == (len(hanoi_expectation.pipes),)


def test_flow_meters_alone_do_not_place(ctx: StepContext, site: NetworkSite) -> None:
    """Nobody knows the season of Hanoi's inflow: it tells some of the largest, and never where."""
    found = expect_layout(ctx, _with_sensors(site, flow=list(site.layout.ids("flow"))))
    assert found.expectation.pressures == 0
    assert 0.2 < found.expectation.sizes[-1].found_share(30) < 0.8
    assert (found.expectation.sizes[-1].near_share or 0) < 0.3
    said = " ".join(found.sentences())
    assert "No size of leak is found" in said
    assert "not where" in said


def test_a_layout_that_finds_nothing_says_so(ctx: StepContext, site: NetworkSite) -> None:
    """One meter at one customer measures no zone and no pressure."""
    blind = _with_sensors(site, demand=["5"])
    assert made_reference(blind) is None
    found = expect_layout(ctx, blind)
    assert found.rows() == []
    assert found.sentences()[0].startswith("This layout finds no leak")


def test_a_lone_sensor_cannot_tell_a_leak_from_its_own_fault() -> None:
    """What a layout's only sensor feels is a lying sensor; what three feel is a leak."""
    alone = expect(*_made([[-0.05], [-0.03]]), sizes_m3_per_h=(60.0,)).sizes[0]
    assert alone.is_taken_for_fault.mean() > 0.25
    three = [[-0.05, -0.04, -0.02], [-0.03, -0.03, -0.05]]
    together = expect(*_made(three), sizes_m3_per_h=(60.0,)).sizes[0]
    assert together.is_taken_for_fault.mean() < 0.05
    assert together.found_share(30) > 0.9


def test_pipes_that_do_the_same_are_not_told_apart() -> None:
    """Of two pipes with one effect half of the leaks are placed at the other, a kilometer off."""
    explanations, noise = _made([[-0.05, -0.02], [-0.05, -0.02], [-0.01, -0.06]])
    (found,) = expect(explanations, noise, sizes_m3_per_h=(20.0,)).sizes
    third = len(found.distance_m) // 3
    assert np.isfinite(found.found_days).mean() > 0.9
    assert np.nanmax(found.distance_m[: 2 * third]) >= 1000
    assert np.nanmedian(found.distance_m[2 * third :]) == 0


def test_a_pipe_that_was_not_tried_has_the_answer_of_the_nearest() -> None:
    """Of three pipes two are tried; the one beside the first has the first's answers."""
    apart = np.array([[0.0, 50.0, 900.0], [50.0, 0.0, 850.0], [900.0, 850.0, 0.0]])
    days, away = np.array([1.0, 7.0, np.inf, np.inf]), np.array([80.0, 120.0, np.nan, np.nan])
    small = Drawn(2.5, np.full(4, np.inf), np.full(4, np.nan), np.zeros(4, dtype=bool))
    large = Drawn(10.0, days, away, np.zeros(4, dtype=bool))
    tried = np.array([0, 0, 2, 2])
    found = Expectation(("a", "b", "c"), tried, (small, large), 2, 0, apart)
    assert found.smallest_m3_per_h(7).tolist() == [10.0, 10.0, np.inf]
    assert found.usual_distance_m(1).tolist() == [100.0, 100.0, np.inf]


def test_precision_grows_until_the_slow_departures() -> None:
    """More days tell more, but less than as many free days would; without memory all count."""
    slow, free = Course(2.0, 30.0, 1.0), Course(0.0, 30.0, 1.0)
    told = [precision(slow, days) for days in (1, 3, 7, 14, 30)]
    assert told == sorted(told)
    assert precision(free, 30) > 3 * precision(slow, 30)
    assert precision(free, 1) == pytest.approx(1.0, abs=0.03)


def test_command_writes_table_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other sensors can be tried; the page has words and two maps, and loads nothing."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    arguments = ["expect", "--network", "hanoi", "--pressures", "13,22,27,31"]
    result = CliRunner().invoke(app, [*arguments, "--json", "--out", str(tmp_path / "e.html")])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert len(document["sizes"]) == 5
    assert document["sentences"]
    page = (tmp_path / "e.html").read_text()
    assert page.count('class="network"') == 2
    assert 'class="shades"' in page
    assert "http" not in page.replace("http-equiv", "")
    nothing = CliRunner().invoke(
        app, ["expect", "--network", "hanoi", "--pressures", "none", "--flows", "none"]
    )
    assert nothing.exit_code == 0, nothing.output
    assert "finds no leak" in nothing.output
    wrong = CliRunner().invoke(app, ["expect", "--network", "hanoi", "--pressures", "nowhere"])
    assert isinstance(wrong.exception, InputError)
