"""Leak signatures of a small network against the network with the leak."""

from pathlib import Path

import numpy as np
import pytest

from leak_assets.hydraulics.signatures.signatures import signatures
from leak_assets.settings import Settings
from leak_assets.sites import Network, SensorLayout, candidate_pipes, layout_from_headers, resolve

LEAK_M3_PER_S = 0.02


@pytest.fixture(scope="module")
def hanoi(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return resolve("hanoi", Settings(LEAK_ASSETS_HOME=tmp_path_factory.mktemp("home")))


def layout(network: Network, *, metered: bool) -> SensorLayout:
    sensors: dict[str, tuple[str, ...]] = {"pressure": ("13", "16", "22", "30")}
    return layout_from_headers(network, sensors | ({"flow": ("1",)} if metered else {}))


def test_a_leak_lowers_pressure_where_nothing_compensates(hanoi: Network) -> None:
    """Without an inflow meter the signature is the plain pressure response: negative."""
    found = signatures(
        hanoi, layout(hanoi, metered=False), ("12", "29"), hours=(0,), leak_m3_per_s=LEAK_M3_PER_S
    )
    assert (found.response < 0).all()


def test_a_metered_zone_sees_a_leak_against_the_spread_demand(hanoi: Network) -> None:
    """With the inflow known a leak lowers pressure near it and raises it elsewhere."""
    found = signatures(
        hanoi, layout(hanoi, metered=True), ("12",), hours=(0,), leak_m3_per_s=LEAK_M3_PER_S
    )
    response = dict(zip(found.sensors, found.response[0, 0], strict=True))
    assert response["pressure/13"] < 0 < response["pressure/30"]
    assert response["flow/1"] == pytest.approx(0, abs=0.01)


def test_signatures_are_taken_from_the_cache(hanoi: Network, tmp_path: Path) -> None:
    """The second call reads what the first one wrote; other options write another file."""
    pipes = candidate_pipes(hanoi)[:4]
    first = signatures(hanoi, layout(hanoi, metered=True), pipes, hours=(0, 6), cache_dir=tmp_path)
    files = list(tmp_path.iterdir())
    again = signatures(hanoi, layout(hanoi, metered=True), pipes, hours=(0, 6), cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == files
    assert again.pipes == first.pipes
    np.testing.assert_array_equal(again.response, first.response)
    np.testing.assert_array_equal(again.spread, first.spread)
    signatures(hanoi, layout(hanoi, metered=True), pipes, hours=(0,), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_mean_takes_hours_of_the_day(hanoi: Network) -> None:
    """The mean over chosen hours is that of their responses."""
    found = signatures(hanoi, layout(hanoi, metered=True), ("12",), hours=(0, 6, 12))
    np.testing.assert_allclose(found.mean([6]), found.response[:, 1])
    np.testing.assert_allclose(found.mean(), found.response.mean(axis=1))
