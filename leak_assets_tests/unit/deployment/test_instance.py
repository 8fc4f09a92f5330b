"""What stands in Dagster's home before anything starts in it."""

from pathlib import Path

import duckdb
import pytest
import yaml

from leak_assets.deployment.instance import instance_yaml, prepare_dagster_home
from leak_assets.errors import InputError
from leak_assets.settings import Settings

URL = "postgresql://dagster:secret@localhost/dagster"


@pytest.fixture(autouse=True)
def _environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """`prepare_dagster_home` sets variables for the processes that follow."""
    for name in ("LEAK_ASSETS_HOME", "DAGSTER_DISABLE_TELEMETRY", "DAGSTER_POSTGRES_URL"):
        monkeypatch.setenv(name, "")


def test_the_catalogue_answers_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`leak.duckdb` is there with all views, so the README's queries work from the start."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    home = prepare_dagster_home(Settings())
    assert (home / "dagster.yaml").is_file()
    with duckdb.connect(str(tmp_path / "warehouse" / "leak.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM incidents.incidents").fetchone() == (0,)


def test_storage_is_sqlite_unless_a_database_is_named(tmp_path: Path) -> None:
    """With a URL the same settings hold, and storage is Postgres; no password is written."""
    plain = yaml.safe_load(instance_yaml(Settings(LEAK_ASSETS_HOME=tmp_path)))
    named = instance_yaml(Settings(LEAK_ASSETS_HOME=tmp_path, DAGSTER_POSTGRES_URL=URL))
    assert "storage" not in plain
    assert "secret" not in named
    storage = yaml.safe_load(named).pop("storage")
    assert storage == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert {k: v for k, v in yaml.safe_load(named).items() if k != "storage"} == plain


@pytest.mark.parametrize("url", ["mysql://host/db", "localhost"])
def test_another_database_is_refused(tmp_path: Path, url: str) -> None:
    """One line with the form of the address, before anything starts."""
    with pytest.raises(InputError, match="Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"):
        prepare_dagster_home(Settings(LEAK_ASSETS_HOME=tmp_path, DAGSTER_POSTGRES_URL=url))


def test_an_unknown_lock_is_refused_at_the_start(tmp_path: Path) -> None:
    """Not in the middle of the first run."""
    with pytest.raises(InputError, match="LEAK_ASSETS_LOCK=zookeeper"):
        prepare_dagster_home(Settings(LEAK_ASSETS_HOME=tmp_path, LEAK_ASSETS_LOCK="zookeeper"))
