"""The home's demo: two months of a simulated home through the graph, alarms beside the truth.

Faults, garden and guests are made here; everything after the file is what a real home would get.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from leak_assets.household.export import export_history
from leak_assets.household.simulator.faults import Fault
from leak_assets.household.simulator.habits import Household, at_local
from leak_assets.household.simulator.simulator import simulate_history
from leak_assets.pipeline.context import StepContext
from leak_assets.reports.household_report import household_page
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.sites.described import register_site
from leak_assets.system.files import publish
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S

SITE, TITLE, ZONE = "demo-home", "Demo home", "Europe/Berlin"
STEP_S, DAYS, FIRST_DAY = 60, 60, date(2019, 3, 1)
_DESCRIPTION = f"""\
name: {SITE}
kind: household
title: {TITLE}
timezone: {ZONE}
cadence_s: {STEP_S}
sensors:
  - {{quantity: flow, unit: L/min, ids: [main, hot]}}
  - {{quantity: people, ids: [people]}}
  - {{quantity: occupancy, ids: [occupancy]}}
"""
_WORDS = {
    "toilet_flapper": "toilet flapper",
    "slow_leak": "slow leak",
    "burst": "burst hose",
    "tap_left_open": "tap left open",
}


@dataclass(frozen=True)
class DemoResult:
    """What the demo ends with.

    Parameters
    ----------
    rows
        A fault each: what it was, when it began, the alarm, how long after.
    false_alarms
        Alarms while nothing was wrong.
    """

    rows: list[dict[str, Any]]
    false_alarms: int
    report: Path
    seconds: float


def run_household_demo(
    ctx: StepContext, *, seed: int, out: Path | None, stage: Callable[[str], None]
) -> DemoResult:
    """Simulate the home, take it through the graph, write its page.

    Parameters
    ----------
    stage
        Called with what begins.
    """
    begin = time.monotonic()
    folder = ctx.settings.home.resolve() / "var" / "demo" / SITE
    stage("two months of a home, with irrigation, guests and four faults")
    faults = demo_faults()
    history = simulate_history(
        DAYS,
        seed,
        household=Household(people=3, zone=ZONE),
        first_day=FIRST_DAY,
        step_s=STEP_S,
        faults=faults,
        guests=((FIRST_DAY + timedelta(days=33), FIRST_DAY + timedelta(days=35), 2),),
    )
    folder.mkdir(parents=True, exist_ok=True)
    publish(folder / f"{SITE}.yaml", _DESCRIPTION.encode())
    register_site(folder / f"{SITE}.yaml", ctx.settings)
    export_history(history, STEP_S, folder / f"{SITE}.parquet")
    deliver([folder / f"{SITE}.parquet"], ctx.settings.landing_dir, SITE)
    # A file counts as whole when it has not changed for a moment.
    time.sleep(SETTLE_S + 0.1)
    stage("readings, sessions, habits and alarms of 60 days")
    process_landing_zone(ctx, ctx.site(SITE))
    alerts = ctx.warehouse.read_all("household.alerts", site=SITE)
    rows, false_alarms = beside_truth(alerts, faults)
    stage("the page")
    report = out or ctx.settings.reports_dir / f"{SITE}.html"
    page = household_page(ctx.warehouse, SITE, title=TITLE, zone=ZONE, truth=rows)
    publish(report, page.encode())
    return DemoResult(rows, false_alarms, report, time.monotonic() - begin)


def demo_faults() -> list[Fault]:
    """Return the faults of the demo: each runs until somebody mends it."""

    def at(day: int, hour: float) -> datetime:
        return at_local(ZONE, FIRST_DAY + timedelta(days=day), hour * 3600)

    return [
        Fault("toilet_flapper", at(30, 14.5), at(31, 9), 0.5),
        Fault("slow_leak", at(38, 1.25), at(40, 18), 0.3),
        Fault("burst", at(46, 10.6), at(46, 12), 18.0),
        Fault("tap_left_open", at(53, 15.2), at(53, 18.5), 6.0),
    ]


def beside_truth(alerts: pl.DataFrame, faults: list[Fault]) -> tuple[list[dict[str, Any]], int]:
    """Return each fault with its alarm, and the number of alarms of no fault."""
    on = alerts.filter(event="on").sort("ts_utc").to_dicts()
    rows, explained = [], set()
    for fault in faults:
        end = fault.end_at or datetime.max.replace(tzinfo=UTC)
        mine = [
            number
            for number, row in enumerate(on)
            if fault.start_at <= row["ts_utc"] <= end + timedelta(minutes=5)
        ]
        explained.update(mine)
        first = on[mine[0]] if mine else None
        after = None if first is None else (first["ts_utc"] - fault.start_at).total_seconds() / 60
        rows.append(
            {
                "fault": _WORDS[fault.kind],
                "flow": f"{fault.flow:g}",
                "began": f"{fault.start_at.astimezone(ZoneInfo(ZONE)):%Y-%m-%d %H:%M}",
                "alarm": ""
                if first is None
                else f"{first['ts_utc'].astimezone(ZoneInfo(ZONE)):%Y-%m-%d %H:%M}",
                "after": "" if after is None else f"{after:.0f} min",
                "kinds": "" if first is None else first["kinds"].replace(",", ", "),
            }
        )
    return rows, len(on) - len(explained)
