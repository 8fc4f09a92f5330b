"""A store that is missing, half-built or damaged: 500 as documented; health and status answer."""

import shutil
from pathlib import Path

import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.system.files import publish
from leak_assets_tests.unit.incidents.lake import NET
from leak_assets_tests.unit.serving.conftest import client_of

PATHS = ("/incidents", "/networks", f"/quality?network={NET}", f"/networks/{NET}.geojson")


@pytest.fixture
def home(served_ctx: StepContext, tmp_path: Path) -> Path:
    """A home of this test's own."""
    shutil.copytree(served_ctx.settings.home, tmp_path / "home")
    return tmp_path / "home"


def gone(lake: Path) -> None:
    """Remove the whole store."""
    shutil.rmtree(lake.parent)


def half_built(lake: Path) -> None:
    """Remove tables, as a copy that was cut off leaves them."""
    for schema in ("incidents", "telemetry", "network"):
        shutil.rmtree(lake / schema)


def damaged(lake: Path) -> None:
    """Cut the files of some tables off."""
    for table in ("incidents/incident_events", "telemetry/sensor_quality_daily", "network/nodes",
                  "network/links", "network/sensors"):  # fmt: skip
        for file in (lake / table).glob("*=*.parquet"):
            # As a disk that was full leaves it: a new file of the same name.
            publish(file, file.read_bytes()[:40])


@pytest.mark.parametrize("harm", [gone, half_built, damaged])
def test_a_broken_store_is_told(home: Path, harm: object) -> None:
    """Broken while it is served: no answer is made up, no path is told, what can answer does."""
    with client_of(home) as client:
        assert client.get("/incidents").status_code == 200
        harm(home / "warehouse" / "lake")  # type: ignore[operator]
        for path in PATHS:
            answer = client.get(path)
            # A network whose tables are gone is not known any more.
            assert answer.status_code in ((500, 404) if NET in path else (500,)), path
            assert str(home) not in answer.text
        assert client.get("/incidents").json() == {"detail": "the warehouse cannot be read"}
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/status").status_code == 200


def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file where the warehouse should be: the server starts and says so."""
    (tmp_path / "warehouse").write_text("")
    with client_of(tmp_path) as client:
        assert client.get("/incidents").status_code == 500
        assert client.get("/health").status_code == 200
        assert client.get("/status").status_code == 200


def test_a_store_that_comes_back_is_read_again(home: Path) -> None:
    """Nothing of the failure is kept."""
    lake = home / "warehouse" / "lake" / "incidents"
    with client_of(home) as client:
        before = client.get("/incidents").json()
        shutil.move(lake, home / "aside")
        assert client.get("/incidents").status_code == 500
        shutil.move(home / "aside", lake)
        assert client.get("/incidents").json() == before
