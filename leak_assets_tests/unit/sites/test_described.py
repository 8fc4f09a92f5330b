"""Sites that a YAML file describes: what is taken, what is refused and in which words."""

from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites.described import described_names, read_description, register_site
from leak_assets.sites.site import DescribedSite, find_site

ZONES = """\
name: ferrara
kind: zones
timezone: Europe/Rome
country: IT
cadence_s: 3600
sensors:
  - {quantity: flow, unit: L/s, ids: [dma-a, dma-b]}
details:
  areas: {A: {inflows: [dma-a]}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home without sites."""
    return Settings(LEAK_ASSETS_HOME=tmp_path / "home")


def written(tmp_path: Path, text: str) -> Path:
    """Return a file with a text."""
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return path


def test_a_registered_site_is_found_by_name(tmp_path: Path, settings: Settings) -> None:
    """With its sensors, its local time and a contract of its cadence."""
    register_site(written(tmp_path, ZONES), settings)
    assert described_names(settings) == ("ferrara",)
    site = find_site("ferrara", settings)
    assert isinstance(site, DescribedSite)
    assert (site.kind, site.timezone, site.country) == ("zones", "Europe/Rome", "IT")
    assert site.contract.cadence_s == 3600
    assert site.contract.source_timezone == "Europe/Rome"
    assert site.layout.columns() == ("flow/dma-a", "flow/dma-b")
    assert site.details["areas"]["A"] == {"inflows": ["dma-a"]}
    assert site.inputs()[0].kind == "site"


def test_networks_are_sites_too(settings: Settings) -> None:
    """One door for all kinds."""
    assert find_site("hanoi", settings).kind == "network"


def test_unknown_sites_are_named_with_close_matches(tmp_path: Path, settings: Settings) -> None:
    """A typo costs one look."""
    register_site(written(tmp_path, ZONES), settings)
    with pytest.raises(InputError, match=r"unknown site 'ferara'.*ferrara"):
        find_site("ferara", settings)


@pytest.mark.parametrize(
    ("old", "new", "problem", "row"),
    [
        ("country: IT", "contry: IT", "key `contry` is unknown", 4),
        ("kind: zones\n", "", "key `kind` is missing", None),
        ("kind: zones", "kind: network", "key `kind`", 2),
        ("Europe/Rome", "Europe/Roma", "`Europe/Roma` is no IANA time zone", 3),
        ("3600", "7", "cadence_s 7 does not divide a day", None),
        ("3600", "0", "key `cadence_s`", 5),
        ("L/s", "bar", "unit `bar` of flow is none of", 7),
        ("quantity: flow", "quantity: taste", "quantity `taste` is none of", 7),
        ("dma-b", "dma-a", "sensor `flow/dma-a` is given twice", None),
        ("name: ferrara", "name: ../x", "must be lower-case", 1),
        ("name: ferrara", "name: [", "no valid YAML", 3),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, old: str, new: str, problem: str, row: int | None
) -> None:
    """One line with file, line, value and remedy."""
    path = written(tmp_path, ZONES.replace(old, new))
    with pytest.raises(InputError) as caught:
        read_description(path)
    assert problem in str(caught.value)
    assert caught.value.row == row
    assert caught.value.file == str(path)


def test_names_belong_to_one_site(tmp_path: Path, settings: Settings) -> None:
    """Neither a network's name nor that of another kind is taken over."""
    with pytest.raises(InputError, match="belongs to a network model"):
        register_site(written(tmp_path, ZONES.replace("ferrara", "hanoi")), settings)
    register_site(written(tmp_path, ZONES), settings)
    with pytest.raises(InputError, match="belongs to a site of kind zones"):
        register_site(written(tmp_path, ZONES.replace("zones", "plant")), settings)
    register_site(written(tmp_path, ZONES.replace("IT", "DE")), settings)
    assert find_site("ferrara", settings).country == "DE"
