"""Deliveries into the landing zone are atomic and lose nothing."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.telemetry.sources.deliver import deliver, file_sha256
from leak_assets.telemetry.sources.landing import list_files

Put = Callable[..., Path]


def test_same_file_again_is_one_file(tmp_path: Path, put: Put) -> None:
    """The same content under the same name stays one file."""
    source = put(tmp_path / "x_Flows.csv")
    root = tmp_path / "landing"
    assert deliver([source], root, "hanoi") == deliver([source], root, "hanoi")
    assert len(list_files(root)) == 1


def test_delivered_file_is_listed_at_once(tmp_path: Path, put: Put) -> None:
    """A delivered file is complete when it appears, so it needs no settling."""
    source = put(tmp_path / "x_Flows.csv", "content", age_s=9e6)
    [(target, digest)] = deliver([source], tmp_path / "landing", "hanoi")
    assert digest == file_sha256(source)
    assert target == tmp_path / "landing" / "hanoi" / "x_Flows.csv"
    assert target.read_text() == "content"
    [listed] = list_files(tmp_path / "landing")
    assert listed.path == target
    assert list(target.parent.iterdir()) == [target]


def test_other_content_under_the_same_name_gets_a_number(tmp_path: Path, put: Put) -> None:
    """Nothing that was delivered is overwritten; the name still says what was measured."""
    source = tmp_path / "x_Flows.csv.gz"
    for text in ("one", "two", "three", "two"):
        put(source, text)
        deliver([source], tmp_path / "landing", "hanoi")
    found = {f.path.name: f.path.read_text() for f in list_files(tmp_path / "landing")}
    assert found == {
        "x_Flows.csv.gz": "one",
        "x_Flows-2.csv.gz": "two",
        "x_Flows-3.csv.gz": "three",
    }


def test_deliveries_at_the_same_time_lose_nothing(tmp_path: Path, put: Put) -> None:
    """Eight senders of eight contents under one name end with eight files."""
    sources = [put(tmp_path / f"{i}" / "x_Flows.csv", f"content {i}") for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda s: deliver([s], tmp_path / "landing", "hanoi"), sources))
    found = list_files(tmp_path / "landing", settle_s=0.0)
    assert {f.path.read_text() for f in found} == {f"content {i}" for i in range(8)}


def test_folder_delivers_its_visible_files(tmp_path: Path, put: Put) -> None:
    """A folder stands for its visible files; a simulation's list of them is none."""
    put(tmp_path / "export" / "b_Flows.csv", "b")
    put(tmp_path / "export" / "a_Flows.csv", "a")
    put(tmp_path / "export" / ".hidden", "h")
    put(tmp_path / "export" / "simulation.json", "{}")
    delivered = deliver([tmp_path / "export"], tmp_path / "landing", "hanoi")
    assert [d.path.name for d in delivered] == ["a_Flows.csv", "b_Flows.csv"]


@pytest.mark.parametrize("network", ["..", "../x", "a/b", "", "/etc", "Hanoi", ".x"])
def test_network_name_cannot_lead_out(tmp_path: Path, put: Put, network: str) -> None:
    """A network's name is a name, not a path."""
    source = put(tmp_path / "x_Flows.csv")
    with pytest.raises(InputError, match="cannot be the name of a network's folder"):
        deliver([source], tmp_path / "landing", network)
    assert not (tmp_path / "landing").exists()


def test_refused_sources(tmp_path: Path, put: Put) -> None:
    """Missing paths, empty folders, and links that lead out are refused with a remedy."""
    root = tmp_path / "landing"
    secret = put(tmp_path / "secret.csv")
    (tmp_path / "export").mkdir()
    with pytest.raises(InputError, match="no such file"):
        deliver([tmp_path / "missing.csv"], root, "hanoi")
    with pytest.raises(InputError, match="holds no file"):
        deliver([tmp_path / "export"], root, "hanoi")
    (tmp_path / "export" / "link.csv").symlink_to(secret)
    with pytest.raises(InputError, match="leads out of its folder"):
        deliver([tmp_path / "export"], root, "hanoi")
    root.mkdir()
    (root / "hanoi").symlink_to(tmp_path / "export")
    with pytest.raises(InputError, match="leads out of the landing zone"):
        deliver([secret], root, "hanoi")


def test_hash_of_a_file(tmp_path: Path, put: Put) -> None:
    """The hash is that of the content."""
    path = put(tmp_path / "x.csv", "content")
    assert file_sha256(path) == hashlib.sha256(b"content").hexdigest()


def test_longest_names_are_delivered(tmp_path: Path, put: Put) -> None:
    """A name of 255 bytes has no room for a number: it is cut, its ending stays."""
    name = "é" * 121 + "_Flows.csv"
    for text in ("one", "two"):
        put(tmp_path / name, text)
        deliver([tmp_path / name], tmp_path / "landing", "hanoi")
    found = {f.path.name for f in list_files(tmp_path / "landing")}
    assert found == {name, "é" * 121 + "_Flows-2.csv"}
    long = "a" * 251 + ".csv"
    for text in ("one", "two"):
        put(tmp_path / long, text)
        deliver([tmp_path / long], tmp_path / "landing", "net1")
    found = {f.path.name for f in list_files(tmp_path / "landing") if f.network == "net1"}
    assert found == {long, "a" * 249 + "-2.csv"}


@pytest.mark.parametrize("place", ["landing", "landing/hanoi"])
def test_file_where_a_folder_should_be(tmp_path: Path, put: Put, place: str) -> None:
    """It is named, with the way out."""
    source = put(tmp_path / "x_Flows.csv")
    put(tmp_path / place)
    with pytest.raises(InputError, match="cannot be brought into the landing zone"):
        deliver([source], tmp_path / "landing", "hanoi")


def test_names_beyond_what_a_file_system_takes(tmp_path: Path, put: Put) -> None:
    """Of files and of networks."""
    with pytest.raises(InputError, match="the path cannot be read"):
        deliver([tmp_path / ("a" * 300)], tmp_path / "landing", "hanoi")
    with pytest.raises(InputError, match="cannot be brought into the landing zone"):
        deliver([put(tmp_path / "x.csv")], tmp_path / "landing", "n" * 300)
