"""The register of first sights: fixed once, the same for all, in the order of arrival."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leak_assets.telemetry.sources.arrivals import first_seen
from leak_assets.telemetry.sources.landing import list_files


def put(root: Path, name: str, *, changed: float) -> Path:
    path = root / "hanoi" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
    os.utime(path, (changed, changed))
    return path


def test_first_sight_is_now_and_stays(tmp_path: Path) -> None:
    """The file's own time does not matter, and a second look gives the time of the first."""
    put(tmp_path, "a.csv", changed=315_532_800.0)
    before = datetime.now(UTC)
    seen = first_seen(tmp_path, list_files(tmp_path))
    assert before <= seen["hanoi/a.csv"] <= datetime.now(UTC)
    assert first_seen(tmp_path, list_files(tmp_path)) == seen
    assert [f.name for f in list_files(tmp_path)] == ["hanoi/a.csv"]


def test_changed_file_is_a_new_delivery(tmp_path: Path) -> None:
    """Another size or time of change is seen anew, and later."""
    path = put(tmp_path, "a.csv", changed=1e9)
    first = first_seen(tmp_path, list_files(tmp_path))["hanoi/a.csv"]
    os.utime(path, (9e8, 9e8))
    assert first_seen(tmp_path, list_files(tmp_path))["hanoi/a.csv"] > first


def test_files_seen_together_keep_the_order_of_their_arrival(tmp_path: Path) -> None:
    """Neither names nor times of change decide, and no two files have the same time."""
    for number, name in enumerate(("c.csv", "a.csv", "b.csv")):
        put(tmp_path, name, changed=1e9 - number)
        time.sleep(0.01)
    seen = first_seen(tmp_path, list_files(tmp_path))
    assert sorted(seen, key=lambda name: seen[name]) == [
        "hanoi/c.csv",
        "hanoi/a.csv",
        "hanoi/b.csv",
    ]
    assert min(seen.values()) + timedelta(microseconds=2) <= max(seen.values())


def test_all_who_look_at_once_get_the_same_times(tmp_path: Path) -> None:
    """Sensor and command line at the same time agree on every file."""
    for number in range(20):
        put(tmp_path, f"{number}.csv", changed=1e9)
    files = list_files(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        looks = list(pool.map(lambda _: first_seen(tmp_path, files), range(8)))
    assert all(look == looks[0] for look in looks)
    assert len(set(looks[0].values())) == 20
