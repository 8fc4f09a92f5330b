"""Locks by name, of the kind that the settings name."""

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.locks import locks


def _hold(home: Path, seconds: float) -> None:
    with locks(Settings(LEAK_ASSETS_HOME=home)).hold("net"):
        (home / "held").touch()
        time.sleep(seconds)


def test_a_held_lock_is_waited_for_and_a_dead_holder_frees_it(tmp_path: Path) -> None:
    """Another process holds the lock; when it is killed, the lock is free."""
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path, 60.0))
    holder.start()
    while not (tmp_path / "held").exists():
        time.sleep(0.02)
    got = threading.Event()

    def take() -> None:
        with locks(Settings(LEAK_ASSETS_HOME=tmp_path)).hold("net"):
            got.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not got.wait(0.2), "the other process holds it"
    holder.kill()
    holder.join()
    assert got.wait(5)
    waiting.join()


def test_locks_of_different_names_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Two networks run beside each other."""
    made = locks(Settings(LEAK_ASSETS_HOME=tmp_path))
    with made.hold("a"), made.hold("b"):
        pass


def test_an_unknown_kind_is_refused_with_the_kinds_there_are(tmp_path: Path) -> None:
    """The error names the setting, the value and what it may be."""
    with pytest.raises(InputError, match=r"LEAK_ASSETS_LOCK=zookeeper.*Set one of: file"):
        locks(Settings(LEAK_ASSETS_HOME=tmp_path, LEAK_ASSETS_LOCK="zookeeper"))
