"""`leak-assets networks register`: a user's own model with the sensors that are there."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from leak_assets.cli import app
from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites import Network
from leak_assets.sites.registry import source_of
from leak_assets.sites.site import NetworkSite, network_site

FIVE = {"pressure": ("11", "22", "32"), "flow": ("9", "110"), "level": ()}
SENSORS = ("--pressures", "11,22,32", "--flows", "9, 110", "--levels", "none")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep everything in a folder of its own."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def own_inp(net1: Network, tmp_path: Path) -> Path:
    """Return a model that no package brings: net1 with a line of its own."""
    path = tmp_path / "town.inp"
    path.write_text(net1.inp_path.read_text("utf-8") + "\n; ours\n")
    return path


def invoke(*arguments: object) -> Result:
    """Run a command in this process; what it raises stays visible."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)


def registered(name: str) -> NetworkSite:
    """Return a network as commands see it."""
    return network_site(name, Settings(), must_be_registered=True)


def ids(site: NetworkSite) -> dict[str, tuple[str, ...]]:
    """Return the sensors of a site by quantity."""
    return {quantity: site.layout.ids(quantity) for quantity in FIVE}


def test_an_own_model_has_the_sensors_that_were_named(own_inp: Path) -> None:
    """Five sensors, in a table as well; registered again with something else they stay."""
    result = invoke("networks", "register", own_inp, *SENSORS, "--json")
    assert result.exit_code == 0, result.output
    rows = {row["table"]: row["rows"] for row in json.loads(result.output)}
    assert rows["network.sensors"] == 5
    assert ids(registered("town")) == FIVE
    assert invoke("networks", "register", own_inp, "--cadence-s", "900").exit_code == 0
    slow = registered("town")
    assert (ids(slow), slow.contract.cadence_s) == (FIVE, 900)
    assert invoke("networks", "register", own_inp, "--pressures", "21").exit_code == 0
    assert ids(registered("town")) == {**FIVE, "pressure": ("21",)}
    assert source_of(registered("town").network) == str(own_inp)


def test_a_packaged_model_is_registered_by_name(home: Path) -> None:
    """Its file stays where it is installed; the sensors stand in the home."""
    assert invoke("networks", "register", "NET1", *SENSORS).exit_code == 0
    site = registered("net1")
    assert ids(site) == FIVE
    assert source_of(site.network) == "net1"
    assert not list((home / "var" / "networks").glob("*.inp"))


def test_a_sensor_that_is_nowhere_registers_nothing(own_inp: Path, home: Path) -> None:
    """The name is told, and no half of a network is left."""
    result = invoke("networks", "register", own_inp, "--pressures", "11,n404")
    assert isinstance(result.exception, InputError)
    assert "n404" in str(result.exception)
    assert not list(home.rglob("town*"))


def test_chosen_places_come_with_the_command_that_takes_them(own_inp: Path) -> None:
    """What `place-sensors` prints can be pasted."""
    assert invoke("networks", "register", own_inp).exit_code == 0
    result = invoke("place-sensors", "--network", "town", "--sensors", "2")
    assert result.exit_code == 0, result.output
    (line,) = (one for one in result.output.splitlines() if "networks register" in one)
    assert invoke(*line.split()[1:]).exit_code == 0
    assert len(registered("town").layout.ids("pressure")) == 2


def test_a_layout_without_sensors_is_not_judged(own_inp: Path) -> None:
    """What finds no leak is told in words before a town is made."""
    nothing = ("--pressures", "none", "--flows", "none")
    assert invoke("networks", "register", own_inp, *nothing).exit_code == 0
    result = invoke("benchmark", "detection", "--network", "town", "--towns", "1")
    assert isinstance(result.exception, InputError)
    said = str(result.exception)
    assert "no pressure sensor" in said
    assert f"networks register {own_inp} --pressures" in said
