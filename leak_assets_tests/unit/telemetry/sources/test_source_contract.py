"""The landing folder keeps what every source promises, and the check sees who does not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.telemetry.sources.landing import LandedFile, LandingFolder
from leak_assets.telemetry.sources.source_contract import violations

SITE = network_site("hanoi", Settings())


@pytest.fixture
def filled(
    landing: LandingFolder, put: Callable[..., Path], csv_lines: Callable[..., list[str]]
) -> LandingFolder:
    """Return a landing zone with three files of Hanoi."""
    for name in ("b", "a", "c"):
        text = "\n".join([*csv_lines(ids=("12",)), ""])
        put(landing.root / "hanoi" / f"{name}_Pressures.csv", text)
    return landing


def test_landing_folder_is_a_source(filled: LandingFolder) -> None:
    """No promise is broken."""
    assert violations(filled, SITE) == []


def test_a_source_that_forgets_is_seen(filled: LandingFolder) -> None:
    """One that hands out what was acknowledged, and one that has nothing."""

    class Forgetful(LandingFolder):
        def acknowledge(self, delivery: LandedFile) -> None:
            """Do nothing."""

    forgetful = Forgetful(Settings(LEAK_ASSETS_HOME=filled.root.parents[1]), filled._warehouse)
    assert any("was acknowledged" in line for line in violations(forgetful, SITE))
    for file in filled.waiting():
        filled.acknowledge(file)
    assert violations(filled, SITE) == ["0 deliveries of hanoi wait; the check needs two"]


def test_a_source_with_moving_times_is_seen(filled: LandingFolder) -> None:
    """Times of receipt that differ between looks would double rows of a killed run."""

    class Moving(LandingFolder):
        looks = 0

        def waiting(self) -> list[LandedFile]:
            """Say at each look that the files have just come."""
            self.looks += 1
            later = timedelta(microseconds=self.looks)
            return [replace(f, received_at=f.received_at + later) for f in super().waiting()]

    moving = Moving(Settings(LEAK_ASSETS_HOME=filled.root.parents[1]), filled._warehouse)
    assert any("a second look gives other" in line for line in violations(moving, SITE))
