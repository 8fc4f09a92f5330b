"""Commands that score with packages: a file as a whole, a stream as it arrives."""

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.locks import exclusive_or_none
from leak_assets.system.terminal import AsJson, console, print_json


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command("batch-score")(batch_score)
    app.command()(realtime)


def batch_score(
    model: Annotated[Path, typer.Option(help="Folder of a package: MODELS/<model>/<version>.")],
    data: Annotated[
        Path,
        typer.Option(help="Parquet or CSV file, or folder: window features or residuals."),
    ],
    output: Annotated[Path, typer.Option(help="Parquet file to write.")] = Path("results.parquet"),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    *,
    as_json: AsJson = False,
) -> None:
    """Score all windows of a file; the result is the same for any number of processes."""
    from leak_assets.detection.windows.batch_score import batch_score as run

    found = run(model, data, output, workers=workers)
    if as_json:
        print_json(asdict(found) | {"output": str(output)})
        return
    console().print(
        f"{found.windows:,} windows, {found.alarms:,} alarm, {found.unscored:,} with too many"
        f" channels missing: {output}",
        highlight=False,
        soft_wrap=True,
    )


def realtime(
    config: Annotated[
        Path | None, typer.Option(help="YAML file; default: configs/realtime.yaml of the home.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Listen to a stream, score what arrives, print each window that alerts; until stopped."""
    from leak_assets.runs.realtime import Realtime, load_realtime

    ctx = StepContext.local(command="realtime")
    asked = load_realtime(ctx.settings, config)

    def alert(row: dict[str, Any]) -> None:
        if as_json:
            typer.echo(json.dumps(row, default=str))
        else:
            place = f", dig at {row['link_id']}" if row["link_id"] else ""
            typer.echo(
                f"{row['network']} {row['window_end']:%Y-%m-%d %H:%M}: score"
                f" {row['anomaly_score']:.2f}, limit {row['threshold']:.2f}{place}"
            )

    def say(line: str) -> None:
        typer.echo(line, err=True)

    name = asked.source.name
    with exclusive_or_none(ctx.settings.spool_dir / name / ".lock") as is_alone:
        if not is_alone:
            raise InputError(
                f"{name} is collected by another process already",
                remedy="Stop that one, or give this source another name",
            )
        stream = Realtime(ctx, asked, alert=alert, say=say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stream.stop())
        say(f"{name}: listening to {', '.join(asked.source.topics)} of {asked.source.url}")
        counts = stream.run()
    if as_json:
        print_json(asdict(counts))
    else:
        console().print(
            f"{counts.readings:,} readings, {counts.windows:,} windows scored,"
            f" {counts.alerts:,} alerts",
            highlight=False,
        )
