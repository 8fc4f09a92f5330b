"""A site with meters only, from delivered files to its water tables."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from leak_assets.cli import run
from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import stale_days
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.sites.site import find_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse.schemas.water import MINIMUM_NIGHT_FLOW
from leak_assets.water.zones import areas_of

ROME = ZoneInfo("Europe/Rome")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def land(ctx: StepContext, folder: Path, quantity: str, values: Mapping[str, float],
         first: date, days: int) -> None:  # fmt: skip
    """Deliver whole local days, hourly, with each time's offset.

    All sensors go up and down together by up to 0.2: what never moves is judged to be stuck.
    """
    start = datetime(first.year, first.month, first.day, tzinfo=ROME)
    end = (start + timedelta(days=days)).astimezone(UTC)
    at, lines = start.astimezone(UTC), ["Timestamp;" + ";".join(values)]
    while at < end:
        move = 0.1 * (len(lines) * 7 % 5 - 2)
        text = ";".join(f"{value + move:g}".replace(".", ",") for value in values.values())
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
    assert row["inflow_m3"] == pytest.approx(18.0 * hours, abs=1.5)
    assert row["outflow_m3"] == pytest.approx(10.8 * hours, abs=1.5)
    assert row["net_inflow_m3"] == pytest.approx(7.2 * hours)
    assert row["mnf_m3_per_h"] == pytest.approx(7.2)
    # 7.2 less 1000 connections x 1.7 L; 24 hours of it over (180 + 800) L/m x 50.99 m of 5 bar.
    assert row["losses_m3"] == pytest.approx(5.5 * 24)
    assert row["ili"] == pytest.approx(132.0 / (0.98 * 50.99), rel=0.01)
    (lower,) = [r for r in rows(rome, "water.minimum_night_flow", "lower") if r["night"] == day]
    assert lower["mnf_m3_per_h"] == pytest.approx(10.8, abs=0.73)
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
    lines = [
        f"2026-06-01 {hour:02}:00:00+02:00;" + ("2;1" if hour == 3 else f"{4 + hour};{hour}")
        for hour in range(2, 12)
    ]
    file = tmp_path / "half_Flows.csv"
    file.write_text("Timestamp;m1;m2\n" + "\n".join(lines) + "\n")
    deliver([file], rome.settings.landing_dir, "rome")
    process_landing_zone(rome, rome.site("rome"))
    (night,) = rows(rome, "water.minimum_night_flow", "upper")
    assert night["mnf_m3_per_h"] == pytest.approx(3.6)
    (day,) = rows(rome, "water.dma_balance_daily", "upper")
    assert (day["net_inflow_m3"], day["mnf_m3_per_h"]) == (None, night["mnf_m3_per_h"])
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
    assert [b["upper_m3_per_h"] is None for b in bands[:9]] == [True] * 8 + [False]
    assert bands[20]["excess_m3_per_h"] == pytest.approx(2.9)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("meters: {m2: 1}", "meters: {m3: 1}", "flow sensor 'm3', which the site does not have"),
        ("meters: {m2: 1}", "meters: {m2: 2}", "area number 2, key `meters.m2`"),
        ("name: lower", "name: upper", "area 'upper' is given twice"),
        ("mains_km", "mains", "area number 1, key `mains`"),
        ("areas:", "area:", "`areas` is no list of areas"),
        ("country: IT", "country: XX", "no holidays are known of 'XX'"),
    ],
)
def test_areas_that_cannot_be_used_are_refused_at_the_door(
    rome: StepContext, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str,
    words: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """`sites register` says it in one line, and what was registered stays."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(rome.settings.home))
    before = areas_of(rome.site("rome"))
    file = tmp_path / "rome.yaml"
    file.write_text(file.read_text().replace(old, new))
    assert run(["sites", "register", str(file)]) == 2
    assert words in capsys.readouterr().err
    assert areas_of(rome.site("rome")) == before


def test_a_network_says_of_its_areas_what_its_model_does_not(tmp_path: Path) -> None:
    """L-Town: meters, tank, mains and customers' meters by the model, connections by YAML."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    settings.networks_dir.mkdir(parents=True)
    file = settings.networks_dir / "l-town.yaml"
    file.write_text(
        "timezone: Europe/Nicosia\ncountry: CY\nareas: [{name: '1', connections: 90}]\n"
    )
    site = find_site("l-town", settings)
    assert (site.timezone, site.country) == ("Europe/Nicosia", "CY")
    main, upper = areas_of(site).areas
    assert main.meters == {"p227": 1, "p235": 1, "PUMP_1": -1}
    assert (main.tanks, main.customers, main.connections) == ((), (), None)
    assert upper.meters == {"PUMP_1": 1}
    assert [tank.level for tank in upper.tanks] == ["T1"]
    assert len(upper.customers) == 82
    assert upper.customers_share == pytest.approx(0.906, abs=1e-3)
    assert upper.connections == 90
    assert main.mains_km is not None
    assert 35 < main.mains_km < 43
    file.write_text("areas: [{name: '7', connections: 90}]\n")
    with pytest.raises(InputError, match="l-town has no metered area '7'"):
        areas_of(find_site("l-town", settings))
    file.write_text("timezone: Europe/Nikosia\n")
    with pytest.raises(InputError, match="'Europe/Nikosia' is no time zone"):
        find_site("l-town", settings)


def test_local_times_without_offset_are_those_of_the_site(
    rome: StepContext, tmp_path: Path
) -> None:
    """From midnight in Rome, an hour or two earlier by UTC; the hour that comes twice is told."""
    start = datetime(AUTUMN.year, AUTUMN.month, AUTUMN.day, tzinfo=ROME).astimezone(UTC)
    local = [(start + timedelta(hours=n)).astimezone(ROME) for n in range(25)]
    lines = [f"{at:%Y-%m-%d %H:%M:%S};{20 + n};{10 + n}" for n, at in enumerate(local)]
    file = tmp_path / "local_Flows.csv"
    file.write_text("\n".join(["Timestamp;m1;m2", *lines]) + "\n")
    deliver([file], rome.settings.landing_dir, "rome")
    summary = process_landing_zone(rome, rome.site("rome"))
    assert summary.days == 2
    assert summary.quarantined == 2
    (day,) = rows(rome, "water.dma_balance_daily", "lower")
    assert (day["local_date"], day["coverage"]) == (AUTUMN, pytest.approx(23 / 25))


def test_an_area_is_as_fresh_as_its_stalest_meter(rome: StepContext, tmp_path: Path) -> None:
    """VAL10: the newest day's sensors of an area, by the age that the contract allows."""
    day = datetime.now(UTC).date() - timedelta(days=3)
    land(rome, tmp_path, "Flows", {"m1": 5.0, "m2": 3.0}, day, 1)
    process_landing_zone(rome, rome.site("rome"))
    found = rome.warehouse.sql("SELECT * FROM water.zone_freshness").sort("zone_id")
    assert found["zone_id"].to_list() == ["lower", "upper"]
    assert found["tags"].to_list() == [1, 3]
    # Readings of three days ago are older than allowed, and the pressure never came.
    assert found["stale_tags"].to_list() == [1, 3]
    assert found["is_fresh"].to_list() == [False, False]
    newest = found["last_reading_at"].to_list()
    assert all(age > 0 for age in found["oldest_meter_age_s"])
    assert newest[0] == newest[1]
