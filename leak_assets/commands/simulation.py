"""The commands that simulate: one run as files, and batches of scenarios as tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.files import check_folder
from leak_assets.system.terminal import AsJson, console, print_frame, print_json, progress

from .leak_options import EVENT_FORM, FAULT_FORM, LEAK_FORM
from .options import LARGEST_SEED, AnyNetwork, RegisteredNetwork

if TYPE_CHECKING:
    import polars as pl

    from leak_assets.sites import Network

# L per km and h: a thousand times what a network in good order loses.
LARGEST_BACKGROUND = 1e6

# Share of its value within which a sensor that stands still may move.
_STILL = 1e-3

_FORMATS = "csv, parquet, leakdb, ldim (LDIMBenchmark), jsonl (windows), inp; several times."


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(simulate)
    app.command()(scenarios)


def simulate(
    network: AnyNetwork,
    start: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Begin of the run, UTC."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    days: Annotated[int, typer.Option(min=1, help="Days to simulate.")] = 7,
    step: Annotated[int, typer.Option(min=1, help="Step in seconds.")] = 300,
    leak: Annotated[list[str] | None, typer.Option(help=LEAK_FORM)] = None,
    schedule: Annotated[
        Path | None,
        typer.Option(help="Leaks of BattLeDIM (leaks.csv, YAML) or of a LeakDB scenario."),
    ] = None,
    event: Annotated[list[str] | None, typer.Option(help=EVENT_FORM)] = None,
    fault: Annotated[list[str] | None, typer.Option(help=FAULT_FORM)] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of demand and sensor noise.")
    ] = 1,
    town_seed: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST_SEED, help="Simulate a town that differs from the model."),
    ] = None,
    exponent: Annotated[float, typer.Option(min=0.5, max=1.5, help="Leak exponent N1.")] = 0.5,
    background: Annotated[
        float,
        typer.Option(
            min=0, max=LARGEST_BACKGROUND, help="Background leakage, L per km and h at 50 m."
        ),
    ] = 0.0,
    file_format: Annotated[list[str] | None, typer.Option("--format", help=_FORMATS)] = None,
    *,
    clear: Annotated[
        bool, typer.Option("--clear", help="First remove what earlier runs wrote there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write scenario telemetry and its truth: leaks, events, sensor faults."""
    from dataclasses import replace

    from leak_assets.exchange.run_folder import clear_run, write_list, write_run
    from leak_assets.exchange.schedules import read_leaks
    from leak_assets.hydraulics.engine.run import run_scenario
    from leak_assets.hydraulics.towns.town import Town

    from .leak_options import parse_event, parse_fault, parse_leak

    check_folder(out, "--out")
    ctx = StepContext.local()
    site = ctx.network(network)
    entry, layout = site.network, site.layout
    start_at = start.replace(tzinfo=UTC)
    leaks = [parse_leak(text) for text in leak or ()]
    if schedule is not None:
        leaks += read_leaks(schedule, start_at=start_at)
    town = Town.nominal(entry) if town_seed is None else Town.draw(entry, town_seed)
    formats = file_format or ["csv"]
    run = run_scenario(
        entry,
        layout,
        start_at=start_at,
        # One step less, so that the files of consecutive runs do not share a step.
        duration_s=days * 86400 - step,
        step_s=step,
        town=replace(town, leak_exponent=exponent, background_l_per_km_per_h=background),
        leaks=leaks,
        events=[parse_event(text) for text in event or ()],
        faults=[parse_fault(text) for text in fault or ()],
        seed=seed,
        record="all" if "leakdb" in formats else "instrumented",
    )
    if clear:
        clear_run(out)
    files = write_run(entry, run, out, formats)
    write_list(entry, run, out, files)
    remarks = [*_shared_names(site.network, leak or ()), *run.outside(), *_standing(run.wide())]
    lost_m3 = float(run.leak_volume_m3().sum())
    names = sorted(str(path.relative_to(out)) for path in files)
    if as_json:
        document = {"folder": str(out), "files": names, "leak_volume_m3": lost_m3}
        print_json(document | {"remarks": remarks})
        return
    told = [f"{len(leaks)} leaks ({lost_m3:,.0f} m3)"]
    told += [f"{len(run.events)} events"] if run.events else []
    told += [f"{len(run.faults)} sensor faults"] if run.faults else []
    console().print(f"{days} days of {entry.name} with {', '.join(told)}")
    if run.negative_pressures:
        console().print(
            f"{run.negative_pressures:,} times a junction had negative pressure: customers"
            " there got less than they asked for",
            style="yellow",
        )
    for warning in (*remarks, *run.warnings):
        console().print(warning, style="yellow", soft_wrap=True, markup=False)
    _list_files(out, names)


def _standing(values: "pl.DataFrame") -> list[str]:
    """Return a line where most sensors show one value all the time, which no town's do."""
    sensors = values.drop("ts_utc")
    # The solver's last digits are no movement; files do not have them.
    known = [column.drop_nulls().to_numpy() for column in sensors]
    still = [v for v in known if not len(v) or v.max() - v.min() <= _STILL * abs(v.max())]
    if len(still) * 2 <= sensors.width:
        return []
    return [
        f"{len(still)} of {sensors.width} sensors stand still: demand does not vary in this model,"
        " and ingest takes them for stuck. --town-seed 1 draws a town with habits"
    ]


def _shared_names(network: "Network", leaks: Sequence[str]) -> list[str]:
    """Return a line for each leak whose name is that of a pipe and of a junction."""
    from .leak_options import parse_leak

    junctions = set(network.shared_model().junction_name_list)
    names = (parse_leak(text).element_id for text in leaks)
    return [
        f"leak at pipe {name}: there is a junction {name}, too; the hole is at the pipe"
        for name in names
        if name in junctions
    ]


def _list_files(folder: Path, names: list[str]) -> None:
    """Print the files; of folders with hundreds of them the number."""
    single = [name for name in names if name.count("/") < 2]
    for name in single:
        console().print(f"  {folder / name}", soft_wrap=True, highlight=False, markup=False)
    if len(names) > len(single):
        console().print(f"  and {len(names) - len(single)} files in its subfolders")


def scenarios(
    network: RegisteredNetwork,
    batches: Annotated[int, typer.Option(min=1, help="Towns to simulate.")] = 16,
    per_batch: Annotated[
        int, typer.Option("--scenarios", min=1, help="Scenarios of each town.")
    ] = 24,
    days: Annotated[int, typer.Option(min=1, help="Days of each scenario.")] = 1,
    events: Annotated[
        float, typer.Option(help="Share of leak-free scenarios with a non-leak event.")
    ] = 0.0,
    faults: Annotated[float, typer.Option(help="Share of scenarios with a sensor fault.")] = 0.0,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of towns, leaks and noise.")
    ] = 1,
    *,
    clear: Annotated[
        bool, typer.Option("--clear", help="First remove all scenario runs of the network.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate batches of scenarios into the warehouse: telemetry, leaks, events, faults."""
    from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
    from leak_assets.hydraulics.steps import (
        SCENARIO_STEP,
        TABLES,
        batch_partitions,
        clear_scenarios,
    )
    from leak_assets.pipeline.runner import run_step
    from leak_assets.warehouse.catalogue import build_catalogue

    ctx = StepContext.local(command="scenarios", progress=progress(as_json=as_json))
    site = ctx.registered_network(network)
    name = site.name
    plan = ScenarioPlan(
        batches=batches,
        scenarios_per_batch=per_batch,
        days=days,
        event_share=events,
        fault_share=faults,
        seed=seed,
    )
    if clear:
        clear_scenarios(ctx, name)
    partitions = batch_partitions(plan.batch_names(), name)
    written = run_step(SCENARIO_STEP, ctx, site, partitions, plan=plan)
    build_catalogue(ctx.warehouse.root)
    rows = {
        table: sum(item.record.rows for item in written if item.record.table == table)
        for table in TABLES
    }
    if as_json:
        print_json({"network": name, "batches": batches, "rows": rows})
        return
    import polars as pl

    frame = pl.DataFrame({"table": list(rows), "rows": list(rows.values())})
    print_frame(frame, as_json=False, title=f"{batches} towns of {name}")
    console().print(
        'look: leak-assets sql "SELECT * FROM simulation.leak_truth'
        f" WHERE network = '{name}' LIMIT 5\"",
        soft_wrap=True,
        markup=False,
    )
