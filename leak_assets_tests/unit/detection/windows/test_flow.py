"""Flow, volume and start of a leak against a simulated one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.detection.detector import Observed
from leak_assets.detection.windows.flow import leak_flow_m3_per_h, volume_between_m3
from leak_assets.detection.windows.method import CANDIDATES, RESIDUALS, SCORES, WindowsDetector
from leak_assets.detection.windows.onset import leak_start
from leak_assets.features.inflow import inflow_residual
from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES
from leak_assets_tests.hypotheses import pipes_in_a_row

START = datetime(2019, 1, 7, 6, tzinfo=UTC)
MIDNIGHT = datetime(2019, 1, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def hanoi_leak():
    """Inflow beyond the leak-free one and the leak itself in Hanoi, m3/s, 5-minute steps."""
    import epyt
    import wntr

    path = Path(epyt.__file__).parent / "networks" / "asce-tf-wdst" / "Hanoi.inp"

    def simulate(*, leaking: bool) -> tuple[np.ndarray, np.ndarray]:
        model = wntr.network.WaterNetworkModel(str(path))
        model.options.time.duration = 24 * 3600
        model.options.time.hydraulic_timestep = 300
        model.options.time.report_timestep = 300
        model.options.hydraulic.demand_model = "PDD"
        if leaking:
            node = model.get_node("20")
            node.add_leak(model, area=0.002, discharge_coeff=0.75, start_time=6 * 3600)
        results = wntr.sim.WNTRSimulator(model).run_sim()
        inflow = -results.node["demand"]["1"].to_numpy()
        return inflow, results.node["leak_demand"]["20"].to_numpy()

    with_leak, leak = simulate(leaking=True)
    without, _ = simulate(leaking=False)
    return with_leak - without, leak


def rows(residual_m3_per_s: np.ndarray, std_m3_per_s: float) -> pl.DataFrame:
    """Rows of `features.residuals` for the inflow of one day."""
    return pl.DataFrame(
        {
            "network": "net1",
            "sensor_id": "inflow",
            "quantity": "flow",
            "ts_utc": [MIDNIGHT + i * timedelta(minutes=5) for i in range(288)],
            "observed_si": residual_m3_per_s[:288],
            "expected_si": 0.0,
            "residual_si": residual_m3_per_s[:288],
            "residual_z": residual_m3_per_s[:288] / std_m3_per_s,
            "mask": np.ones(288, dtype=np.int8),
        }
    )


def test_volume_is_within_ten_percent_of_a_simulated_leak(hanoi_leak, window_scores):
    """From noisy inflow and alarms alone, start and volume come close to the truth."""
    residual, leak = hanoi_leak
    std = float(leak.max()) / 4
    noisy = residual + std * np.random.default_rng(7).standard_normal(residual.size)
    marks = "." * 12 + "x" * 36  # the first alarmed window ends half an hour after the start
    method = WindowsDetector("net1", pipes_in_a_row, lambda: lambda a, b: 0.0)
    tables = {
        SCORES: window_scores(marks, flow_m3_per_h=float(leak.max()) * 3600),
        CANDIDATES: WINDOW_CANDIDATES.empty(),
        RESIDUALS: rows(noisy, std),
    }
    _, findings = method.step(method.start(), Observed(MIDNIGHT.date(), tables))
    last = findings.hypotheses[-1]
    steps = int((last.at - MIDNIGHT) / timedelta(minutes=5))
    truth_m3 = float(leak[:steps].sum()) * 300
    assert truth_m3 > 500
    assert last.volume_m3 == pytest.approx(truth_m3, rel=0.10)
    assert abs(last.onset_at - START) <= timedelta(minutes=30)


def test_the_start_is_found_hours_before_a_late_detection(residual_rows):
    """CUSUM back-tracking goes past the alarmed windows, within half an hour of the truth."""
    residuals = residual_rows(24, leak=(5.0, 24.0), noise_z=1.0)
    truth = datetime(2019, 1, 7, 0, 25, tzinfo=UTC) + timedelta(hours=5)
    start = leak_start(
        residuals,
        first_alarm_start=truth + timedelta(hours=8),
        detected_at=truth + timedelta(hours=12),
        lookback=timedelta(hours=72),
    )
    assert abs(start - truth) <= timedelta(minutes=30)


def test_the_start_is_never_after_detection_and_never_in_the_leak_before(residual_rows):
    """Its bounds hold also where the residuals say nothing or something else."""
    quiet = residual_rows(24)
    detected = datetime(2019, 1, 7, 12, tzinfo=UTC)
    first = detected - timedelta(hours=3)
    bounds = {"detected_at": detected, "lookback": timedelta(hours=72)}
    assert leak_start(quiet, first_alarm_start=first, **bounds) == first
    leaking = residual_rows(24, leak=(0.0, 24.0))
    closed = detected - timedelta(hours=2)
    start = leak_start(leaking, first_alarm_start=first, not_before=closed, **bounds)
    assert closed <= start <= detected


def test_masked_and_missing_steps_neither_add_nor_lose_water(residual_rows):
    """The mean of the usable steps stands for the gap."""
    whole = residual_rows(24, leak=(0.0, 25.0), flow_m3_per_h=12.0)
    holed = whole.with_columns(
        mask=pl.when(pl.col("ts_utc").dt.hour() == 4).then(0).otherwise(1).cast(pl.Int8),
        residual_si=pl.when(pl.col("ts_utc").dt.hour() == 5).then(None).otherwise("residual_si"),
    )
    until = MIDNIGHT + timedelta(hours=10)
    for residuals in (whole, holed):
        volume = volume_between_m3(inflow_residual(residuals), MIDNIGHT + timedelta(hours=2), until)
        assert volume == pytest.approx(96.0)


def test_without_any_usable_step_the_flow_estimate_counts(residual_rows):
    """An outage of the inflow meter does not stop the loss."""
    inflow = inflow_residual(residual_rows(2).with_columns(mask=pl.lit(0, pl.Int8)))
    volume = volume_between_m3(
        inflow, MIDNIGHT, MIDNIGHT + timedelta(hours=2), flow_if_missing_m3_per_h=5.0
    )
    assert volume == pytest.approx(10.0)


def test_windows_that_began_before_the_leak_do_not_dilute_its_flow(window_scores):
    """Where windows lie inside the leak, only they count; a negative flow counts as none."""
    flows = [2.0, 5.0, 9.0, 12.0, 12.0, 300.0, 12.0, 12.0]
    scores = window_scores("x" * 8, flow_m3_per_h=flows)
    inside = scores["window_start"][3]
    assert leak_flow_m3_per_h(scores, inside) == 12.0
    assert leak_flow_m3_per_h(scores, datetime(2019, 1, 9, tzinfo=UTC)) == 12.0
    assert leak_flow_m3_per_h(window_scores("xx", flow_m3_per_h=-3.0), inside) == 0.0
