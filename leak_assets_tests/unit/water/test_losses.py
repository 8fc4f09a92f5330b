"""Losses by formula: equal to figures by hand, null where something is not known."""

from typing import Any

import pytest

from leak_assets.sites.areas import Area
from leak_assets.water.losses import (
    current_losses,
    leakage_index,
    legitimate_night_use,
    net_night_flow,
    unavoidable_losses,
)


def area(**known: Any) -> Area:
    """An area of which something is known."""
    return Area(name="a", meters={"m": 1}, **known)


def test_unavoidable_losses_are_those_of_the_formula() -> None:
    """(18 x 10 + 0.8 x 500 + 25 x 4) x 50 = 34,000 L a day."""
    known = area(mains_km=10, connections=500, service_pipes_km=4, pressure_m=50)
    assert unavoidable_losses(known, None) == pytest.approx(34.0)
    assert unavoidable_losses(known, 25.0) == pytest.approx(17.0)
    assert unavoidable_losses(area(connections=500, pressure_m=50), None) is None
    assert unavoidable_losses(area(connections=500, mains_km=10), None) is None


def test_night_use_goes_by_what_is_known_best() -> None:
    """A figure of its own, else connections, else people, else nothing."""
    assert legitimate_night_use(area(night_use_m3_per_h=3, connections=1000)) == 3
    assert legitimate_night_use(area(connections=1000, population=1)) == pytest.approx(1.7)
    assert legitimate_night_use(area(population=1000)) == pytest.approx(0.6)
    assert legitimate_night_use(area()) is None


def test_index_of_an_area() -> None:
    """5 m3/h at night, 1.7 of them used: 3.3 x 24 = 79.2 m3 a day, over 29 unavoidable."""
    known = area(connections=1000, mains_km=10, pressure_m=50)
    net = net_night_flow(known, 5.0)
    losses = current_losses(known, net)
    assert losses == pytest.approx(79.2)
    assert leakage_index(losses, 29.0) == pytest.approx(79.2 / 29)
    assert current_losses(known, -1.0) == 0.0
    assert leakage_index(None, 29.0) is None
    assert leakage_index(1.0, 0.0) is None
