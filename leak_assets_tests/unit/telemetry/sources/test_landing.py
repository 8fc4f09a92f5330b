"""The landing zone: only complete files are listed, deliveries are atomic and lose nothing."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.telemetry.sources.landing import deliver, file_sha256, list_files, stray_files


def put(path: Path, text: str = "x", *, age_s: float = 60.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    changed = time.time() - age_s
    os.utime(path, (changed, changed))
    return path


def test_lists_only_complete_files_of_networks(tmp_path: Path) -> None:
    """Hidden, unfinished, nested and stray files are left out."""
    root = tmp_path / "landing"
    put(root / "hanoi" / "b_Flows.csv")
    put(root / "hanoi" / "a_Flows.csv")
    put(root / "net1" / "c_Flows.csv", "12345")
    for name in ("hanoi/.x.csv", "hanoi/x.csv.tmp", "hanoi/x.PART", "hanoi/sub/x.csv", "x.csv"):
        put(root / name)
    put(root / ".hidden" / "x.csv")
    put(root / "unfinished.part" / "x.csv")
    found = list_files(root)
    assert [(f.network, f.path.name) for f in found] == [
        ("hanoi", "a_Flows.csv"),
        ("hanoi", "b_Flows.csv"),
        ("net1", "c_Flows.csv"),
    ]
    assert found[2].size == 5
    assert list_files(tmp_path / "nowhere") == []


@pytest.mark.parametrize("folder", ["L-TOWN", "l_town", "L-Town", "l-town"])
def test_folder_may_be_spelled_like_its_network(tmp_path: Path, folder: str) -> None:
    """Names of networks do not tell capitals and `_` apart, folders neither."""
    put(tmp_path / folder / "a_Flows.csv")
    [file] = list_files(tmp_path)
    assert (file.network, file.name) == ("l-town", f"{folder}/a_Flows.csv")


def test_files_beside_the_folders_are_named(tmp_path: Path) -> None:
    """A file in no folder is not listed, but not overlooked; hidden ones are nobody's."""
    put(tmp_path / "hanoi" / "a_Flows.csv")
    stray = put(tmp_path / "b_Flows.csv")
    put(tmp_path / ".hidden")
    assert stray_files(tmp_path) == [stray]
    assert stray_files(tmp_path / "nowhere") == []


def test_file_being_written_is_not_settled(tmp_path: Path) -> None:
    """A file that changed a moment ago waits; the time is a parameter."""
    put(tmp_path / "hanoi" / "a_Flows.csv", age_s=0.0)
    assert list_files(tmp_path, settle_s=30.0) == []
    assert len(list_files(tmp_path, settle_s=0.0)) == 1
    later = time.time_ns() + 31 * 10**9
    assert len(list_files(tmp_path, settle_s=30.0, now_ns=later)) == 1


def test_links_out_of_the_landing_zone_are_not_listed(tmp_path: Path) -> None:
    """A link to a file or folder elsewhere is not followed."""
    root = tmp_path / "landing"
    secret = put(tmp_path / "elsewhere" / "secret.csv")
    (root / "hanoi").mkdir(parents=True)
    (root / "hanoi" / "link.csv").symlink_to(secret)
    (root / "net1").symlink_to(secret.parent)
    assert list_files(root) == []


def test_delivered_file_is_listed_at_once(tmp_path: Path) -> None:
    """A delivered file is complete when it appears, so it needs no settling."""
    source = put(tmp_path / "x_Flows.csv", "content", age_s=9e6)
    [target] = deliver([source], tmp_path / "landing", "hanoi")
    assert target == tmp_path / "landing" / "hanoi" / "x_Flows.csv"
    assert target.read_text() == "content"
    [listed] = list_files(tmp_path / "landing")
    assert listed.path == target
    assert list(target.parent.iterdir()) == [target]


def test_same_file_again_is_one_file(tmp_path: Path) -> None:
    """The same content under the same name stays one file."""
    source = put(tmp_path / "x_Flows.csv")
    root = tmp_path / "landing"
    assert deliver([source], root, "hanoi") == deliver([source], root, "hanoi")
    assert len(list_files(root)) == 1


def test_other_content_under_the_same_name_gets_a_number(tmp_path: Path) -> None:
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


def test_deliveries_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Eight senders of eight contents under one name end with eight files."""
    sources = [put(tmp_path / f"{i}" / "x_Flows.csv", f"content {i}") for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda s: deliver([s], tmp_path / "landing", "hanoi"), sources))
    found = list_files(tmp_path / "landing", settle_s=0.0)
    assert {f.path.read_text() for f in found} == {f"content {i}" for i in range(8)}


def test_folder_delivers_its_visible_files(tmp_path: Path) -> None:
    """A folder stands for its visible files."""
    put(tmp_path / "export" / "b_Flows.csv", "b")
    put(tmp_path / "export" / "a_Flows.csv", "a")
    put(tmp_path / "export" / ".hidden", "h")
    delivered = deliver([tmp_path / "export"], tmp_path / "landing", "hanoi")
    assert [p.name for p in delivered] == ["a_Flows.csv", "b_Flows.csv"]


@pytest.mark.parametrize("network", ["..", "../x", "a/b", "", "/etc", "Hanoi", ".x"])
def test_network_name_cannot_lead_out(tmp_path: Path, network: str) -> None:
    """A network's name is a name, not a path."""
    source = put(tmp_path / "x_Flows.csv")
    with pytest.raises(InputError, match="cannot be the name of a network's folder"):
        deliver([source], tmp_path / "landing", network)
    assert not (tmp_path / "landing").exists()


def test_refused_sources(tmp_path: Path) -> None:
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


def test_hash_of_a_file(tmp_path: Path) -> None:
    """The hash is that of the content."""
    path = put(tmp_path / "x.csv", "content")
    assert file_sha256(path) == hashlib.sha256(b"content").hexdigest()
