"""Commands of the benchmark: towns to measure methods on. `score` is a command of its own."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.terminal import AsJson, console, print_json, print_rows, progress

benchmark_app = typer.Typer(no_args_is_help=True, help="How good a method is.")


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(benchmark_app, name="benchmark")


@benchmark_app.callback()
def _group() -> None:
    """How good a method is."""


@benchmark_app.command()
def towns(
    out: Annotated[Path, typer.Option(help="Folder; each town gets one in it.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first town.")] = 1,
    count: Annotated[int, typer.Option(min=1, help="Towns, with the seeds that follow.")] = 1,
    network: Annotated[str, typer.Option(help="Network name, or path of an .inp file.")] = "L-TOWN",
    first_day: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of the history.")
    ] = datetime(2018, 1, 1),  # noqa: DTZ001 – a day
    history_days: Annotated[int, typer.Option(help="Days of the history.")] = 365,
    days: Annotated[int, typer.Option(help="Days of the evaluated period after it.")] = 365,
    events: Annotated[
        float, typer.Option(help="Share of days on which an event that is no leak begins.")
    ] = 0.05,
    faults: Annotated[
        float, typer.Option(help="Share of days on which a sensor fault begins.")
    ] = 0.03,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Towns at once; as many as cores by default.")
    ] = None,
    *,
    clean: Annotated[
        bool, typer.Option("--clean", help="No leaks: every report is a false alarm.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Draw towns with leaks, events and sensor faults, in BattLeDIM's format with their truth."""
    from leak_assets.benchmark.town_plan import TownPlan
    from leak_assets.benchmark.towns import write_towns
    from leak_assets.sites.site import network_site

    plan = TownPlan(
        first_day=first_day.date(),
        history_days=history_days,
        evaluated_days=days,
        event_share=events,
        fault_share=faults,
        has_leaks=not clean,
    )
    site = network_site(network, Settings())
    written = sorted(
        write_towns(
            site.network,
            site.layout,
            plan,
            range(seed, seed + count),
            out,
            progress=progress(as_json=as_json),
            workers=workers,
        ),
        key=lambda town: town.seed,
    )
    if as_json:
        print_json([asdict(town) | {"folder": str(town.folder)} for town in written])
        return
    print_rows(
        [
            {
                "town": town.folder.name,
                f"leaks {plan.labels[0]}": town.leaks_history,
                f"leaks {plan.labels[1]}": town.leaks_evaluated,
                "m3 lost": town.lost_m3,
                "events": town.events,
                "sensor faults": town.sensor_faults,
            }
            for town in written
        ],
        as_json=False,
        title=f"{len(written)} towns of {site.name}, {plan.start_at:%Y-%m-%d} to"
        f" {plan.end_at:%Y-%m-%d}",
    )
    low = [town for town in written if town.low_pressures]
    for town in low:
        console().print(
            f"{town.folder.name}: {town.low_pressures:,} times a junction had negative pressure:"
            " customers there got less than they asked for",
            style="yellow",
        )
    console().print("Next:", highlight=False)
    for town in written:
        submission = town.folder.with_suffix(".txt")
        console().print(
            f"  leak-assets detect --network {network} --scada {town.folder} --out {submission}"
            f" && leak-assets score --truth {town.truth} --submission {submission}",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )


@benchmark_app.command()
def detection(
    network: Annotated[str, typer.Option(help="Network name, or path of an .inp file.")] = "L-TOWN",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first town.")] = 101,
    towns: Annotated[int, typer.Option(min=0, help="Towns with leaks.")] = 8,
    clean: Annotated[int, typer.Option(min=0, help="Towns without leaks, seeds after.")] = 4,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            help="plain, faults or events; these three by default. leakdb: scenarios like"
            " LeakDB's, with its scores (two leak-free weeks, then --days). May be repeated."
        ),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            "--method",
            help="Methods and baselines, with commas; `all`: every one, side by side.",
        ),
    ] = "likelihood",
    history_days: Annotated[int, typer.Option(help="Days of the history.")] = 365,
    days: Annotated[int, typer.Option(help="Days of the evaluated period after it.")] = 365,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Towns at once; as many as cores by default.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Judge detection on generated towns; they are kept, so that a change is judged in minutes."""
    from leak_assets.benchmark.leakdb_plan import LeakdbPlan
    from leak_assets.benchmark.town_plan import TownPlan
    from leak_assets.benchmark.trial import KINDS, LEAKDB, VARIANTS, leakdb_trials, trials
    from leak_assets.benchmark.trials import chosen_methods, judge_all
    from leak_assets.benchmark.trials_table import (
        leaderboard,
        leakdb_rows,
        lost_rows,
        summary,
        town_rows,
    )
    from leak_assets.sites.site import network_site

    settings = Settings()
    wanted = tuple(variant or VARIANTS)
    if unknown := [name for name in wanted if name not in KINDS]:
        raise InputError(f"there is no variant {unknown[0]!r}", remedy=", ".join(KINDS))
    named = chosen_methods([name.strip() for name in methods.split(",")])
    plan = TownPlan(history_days=history_days, evaluated_days=days)
    seeds = range(seed, seed + towns), range(seed + towns, seed + towns + clean)
    chosen = [one for one in trials(plan, *seeds) if one.variant in wanted]
    if LEAKDB in wanted:
        scenario = LeakdbPlan.of(network_site(network, settings).network, evaluated_days=days)
        chosen += leakdb_trials(scenario, *seeds)
    judged = sorted(
        judge_all(
            network,
            chosen,
            settings.cache_dir / "towns",
            methods=named,
            workers=workers,
            progress=progress(as_json=as_json),
        ),
        key=lambda one: (chosen.index(one.trial), named.index(one.method)),
    )
    several = len(named) > 1
    # By name in JSON, title in a terminal, rows.
    tables: list[tuple[str, str, list[dict[str, Any]]]] = [
        (
            "towns",
            "Each town" if several else f"{named[0]} on {len(judged)} towns",
            town_rows(judged),
        )
    ]
    if several:
        tables.append(("leaderboard", f"{len(chosen)} towns of {network}", leaderboard(judged)))
    else:
        tables.append(("summary", "By kind of town", summary(judged)))
        tables.append(("lost_percent", "Lost, % of the perfect score", lost_rows(judged)))
    if LEAKDB in wanted:
        tables.append(("leakdb", "LeakDB's scores, by half-hour", leakdb_rows(judged)))
    if as_json:
        print_json({name: rows for name, _, rows in tables})
        return
    for _, title, rows in tables:
        print_rows(rows, as_json=False, title=title)
    if any(one.leaks for one in judged) and not any(one.true_positives for one in judged):
        console().print(
            f"No leak was found. `leak-assets expect --network {network}` says what these sensors"
            " let expect, and what others would.",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
