"""What the warehouse knows of a home before a day: its sessions, its state; and a day once more.

The live engine and replays begin here as the graph's step does.
"""

from datetime import date, timedelta

import polars as pl

from leak_assets.errors import InputError
from leak_assets.sites.site import Site
from leak_assets.warehouse import Warehouse

from .control_rows import controls, names_of_day
from .engine import HomeState
from .home import home_of
from .memory import state_from_json
from .session_frames import SESSIONS_SCHEMA
from .settings import HomeSettings
from .steps import READINGS, SESSIONS, STATUS, day_of_home, sessions_of_rows


def sessions_before(
    warehouse: Warehouse, site: str, day: date, settings: HomeSettings
) -> pl.DataFrame:
    """Return the sessions of the horizon before a day."""
    since = (day - timedelta(days=settings.horizon_days + 1)).isoformat()
    found = [
        sessions_of_rows(warehouse.read(SESSIONS, partition))
        for partition in _by_day(warehouse, SESSIONS, site)
        if since <= partition["date"] < day.isoformat()
    ]
    return pl.concat([pl.DataFrame(schema=SESSIONS_SCHEMA), *found])


def newest_state(
    warehouse: Warehouse, site: str, before: date | None = None
) -> tuple[HomeState, date | None]:
    """Return the newest state that a run left, and its day; an empty one where there is none.

    Parameters
    ----------
    before
        Only of earlier days.
    """
    known = _by_day(warehouse, STATUS, site)
    if before is not None:
        known = [partition for partition in known if partition["date"] < before.isoformat()]
    found = warehouse.read(STATUS, known[-1]) if known else None
    if found is None or found.is_empty():
        return HomeState(), None
    return state_from_json(found["state_json"][0]), found["day"][0]


def replay_day(warehouse: Warehouse, site: Site, day: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the alerts of a day as they are stored, and as the same day gives them again.

    Raises
    ------
    InputError
        The day has no readings.
    """
    home = home_of(site)
    partition = {"date": day.isoformat(), "site": site.name}
    readings = warehouse.read(READINGS, partition)
    if readings is None:
        raise InputError(
            f"{site.name} has no readings of {day}",
            remedy="Choose a day of `household.daily_summaries`",
        )
    stored = warehouse.read("household.alerts", partition)
    sessions = sessions_before(warehouse, site.name, day, home.settings)
    state, _ = newest_state(warehouse, site.name, day)
    said = controls(warehouse, site.name, names_of_day(warehouse, site.name, day))
    frames, _, _ = day_of_home(home, day, readings, sessions, state, said)
    again = frames["household.alerts"]
    return (again.clear() if stored is None else stored), again


def _by_day(warehouse: Warehouse, table: str, site: str) -> list[dict[str, str]]:
    return sorted(warehouse.partitions(table, site=site), key=lambda partition: partition["date"])
