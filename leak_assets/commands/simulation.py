"""The command that simulates: scenario telemetry and leak truth as files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.context import StepContext
from leak_assets.errors import InputError
from leak_assets.hydraulics.leaks import Leak

from .output import AsJson, console, print_json

_LEAK_FORM = "PIPE,START,DIAMETER_MM[,incipient,PEAK[,END]]"


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(simulate)


def simulate(
    network: Annotated[str, typer.Option(help="Network name, or path of an .inp file.")],
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"])],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    days: Annotated[int, typer.Option(min=1, help="Days to simulate.")] = 7,
    step: Annotated[int, typer.Option(min=1, help="Step in seconds.")] = 300,
    leak: Annotated[list[str] | None, typer.Option(help=_LEAK_FORM)] = None,
    seed: Annotated[int, typer.Option(help="Seed of demand and sensor noise.")] = 1,
    town_seed: Annotated[
        int | None, typer.Option(help="Simulate a town that differs from the model.")
    ] = None,
    *,
    parquet: Annotated[bool, typer.Option("--parquet", help="Parquet instead of CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write scenario telemetry and leak truth in the official format, or as Parquet."""
    from leak_assets.hydraulics.engine import run_scenario
    from leak_assets.hydraulics.exports import (
        LeakTruth,
        write_scada_csv,
        write_truth,
        write_wide_parquet,
    )
    from leak_assets.hydraulics.town import Town

    ctx = StepContext.local()
    entry, layout = ctx.network(network), ctx.layout(network)
    leaks = tuple(parse_leak(text) for text in leak or ())
    town = Town.nominal(entry) if town_seed is None else Town.draw(entry, town_seed)
    start_at = start.replace(tzinfo=UTC)
    # One step less, so that the files of consecutive runs do not share a step.
    duration_s = days * 86400 - step
    run = run_scenario(
        entry,
        layout,
        start_at=start_at,
        duration_s=duration_s,
        step_s=step,
        town=town,
        leaks=leaks,
        seed=seed,
    )
    if parquet:
        write_wide_parquet(run.wide(), out / f"{start:%Y}_SCADA.parquet")
    else:
        write_scada_csv(run.wide(), layout, out)
    end_at = start_at + timedelta(seconds=duration_s)
    truth = LeakTruth(start_at, end_at, entry.inp_path, leaks, run.leak_flow_m3_per_h())
    write_truth(truth, out / "truth", {"network_name": entry.name, "seed": seed})
    files = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    lost_m3 = float(run.leak_volume_m3().sum())
    if as_json:
        print_json({"folder": str(out), "files": files, "leak_volume_m3": lost_m3})
    else:
        console().print(f"{days} days of {entry.name} with {len(leaks)} leaks ({lost_m3:,.0f} m3)")
        for name in files:
            console().print(f"  {out / name}", soft_wrap=True, highlight=False)


def parse_leak(text: str) -> Leak:
    """Return the leak that `PIPE,START,DIAMETER_MM[,incipient,PEAK[,END]]` says.

    Raises
    ------
    InputError
        If the text has another form; the message names the part.
    """
    parts = [part.strip() for part in text.split(",")]
    if not 3 <= len(parts) <= 6 or len(parts) == 4:
        raise InputError(f"--leak {text!r} has {len(parts)} parts", remedy=f"Write {_LEAK_FORM}")
    try:
        diameter_m = float(parts[2]) / 1000
        start_at = _time(parts[1])
        peak_at = _time(parts[4]) if len(parts) > 4 and parts[4] else None
        end_at = _time(parts[5]) if len(parts) > 5 else None
    except ValueError as error:
        raise InputError(f"--leak {text!r}: {error}", remedy=f"Write {_LEAK_FORM}") from error
    kind = parts[3] if len(parts) > 3 else "abrupt"
    return Leak(parts[0], start_at, diameter_m, kind, peak_at, end_at)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("T", " ")).replace(tzinfo=UTC)
