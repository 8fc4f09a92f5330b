"""The state of the rules as text and as a row of `plant.rule_states`, and back."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.warehouse.schemas.plant import RULE_STATES

from .rules import PlantState, SeriesState


def state_as_plain(state: PlantState) -> dict[str, Any]:
    """Return a state as JSON can hold it."""
    return {
        "series": [
            [parameter, sensor, s.last_us, s.side, s.began_us, s.has_fired]
            for (parameter, sensor), s in sorted(state.series.items())
        ],
        "last_heard_us": dict(sorted(state.last_heard_us.items())),
        "silent": sorted(state.silent),
    }


def state_of_plain(said: dict[str, Any]) -> PlantState:
    """Return the state that `state_as_plain` wrote."""
    return PlantState(
        series={
            (parameter, sensor): SeriesState(last, side, began, fired)
            for parameter, sensor, last, side, began, fired in said["series"]
        },
        last_heard_us=said["last_heard_us"],
        silent=frozenset(said["silent"]),
    )


def state_as_row(
    state: PlantState, site: str, day: date, received_at: datetime | None
) -> pl.DataFrame:
    """Return the row of a day's end.

    Parameters
    ----------
    received_at
        Receipt of the last of the day's readings.
    """
    clock = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    row = {
        "site": site,
        "clock": clock,
        "received_at": received_at,
        "state": json.dumps(state_as_plain(state)),
    }
    return pl.DataFrame([row], schema=RULE_STATES.polars_schema)


def state_of_row(rows: pl.DataFrame) -> PlantState | None:
    """Return the state of a row, or None where there is none."""
    if rows.is_empty():
        return None
    return state_of_plain(json.loads(rows.get_column("state").item(-1)))
