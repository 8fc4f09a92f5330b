"""A site: resolved once, with all that identifies it; asking for one leaves no trace."""

from dataclasses import replace
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.network_step import NETWORK_STEP
from leak_assets.pipeline.runner import run_step
from leak_assets.settings import Settings
from leak_assets.sites.contract import DEFAULT_CONTRACT, load_contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.sites.site import Site, network_site, require_network


def test_a_network_is_resolved_once(settings: Settings) -> None:
    """Model, layout, contract and provenance in one; its inputs identify them."""
    site = network_site("HANOI", settings)
    assert (site.name, site.kind) == ("hanoi", "network")
    assert site.network.name == "hanoi"
    assert site.layout.columns()
    assert site.contract_input.version == load_contract().sha256
    assert {source.kind for source in site.inputs()} == {"network", "setting", "layout"}
    assert require_network(site) is site


def test_a_home_may_have_a_contract_of_its_own(tmp_path: Path) -> None:
    """VAL1: its ranges count, its hash is another input of the readings; a wrong key is told."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    packaged = network_site("hanoi", settings).contract
    settings.configs_dir.mkdir(parents=True)
    own = settings.configs_dir / "readings.yaml"
    text = DEFAULT_CONTRACT.read_text()
    own.write_text(text.replace("min: -100.0, max: 1000.0", "min: -10.0, max: 2000.0"))
    changed = network_site("hanoi", settings)
    assert changed.contract.quantities["pressure"].max == 2000.0
    assert changed.contract_input.version != packaged.sha256
    own.write_text(text.replace("max_age_s", "max_age_x"))
    with pytest.raises(InputError, match=r"readings\.yaml.*max_age_x"):
        network_site("hanoi", settings)


def test_other_sensors_are_another_provenance(tmp_path: Path) -> None:
    """The network's YAML is read when the site is asked for, not by each step."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    before = network_site("hanoi", settings)
    settings.networks_dir.mkdir(parents=True)
    (settings.networks_dir / "hanoi.yaml").write_text(
        "sensors: [{quantity: pressure, ids: ['4', '9']}]\n"
    )
    after = network_site("hanoi", settings)
    assert after.layout.ids("pressure") == ("4", "9")
    changed = {source.kind for source in set(after.inputs()) - set(before.inputs())}
    assert changed == {"layout"}


def test_asking_by_path_writes_nothing(small_inp: Path, tmp_path: Path) -> None:
    """A model that lies somewhere is a network of this run; only registering registers."""
    home = tmp_path / "home"
    site = network_site(small_inp, Settings(LEAK_ASSETS_HOME=home))
    assert site.layout.columns()
    assert not site.network.is_registered
    assert not home.exists()


def test_a_site_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    """Code for networks says so in one line; a step of networks writes nothing for it."""
    plant = Site("north-works", "plant", load_contract(), SensorLayout("north-works", ()))
    with pytest.raises(InputError, match="north-works is a plant, not a network"):
        require_network(plant)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))
    assert run_step(NETWORK_STEP, ctx, plant, [{"network": plant.name}]) == []
    assert ctx.warehouse.partitions("network.links") == []


def test_a_site_without_a_model_has_no_inputs_of_its_own() -> None:
    """Its contract stands for itself."""
    home = Site("home-7", "household", load_contract(), SensorLayout("home-7", ()))
    assert home.inputs() == ()
    assert replace(home, name="home-8").contract_input == home.contract_input
