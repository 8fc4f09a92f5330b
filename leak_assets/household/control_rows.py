"""The durable record of what people say to the monitor of a home: append, read, name as inputs.

Files of their own, never replaced, so that several processes may speak at once. What may be said
is the matter of `controls`.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl

from leak_assets.errors import InputError
from leak_assets.pipeline.work import Work
from leak_assets.system.files import sync_folder
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.schemas.household_live import CONTROLS

from .controls import ACTIONS, Control

TABLE = CONTROLS.full_name
_ENDING = ("resume", "guests_left", "watch")
LONGEST_REASON = 500
# A year: who forgets a pause is told by the engine's status, not by a flood.
LONGEST_S = 366 * 86400.0
_NAME = "%Y%m%dT%H%M%S.%f"


def say(
    warehouse: Warehouse, site: str, control: Control, *, actor: str, at: datetime
) -> dict[str, object]:
    """Append something that somebody said and return its row.

    Parameters
    ----------
    at
        The clock now, UTC.

    Raises
    ------
    InputError
        The action is unknown, or its end is missing, past, or more than a year away.
    """
    if control.action not in ACTIONS:
        raise InputError(
            f"action {control.action!r} is unknown", remedy=f"Choose of {', '.join(ACTIONS)}"
        )
    until_s = None if control.action in _ENDING else control.until_s
    if control.action not in _ENDING and (
        until_s is None or not 0 < until_s - control.at_s <= LONGEST_S
    ):
        raise InputError(
            f"a {control.action} needs an end that lies ahead, within a year",
            remedy="Give until when, or for how many hours",
        )
    row = {
        "site": site,
        "at_utc": datetime.fromtimestamp(control.at_s, UTC),
        "action": control.action,
        "until_utc": None if until_s is None else datetime.fromtimestamp(until_s, UTC),
        "reason": control.reason[:LONGEST_REASON],
        "actor": actor,
        "recorded_at": at,
    }
    name = f"{row['at_utc']:{_NAME}}Z-{control.action}-{secrets.token_hex(3)}"
    partition = {"control": name, "site": site}
    warehouse.write(TABLE, partition, pl.DataFrame([row], schema=CONTROLS.polars_schema))
    sync_folder(warehouse.path(TABLE, partition).parent)
    return row


def names(warehouse: Warehouse, site: str) -> list[str]:
    """Return the names of all that was said, in the order of time."""
    return [partition["control"] for partition in warehouse.partitions(TABLE, site=site)]


def controls(warehouse: Warehouse, site: str, chosen: Sequence[str]) -> list[Control]:
    """Return what was said under some names, in the order of time."""
    found: list[Control] = []
    for name in chosen:
        frame = warehouse.read(TABLE, {"control": name, "site": site})
        for row in () if frame is None else frame.iter_rows(named=True):
            until = row["until_utc"]
            found.append(
                Control(
                    row["at_utc"].timestamp(),
                    row["action"],
                    None if until is None else until.timestamp(),
                    row["reason"],
                )
            )
    return sorted(found, key=lambda control: control.at_s)


def names_of_day(warehouse: Warehouse, site: str, day: date) -> list[str]:
    """Return the names of what counts from a UTC day on."""
    return [name for name in names(warehouse, site) if name.startswith(f"{day:%Y%m%d}")]


def inputs_of_day(work: Work, day: date) -> Sequence[Input]:
    """Return what was said of a day, as one input of what is made of it."""
    said = names_of_day(work.warehouse, work.site.name, day)
    if not said:
        return ()
    version = hashlib.sha256("|".join(said).encode()).hexdigest()
    return (Input("said", TABLE, f"date={day}__site={work.site.name}", version),)
