"""What a rule profile would have raised on stored readings; nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.errors import InputError
from leak_assets.warehouse import Warehouse

from .profile import RuleProfile
from .rules import ORDER, TYPES, PlantState, judge


@dataclass(frozen=True)
class DayPreview:
    """Anomalies of one day by type, and those that are stored now."""

    day: date
    readings: int
    found: dict[str, int]
    stored: int


def preview(
    warehouse: Warehouse, site: str, profile: RuleProfile, days: Sequence[date] = ()
) -> list[DayPreview]:
    """Return a profile's anomalies per day, in order of the days.

    Parameters
    ----------
    days
        In any order; by default all days with readings. The first begins without a past.

    Raises
    ------
    InputError
        The plant has no readings on those days.
    """
    known = [
        date.fromisoformat(partition["date"])
        for partition in warehouse.partitions("plant.readings", site=site)
    ]
    wanted = sorted(set(days) & set(known)) if days else sorted(known)
    if not wanted:
        raise InputError(
            f"{site} has no readings on those days" if days else f"{site} has no readings",
            remedy=f"Bring files: leak-assets ingest --network {site} FILE",
        )
    state: PlantState | None = None
    found = []
    for day in wanted:
        partition = {"date": day.isoformat(), "site": site}
        readings = warehouse.read("plant.readings", partition)
        stored = warehouse.read("plant.anomalies", partition)
        if readings is None:
            continue
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        judged = judge(readings.sort(ORDER), profile, state, now=min(end, datetime.now(UTC)))
        state = judged.state
        counts = dict(judged.anomalies.group_by("type").len().iter_rows())
        found.append(
            DayPreview(
                day,
                readings.height,
                {kind: counts.get(kind, 0) for kind in TYPES},
                0 if stored is None else stored.height,
            )
        )
    return found


def per_day(days: Sequence[DayPreview]) -> pl.DataFrame:
    """Return a row per day: `day`, `readings`, a column per type, `stored`."""
    return pl.DataFrame(
        [{"day": d.day, "readings": d.readings, **d.found, "stored": d.stored} for d in days]
    )
