"""A simulated day that the writers of all formats take."""

from datetime import timedelta

import pytest

from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town, TownBounds
from leak_assets.sites import load_layout


@pytest.fixture
def run(net1, monday):
    """Return a day of Net1 with one leak, measured with errors."""
    leak = Leak("22", monday + timedelta(hours=3), 0.03, end_at=monday + timedelta(hours=9))
    town = Town.draw(net1, 1, TownBounds(closed_valves=0))
    return run_scenario(
        net1, load_layout(net1), start_at=monday, town=town, leaks=[leak], duration_s=86100
    )
