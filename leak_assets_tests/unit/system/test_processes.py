"""Fan-out over processes: what a killed worker, an error and an interruption leave behind."""

import importlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from leak_assets.system.processes import fan_out, share_out, worker_count

# A module on the path, because spawned processes find functions by their module's name.
_WORK = """
import os, pathlib, signal, time

def dies_at_three(item):
    if item == 3:
        time.sleep(0.5)  # until others are under way
        os.kill(os.getpid(), signal.SIGKILL)
    return os.environ["OMP_NUM_THREADS"], item * item

def dies(item):
    os.kill(os.getpid(), signal.SIGKILL)

def notes(folder, item):
    pathlib.Path(folder, str(item)).touch()
    if item == 0:
        raise ValueError("item 0 cannot be done")
    while not pathlib.Path(folder, "0").exists():  # its process may start later than this one
        time.sleep(0.05)
    time.sleep(0.2)
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the functions that processes run."""
    (tmp_path / "fan_out_work.py").write_text(_WORK)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("fan_out_work")


def test_a_killed_worker_loses_its_item_only(work: ModuleType) -> None:
    """All others are yielded, also those under way and those after; the lost one is named."""
    done = {}

    def take_all() -> None:
        done.update(fan_out(work.dies_at_three, range(8), workers=3))

    with pytest.raises(RuntimeError, match=r"not done: 3\. Run again: what is done is kept"):
        take_all()
    assert done == {item: ("1", item * item) for item in range(8) if item != 3}
    assert "OMP_NUM_THREADS" not in os.environ


def test_every_lost_item_is_named(work: ModuleType) -> None:
    """Not the first alone."""
    with pytest.raises(RuntimeError, match=r"not done: (a, b|b, a)\."):
        list(fan_out(work.dies, ["a", "b"], workers=2))


def test_an_error_ends_the_whole(work: ModuleType, tmp_path: Path) -> None:
    """What is under way is finished, nothing further is begun."""
    (tmp_path / "begun").mkdir()
    with pytest.raises(ValueError, match="item 0 cannot be done"):
        list(fan_out(partial(work.notes, str(tmp_path / "begun")), range(50), workers=2))
    assert len(list((tmp_path / "begun").iterdir())) < 50


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_yielded_once(workers: int) -> None:
    """In this process or in others."""
    assert sorted(fan_out(abs, [-2, -1, 0, 3], workers=workers)) == [
        (-2, 2), (-1, 1), (0, 0), (3, 3)
    ]  # fmt: skip


@pytest.mark.parametrize("workers", [1, 3])
def test_shared_items_come_in_their_order(workers: int) -> None:
    """Also where there are fewer items than processes, or none."""
    for count in (0, 1, 20):
        found = list(share_out(abs, (-n for n in range(count)), workers=workers))
        assert found == list(range(count))


def test_shared_work_ends_with_its_first_error(work: ModuleType) -> None:
    """An error of an item, or of what makes the items; nobody is left behind."""

    def items() -> Iterator[int]:
        yield 1
        message = "no more"
        raise OSError(message)

    with pytest.raises(OSError, match="no more"):
        list(share_out(abs, items(), workers=2))
    with pytest.raises(RuntimeError, match="worker process was killed"):
        list(share_out(work.dies, ["a"], workers=2))


def test_cores_are_counted_where_the_system_does_not_tell_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MacOS has no `sched_getaffinity`."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert worker_count() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert worker_count() == 1
