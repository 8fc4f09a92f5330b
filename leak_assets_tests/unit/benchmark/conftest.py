"""Exports of a small town for the BattLeDIM run: Hanoi with noise, with and without leaks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from leak_assets.sites import Network
from leak_assets_tests.towns import EXPORT_DAYS, ExportLeak, write_hanoi_export

MakeExport = Callable[..., Path]


@pytest.fixture(scope="session")
def make_export(hanoi: Network, tmp_path_factory: pytest.TempPathFactory) -> MakeExport:
    """Return a function that writes December 2018 and January 2019 of a town like Hanoi."""

    def make(leaks: tuple[ExportLeak, ...] = (), *, days: int = EXPORT_DAYS, seed: int = 5) -> Path:
        folder = tmp_path_factory.mktemp("export")
        return write_hanoi_export(hanoi, folder, leaks, days=days, seed=seed)

    return make
