"""Commands for a utility's smart meters: who loses water continuously, and letters to them."""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from leak_assets.errors import InputError, MissingInputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.files import publish
from leak_assets.system.terminal import AsJson, console, print_json, print_rows

from .options import day as as_day

TABLE = "household.continuous_flow"
_Site = Annotated[str, typer.Argument(help="Name of a registered site of kind `meters`.")]
_Day = Annotated[str | None, typer.Option("--day", help="UTC day; default: the newest.")]
_Top = Annotated[int, typer.Option(min=1, help="Only so many of the first.")]
_By = Annotated[str, typer.Option("--by", help="`lost` (so far) or `flow` (from now on).")]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands to those of homes."""
    app.command("leaks")(leaks)
    app.command("letters")(letters)


def leaks(
    site: _Site, top: _Top = 20, by: _By = "lost", day: _Day = None, *, as_json: AsJson = False
) -> None:
    """List the meters whose water has not rested for a day, by water and euro."""
    ctx = StepContext.local(command="household-leaks")
    found = _ranked(ctx, site, day, by)
    rows = [_shown(row) for row in found.head(top).to_dicts()]
    if as_json:
        print_json({"site": site, "meters": found.height, "rows": found.head(top).to_dicts()})
        return
    total_m3, total_eur = found["lost_m3"].sum(), found["lost_eur"].sum()
    print_rows(rows, as_json=False, title=f"Continuous flow of {site}")
    console().print(
        f"{found.height} meters, {total_m3:,.1f} m3 and {total_eur:,.0f} EUR lost so far,"
        f" {found['eur_per_year'].sum():,.0f} EUR a year if nobody stops it",
        highlight=False,
        soft_wrap=True,
    )


def letters(
    site: _Site,
    out: Annotated[Path, typer.Option(help="Folder; a text file for each meter.")],
    top: _Top = 50,
    by: _By = "lost",
    day: _Day = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write a letter to the customers of the first meters."""
    from leak_assets.summaries.letters import letter

    ctx = StepContext.local(command="household-letters")
    timezone = ctx.site(site).timezone
    written = []
    for row in _ranked(ctx, site, day, by).head(top).iter_rows(named=True):
        text = letter(row, timezone, ctx.settings)
        name = "".join(c if c.isalnum() or c in "-_." else "_" for c in row["meter"])
        path = out / f"{row['rank']:04d}-{name[:80]}.txt"
        publish(path, f"{text.text}\n".encode())
        written.append({"meter": row["meter"], "file": str(path), "by": text.generated_by})
    if as_json:
        print_json({"site": site, "letters": written})
    else:
        console().print(f"{len(written)} letters in {out}", highlight=False, soft_wrap=True)


def _ranked(ctx: StepContext, site: str, day: str | None, by: str) -> pl.DataFrame:
    if by not in ("lost", "flow"):
        raise InputError(f"--by {by} is unknown", remedy="Choose lost or flow")
    watched = ctx.site(site)
    if watched.kind != "meters":
        raise InputError(
            f"{watched.name} is a {watched.kind}, no site of meters",
            remedy="`leak-assets sites list` names them",
        )
    days = sorted(ctx.warehouse.days(TABLE, watched.name))
    chosen = next(iter(days[::-1]), "") if day is None else as_day(day).isoformat()
    found = ctx.warehouse.read(TABLE, {"date": chosen, "site": watched.name}) if chosen else None
    if found is None:
        raise MissingInputError(
            f"{watched.name} has no meters of {chosen or 'any day'}",
            remedy=f"`leak-assets ingest PATH --network {watched.name}` brings readings",
        )
    return found.sort("rank" if by == "lost" else "rank_by_flow")


def _shown(row: dict[str, object]) -> dict[str, object]:
    return {
        "meter": row["meter"],
        "since": f"{row['since']:%Y-%m-%d %H:%M}",
        "hours": f"{row['hours']:,.0f}",
        "L/h": f"{row['leak_l_per_h']:.1f}",
        "lost m3": f"{row['lost_m3']:,.1f}",
        "lost EUR": f"{row['lost_eur']:,.2f}",
        "EUR a year": f"{row['eur_per_year']:,.0f}",
    }
