"""Real networks and the packaged contract, for the tests of all rooms."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from leak_assets.settings import Settings
from leak_assets.sites import Network, resolve
from leak_assets.sites.contract import Contract, load_contract


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings with an empty home."""
    return Settings(LEAK_ASSETS_HOME=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def net1(settings: Settings) -> Network:
    """Return EPANET's example network 1: 9 junctions, a tank, a pump."""
    return resolve("net1", settings)


@pytest.fixture(scope="session")
def net3(settings: Settings) -> Network:
    """Return EPANET's example network 3."""
    return resolve("net3", settings)


@pytest.fixture(scope="session")
def hanoi(settings: Settings) -> Network:
    """Return Hanoi."""
    return resolve("hanoi", settings)


@pytest.fixture(scope="session")
def ltown(settings: Settings) -> Network:
    """Return L-Town."""
    return resolve("l-town", settings)


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Return the packaged contract."""
    return load_contract()


@pytest.fixture
def monday() -> datetime:
    """Return a Monday at midnight, where models' patterns begin."""
    return datetime(2019, 1, 7, tzinfo=UTC)


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """Return a path for a hand-made model."""
    return tmp_path / "model.inp"
