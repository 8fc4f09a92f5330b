"""The demo from start to end: stages with progress, then what was found and where to look."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from leak_assets.deployment.instance import prepare_dagster_home
from leak_assets.exchange.battledim.truth import read_truth
from leak_assets.pipeline.context import StepContext
from leak_assets.reports.network_report import network_report
from leak_assets.reports.report import write_report
from leak_assets.settings import Settings
from leak_assets.system.terminal import console, print_json, print_rows
from leak_assets.warehouse.catalogue import CATALOGUE_FILE, build_catalogue

from .outcome import Outcome, incidents_beside_truth, known_leaks
from .town import L_TOWN, SMALL, DemoSize, deliver_telemetry

Result = TypeVar("Result")


def run_demo(settings: Settings, *, seed: int, small: bool, as_json: bool) -> None:
    """Run the demo; what is up to date from a run before is not made again.

    Raises
    ------
    InputError
        If a job failed; the message names the failed check or error and where to look.
    """
    size = SMALL if small else L_TOWN
    screen = Console(stderr=True) if as_json else console()
    started = time.monotonic()
    ctx = StepContext.local(settings, command="demo")
    folder = settings.home.resolve() / "var" / "demo" / size.network
    report = settings.reports_dir / f"demo-{size.network}.html"
    _run_stages(ctx, size, seed, folder, screen)
    truth = read_truth(folder / "truth")
    outcomes = incidents_beside_truth(ctx, size.network, truth)
    data = network_report(
        ctx.warehouse,
        ctx.network(size.network),
        price_eur_per_m3=settings.water_price_eur_per_m3,
        first_day=truth.start_at.date(),
        last_day=truth.end_at.date(),
        truth=known_leaks(truth, outcomes),
    )
    write_report(report, data)
    build_catalogue(ctx.warehouse.root)
    if as_json:
        print_json({"outcomes": [asdict(o) for o in outcomes], "report": str(report)})
    else:
        _conclude(ctx, size, outcomes, report, time.monotonic() - started, screen)


def _run_stages(ctx: StepContext, size: DemoSize, seed: int, folder: Path, screen: Console) -> None:
    """Run town, network, scenarios, training and micro-batch."""
    import dagster as dg

    with screen.status("preparing Dagster") as status:

        def show(message: str) -> None:
            status.update(f"[dim]{message}[/dim]")

        home = prepare_dagster_home(ctx.settings)
        from .stages import Stages

        with dg.DagsterInstance.from_config(str(home)) as instance:
            stages = Stages(instance, show)
            site = ctx.registered_network(size.network)
            network, layout = site.network, site.layout
            landing = ctx.settings.landing_dir

            def town() -> None:
                deliver_telemetry(
                    network, layout, size, seed=seed, landing=landing, truth=folder / "truth"
                )

            _timed(screen, f"a town like {network.title}, two hidden leaks", town)
            _timed(screen, "network model", lambda: stages.network(size.network))
            _timed(
                screen,
                f"{size.batches} other towns, {size.batches * size.scenarios_per_batch} scenarios",
                lambda: stages.scenarios(size),
            )
            _timed(
                screen,
                "detector and pinpointer: train, evaluate, check gates",
                lambda: stages.training(size.network),
            )
            _timed(
                screen,
                "telemetry: ingest, validate, score, incidents, summaries",
                lambda: stages.daily_batch(size),
            )


def _timed(screen: Console, title: str, stage: Callable[[], Result]) -> Result:
    started = time.monotonic()
    result = stage()
    screen.print(f"[green]✓[/green] {title}  [dim]{time.monotonic() - started:.0f} s[/dim]")
    return result


def _conclude(
    ctx: StepContext,
    size: DemoSize,
    outcomes: list[Outcome],
    report: Path,
    seconds: float,
    screen: Console,
) -> None:
    """Print the table of incidents beside the truth and where to look next."""
    print_rows(
        [
            {
                "hidden leak": o.leak,
                "leaks since": o.leak_start,
                "m3/h": o.leak_m3_per_h,
                "m3": o.leak_m3,
                "incident since": o.incident_start,
                "detected": o.detected_at,
                "est. m3/h": o.estimated_m3_per_h,
                "est. m3": o.estimated_m3,
                "eur": o.eur,
                "dig at": o.first_pipe,
                "m away": o.distance_m,
                "status": o.status,
            }
            for o in outcomes
        ],
        as_json=False,
        title="Incidents beside the truth",
    )
    catalogue = ctx.warehouse.root / CATALOGUE_FILE
    query = "SELECT incident_id, summary FROM incidents.incidents"
    for line in (
        f"Done in {seconds:.0f} s. Where to look next:",
        f"  report   {report}",
        f'  SQL      duckdb -readonly {catalogue} "{query}"',
        f'  or       leak-assets sql "{query}"',
        f"  graph    make dev   (then http://127.0.0.1:3000, network {size.network})",
        f"  look     make serve   (then http://127.0.0.1:8000/?site={size.network}, the dashboard)",
    ):
        screen.print(line, soft_wrap=True, highlight=False)
