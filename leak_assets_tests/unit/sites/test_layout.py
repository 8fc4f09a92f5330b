"""Sensor layouts as data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites import layout_from_headers, load_layout, register, resolve, sensors_frame
from leak_assets.sites.model_file import names_in_text


def test_official_layout_of_ltown(ltown) -> None:
    """L-Town has BattLeDIM's 33 pressures, 3 flows, 1 level and 82 demands."""
    layout = load_layout(ltown)
    counts = {q: len(layout.ids(q)) for q in ("pressure", "flow", "level", "demand")}
    assert counts == {"pressure": 33, "flow": 3, "level": 1, "demand": 82}
    assert layout.ids("flow") == ("p227", "p235", "PUMP_1")
    assert layout.columns()[0] == "pressure/n1"
    assert {s.unit for s in layout.sensors if s.quantity == "demand"} == {"L/h"}


def test_layout_matches_official_headers(ltown) -> None:
    """The layout as data has the columns of the organizers' format, in their order."""
    shared = Path(os.environ.get("LEAK_ASSETS_SHARED", Path(__file__).parents[4] / "shared"))
    folder = shared / "data" / "ltown-dev"
    if not folder.is_dir():
        pytest.skip("the development data are not here")
    import gzip

    for stem, quantity in (("Pressures", "pressure"), ("Flows", "flow"), ("Demands", "demand")):
        with gzip.open(folder / f"2019_SCADA_{stem}.csv.gz", "rt") as file:
            assert tuple(file.readline().strip().split(";")[1:]) == load_layout(ltown).ids(quantity)


def test_removed_sensor_is_gone_everywhere(ltown) -> None:
    """Without a sensor neither columns nor the sensor table have it."""
    layout = load_layout(ltown).without("n105")
    assert "pressure/n105" not in layout.columns()
    assert "n105" not in layout.ids("pressure")
    assert "n105" not in sensors_frame(ltown, layout)["sensor_id"].to_list()
    with pytest.raises(InputError, match="no sensor 'n105'"):
        layout.without("n105")


def test_user_layout_overrides(settings: Settings, small_inp: Path) -> None:
    """Sensors in the user's YAML are the layout; one taken out of it is gone."""
    network = register(small_inp, settings)
    assert network.settings_path is not None
    text = "sensors:\n- {quantity: pressure, unit: bar, ids: [a, e]}\n"
    network.settings_path.write_text(text)
    layout = load_layout(resolve(network.name, settings))
    assert layout.columns() == ("pressure/a", "pressure/e")
    assert layout.sensors[0].conversion.factor == pytest.approx(10.197, rel=1e-4)
    network.settings_path.write_text(text.replace("a, e", "e"))
    assert load_layout(resolve(network.name, settings)).columns() == ("pressure/e",)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("{quantity: pressure, ids: [nowhere]}", "no node 'nowhere'"),
        ("{quantity: level, ids: [a]}", "no tank 'a'"),
        ("{quantity: flow, ids: [a]}", "no link 'a'"),
        ("{quantity: heat, ids: [a]}", "unknown quantity 'heat'"),
        ("{quantity: pressure, unit: L/h, ids: [a]}", "does not fit pressure"),
        ("{quantity: pressure, ids: [a, a]}", "given twice"),
        ("{quantity: pressure, ids: 7}", "not a list of names"),
        ("{quantity: pressure, ids: a}", "not a list of names"),
        ("{quantity: pressure, ids: [[a], 1.5]}", "not a list of names"),
    ],
)
def test_unusable_layout_is_refused(
    settings: Settings, small_inp: Path, group: str, words: str
) -> None:
    """A wrong element, quantity or unit is named, with the file."""
    network = register(small_inp, settings)
    assert network.settings_path is not None
    network.settings_path.write_text(f"sensors:\n- {group}\n")
    with pytest.raises(InputError, match=words) as caught:
        load_layout(network)
    assert caught.value.file == str(network.settings_path)


def test_layout_from_headers_keeps_order(net3) -> None:
    """An export brings its own sensors and their order."""
    layout = layout_from_headers(net3, {"pressure": ["35", "10"], "level": ["1"]}, {"level": "m"})
    assert layout.columns() == ("pressure/35", "pressure/10", "level/1")


def test_derived_layout_is_spread_and_stable(net3) -> None:
    """A network without layout gets distinct spread pressures, its inflows and tank levels."""
    layout = load_layout(net3)
    assert layout == load_layout(net3)
    assert len(set(layout.ids("pressure"))) == 4
    assert set(layout.ids("level")) == {"1", "2", "3"}
    assert {"10", "335"} <= set(layout.ids("flow"))


@pytest.mark.parametrize("name", ["net1", "net3", "hanoi", "l-town"])
def test_names_in_the_text_are_those_that_wntr_reads(name: str) -> None:
    """Nodes, links and tanks; a registered model need not be opened to know them."""
    network = resolve(name, Settings())
    model = network.shared_model()
    of_model = (model.node_name_list, model.link_name_list, model.tank_name_list)
    assert names_in_text(network.inp_path) == tuple(frozenset(names) for names in of_model)


def test_a_site_is_found_without_the_solver() -> None:
    """Who collects readings of a network does not load what solves it: 80 MiB instead of 300."""
    code = (
        "import sys; from leak_assets.settings import Settings;"
        " from leak_assets.sites.site import find_site; find_site('l-town', Settings());"
        " print([m for m in ('wntr', 'scipy', 'pandas', 'networkx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
