"""A generated month with a tank, a leak and customers' meters: every figure by hand, by numpy."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.runs.daemonless import take_waiting
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.steps import READINGS_STEP
from leak_assets.water.steps import BALANCE_STEP

FIRST, DAYS, STEP_S = date(2026, 6, 1), 30, 900
PER_DAY, PER_HOUR = 86_400 // STEP_S, 3600 // STEP_S
AREA_M2, LEAK_M3_PER_H, LEAK_DAY = 150.0, 6.0, 20
SITE = f"""\
name: month
kind: zones
cadence_s: {STEP_S}
sensors:
  - {{quantity: flow, unit: m3/h, ids: [inlet, outlet]}}
  - {{quantity: level, unit: m, ids: [tank]}}
  - {{quantity: demand, unit: L/h, ids: [c1, c2]}}
  - {{quantity: pressure, unit: m, ids: [p1, p2]}}
details:
  areas:
    - name: town
      meters: {{inlet: 1, outlet: -1}}
      tanks: [{{level: tank, area_m2: {AREA_M2}}}]
      customers: [c1, c2]
      pressures: [p1, p2]
      connections: 4000
      mains_km: 35
      service_pipes_km: 20
      night_use_l_per_connection_h: 2.0
      night_day_factor_h: 22
"""


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    """Series of the month, m3/h, m and L/h, as delivered: rounded, then never touched again."""
    rng = np.random.default_rng(7)
    steps = np.arange(DAYS * PER_DAY)
    hour = steps / PER_HOUR % 24
    use = 40 + 25 * np.sin((hour - 9) / 24 * 2 * np.pi) + rng.normal(0, 1, len(steps))
    leak = np.where(steps >= LEAK_DAY * PER_DAY, LEAK_M3_PER_H, 0.0)
    filling = 12 * np.sin(hour / 12 * 2 * np.pi)
    outlet = 10 + rng.normal(0, 0.2, len(steps))
    return {
        "inlet": np.round(use + leak + filling + outlet, 3),
        "outlet": np.round(outlet, 3),
        "tank": np.round(3 + np.cumsum(filling) / PER_HOUR / AREA_M2, 4),
        "c1": np.round(use * 400),
        "c2": np.round(use * 600),
        "p1": np.round(50 + rng.normal(0, 0.3, len(steps)), 3),
        "p2": np.round(40 + rng.normal(0, 0.3, len(steps)), 3),
    }


@pytest.fixture(scope="module")
def month(truth: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    """A home in which the month went from files to the balance."""
    folder: Path = tmp_path_factory.mktemp("month")
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=folder / "home"), run_id="test")
    (folder / "month.yaml").write_text(SITE)
    register_site(folder / "month.yaml", ctx.settings)
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    times = pl.Series([start + timedelta(seconds=STEP_S * n) for n in range(DAYS * PER_DAY)])
    for quantity, names in (
        ("Flows", ["inlet", "outlet"]),
        ("Levels", ["tank"]),
        ("Demands", ["c1", "c2"]),
        ("Pressures", ["p1", "p2"]),
    ):
        frame = pl.DataFrame(
            {"Timestamp": times.dt.to_string("%F %T"), **{n: truth[n] for n in names}}
        )
        file = folder / f"june_{quantity}.csv"
        file.write_text(frame.write_csv(separator=";", decimal_comma=True))
        deliver([file], ctx.settings.landing_dir, "month")
    site = ctx.site("month")
    take_waiting(ctx, site)
    for step in (READINGS_STEP, BALANCE_STEP):
        run_step(step, ctx, site, day_partitions(_days(), "month"))
    return ctx


def _days() -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(DAYS)]


def test_every_figure_of_every_day(month: StepContext, truth: dict[str, np.ndarray]) -> None:
    """Input, storage, use, non-revenue water, night flow, net night flow, losses and index."""
    rows = month.warehouse.read_all("water.dma_balance_daily", network="month").sort("local_date")
    assert rows["local_date"].to_list() == _days()
    inlet, outlet, level = truth["inlet"], truth["outlet"], truth["tank"]
    stored = AREA_M2 * np.diff(level)
    for number, row in enumerate(rows.to_dicts()):
        if number == 0:
            continue
        day = slice(number * PER_DAY, (number + 1) * PER_DAY)
        change = AREA_M2 * (level[day][-1] - level[day.start - 1])
        net = (inlet - outlet)[day].sum() / PER_HOUR - change
        used = (truth["c1"] + truth["c2"])[day].sum() / 1000 / PER_HOUR
        first = day.start + 2 * PER_HOUR
        hours = [
            (inlet - outlet)[n : n + PER_HOUR].mean() - stored[n - 1 : n - 1 + PER_HOUR].sum()
            for n in range(first, first + PER_HOUR + 1)
        ]
        pressure = ((truth["p1"] + truth["p2"]) / 2)[day].mean()
        net_night = min(hours) - 4000 * 2.0 / 1000
        unavoidable = (18 * 35 + 0.8 * 4000 + 25 * 20) * pressure / 1000
        by_hand = {
            "inflow_m3": inlet[day].sum() / PER_HOUR,
            "outflow_m3": outlet[day].sum() / PER_HOUR,
            "stored_m3": change,
            "net_inflow_m3": net,
            "used_m3": used,
            "non_revenue_m3": net - used,
            "pressure_m": pressure,
            "mnf_m3_per_h": min(hours),
            "net_night_flow_m3_per_h": net_night,
            "losses_m3": net_night * 22,
            "unavoidable_m3": unavoidable,
            "ili": net_night * 22 / unavoidable,
        }
        found = {name: row[name] for name in by_hand}
        assert found == pytest.approx(by_hand, rel=1e-9, abs=1e-6), row["local_date"]


def test_the_leak_of_the_month_is_found_in_its_figures(month: StepContext) -> None:
    """6 m3/h from the 21st on: non-revenue water rises by 144 m3 a day, nights leave the band."""
    rows = month.warehouse.read_all("water.dma_balance_daily", network="month").sort("local_date")
    lost = rows["non_revenue_m3"].to_numpy()
    assert lost[LEAK_DAY:].mean() - lost[1:LEAK_DAY].mean() == pytest.approx(144, abs=5)
    nights = month.warehouse.sql(
        "SELECT min(night) AS night FROM water.night_flow_bands WHERE is_indication"
    )
    assert FIRST + timedelta(days=LEAK_DAY) <= nights["night"][0] <= FIRST + timedelta(days=25)
