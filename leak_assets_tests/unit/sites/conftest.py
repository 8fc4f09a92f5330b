"""Small real networks and an empty home for the tests of the networks room."""

from pathlib import Path

import pytest

from leak_assets.settings import Settings
from leak_assets.sites import Network, resolve
from leak_assets.sites.contract import Contract, load_contract


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with an empty home."""
    return Settings(LEAK_ASSETS_HOME=tmp_path)


@pytest.fixture
def contract() -> Contract:
    """Return the contract of readings."""
    return load_contract()


@pytest.fixture
def net3(settings: Settings) -> Network:
    """Return EPANET's example network 3."""
    return resolve("net3", settings)


@pytest.fixture
def ltown(settings: Settings) -> Network:
    """Return L-Town."""
    return resolve("l-town", settings)


@pytest.fixture
def broken_models() -> Path:
    """Return the folder of broken models that WNTR ships."""
    from importlib.util import find_spec

    spec = find_spec("wntr")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "tests" / "networks_for_testing"


@pytest.fixture
def small_inp(tmp_path: Path) -> Path:
    """Return a hand-made model: a line, a parallel pair, a valve and a zero-length pipe."""
    path = tmp_path / "mine" / "Small Town.inp"
    path.parent.mkdir()
    path.write_text(
        """[JUNCTIONS]
 a 0 0
 b 0 0
 c 0 0
 d 0 1
 e 0 1
[RESERVOIRS]
 r 50
[PIPES]
 p1 r a 100 300 100 0 Open
 p2 a b 400 300 100 0 Open
 p3 a b 200 300 100 0 Open
 p4 b c 60 300 100 0 Open
 p5 d e 80 300 100 0 Open
[VALVES]
 v1 c d 300 TCV 0 0
[OPTIONS]
 Units LPS
 Headloss H-W
[COORDINATES]
 a 0 0
 b 10 0
 c 20 0
 d 30 0
 e 40 0
 r -10 0
[END]
""",
        encoding="utf-8",
    )
    return path
