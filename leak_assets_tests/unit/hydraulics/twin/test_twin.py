"""The twin against a world that is the model itself: then it must be right."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.hydraulics.epanet.snapshots import Snapshots
from leak_assets.hydraulics.twin.nominal import demand_shares
from leak_assets.hydraulics.twin.twin import INFLOW, Twin
from leak_assets.hydraulics.twin.zones import metered_zones
from leak_assets.settings import Settings
from leak_assets.sites import Network, SensorLayout, layout_from_headers, load_layout, resolve

HANOI_SENSORS = {"pressure": ("13", "16", "22", "30"), "flow": ("1",)}


@pytest.fixture(scope="module")
def hanoi(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return resolve("hanoi", Settings(LEAK_ASSETS_HOME=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def l_town(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return resolve("l-town", Settings(LEAK_ASSETS_HOME=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def layout(hanoi: Network) -> SensorLayout:
    return layout_from_headers(hanoi, HANOI_SENSORS)


def world(network: Network, layout: SensorLayout, factors: list[float]) -> pl.DataFrame:
    """Return what the sensors of a town that is the model read at demand factors."""
    model = network.water_network()
    groups = list(demand_shares(model, model.junction_name_list).values())
    rows = []
    sensors, meters = layout.ids("pressure"), layout.ids("flow")
    with Snapshots(model, groups, pressures=sensors, flows=meters) as solver:
        for factor in factors:
            solver.set_multipliers([factor] * len(groups))
            assert solver.solve()
            rows.append([*solver.pressures(), *solver.flows()])
    start = datetime(2019, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=5 * i) for i in range(len(factors))]
    return pl.DataFrame(rows, schema=list(layout.columns()), orient="row").select(
        pl.Series("ts_utc", times, dtype=pl.Datetime("us", "UTC")), pl.all()
    )


def test_measured_inflow_drives_the_model(hanoi: Network, layout: SensorLayout) -> None:
    """The twin of a town that is the model reads what its sensors read, at any demand."""
    observed = world(hanoi, layout, [0.4, 1.0, 0.7])
    expected = Twin(hanoi, layout).expected(observed)
    for name in layout.ids("pressure"):
        gap = (observed[f"pressure/{name}"] - expected[f"pressure/{name}"]).abs().max()
        assert gap < 0.01


def test_expected_inflow_is_a_forecast(hanoi: Network, layout: SensorLayout) -> None:
    """The expected inflow comes from the nominal demands, not from the measured inflow."""
    observed = world(hanoi, layout, [0.5, 0.8])
    twin = Twin(hanoi, layout)
    forecast = twin.expected(observed)[INFLOW]
    assert forecast[0] == pytest.approx(forecast[1])
    assert forecast[0] == pytest.approx(observed["flow/1"][0] / 0.5, rel=1e-3)
    assert twin.observed_channels(observed)[INFLOW].to_list() == pytest.approx(
        observed["flow/1"].to_list()
    )


def test_missing_inflow_leaves_the_step_empty(hanoi: Network, layout: SensorLayout) -> None:
    """A step without its inputs has no expectation; its neighbors keep theirs."""
    observed = world(hanoi, layout, [0.5, 0.6, 0.7])
    with_gap = observed.with_columns(
        pl.when(pl.int_range(pl.len()) != 1).then(pl.col("flow/1")).alias("flow/1")
    )
    expected = Twin(hanoi, layout).expected(with_gap)
    assert expected["pressure/13"].is_null().to_list() == [False, True, False]


def test_a_network_without_flow_meters_follows_its_patterns(hanoi: Network) -> None:
    """Without meters there is no balance: nominal pressures and no inflow channel."""
    layout = layout_from_headers(hanoi, {"pressure": ("13", "16")})
    observed = world(hanoi, layout, [1.0, 0.3])
    twin = Twin(hanoi, layout)
    expected = twin.expected(observed)
    assert INFLOW not in expected.columns
    assert INFLOW not in twin.observed_channels(observed).columns
    assert expected["pressure/13"][1] == pytest.approx(observed["pressure/13"][0], abs=0.01)


@pytest.mark.parametrize("rows", [0, 1])
def test_short_frames_do_not_crash(hanoi: Network, layout: SensorLayout, rows: int) -> None:
    """No row gives no row, one row gives one."""
    observed = world(hanoi, layout, [0.5]).head(rows)
    twin = Twin(hanoi, layout)
    assert twin.expected(observed).height == rows
    assert twin.observed_channels(observed).height == rows


def test_a_missing_column_counts_as_missing(hanoi: Network, layout: SensorLayout) -> None:
    """A frame without the flow meter has no expected pressures, but all columns."""
    observed = world(hanoi, layout, [0.5, 0.6]).drop("flow/1", "pressure/13")
    twin = Twin(hanoi, layout)
    assert twin.expected(observed)["pressure/16"].null_count() == 2
    assert twin.observed_channels(observed)["pressure/13"].null_count() == 2


def test_l_town_has_its_two_metered_zones(l_town: Network) -> None:
    """The meters cut L-Town into areas A and B with 690 junctions and C with 92 and the tank."""
    zones = metered_zones(l_town.water_network(), load_layout(l_town))
    assert [len(zone.junctions) for zone in zones] == [690, 92]
    assert zones[0].meters == (("p227", 1), ("p235", 1), ("PUMP_1", -1))
    assert zones[1].tanks == ("T1",)
    assert all(zone.is_balanced for zone in zones)


def l_town_frame(network: Network, steps: int) -> pl.DataFrame:
    """Return made readings of L-Town: constant inflow, pump on, tank filling with 0.002 m3/s."""
    layout = load_layout(network)
    start = datetime(2019, 3, 4, tzinfo=UTC)
    times = [start + timedelta(minutes=5 * i) for i in range(steps)]
    area = np.pi / 4 * 16**2
    columns = dict.fromkeys(layout.columns(), np.full(steps, 40.0))
    columns |= {f"demand/{n}": np.full(steps, 0.01 / 82) for n in layout.ids("demand")}
    columns |= {
        "flow/p227": np.full(steps, 0.025),
        "flow/p235": np.full(steps, 0.02),
        "flow/PUMP_1": np.full(steps, 0.012),
        "level/T1": 2.5 + 0.002 * 300 / area * np.arange(steps),
    }
    frame = pl.DataFrame({"ts_utc": times, **columns})
    return frame.with_columns(pl.col("ts_utc").cast(pl.Datetime("us", "UTC")))


def test_inflow_is_net_of_what_the_tank_stores(l_town: Network) -> None:
    """Net inflow is measured inflow less storage, once the tank is known for an hour."""
    twin = Twin(l_town, load_layout(l_town))
    inflow = twin.observed_channels(l_town_frame(l_town, 16))[INFLOW]
    assert inflow.is_null().to_list() == [True] * 12 + [False] * 4
    assert inflow[12:].to_list() == pytest.approx([0.025 + 0.02 - 0.002] * 4)


def test_missing_rows_do_not_shift_the_storage(l_town: Network) -> None:
    """Steps that were not delivered at all count as missing in the hour of storage."""
    twin = Twin(l_town, load_layout(l_town))
    frame = l_town_frame(l_town, 40)
    kept = pl.concat([frame[:20], frame[23:]])
    inflow = twin.observed_channels(kept)[INFLOW]
    known = inflow.drop_nulls()
    assert known.to_list() == pytest.approx([0.043] * len(known))
    assert len(known) == 40 - 12 - 3 - 12


def test_a_silent_tank_does_not_take_the_other_area(l_town: Network) -> None:
    """Without the tank's level area C has no expectation, areas A and B keep theirs."""
    twin = Twin(l_town, load_layout(l_town))
    frame = l_town_frame(l_town, 3).with_columns(pl.lit(None, pl.Float64).alias("level/T1"))
    expected = twin.expected(frame)
    assert expected["pressure/n1"].null_count() == 3
    assert expected["pressure/n105"].null_count() == 0
