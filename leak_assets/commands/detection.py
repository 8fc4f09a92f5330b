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
    scada: Annotated[Path, typer.Option(help="Folder with 2018_SCADA_*.csv[.gz] and 2019_….")],
    out: Annotated[Path, typer.Option(help="Submission to write: linkID, startTime lines.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Find the leaks of 2019 in a BattLeDIM export, causally, with 2018 as history."""
    from leak_assets.benchmark.battledim_run import detect as run
    from leak_assets.benchmark.battledim_run import write_submission

    ctx = StepContext.local()
    detections = run(ctx.network(network).network, scada, progress=progress(as_json=as_json))
    write_submission(detections, out)
    rows = [{"link": d.link_id, "start": d.start_at} for d in detections]
    if as_json:
        print_json({"submission": str(out), "detections": rows})
        return
    print_rows(rows, as_json=False, title=f"{len(rows)} detections")
    console().print(f"written to {out}", soft_wrap=True, markup=False)


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
