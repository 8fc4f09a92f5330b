"""Half-hour channels: independent of how days are cut, exact in the table, robust day means."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.exchange.battledim.export import half_hour_means as means_of_export
from leak_assets.exchange.battledim.export import open_export
from leak_assets.features.channel_days import daily_values
from leak_assets.features.half_hours import (
    ChannelReference,
    half_hour_channels,
    half_hour_means,
    learn_correction,
    learn_reference,
)
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.twin.calibration import Calibration
from leak_assets.hydraulics.twin.channels import Channels, twin_of
from leak_assets.hydraulics.twin.twin import Twin
from leak_assets.sites import Network, layout_from_headers
from leak_assets.warehouse.schemas.features import CHANNEL_REFERENCES, CHANNELS_30M
from leak_assets.warehouse.validation import validate
from leak_assets_tests.channels import reference as made_reference
from leak_assets_tests.channels import rows_of
from leak_assets_tests.towns import write_hanoi_export

DAYS = [date(2018, 12, 1) + timedelta(days=i) for i in range(4)]
NEXT = date(2018, 12, 5)
Learned = tuple[Twin, pl.DataFrame, Calibration, ChannelReference]


@pytest.fixture(scope="module")
def learned(hanoi: Network, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """Two months of a town like Hanoi, and what its first four days teach."""
    folder = write_hanoi_export(hanoi, tmp_path_factory.mktemp("export"))
    export = open_export(hanoi, folder, "2018", "2019")
    means = means_of_export(hanoi, export, lambda _: None)
    twin = twin_of(hanoi, export.layout)
    first = means.filter(pl.col("ts_utc").dt.date() <= DAYS[-1])
    calibration = Channels.of(twin, first).calibrate()
    return twin, means, calibration, learn_reference(twin, means, DAYS, calibration)


def channels(learned: Learned, day: date, means: pl.DataFrame | None = None) -> pl.DataFrame:
    twin, everything, calibration, reference = learned
    frame = everything if means is None else means
    return half_hour_channels("hanoi", twin, frame, day, calibration, reference)


def test_a_day_has_all_channels_at_all_half_hours(learned: Learned) -> None:
    """48 half-hours of each pressure and balance, in the order of the reference."""
    rows = channels(learned, NEXT)
    validate(rows, CHANNELS_30M)
    reference = learned[3]
    assert rows.height == 48 * len(reference.names)
    assert tuple(rows["channel"].head(len(reference.names))) == reference.names
    assert rows["ts_utc"].min() == datetime.combine(NEXT, time(), UTC)
    assert any(name.startswith("balance/") for name in reference.names)


def test_rows_hang_on_the_day_and_the_hour_before_alone(learned: Learned) -> None:
    """From two months or from the day with its last hour: the same rows to the last bit."""
    begin = datetime.combine(NEXT, time(), UTC)
    at = pl.col("ts_utc")
    alone = learned[1].filter(at >= begin - timedelta(hours=1), at < begin + timedelta(days=1))
    assert channels(learned, NEXT, alone).equals(channels(learned, NEXT))


def test_a_zone_of_which_nothing_is_expected_has_no_balance(net1: Network) -> None:
    """Between the pump and the first pipe nobody lives: no factor, and none of infinity."""
    layout = layout_from_headers(
        net1, {"pressure": ["13", "22"], "flow": ["9", "10"], "level": ["2"], "demand": []}
    )
    monday = datetime(2019, 1, 7, tzinfo=UTC)
    run = run_scenario(net1, layout, start_at=monday, duration_s=3 * 86400 - 300, seed=1)
    twin, means = twin_of(net1, layout), half_hour_means(run.wide())
    days = [monday.date() + timedelta(days=n) for n in range(3)]
    reference = learn_reference(twin, means, days, Channels.of(twin, means).calibrate())
    empty = [set(twin.zones[zone].junctions) == {"10"} for zone in reference.zones]
    assert sorted(empty) == [False, True]
    assert np.isnan(reference.factor[reference.pressures :]).tolist() == empty
    again = ChannelReference.from_frame(reference.to_frame(net1.name))
    assert again is not None
    assert again.same_as(reference)


def test_a_day_so_far_is_the_begin_of_the_whole_day(learned: Learned) -> None:
    """Half a day gives the first half of the rows, and no daily value."""
    noon = datetime.combine(NEXT, time(12), UTC)
    so_far = channels(learned, NEXT, learned[1].filter(pl.col("ts_utc") < noon))
    whole = channels(learned, NEXT)
    assert so_far.equals(whole.head(so_far.height))
    assert daily_values(so_far, learned[3]) is None
    assert daily_values(whole, learned[3]) is not None


def test_a_hole_in_a_day_is_missing_not_the_end(learned: Learned) -> None:
    """Two hours that were never delivered have rows with mask 0, and the day counts."""
    at = pl.col("ts_utc")
    hole = datetime.combine(NEXT, time(9), UTC)
    holed = learned[1].filter(~at.is_between(hole, hole + timedelta(hours=2), closed="left"))
    rows = channels(learned, NEXT, holed)
    assert rows.filter(pl.col("ts_utc") == hole)["mask"].sum() == 0
    values = daily_values(rows, learned[3])
    assert values is not None
    assert np.isfinite(values).all()


def test_the_reference_is_exact_in_the_table(learned: Learned) -> None:
    """Written and read back it is the same; no row means that the network is learning."""
    reference = learned[3]
    frame = reference.to_frame("hanoi")
    validate(frame, CHANNEL_REFERENCES)
    read = ChannelReference.from_frame(frame)
    assert read is not None
    assert read.same_as(reference)
    assert not read.same_as(replace(reference, days=(*DAYS[:3], NEXT)))
    assert ChannelReference.from_frame(frame.clear()) is None


def test_reference_days_are_about_zero(learned: Learned) -> None:
    """On the days that taught the correction the mean residuals are small."""
    reference = learned[3]
    pressures = reference.daily[:, : reference.pressures]
    assert np.abs(pressures).max() < 3 * reference.deviation.max()


def test_all_methods_share_one_correction(learned: Learned) -> None:
    """Slopes come from half-hour means, deviations from the steps as they were measured."""
    twin, means, shared, _ = learned
    first = means.filter(pl.col("ts_utc").dt.date() <= DAYS[-1])
    rng = np.random.default_rng(1)
    names = [name for name in first.columns if name.startswith("pressure/")]
    offsets = (0, 10, 20)
    steps = pl.concat(
        first.with_columns(
            pl.col("ts_utc") + timedelta(minutes=minutes),
            *(pl.col(n) + pl.Series(rng.normal(0, 0.5, first.height)) for n in names),
        )
        for minutes in offsets
    ).sort("ts_utc")
    learned_on_steps = learn_correction(twin, steps)
    for mine, its in zip(learned_on_steps.channels, shared.channels, strict=True):
        if mine.quantity == "pressure":
            assert mine.center == pytest.approx(its.center, abs=0.1)
            assert mine.std_si > its.std_si


def test_half_hour_means_fill_the_grid() -> None:
    """A half-hour without rows is there, without values."""
    begin = datetime(2019, 1, 1, tzinfo=UTC)
    at = [begin + timedelta(minutes=m) for m in (0, 5, 10, 65)]
    means = half_hour_means(pl.DataFrame({"ts_utc": at, "pressure/a": [1.0, 2.0, 3.0, 9.0]}))
    assert means["pressure/a"].to_list() == [2.0, None, 9.0]


@pytest.mark.parametrize(
    ("spoil", "is_known"), [("nothing", True), ("stuck", False), ("noise", False), ("spike", True)]
)
def test_a_day_mean_is_robust(spoil: str, is_known: bool) -> None:
    """A stuck or wildly noisy sensor has no mean; a spike does not move it."""
    day = date(2019, 1, 8)
    rows = rows_of(day, np.zeros(6))
    mine = pl.col("channel") == "pressure/b"
    step = pl.int_range(pl.len()) // 6
    change = {
        "nothing": pl.lit(0.0),
        "stuck": pl.lit(0.0),
        "noise": pl.when(mine).then(((step % 2) * 2 - 1) * 2.0).otherwise(0.0),
        "spike": pl.when(mine & (step == 20)).then(0.3).otherwise(0.0),
    }[spoil]
    rows = rows.with_columns(residual=pl.col("residual") + change)
    if spoil == "stuck":
        rows = rows.with_columns(measured=pl.when(mine).then(50.0).otherwise("measured"))
    values = daily_values(rows, made_reference())
    assert values is not None
    assert np.isfinite(values[1]) == is_known
    if is_known:
        assert values[1] == pytest.approx(0.0, abs=0.003)
    assert np.isfinite(np.delete(values, 1)).all()
