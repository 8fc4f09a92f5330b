"""A site with meters only, from delivered files to its water tables."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import stale_days
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse.schemas.water import MINIMUM_NIGHT_FLOW

ROME = ZoneInfo("Europe/Rome")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def land(ctx: StepContext, folder: Path, quantity: str, values: Mapping[str, float],
         first: date, days: int) -> None:  # fmt: skip
    """Deliver whole local days of constant values, hourly, with each time's offset."""
    start = datetime(first.year, first.month, first.day, tzinfo=ROME)
    end = (start + timedelta(days=days)).astimezone(UTC)
    at, lines = start.astimezone(UTC), ["Timestamp;" + ";".join(values)]
    while at < end:
        text = ";".join(f"{value:g}".replace(".", ",") for value in values.values())
        lines.append(f"{at.astimezone(ROME).isoformat(sep=' ')};{text}")
        at += timedelta(hours=1)
    file = folder / f"{first}_{quantity}.csv"
    file.write_text("\n".join(lines) + "\n")
    deliver([file], ctx.settings.landing_dir, "rome")


def rows(ctx: StepContext, table: str, zone: str) -> list[dict[str, object]]:
    """Return the rows of a zone in order of time."""
    return (
        ctx.warehouse.read_all(table, network="rome")
        .filter(zone_id=zone)
        .sort(pl.nth(2))
        .to_dicts()
    )


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_days_on_which_clocks_change_are_balanced_whole(
    rome: StepContext, tmp_path: Path, day: date, hours: int
) -> None:
    """5 L/s in and 3 L/s on to the zone below, by hand: 2 L/s x 3.6 x 23 or 25 hours stay."""
    site = rome.site("rome")
    for quantity, values in (("Flows", {"m1": 5.0, "m2": 3.0}), ("Pressures", {"p1": 5.0})):
        land(rome, tmp_path, quantity, values, day - timedelta(days=1), 3)
    summary = process_landing_zone(rome, site)
    assert summary.problems == ()
    found = rows(rome, "water.dma_balance_daily", "upper")
    assert [row["local_date"] for row in found] == [day + timedelta(days=n) for n in (-1, 0, 1)]
    row = found[1]
    assert (row["hours"], row["coverage"], row["day_type"]) == (hours, 1.0, "sunday")
    assert row["inflow_m3"] == pytest.approx(18.0 * hours)
    assert row["outflow_m3"] == pytest.approx(10.8 * hours)
    assert row["net_inflow_m3"] == pytest.approx(7.2 * hours)
    assert row["mnf_m3_per_h"] == pytest.approx(7.2)
    # 7.2 less 1000 connections x 1.7 L; 24 hours of it over (180 + 800) L/m x 50.99 m of 5 bar.
    assert row["losses_m3"] == pytest.approx(5.5 * 24)
    assert row["ili"] == pytest.approx(132.0 / (0.98 * 50.99), rel=1e-4)
    (lower,) = [r for r in rows(rome, "water.minimum_night_flow", "lower") if r["night"] == day]
    assert lower["mnf_m3_per_h"] == pytest.approx(10.8)
    assert lower["net_night_flow_m3_per_h"] is None
    assert stale_days(rome, site) == []


def test_what_is_known_of_an_area_makes_its_days_stale(rome: StepContext, tmp_path: Path) -> None:
    """The number of connections is corrected: the nights are judged anew."""
    land(rome, tmp_path, "Flows", {"m1": 5.0, "m2": 3.0}, SPRING, 1)
    process_landing_zone(rome, rome.site("rome"))
    file = tmp_path / "rome.yaml"
    file.write_text(file.read_text().replace("connections: 1000", "connections: 2000"))
    register_site(file, rome.settings)
    assert stale_days(rome, rome.site("rome")) != []
    process_landing_zone(rome, rome.site("rome"))
    (night,) = rows(rome, "water.minimum_night_flow", "upper")
    assert night["net_night_flow_m3_per_h"] == pytest.approx(7.2 - 3.4)


def test_a_night_is_there_as_soon_as_it_is_over(rome: StepContext, tmp_path: Path) -> None:
    """Half a day of readings: the night counts, the day's volume does not yet."""
    lines = [f"2026-06-01 {hour:02}:00:00+02:00;{2 if hour == 3 else 4};1" for hour in range(2, 12)]
    file = tmp_path / "half_Flows.csv"
    file.write_text("Timestamp;m1;m2\n" + "\n".join(lines) + "\n")
    deliver([file], rome.settings.landing_dir, "rome")
    process_landing_zone(rome, rome.site("rome"))
    (night,) = rows(rome, "water.minimum_night_flow", "upper")
    assert night["mnf_m3_per_h"] == pytest.approx(3.6)
    (day,) = rows(rome, "water.dma_balance_daily", "upper")
    assert (day["net_inflow_m3"], day["mnf_m3_per_h"]) == (None, pytest.approx(3.6))
    assert day["coverage"] == pytest.approx(10 / 24)


def test_a_leak_shows_above_the_band_of_the_nights_before(rome: StepContext) -> None:
    """Twenty nights at about 10, then 13: indicated from the third night on, never before."""
    flows = [10.0 + 0.1 * (n % 3) for n in range(20)] + [13.0] * 4
    first = date(2026, 5, 1)
    for number, flow in enumerate(flows):
        night = first + timedelta(days=number)
        row = {
            "network": "rome",
            "zone_id": "upper",
            "night": night,
            "day_type": "workday",
            "hour_starts_at": None,
            "mnf_m3_per_h": flow,
            "coverage": 1.0,
            "pressure_m": None,
            "night_use_m3_per_h": None,
            "net_night_flow_m3_per_h": None,
        }
        rome.warehouse.write(
            "water.minimum_night_flow",
            {"date": night.isoformat(), "network": "rome"},
            pl.DataFrame([row], schema=MINIMUM_NIGHT_FLOW.polars_schema),
        )
    bands = rome.warehouse.sql("SELECT * FROM water.night_flow_bands ORDER BY night").to_dicts()
    assert [b["nights_above"] for b in bands] == [0] * 20 + [1, 2, 3, 4]
    assert [b["is_indication"] for b in bands] == [False] * 22 + [True, True]
    assert bands[13]["upper_m3_per_h"] is None
    assert bands[20]["excess_m3_per_h"] == pytest.approx(2.9)
