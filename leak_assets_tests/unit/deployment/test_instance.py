"""What stands in Dagster's home before anything starts in it."""

from pathlib import Path

import duckdb
import pytest

from leak_assets.deployment.instance import prepare_dagster_home
from leak_assets.settings import Settings


def test_the_catalogue_answers_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`leak.duckdb` is there with all views, so the README's queries work from the start."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    home = prepare_dagster_home(Settings())
    assert (home / "dagster.yaml").is_file()
    with duckdb.connect(str(tmp_path / "warehouse" / "leak.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM incidents.incidents").fetchone() == (0,)
