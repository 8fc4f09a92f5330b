"""A home that is asked about, and servers over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from leak_assets.pipeline.context import StepContext
from leak_assets.serving.app import build_app
from leak_assets.settings import Settings
from leak_assets_tests.unit.serving.served import make_home


@pytest.fixture(scope="session")
def served_ctx(tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    """A home with a network, a plant and a household; for reading only."""
    return make_home(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def asked(served_ctx: StepContext) -> Iterator[TestClient]:
    """A server over that home."""
    with client_of(served_ctx.settings.home) as client:
        yield client


def client_of(home: Path, **settings: object) -> TestClient:
    """Return a client of a server over a home that looks at the tables at each request."""
    return TestClient(
        build_app(Settings(LEAK_ASSETS_HOME=home, **settings), grace_s=0.0),
        raise_server_exceptions=False,
    )
