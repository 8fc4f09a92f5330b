"""What validation could not use of a day's raw log, told in one line each.

Finding it is the matter of `validate`, the words are those of the readers.
"""

from datetime import datetime
from typing import Any, cast

import polars as pl

from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.units import unit_choices
from leak_assets.warehouse.schemas.telemetry import UNUSABLE_READINGS

from .raw import DELIVERY_ORDER
from .readers.parsed_file import FILE_SOURCE
from .readers.problems import Problem, capped, out_of_range, quarantine_frame, unknown_sensor

_SENSOR = ("sensor_id", "quantity")
# Rows of one sensor and reason in a day and delivery; the last stands for those that follow.
_TOLD_OF_EACH = 10


def unusable_frame(
    unusable: pl.DataFrame,
    raw: pl.DataFrame,
    layout: SensorLayout,
    contract: Contract,
    network: str,
) -> pl.DataFrame:
    """Return rows of `telemetry.unusable_readings`; nothing of what was corrected since.

    The raw log knows a delivery by the ids of its messages only.

    Parameters
    ----------
    unusable
        Raw rows with `reason`.
    raw
        All raw rows of the day.
    """
    frames = [UNUSABLE_READINGS.empty()]
    key = [*_SENSOR, "ts_utc", "source"]
    if not unusable.is_empty():
        counting = (
            raw.join(unusable.select(key).unique(), on=key, how="semi")
            .sort(DELIVERY_ORDER)
            .unique(key, keep="last")
        )
        unusable = unusable.join(counting, on=[*key, "message_id", "received_at"], how="semi")
    if unusable.is_empty():
        return frames[0]
    name = (
        pl.when(pl.col("source") == FILE_SOURCE)
        .then(pl.lit("sha256:") + pl.col("message_id").str.head(16))
        .otherwise("source")
        .alias("delivery")
    )
    by_delivery = (
        unusable.with_columns(name)
        .sort("source", "delivery", *DELIVERY_ORDER, "quantity", "sensor_id")
        .group_by("source", "delivery", "received_at", maintain_order=True)
    )
    for (source, delivery, received_at), rows in by_delivery:
        problems: list[Problem] = []
        # A day of a sensor in a wrong unit is one problem, not three hundred.
        for _, alike in rows.group_by(*_SENSOR, "unit", "reason", maintain_order=True):
            told = (_problem(row, layout, contract) for row in alike.iter_rows(named=True))
            problems += capped(told, alike.height, alike.item(-1, "sequence"), limit=_TOLD_OF_EACH)
        frames.append(
            quarantine_frame(
                problems,
                network=network,
                file_path=str(delivery),
                source=str(source),
                received_at=cast("datetime", received_at),
            )
        )
    return pl.concat(frames)


def _problem(row: dict[str, Any], layout: SensorLayout, contract: Contract) -> Problem:
    quantity, sensor_id, unit = row["quantity"], row["sensor_id"], row["unit"]
    known = (s for s in layout.sensors if (s.sensor_id, s.quantity) == (sensor_id, quantity))
    sensor = next(known, None)
    if sensor is None:
        words = unknown_sensor(sensor_id, quantity, layout.network, layout.ids(quantity))
    elif row["reason"] == "unknown_unit":
        words = (
            f"unit `{unit}` does not measure {sensor.delivered}",
            f"Declare one of {', '.join(unit_choices(sensor.delivered))}",
        )
    else:
        allowed = contract.quantities[sensor.delivered]
        words = out_of_range(row["raw_text"], unit or sensor.unit, sensor.delivered, allowed)
    return Problem(
        row=row["sequence"],
        column=f"{quantity}/{sensor_id}",
        text=row["raw_text"],
        reason=row["reason"],
        problem=words[0],
        remedy=words[1],
        ts_utc=row["ts_utc"],
        message_id=row["message_id"],
    )
