"""The state of the rules as a row of `plant.rule_states`, and back."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.warehouse.schemas.plant import RULE_STATES

from .rules import PlantState, SeriesState


def state_as_row(state: PlantState, site: str, day: date) -> pl.DataFrame:
    """Return the row of a day's end."""
    said = {
        "series": [
            [parameter, sensor, s.last_us, s.side, s.began_us, s.has_fired]
            for (parameter, sensor), s in sorted(state.series.items())
        ],
        "last_heard_us": dict(sorted(state.last_heard_us.items())),
        "silent": sorted(state.silent),
    }
    clock = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    row = {"site": site, "clock": clock, "state": json.dumps(said)}
    return pl.DataFrame([row], schema=RULE_STATES.polars_schema)


def state_of_row(rows: pl.DataFrame) -> PlantState | None:
    """Return the state of a row, or None where there is none."""
    if rows.is_empty():
        return None
    said = json.loads(rows.get_column("state").item(-1))
    return PlantState(
        series={
            (parameter, sensor): SeriesState(last, side, began, fired)
            for parameter, sensor, last, side, began, fired in said["series"]
        },
        last_heard_us=said["last_heard_us"],
        silent=frozenset(said["silent"]),
    )
