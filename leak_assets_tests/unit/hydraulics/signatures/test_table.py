"""Rows of the leak signatures against EPANET runs of their own, and the step that writes them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import wntr

from leak_assets.errors import HydraulicError, InputError
from leak_assets.hydraulics.signatures import signatures
from leak_assets.hydraulics.signatures import steps as signature_steps
from leak_assets.hydraulics.signatures.steps import SIGNATURES_STEP, TABLE
from leak_assets.hydraulics.signatures.table import leak_sizes_m3_per_s, signature_rows
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import run_step
from leak_assets.settings import Settings
from leak_assets.sites import Network, SensorLayout, layout_from_headers, load_layout, register
from leak_assets.sites.provenance import Provenance
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Written

LEAK_M3_PER_S = 0.2


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))


@pytest.fixture
def site(ctx: StepContext) -> NetworkSite:
    return ctx.network("hanoi")


def write_signatures(ctx: StepContext, site: NetworkSite) -> list[Written]:
    """Bring the signatures of a network up to date."""
    return run_step(SIGNATURES_STEP, ctx, site, [{"network": site.name}])


def with_sensors(site: NetworkSite, layout: SensorLayout) -> NetworkSite:
    """Return the network with another layout."""
    return replace(site, layout=layout, provenance=Provenance.of(site.network, layout))


def two_branches(path: Path) -> Path:
    """Write a model: a reservoir with a branch `a1`–`a2` and a branch `b1`–`b2`."""
    model = wntr.network.WaterNetworkModel()
    model.add_reservoir("r", base_head=60.0)
    for branch in "ab":
        previous = "r"
        for number in "12":
            model.add_junction(f"{branch}{number}", base_demand=0.01, elevation=5.0)
            model.add_pipe(f"p{branch}{number}", previous, f"{branch}{number}", 500, 0.2, 120)
            previous = f"{branch}{number}"
    wntr.network.write_inpfile(model, str(path), units="LPS")
    return path


def pressures_m(model: wntr.network.WaterNetworkModel) -> pl.DataFrame:
    """Return what EPANET itself says at hour 0, one row."""
    model.options.time.duration = 0
    model.options.hydraulic.accuracy = 1e-6
    found = wntr.sim.EpanetSimulator(model).run_sim().node["pressure"].iloc[0]
    return pl.DataFrame({str(name): [float(value)] for name, value in found.items()})


def test_the_change_is_the_difference_of_two_epanet_runs(
    hanoi: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the leak taken at each end: pressures to 1 mm, the supply's flow to 0.1 L/s."""
    monkeypatch.chdir(tmp_path)
    layout = layout_from_headers(hanoi, {"pressure": ("13", "22", "30"), "flow": ("1",)})
    made = signatures.signatures(hanoi, layout, ("12",), hours=(0,), leak_m3_per_s=LEAK_M3_PER_S)
    rows = signature_rows("hanoi", [LEAK_M3_PER_S], [made])
    model = hanoi.water_network()
    pipe = model.get_link("12")
    before = pressures_m(model)
    for end in (pipe.start_node, pipe.end_node):
        end.add_demand(LEAK_M3_PER_S / 2, None)
    after = pressures_m(model)
    for sensor, change in rows.filter(quantity="pressure").select("sensor_id", "change_si").rows():
        assert change == pytest.approx(after[sensor][0] - before[sensor][0], abs=1e-3)
        assert change < -0.1
    supply = rows.filter(quantity="flow")
    assert supply["change_si"][0] == pytest.approx(LEAK_M3_PER_S, abs=1e-4)
    # The twin is given this meter's reading, so it is not surprised by it.
    assert supply["residual_si"][0] == pytest.approx(0.0, abs=1e-4)


def test_the_residual_is_the_change_unless_the_twin_spreads_it(ltown: Network) -> None:
    """L-Town: area C follows its meters and shows the whole leak, area A explains part away."""
    layout = load_layout(ltown)
    pipes = ("p31", "p673")
    made = signatures.signatures(ltown, layout, pipes, hours=(2,), leak_m3_per_s=0.002)
    rows = signature_rows("l-town", [0.002], [made])
    assert made.zone.tolist() == [1, 0]
    metered = rows.filter(link_id="p31")
    np.testing.assert_allclose(metered["change_si"], metered["residual_si"], atol=1e-6)
    assert metered["residual_si"].min() < -0.02
    balanced = rows.filter(link_id="p673", quantity="pressure")
    assert (balanced["change_si"] <= 1e-3).all()
    assert (balanced["residual_si"] > 0.003).any(), "demand that the twin spread is missing there"


def test_another_branch_does_not_feel_a_leak(tmp_path: Path, ctx: StepContext) -> None:
    """A reservoir keeps its head: sensors of the branch beside it stay at exactly zero."""
    network = register(two_branches(tmp_path / "two-branches.inp"), ctx.settings)
    layout = layout_from_headers(network, {"pressure": ("a1", "a2", "b2"), "flow": ("pb1",)})
    made = signatures.signatures(network, layout, ("pa2",), hours=(0, 5), leak_m3_per_s=0.002)
    rows = signature_rows(network.name, [0.002], [made])
    away = rows.filter(pl.col("sensor_id").is_in(["b2", "pb1"]))
    assert away["change_si"].abs().max() < 1e-4
    near = rows.filter(hour=0).filter(pl.col("sensor_id").str.starts_with("a"))
    assert near["change_si"].sort().to_list()[0] < near["change_si"].max() < 0


def test_sizes_follow_the_demand(hanoi: Network, ltown: Network) -> None:
    """2, 4 and 8 % of the mean demand, to two digits: 1, 2 and 4 L/s on L-Town."""
    assert leak_sizes_m3_per_s(hanoi) == (0.11, 0.22, 0.44)
    np.testing.assert_allclose(leak_sizes_m3_per_s(ltown), (0.001, 0.002, 0.004), rtol=0.05)


def test_the_step_solves_once(
    site: NetworkSite, ctx: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pipes, hours, sizes and sensors; again: nothing; other sensors: computed anew."""
    (written,) = write_signatures(ctx, site)
    assert written.record.rows == 34 * 24 * 3 * 11
    assert {i.kind for i in written.record.inputs} == {"network", "setting", "layout"}
    frame = ctx.warehouse.read_all(TABLE, network="hanoi")
    larger = (
        frame.filter(quantity="pressure")
        .group_by("leak_m3_per_s")
        .agg(pl.col("change_si").abs().mean())
    )
    assert larger.sort("leak_m3_per_s")["change_si"].is_sorted()

    def refuse(*_: object) -> None:
        raise AssertionError("solved again")

    with monkeypatch.context() as watched:
        watched.setattr(signatures, "_compute", refuse)
        (kept,) = write_signatures(ctx, site)
        assert not kept.changed
        # Lost with the warehouse, but not with the cache.
        ctx.warehouse.path(TABLE, {"network": "hanoi"}).unlink()
        (again,) = write_signatures(ctx, site)
        assert again.record.data_version == written.record.data_version
    fewer = with_sensors(site, site.layout.without("13"))
    (other,) = write_signatures(ctx, fewer)
    assert other.changed
    assert other.record.rows == 34 * 24 * 3 * 10


def test_a_large_network_gets_fewer_hours(
    site: NetworkSite, ctx: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are bounded, hours stay evenly spaced, and the run says so."""
    told: list[str] = []
    monkeypatch.setattr(signature_steps, "MOST_ROWS", 34 * 3 * 11 * 8)
    watched = StepContext(ctx.warehouse, ctx.settings, told.append)
    write_signatures(watched, site)
    hours = ctx.warehouse.read_all(TABLE)["hour"].unique().sort().to_list()
    assert hours == [0, 3, 6, 9, 12, 15, 18, 21]
    assert any("8 hours of the day" in line for line in told)


def test_what_cannot_be_computed_is_said(
    site: NetworkSite, ctx: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sensor that could see a leak, no demand, no steady state: the error names the remedy."""

    def none_solved(*_: object) -> None:
        raise HydraulicError("EPANET finds no steady state of hanoi at hour 0")

    with monkeypatch.context() as broken:
        broken.setattr(signatures, "_compute", none_solved)
        with pytest.raises(InputError, match=r"no steady state of hanoi at hour 0.*EPANET"):
            write_signatures(ctx, site)
    meters = layout_from_headers(site.network, {"demand": ("13",)})
    with pytest.raises(InputError, match=r"no pressure sensor and no flow meter"):
        write_signatures(ctx, with_sensors(site, meters))
    dry = two_branches(tmp_path / "dry.inp")
    model = wntr.network.WaterNetworkModel(str(dry))
    for _, junction in model.junctions():
        junction.demand_timeseries_list[0].base_value = 0.0
    wntr.network.write_inpfile(model, str(dry), units="LPS")
    with pytest.raises(InputError, match=r"no demand"):
        write_signatures(ctx, ctx.network(register(dry, ctx.settings).name))
