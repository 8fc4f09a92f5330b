"""A list of what a corrected file affects, kept, and held against what a run then did.

How the list is made is `what_if`'s; nothing is written but the list itself.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import is_stale
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import Site
from leak_assets.system.documents import plain
from leak_assets.system.files import publish

from .freshness import RAW
from .graph import GRAPH
from .what_if import WhatIf

OUTCOMES = ("written", "confirmed", "waiting", "unlisted")


@dataclass(frozen=True)
class Held:
    """A list held against the warehouse.

    Parameters
    ----------
    partitions
        `table`, `day`, `outcome`: `written` anew since the list was made; `confirmed`, where all
        that it is made from came out as it was; `waiting` for a run; `unlisted`, where it was
        written since and is not on the list.
    """

    partitions: pl.DataFrame = field(repr=False)

    @property
    def is_kept(self) -> bool:
        """Whether exactly the listed partitions were brought up to date."""
        return not self.of("waiting").height and not self.of("unlisted").height

    def of(self, outcome: str) -> pl.DataFrame:
        """Return the partitions with an outcome."""
        return self.partitions.filter(outcome=outcome)


def save_plan(found: WhatIf, site: Site, path: Path) -> None:
    """Write a list to a file, with the time from which writes count."""
    document = {
        "site": site.name,
        "file": found.file.name,
        "sha256": found.sha256,
        "made_at": datetime.now(UTC),
        "is_exact": found.is_exact,
        "partitions": found.affected.rows(),
    }
    publish(path, json.dumps(plain(document), indent=1).encode())


def hold_plan(ctx: StepContext, path: Path) -> Held:
    """Compare a list with what has been written since it was made.

    Raises
    ------
    InputError
        The file is no such list.
    """
    name, made_at, listed = _read(path)
    site = ctx.site(name)
    written = set(_written_since(ctx, site, made_at))
    rows = [
        (table, day, "written" if (table, day) in written else _unwritten(ctx, site, table, day))
        for table, day in sorted(listed, key=lambda one: (one[1], one[0]))
    ]
    rows += [(table, day, "unlisted") for table, day in sorted(written - listed)]
    schema = {"table": pl.String, "day": pl.Date, "outcome": pl.String}
    return Held(pl.DataFrame(rows, schema=schema, orient="row"))


def _unwritten(ctx: StepContext, site: Site, table: str, day: date) -> str:
    where = day_partition(day, site.name)
    is_made = ctx.warehouse.record(table, where) is not None
    # What a file brings shows in the raw log at once: it is not made from other tables.
    if table == RAW or not is_made or is_stale(Work(ctx, site, GRAPH.writer[table]), where):
        return "waiting"
    return "confirmed"


def _written_since(ctx: StepContext, site: Site, made_at: datetime) -> Iterator[tuple[str, date]]:
    tables = [RAW] + [t for step in GRAPH.by_day() if step.compute for t in step.writes]
    for table in tables:
        for text in ctx.warehouse.days(table, site.name):
            day = date.fromisoformat(text)
            where = day_partition(day, site.name)
            path = ctx.warehouse.path(table, where)
            # The file's own time spares most of the records a look.
            if not path.exists() or path.stat().st_mtime < made_at.timestamp() - 1:
                continue
            record = ctx.warehouse.record(table, where)
            if record is not None and datetime.fromisoformat(record.written_at) > made_at:
                yield table, day


def _read(path: Path) -> tuple[str, datetime, set[tuple[str, date]]]:
    try:
        document = json.loads(path.read_text("utf-8"))
        made_at = datetime.fromisoformat(document["made_at"])
        listed = {(table, date.fromisoformat(day)) for table, day in document["partitions"]}
        return str(document["site"]), made_at, listed
    except FileNotFoundError:
        raise InputError(
            "there is no such list",
            remedy="`leak-assets audit what-if FILE --save LIST` makes one",
            file=path,
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            "this is no list of `audit what-if --save`",
            remedy="Name the file that was written with --save",
            file=path,
        ) from error
