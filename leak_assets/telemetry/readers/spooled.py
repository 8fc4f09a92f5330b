"""A batch of messages in the spool to readings and quarantine, against layout and contract.

What a message means was read when it came (`messages`); where batches lie is the spool's matter.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.units import QUANTITIES, si_conversion, unit_by_name, unit_choices
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

from .cells import UNDECLARED
from .problems import (
    Problem,
    out_of_range,
    quarantine_frame,
    shown,
    unknown_sensor,
    unusable_value,
)

FORMAT = "messages"

# One row for each reading of a message, or for what is wrong with it (`reason` is set then).
SPOOLED = pl.Schema(
    {
        # What the stream calls the message, and the reading's number in it (0 = all of it).
        "message": pl.String(),
        "item": pl.Int64(),
        "sequence": pl.Int64(),
        "sensor_id": pl.String(),
        "quantity": pl.String(),
        "unit": pl.String(),
        "ts_utc": pl.Datetime("us", "UTC"),
        "raw_text": pl.String(),
        "value": pl.Float64(),
        "field": pl.String(),
        "reason": pl.String(),
        "problem": pl.String(),
        "remedy": pl.String(),
    }
)


@dataclass(frozen=True)
class ParsedMessages:
    """Readings and quarantine of one batch, a `DeliveredReadings`.

    Parameters
    ----------
    readings
        Rows of `telemetry.raw_readings`.
    quarantine
        Rows of `telemetry.quarantine`.
    """

    sha256: str
    size_bytes: int
    readings: pl.DataFrame
    quarantine: pl.DataFrame
    format: str = FORMAT

    @property
    def accepted(self) -> int:
        """Number of readings that can be used."""
        return self.readings.height

    @property
    def quarantined(self) -> int:
        """Number of readings, or whole messages, that cannot."""
        return self.quarantine.height

    @cached_property
    def days(self) -> list[date]:
        """UTC days with at least one reading that can be used, in order."""
        return self.readings.get_column("ts_utc").dt.date().unique().sort().to_list()

    @property
    def first_ts(self) -> datetime | None:
        """Time of the earliest such reading."""
        return self.readings.get_column("ts_utc").min()  # type: ignore[return-value]

    @property
    def last_ts(self) -> datetime | None:
        """Time of the latest such reading."""
        return self.readings.get_column("ts_utc").max()  # type: ignore[return-value]

    def readings_of(self, day: date) -> pl.DataFrame:
        """Return the readings of one UTC day as rows of `telemetry.raw_readings`."""
        return self.readings.filter(pl.col("ts_utc").dt.date() == day)


def parse_spooled(
    path: Path,
    *,
    source: str,
    network: str,
    layout: SensorLayout,
    contract: Contract,
    received_at: datetime,
    refuses_impossible: bool = False,
) -> ParsedMessages:
    """Read a batch; what of it cannot be used is told in its quarantine.

    A reading without a quantity is of its sensor's only one; one without a unit is taken in the
    sensor's unit of the layout, and stays undeclared in the raw log. Values outside of the
    contract's range are readings, which validation flags, unless `refuses_impossible`.

    Raises
    ------
    OSError, polars.exceptions.PolarsError
        The file is gone or damaged.
    """
    content = path.read_bytes()
    return parse_rows(
        pl.read_parquet(content).select(SPOOLED.names()),
        source=source,
        network=network,
        layout=layout,
        contract=contract,
        received_at=received_at,
        refuses_impossible=refuses_impossible,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


def parse_rows(
    rows: pl.DataFrame,
    *,
    source: str,
    network: str,
    layout: SensorLayout,
    contract: Contract,
    received_at: datetime,
    refuses_impossible: bool = False,
    sha256: str = "",
    size_bytes: int = 0,
) -> ParsedMessages:
    """Return readings and quarantine of rows of the spool."""
    # A message that came twice before it was acknowledged is one.
    rows = rows.unique(["message", "item"], keep="first", maintain_order=True)
    bad = rows.filter(pl.col("reason").is_not_null())
    judged = _judge(
        rows.filter(pl.col("reason").is_null()),
        layout,
        contract,
        refuses_impossible=refuses_impossible,
    )
    readings = judged.filter(pl.col("why").is_null()).select(
        pl.lit(network).alias("network"),
        "sensor_id",
        "quantity",
        "ts_utc",
        pl.lit(received_at, RAW_READINGS.polars_schema["received_at"]).alias("received_at"),
        pl.lit(source).alias("source"),
        _message_id().alias("message_id"),
        "sequence",
        "raw_text",
        "value",
        pl.when("is_declared").then("unit").otherwise(pl.lit(UNDECLARED)).alias("unit"),
    )
    problems = [_as_told(row) for row in bad.iter_rows(named=True)]
    problems += [
        _as_judged(row, layout, contract)
        for row in judged.filter(pl.col("why").is_not_null()).iter_rows(named=True)
    ]
    return ParsedMessages(
        sha256=sha256,
        size_bytes=size_bytes,
        readings=readings.sort("ts_utc", maintain_order=True),
        quarantine=quarantine_frame(
            # Not the batch: a bad message that comes again in another is the same one.
            problems,
            network=network,
            file_path=source,
            source=source,
            received_at=received_at,
        ),
    )


def _message_id() -> pl.Expr:
    return pl.format("{}:{}", "message", "item")


def _judge(
    rows: pl.DataFrame, layout: SensorLayout, contract: Contract, *, refuses_impossible: bool
) -> pl.DataFrame:
    """Add `why`, null where a reading can be used; quantity and unit as far as they follow."""
    sensors = pl.DataFrame(
        [(s.sensor_id, s.quantity, s.unit, s.delivered) for s in layout.sensors],
        schema=dict.fromkeys(("sensor_id", "quantity", "declared", "delivered"), pl.String),
        orient="row",
    )
    alone = sensors.filter(pl.len().over("sensor_id") == 1)
    alone = alone.select("sensor_id", pl.col("quantity").alias("only"))
    kinds = [
        (quantity, unit, conversion.from_si(allowed.min), conversion.from_si(allowed.max))
        for quantity in QUANTITIES
        for unit in unit_choices(quantity)
        for allowed, conversion in [(contract.quantities[quantity], si_conversion(quantity, unit))]
    ]
    limits = pl.DataFrame(
        kinds,
        schema={"delivered": pl.String, "unit": pl.String, "low": pl.Float64, "high": pl.Float64},
        orient="row",
    )
    is_refused = ~pl.col("value").is_between("low", "high") & pl.lit(refuses_impossible)
    return (
        rows.join(alone, on="sensor_id", how="left", maintain_order="left")
        .with_columns(pl.col("quantity").fill_null(pl.col("only")))
        .join(sensors, on=["sensor_id", "quantity"], how="left", maintain_order="left")
        .join(_spellings(rows), on=["delivered", "unit"], how="left", maintain_order="left")
        .with_columns(
            pl.col("unit").is_not_null().alias("is_declared"),
            pl.coalesce("meant", "unit", "declared").alias("unit"),
        )
        .join(limits, on=["delivered", "unit"], how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("declared").is_null())
            .then(pl.lit("unknown_sensor"))
            .when(pl.col("low").is_null())
            .then(pl.lit("unknown_unit"))
            .when(is_refused)
            .then(pl.lit("out_of_range"))
            .alias("why")
        )
    )


def _spellings(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the unit that is `meant` by a spelling (`m³/h`, `PSI`), for each quantity."""
    units = rows.get_column("unit").drop_nulls().unique().to_list()
    found = [(q, unit, unit_by_name(q, unit)) for unit in units for q in QUANTITIES]
    schema = dict.fromkeys(("delivered", "unit", "meant"), pl.String)
    return pl.DataFrame(found, schema=schema, orient="row")


def _as_told(row: dict[str, object]) -> Problem:
    """Return what was wrong with a message when it came."""
    return Problem(
        row=int(str(row["item"])),
        column=str(row["field"] or ""),
        text=str(row["raw_text"] or ""),
        reason=str(row["reason"]),
        problem=str(row["problem"]),
        remedy=str(row["remedy"]),
        ts_utc=row["ts_utc"],  # type: ignore[arg-type]
        message_id=f"{row['message']}:{row['item']}",
    )


def _as_judged(row: dict[str, object], layout: SensorLayout, contract: Contract) -> Problem:
    """Return what is wrong with a reading by layout and contract."""
    why, text = str(row["why"]), str(row["raw_text"])
    sensor, quantity, unit = (str(row[name] or "") for name in ("sensor_id", "quantity", "unit"))
    measured = str(row["delivered"] or quantity)
    field = "value"
    match why:
        case "unknown_sensor":
            field, text = "sensor", f"{sensor} = {text}"
            known = [s.sensor_id for s in layout.sensors if quantity in ("", s.quantity)]
            told = unknown_sensor(sensor, quantity, layout.network, known)
        case "unknown_unit":
            field, text = "unit", unit
            told = (
                f"`{shown(unit)}` is no unit of {measured}",
                f"Send one of {', '.join(unit_choices(measured))}",
            )
        case "out_of_range":
            told = out_of_range(text, unit, measured, contract.quantities[measured])
        case _:
            told = unusable_value(why, text, example="28.92")
    return Problem(
        row=int(str(row["item"])),
        column=field,
        text=text,
        reason=why,
        problem=told[0],
        remedy=told[1],
        ts_utc=row["ts_utc"],  # type: ignore[arg-type]
        message_id=f"{row['message']}:{row['item']}",
    )
