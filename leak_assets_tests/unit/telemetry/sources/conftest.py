"""What the tests of sources share: files of some age, a landing zone in a home."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from leak_assets.settings import Settings
from leak_assets.telemetry.sources.landing import LandingFolder
from leak_assets.warehouse import Warehouse


@pytest.fixture
def put() -> Callable[..., Path]:
    """Return a writer of files that changed a while ago."""

    def written(path: Path, text: str = "x", *, age_s: float = 60.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        changed = time.time() - age_s
        os.utime(path, (changed, changed))
        return path

    return written


@pytest.fixture
def landing(tmp_path: Path) -> LandingFolder:
    """Return the landing zone `landing.root` of an empty home."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    return LandingFolder(settings, Warehouse(settings.warehouse_dir))
