"""Commands of the BattLeDIM run: find leaks in a two-year export, score a submission."""

from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import (
    AsJson,
    console,
    print_frame,
    print_json,
    print_rows,
    progress,
)

from .options import AnyNetwork


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(detect)
    app.command()(score)


def detect(
    network: AnyNetwork,
    scada: Annotated[Path, typer.Option(help="Folder with <period>_SCADA_*.csv[.gz].")],
    out: Annotated[Path, typer.Option(help="Submission to write: linkID, startTime lines.")],
    history: Annotated[
        str | None, typer.Option(help="Label of the first period, e.g. 2018. Default: the first.")
    ] = None,
    evaluated: Annotated[
        str | None, typer.Option(help="Label of the second period. Default: the second.")
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="New folder to keep the run's tables in: incidents, lineage, readings."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find the leaks of an export's second period, causally, with the first as history.

    The export goes through the graph as operation's data do, in a home of its own.
    """
    from leak_assets.benchmark.battledim_run import detect as run
    from leak_assets.exchange.battledim.submission import write_submission

    result = run(
        StepContext.local().network(network),
        scada,
        history=history,
        evaluated=evaluated,
        home=home,
        progress=progress(as_json=as_json),
    )
    write_submission(out, ((line.link_id, line.start_at) for line in result.reports))
    rows = [{"link": line.link_id, "start": line.start_at} for line in result.reports]
    if as_json:
        period = {"first_day": result.first_day, "last_day": result.last_day}
        print_json({"submission": str(out), **period, "detections": rows})
        return
    title = f"{len(rows)} detections, {result.first_day} to {result.last_day}"
    print_rows(rows, as_json=False, title=title)
    console().print(f"written to {out}", soft_wrap=True, markup=False)
    if home is not None:
        console().print(
            f"look: LEAK_ASSETS_HOME={home} leak-assets incidents list",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )


def score(
    truth: Annotated[Path, typer.Option(help="Folder with leaks.csv, leak_flows.parquet, meta.")],
    submission: Annotated[Path, typer.Option(help="File of linkID, startTime lines.")],
    crew: Annotated[float, typer.Option(help="Cost of sending a crew, euro.")] = 500.0,
    *,
    table: Annotated[bool, typer.Option("--table", help="List every detection.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score a submission: euro, precision, recall, delay, distance."""
    from leak_assets.benchmark.score import score as run

    result = run(truth, submission, crew_eur=crew)
    if as_json:
        print_json(
            result.summary() | ({"detections": result.detections.to_dicts()} if table else {})
        )
        return
    if table:
        print_frame(result.detections, as_json=False, title="Detections")
    print_rows(
        [{"measure": name, "value": value} for name, value in result.summary().items()],
        as_json=False,
        title="Score",
    )
