"""The landing zone: only complete files wait, taken ones are moved, wrong places are named."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.telemetry.sources.landing import LandingFolder, list_files
from leak_assets.telemetry.sources.source import DeliveryLeftError

Put = Callable[..., Path]


def test_lists_only_complete_files_of_networks(tmp_path: Path, put: Put) -> None:
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
def test_folder_may_be_spelled_like_its_network(tmp_path: Path, put: Put, folder: str) -> None:
    """Names of networks do not tell capitals and `_` apart, folders neither."""
    put(tmp_path / folder / "a_Flows.csv")
    [file] = list_files(tmp_path)
    assert (file.network, file.name) == ("l-town", f"{folder}/a_Flows.csv")


def test_file_being_written_is_not_settled(tmp_path: Path, put: Put) -> None:
    """A file that changed a moment ago waits; the time is a parameter."""
    put(tmp_path / "hanoi" / "a_Flows.csv", age_s=0.0)
    assert list_files(tmp_path, settle_s=30.0) == []
    assert len(list_files(tmp_path, settle_s=0.0)) == 1
    later = time.time_ns() + 31 * 10**9
    assert len(list_files(tmp_path, settle_s=30.0, now_ns=later)) == 1


def test_links_out_of_the_landing_zone_are_not_listed(tmp_path: Path, put: Put) -> None:
    """A link to a file or folder elsewhere is not followed."""
    root = tmp_path / "landing"
    secret = put(tmp_path / "elsewhere" / "secret.csv")
    (root / "hanoi").mkdir(parents=True)
    (root / "hanoi" / "link.csv").symlink_to(secret)
    (root / "net1").symlink_to(secret.parent)
    assert list_files(root) == []


def test_links_are_told(landing: LandingFolder, put: Put) -> None:
    """Also links within the landing zone, and one that leads to itself."""
    put(landing.root / "hanoi" / "a_Flows.csv")
    (landing.root / "hanoi" / "b_Flows.csv").symlink_to("a_Flows.csv")
    (landing.root / "hanoi" / "loop.csv").symlink_to("loop.csv")
    (landing.root / "loop").symlink_to("loop")
    assert [f.path.name for f in landing.waiting()] == ["a_Flows.csv"]
    told = landing.problems()
    assert any("`hanoi/b_Flows.csv` is a link" in line for line in told)
    assert any("`hanoi/loop.csv` is a link" in line for line in told)


def test_received_when_it_came_to_this_machine(landing: LandingFolder, put: Put) -> None:
    """The sender's time of change does not matter; every look gives the same."""
    before = datetime.now(UTC) - timedelta(milliseconds=20)
    put(landing.root / "hanoi" / "a_Flows.csv", age_s=1.4e9)
    [file] = landing.waiting()
    assert before <= file.received_at <= datetime.now(UTC)
    assert landing.waiting() == [file]


def test_files_wait_in_the_order_in_which_they_came(landing: LandingFolder, put: Put) -> None:
    """Neither names nor times of change decide."""
    for number, name in enumerate(("c.csv", "a.csv", "b.csv")):
        put(landing.root / "hanoi" / name, age_s=60.0 + number)
        time.sleep(0.02)
    assert [f.path.name for f in landing.waiting()] == ["c.csv", "a.csv", "b.csv"]


def test_wrong_clock_is_not_believed(tmp_path: Path, put: Put) -> None:
    """A machine that started in 1970, or whose clock was set back: received now."""
    put(tmp_path / "hanoi" / "a.csv")
    for now in (datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 6, 1, tzinfo=UTC)):
        [file] = list_files(tmp_path, now_ns=int(now.timestamp()) * 10**9)
        assert file.received_at == now


def test_changed_file_is_another_delivery(landing: LandingFolder, put: Put) -> None:
    """Another size or time of change gives another fingerprint."""
    path = put(landing.root / "hanoi" / "a.csv")
    [first] = landing.waiting()
    os.utime(path, (9e8, 9e8))
    [second] = landing.waiting()
    assert first.fingerprint != second.fingerprint


def test_acknowledged_file_is_moved_once(landing: LandingFolder, put: Put) -> None:
    """Into the folder of its day; a name that is taken there gets a number."""
    for text in ("one", "two"):
        path = put(landing.root / "hanoi" / "a_Flows.csv", text)
        [file] = landing.waiting()
        landing.acknowledge(file)
        landing.acknowledge(file)
        assert not path.exists()
        assert landing.waiting() == []
    done = landing.root / "hanoi" / "done" / file.received_at.date().isoformat()
    assert {p.name: p.read_text() for p in done.iterdir()} == {
        "a_Flows.csv": "one",
        "a_Flows-2.csv": "two",
    }


def test_file_that_changed_since_is_not_moved(landing: LandingFolder, put: Put) -> None:
    """What its sender wrote meanwhile was not taken: it waits."""
    path = put(landing.root / "hanoi" / "a_Flows.csv")
    [file] = landing.waiting()
    put(path, "more", age_s=30.0)
    landing.acknowledge(file)
    assert [f.size for f in landing.waiting()] == [4]


def test_file_that_cannot_be_moved_is_told(landing: LandingFolder, put: Put) -> None:
    """The ledger has it, so nothing is lost; the remedy is named."""
    put(landing.root / "hanoi" / "a_Flows.csv")
    put(landing.root / "hanoi" / "done", "no folder")
    file = next(f for f in landing.waiting() if f.path.name == "a_Flows.csv")
    landing.acknowledge(file)
    assert any("`hanoi/a_Flows.csv` was taken but cannot be moved" in x for x in landing.problems())


def test_gone_and_changed_files_are_left(landing: LandingFolder, put: Put) -> None:
    """A file that is not what the look saw is not read as it."""
    site = network_site("hanoi", Settings())
    path = put(landing.root / "hanoi" / "a_Flows.csv")
    [file] = landing.waiting()
    put(path, "more", age_s=30.0)
    with pytest.raises(DeliveryLeftError, match="changed while it was read"):
        landing.read(file, site)
    path.unlink()
    with pytest.raises(DeliveryLeftError, match="cannot be read"):
        landing.read(file, site)


def test_wrong_places_are_told(landing: LandingFolder, put: Put) -> None:
    """Unknown networks, files in no folder and a landing zone that is none; nothing is taken."""
    put(landing.root / "Hanoii" / "a_Flows.csv")
    put(landing.root / ".hidden")
    for number in range(7):
        put(landing.root / f"{number}_Flows.csv")
    assert landing.waiting() == []
    told = "\n".join(landing.problems())
    assert "folder `Hanoii`: unknown site 'hanoii'. Did you mean hanoi" in told
    assert "`0_Flows.csv` lies in no network's folder" in told
    assert "2 more files lie in no network's folder" in told


def test_file_in_place_of_the_landing_zone(landing: LandingFolder, put: Put) -> None:
    """It is named; nothing waits."""
    put(landing.root)
    assert landing.waiting() == []
    [line] = landing.problems()
    assert "is no folder, so nothing can land. Replace it by a folder" in line
