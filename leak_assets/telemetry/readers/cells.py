"""From judged columns to a `ParsedFile`: what the readers of all formats have in common.

Formats belong to `scada_csv` and `parquet`; nothing is opened here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import polars as pl

from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import Sensor, SensorLayout
from leak_assets.units import QUANTITIES, si_conversion, unit_choices

from .limits import PROBLEMS_KEPT
from .parsed_file import FILE_SOURCE, ParsedFile, cell_schema
from .problems import (
    Problem,
    capped,
    out_of_range,
    quarantine_frame,
    unknown_sensor,
    unusable_value,
)
from .times import TimeRange

# Unit of a value with which none was declared: the layout's counts then.
UNDECLARED = ""
UNITS = (UNDECLARED, *dict.fromkeys(u for q in QUANTITIES for u in unit_choices(q)))


@dataclass(frozen=True)
class Source:
    """A file that is being read: its bytes, its names, and what it is read against.

    Parameters
    ----------
    refuses_impossible
        Whether values outside of the contract's range go to quarantine; where validation follows
        they are readings, and flagged there.
    """

    raw: bytes
    name: str
    # How messages call it.
    shown_as: str
    file_path: str
    sha256: str
    network: str
    layout: SensorLayout
    contract: Contract
    times: TimeRange
    refuses_impossible: bool = False

    @property
    def received_at(self) -> datetime:
        """When the platform took the file."""
        return self.times.received_at


@dataclass
class Collector:
    """Gathers the readings, problems and counts of one file."""

    source: Source
    example: str = "28,92"
    values: int = 0
    quarantined: int = 0
    empty: int = 0
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0
    _frames: list[pl.DataFrame] = field(default_factory=list)

    def add_problems(self, problems: list[Problem]) -> None:
        """Add problems and count the values they cost; of too many the first are kept."""
        room = max(PROBLEMS_KEPT - len(self.problems), 0)
        self.problems += problems[:room]
        self.left_out += len(problems[room:])
        self.quarantined += sum(p.values for p in problems)

    def add_column(self, cells: pl.DataFrame, sensor: Sensor, unit: str, column: str) -> None:
        """Add the values of one sensor.

        Parameters
        ----------
        cells
            `file_row`, `ts_utc`, `raw_text` (null = empty), `value`, `reason` (null = readable).
        sensor
            The sensor they belong to.
        unit
            Unit of `value`, `UNDECLARED` where nothing says one.
        column
            Name of the column in the file.
        """
        allowed = self.source.contract.quantities[sensor.delivered]
        has_text = cells.get_column("raw_text").is_not_null()
        value = cells.get_column("value")
        is_taken = value.is_finite()
        if self.source.refuses_impossible:
            # Limits in the delivered unit: a comparison per value instead of a product as well.
            conversion = si_conversion(sensor.delivered, unit or sensor.unit)
            is_taken = value.is_between(
                conversion.from_si(allowed.min), conversion.from_si(allowed.max)
            )
        is_good = has_text & is_taken & cells.get_column("reason").is_null()
        count = int(is_good.sum())
        self.empty += cells.height - int(has_text.sum())
        if count < int(has_text.sum()):
            bad = cells.filter(has_text & ~is_good.fill_null(False)).with_columns(
                # A number of the file may be beyond all numbers in its tag's unit.
                pl.col("reason").fill_null(
                    pl.when(pl.col("value").is_finite())
                    .then(pl.lit("out_of_range"))
                    .otherwise(pl.lit("not_finite"))
                )
            )

            def words(reason: str, text: str) -> tuple[str, str]:
                if reason == "out_of_range":
                    return out_of_range(text, unit or sensor.unit, sensor.delivered, allowed)
                return unusable_value(reason, text, example=self.example)

            self.add_problems(_problems(bad, column, words))
        if count:
            good = cells if count == cells.height else cells.filter(is_good)
            self._frames.append(
                good.select(
                    pl.lit(sensor.sensor_id, self._schema["sensor_id"]).alias("sensor_id"),
                    pl.lit(sensor.quantity, self._schema["quantity"]).alias("quantity"),
                    pl.lit(unit, self._schema["unit"]).alias("unit"),
                    "ts_utc",
                    "file_row",
                    "raw_text",
                    "value",
                )
            )

    def add_unknown_column(self, name: str, quantity: str, texts: pl.Series) -> None:
        """Add a column whose sensor the layout does not have: one problem for all its values."""
        count = len(texts) - texts.null_count()
        self.empty += texts.null_count()
        layout = self.source.layout
        problem, remedy = unknown_sensor(name, quantity, layout.network, layout.ids(quantity))
        self.add_problems(
            [
                Problem(
                    row=1,
                    column=name,
                    text=name,
                    reason="unknown_sensor",
                    problem=f"{problem}; {count} values were left out",
                    remedy=remedy,
                    values=count,
                )
            ]
        )

    def add_bad_rows(
        self, bad: pl.DataFrame, column: str, words: Callable[[str, str], tuple[str, str]]
    ) -> None:
        """Add values with a known `reason`; `words` tells them."""
        self.add_problems(_problems(bad, column, words))

    def result(self, file_format: str) -> ParsedFile:
        """Return the file's readings, its quarantine and its counts."""
        source = self.source
        # In one piece: days are picked from it row by row.
        cells = (
            pl.concat(self._frames, rechunk=True)
            if self._frames
            else pl.DataFrame(schema=self._schema)
        )
        self._frames.clear()
        if self.left_out:
            self.problems.append(_more(self.left_out))
        return ParsedFile(
            network=source.network,
            file_path=source.file_path,
            sha256=source.sha256,
            size_bytes=len(source.raw),
            format=file_format,
            received_at=source.received_at,
            cells=cells,
            quarantine=quarantine_frame(
                self.problems,
                network=source.network,
                file_path=source.file_path,
                source=FILE_SOURCE,
                delivery_id=source.sha256,
                received_at=source.received_at,
                file=source.shown_as,
            ),
            values=self.values,
            quarantined=self.quarantined,
            empty=self.empty,
            is_rejected=cells.is_empty() and bool(self.problems),
        )

    @cached_property
    def _schema(self) -> dict[str, pl.DataType]:
        ids = dict.fromkeys(s.sensor_id for s in self.source.layout.sensors)
        return cell_schema(list(ids), QUANTITIES, UNITS)


def _more(count: int) -> Problem:
    return Problem(
        row=0,
        column="",
        text="",
        reason="more_problems",
        problem=f"{count:,} more problems are counted but not listed",
        remedy="Mend those that are, and deliver the file again",
        values=0,
    )


def _problems(
    bad: pl.DataFrame, column: str, words: Callable[[str, str], tuple[str, str]]
) -> list[Problem]:
    problems: list[Problem] = []
    for (reason,), group in bad.group_by("reason", maintain_order=True):
        rows = group.select("file_row", "raw_text", "ts_utc").iter_rows()
        problems += capped(
            (
                Problem(row, column, text, str(reason), *words(str(reason), text), 1, ts)
                for row, text, ts in rows
            ),
            group.height,
            group.item(-1, "file_row"),
        )
    return problems
