"""Commands that value a method: what a changed rule would raise, what it is worth in euro."""

from pathlib import Path
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import (
    AsJson,
    console,
    print_frame,
    print_json,
    print_rows,
    progress,
)

from .options import LARGEST_SEED, THRESHOLD, RegisteredNetwork, named_values


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(preview)
    app.command()(backtest)


Method = Annotated[
    str | None, typer.Option(help="Detection method; by default the one that raises incidents.")
]
Model = Annotated[str | None, typer.Option(help="Version of the detector that scores windows.")]
Threshold = Annotated[float | None, typer.Option(help=THRESHOLD)]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="NAME=VALUE of the method's policy.")
]


def preview(
    network: RegisteredNetwork,
    last: Annotated[
        str, typer.Option(help="Days up to the newest reading, e.g. 30 or 30d.")
    ] = "30d",
    method: Method = None,
    model: Model = None,
    threshold: Threshold = None,
    options: Settings = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a changed threshold would have raised, beside what is; nothing is written."""
    from leak_assets.audit.preview import preview as run
    from leak_assets.audit.rescore import Variant

    ctx = StepContext.local(command="preview", progress=progress(as_json=as_json))
    variant = Variant(
        method=method or ctx.settings.incident_method,
        model=model,
        threshold=threshold,
        options=named_values(options),
    )
    found = run(ctx, ctx.registered_network(network), variant, _days(last))
    if as_json:
        print_json(
            {
                "variant": variant.described(),
                "first_day": found.first_day,
                "last_day": found.last_day,
                "alerts": found.alerts.to_dicts(),
                "now": found.now_alerts.to_dicts(),
                "per_day": found.per_day.to_dicts(),
            }
        )
        return
    quiet = found.per_day.filter((found.per_day["alerts"] == 0) & (found.per_day["now"] == 0))
    busy = found.per_day.filter((found.per_day["alerts"] > 0) | (found.per_day["now"] > 0))
    print_frame(busy, as_json=False, title="Alerts per day")
    print_frame(found.alerts, as_json=False, title=f"Raised by {variant.described()}")
    weeks = found.per_day.height / 7
    console().print(
        f"{found.first_day} to {found.last_day}: {found.alerts.height} alerts"
        f" ({found.alerts.height / weeks:.2f} a week, value {found.alerts['value_eur'].sum():,.0f}"
        f" EUR), {found.now_alerts.height} as it is; {quiet.height} days without",
        soft_wrap=True,
        highlight=False,
    )


def _days(text: str) -> int:
    digits = text.removesuffix("d").strip()
    if not digits.isdigit():
        raise InputError(f"--last {text!r} is no number of days", remedy="Write 30 or 30d")
    return int(digits)


def backtest(
    network: RegisteredNetwork,
    years: Annotated[
        str, typer.Option(help="`generated` towns of the network, or its `stored` days.")
    ] = "generated",
    method: Annotated[
        list[str] | None,
        typer.Option(help="Methods, each as often as named; `none` does nothing. Default: all."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Of stored days: folder with leaks.csv, leak_flows.parquet.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of generated towns.")] = 1,
    days: Annotated[int, typer.Option(min=7, help="Valued days of a generated town.")] = 30,
    history_days: Annotated[
        int, typer.Option(min=14, help="Days before, to learn from, of a generated town.")
    ] = 21,
    model: Model = None,
    threshold: Threshold = None,
    options: Settings = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Value methods in euro against known leaks, and keep the result in `detection.backtests`."""
    from leak_assets.benchmark.backtest import BacktestPlan, run_backtests

    ctx = StepContext.local(command="backtest", progress=progress(as_json=as_json))
    plan = BacktestPlan(
        years=years,
        methods=tuple(method or ()),
        truth=truth,
        seed=seed,
        days=days,
        history_days=history_days,
        model=model,
        threshold=threshold,
        options=named_values(options),
    )
    rows = run_backtests(ctx, ctx.registered_network(network), plan).to_dicts()
    if as_json:
        print_json(rows)
        return
    names = ("method", "variant", "leaks", "true_positives", "false_positives", "value_eur",
             "crew_eur", "net_eur", "net_share", "false_alarms_per_zone_week", "volume_ratio",
             "flow_ratio")  # fmt: skip
    print_rows(
        [{name: row[name] for name in names} for row in rows],
        as_json=False,
        title=f"Backtest of {rows[0]['source']}, {rows[0]['first_day']} to {rows[0]['last_day']}",
    )
