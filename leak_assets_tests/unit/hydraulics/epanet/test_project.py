"""The thin layer over EPANET: errors with time and element, nothing left open."""

from pathlib import Path

import pytest

from leak_assets.errors import HydraulicError
from leak_assets.hydraulics.epanet import project as epanet


@pytest.fixture
def project(net1, tmp_path: Path):
    """Return an open project of Net1."""
    with epanet.EpanetProject(net1.inp_path, tmp_path) as opened:
        yield opened


def test_values_are_read_as_arrays(project) -> None:
    """A reader gives the same values as EPANET's own solution at time 0."""
    project.open_hydraulics()
    assert project.run() == 0
    heads = project.node_reader([project.node_index("9"), project.node_index("2")], 10)()
    assert heads.tolist() == pytest.approx([800.0, 970.0])


def test_unknown_element_is_named(project) -> None:
    """An unknown node or link is told by name."""
    with pytest.raises(HydraulicError, match=r"error 203 at 'nowhere' at 0:00:00"):
        project.node_index("nowhere")
    with pytest.raises(HydraulicError, match=r"error 204 at 'nowhere'"):
        project.link_index("nowhere")


def test_refused_model_quotes_epanet(tmp_path: Path) -> None:
    """A model that EPANET cannot open gives its own words."""
    path = tmp_path / "bad.inp"
    path.write_text("[JUNCTIONS]\n a 0 1\n[PIPES]\n p a b 1 1 1\n[END]\n")
    with pytest.raises(HydraulicError, match=r"cannot open bad\.inp.*no tanks or reservoirs"):
        epanet.EpanetProject(path, tmp_path)


def test_closing_twice_is_fine(net1, tmp_path: Path) -> None:
    """A project can be closed again without harm."""
    project = epanet.EpanetProject(net1.inp_path, tmp_path)
    project.close()
    project.close()


def test_clock() -> None:
    """Hours run on beyond a day."""
    assert epanet.clock(93900) == "26:05:00"
