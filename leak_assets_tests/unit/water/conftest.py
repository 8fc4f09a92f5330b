"""A home with metered zones in Rome's time, hourly, that nobody has a model of."""

from pathlib import Path

import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site

ROME_ZONES = """\
name: rome
kind: zones
timezone: Europe/Rome
country: IT
cadence_s: 3600
sensors:
  - {quantity: flow, unit: L/s, ids: [m1, m2]}
  - {quantity: pressure, unit: bar, ids: [p1]}
details:
  areas:
    - {name: upper, meters: {m1: 1, m2: -1}, pressures: [p1], connections: 1000, mains_km: 10}
    - {name: lower, meters: {m2: 1}}
"""


@pytest.fixture
def rome(tmp_path: Path) -> StepContext:
    """A home of this test's own with the site registered."""
    file = tmp_path / "rome.yaml"
    file.write_text(ROME_ZONES)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"), run_id="test")
    register_site(file, ctx.settings)
    return ctx
