"""Smart meters by the hour: continuous flow across days, holes, resets; ranking; letters."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.household.meters import continuous_flow, meter_days, meter_hours
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.summaries.faithfulness import unknown_number
from leak_assets.summaries.letters import letter, letter_facts
from leak_assets.warehouse.schemas.household_meters import METER_DAYS
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

DAY = date(2019, 4, 2)
MIDNIGHT = datetime(2019, 4, 2, tzinfo=UTC)


def counted(meter: str, l_per_h: list[float | None], start: datetime = MIDNIGHT) -> pl.DataFrame:
    """Return a counter by the hour, its first value at `start`; None is a missing reading."""
    total, rows = 5.0, [(start, 5.0)]
    for number, litres in enumerate(l_per_h, 1):
        if litres is None:
            continue
        total += litres / 1000
        rows.append((start + timedelta(hours=number), total))
    return pl.DataFrame(
        [
            ("estate", meter, "volume", at, at, "file", f"{at}", 1, str(value), value, "m3")
            for at, value in rows
        ],
        schema=RAW_READINGS.polars_schema,
        orient="row",
    )


def lived(*days: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the rows of days in a row."""
    former, before, found = METER_DAYS.empty(), None, []
    for number, raw in enumerate(days):
        hours = meter_hours(raw, before, 3600)
        former = meter_days(hours, former, "estate", DAY + timedelta(days=number))
        before = raw
        found.append(former)
    return found


def of(raw: pl.DataFrame, number: int) -> pl.DataFrame:
    """Return the readings of a day of a longer series."""
    day = DAY + timedelta(days=number)
    return raw.filter(pl.col("ts_utc").dt.date() == day)


def test_water_that_never_rests_is_counted_over_midnight() -> None:
    """A toilet of 20 L/h since noon: a day later it is continuous, with what it lost."""
    use = [0.0] * 12 + [20.0] * 8 + [320.0] + [20.0] * 30
    raw = counted("m1", use)
    first, second, third = lived(*(of(raw, n) for n in range(3)))
    assert first["unrested_h"][0] == pytest.approx(11)
    assert first["volume_l"][0] == pytest.approx(8 * 20 + 320 + 2 * 20)
    assert second["unrested_h"][0] == pytest.approx(35)
    assert second["unrested_since"][0] == MIDNIGHT + timedelta(hours=12)
    (row,) = continuous_flow(second, 0.8).to_dicts()
    assert row["leak_l_per_h"] == pytest.approx(20.0)
    assert row["lost_m3"] == pytest.approx(0.7)
    assert row["lost_eur"] == pytest.approx(0.56)
    assert third["unrested_h"][0] == pytest.approx(39)


def test_missing_hours_neither_count_nor_end_anything() -> None:
    """A hole of four hours is no rest; a measured hour of rest is."""
    use: list[float | None] = [30.0] * 10 + [None] * 4 + [30.0] * 20 + [0.0, 30.0]
    raw = counted("m1", use)
    first, second = lived(of(raw, 0), of(raw, 1))
    assert first["unrested_h"][0] == pytest.approx(10 + 8), "the hole's mean says nothing"
    assert second["unrested_h"][0] == pytest.approx(1), "rested at hour 35"


def test_a_day_without_readings_keeps_what_was_known() -> None:
    """The meter falls silent: it is neither dry nor running longer."""
    raw = counted("m1", [25.0] * 23)
    other = counted("m2", [0.0] * 40)
    _, second = lived(pl.concat([of(raw, 0), of(other, 0)]), of(other, 1))
    silent = second.filter(pl.col("meter") == "m1").row(0, named=True)
    assert (silent["unrested_h"], silent["measured_h"]) == (pytest.approx(23), 0.0)


def test_resets_jumps_and_negative_flows_measure_nothing() -> None:
    """Each is counted as unusable; the run goes on."""
    raw = counted("m1", [25.0] * 23)
    broken = raw.with_columns(
        value=pl.when(pl.int_range(pl.len()) == 7)
        .then(1e6)
        .when(pl.int_range(pl.len()) >= 15)
        .then(pl.col("value") - 4.0)
        .otherwise("value")
    )
    (day,) = lived(broken)
    assert day["unusable_readings"][0] == 4, "the first, up, down again, and a reset"
    assert day["unrested_h"][0] == pytest.approx(20)
    assert day["volume_l"][0] == pytest.approx(20 * 25.0)


def test_a_letter_keeps_to_the_facts() -> None:
    """Every number of the template stands in the facts; names are quoted."""
    (row,) = continuous_flow(lived(*[counted("m1", [25.0] * 23)])[0].with_columns(
        unrested_h=pl.lit(100.0)), 2.0).to_dicts()  # fmt: skip
    text = letter(row, "Europe/Berlin", Settings(OPENAI_API_BASE="")).text
    assert '"m1"' in text
    assert unknown_number(text, letter_facts(row, "Europe/Berlin")) is None


def test_the_command_ranks_meters_and_writes_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of a utility to a ranking by water and euro, and to letters."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "home")
    (tmp_path / "estate.yaml").write_text(
        "name: estate\nkind: meters\ntimezone: Europe/Berlin\ncadence_s: 3600\n"
        "sensors:\n  - {quantity: volume, unit: m3, ids: [m1, m2, m3]}\n"
    )
    register_site(tmp_path / "estate.yaml", settings)
    series = {"m1": [5.0] * 60, "m2": [0.0, 9.0] * 30, "m3": [0.0] * 20 + [40.0] * 40}
    frame = pl.concat([counted(meter, list(use)) for meter, use in series.items()])
    frame.select("ts_utc", "sensor_id", "quantity", "value", "unit").write_parquet(
        tmp_path / "amr.parquet"
    )
    run = CliRunner()
    done = run.invoke(app, ["ingest", str(tmp_path / "amr.parquet"), "--network", "estate"])
    assert done.exit_code == 0, done.output
    found = run.invoke(app, ["household", "leaks", "estate", "--json"])
    assert found.exit_code == 0, found.output
    assert [line.split('"')[3] for line in found.output.splitlines() if '"meter"' in line] == [
        "m3",
        "m1",
    ]
    out = run.invoke(app, ["household", "letters", "estate", "--out", str(tmp_path / "out")])
    assert out.exit_code == 0, out.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0001-m3.txt",
        "0002-m1.txt",
    ]
    wrong = run.invoke(app, ["household", "leaks", "hanoi"])
    assert wrong.exit_code != 0
