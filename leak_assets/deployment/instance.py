"""Dagster's home folder: settings in place, storage and catalogue made, before anything starts."""

import os
from importlib.util import find_spec
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.files import publish
from leak_assets.system.locks import locks
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.catalogue import build_catalogue

_TEMPLATES = Path(__file__).parent
_POSTGRES = "DAGSTER_POSTGRES_URL"
_ANSWER_S = 10


def prepare_dagster_home(settings: Settings) -> Path:
    """Write `dagster.yaml` into the home and create its storage; return the home.

    A fresh SQLite home that several processes open at once can break for good, so the first
    opening happens here, in one process. The catalogue of views is built, too: its views show
    what runs write later, and no run builds it.

    Raises
    ------
    InputError
        A setting of the deployment is unusable, or the database does not answer.
    """
    locks(settings)
    home = settings.dagster_home
    publish(home / "dagster.yaml", instance_yaml(settings).encode())
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    build_catalogue(Warehouse.from_settings(settings).root)
    # Code that Dagster starts in other processes finds the same folders.
    os.environ["LEAK_ASSETS_HOME"] = str(settings.home.resolve())
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    if settings.dagster_postgres_url is None:
        _open_storage(home)
    else:
        os.environ[_POSTGRES] = _with_driver(settings.dagster_postgres_url.get_secret_value())
        _open_postgres(home)
    return home


def instance_yaml(settings: Settings) -> str:
    """Return Dagster's instance settings; they name no password."""
    names = ["local.yaml", *(["postgres.yaml"] if settings.dagster_postgres_url else [])]
    return "".join((_TEMPLATES / name).read_text("utf-8") for name in names)


def _open_storage(home: Path) -> None:
    from dagster import DagsterInstance

    with DagsterInstance.from_config(str(home)) as instance:
        instance.get_runs(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()


def _open_postgres(home: Path) -> None:
    if find_spec("dagster_postgres") is None:
        raise InputError(
            f"{_POSTGRES} is set, but Dagster's Postgres storage is not installed",
            remedy="Run pip install 'leak-assets[postgres]', or unset it to use SQLite",
        )
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    # Dagster would try again and again and print pages.
    engine = create_engine(os.environ[_POSTGRES], connect_args={"connect_timeout": _ANSWER_S})
    try:
        engine.connect().close()
    except SQLAlchemyError as error:
        # The first line names host and cause; the URL with its password is in none.
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise InputError(
            f"the database of {_POSTGRES} does not answer: {reason}",
            remedy="Start it, or correct host, user, password and name of the database",
        ) from error
    finally:
        engine.dispose()
    _open_storage(home)


def _with_driver(url: str) -> str:
    """Return the URL with the driver named that dagster-postgres brings.

    SQLAlchemy 2.1 takes `postgresql://` for another driver, and does not know `postgres://`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg2"):
        raise InputError(
            f"{_POSTGRES} is no address of a Postgres database",
            remedy="Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        )
    return f"postgresql+psycopg2://{rest}"
