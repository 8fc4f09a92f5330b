"""A synthetic town line: pipes on a line, sensors beside them, leaks with smooth signatures."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.features.windows import STATISTICS, training_windows
from leak_assets.models.config import DetectorConfig, PinpointerConfig, load_config
from leak_assets.models.dataset import WindowSet, training_set
from leak_assets.models.export import export
from leak_assets.models.pipes import CandidatePipes
from leak_assets.models.training import TrainingResult, train
from leak_assets.warehouse.schemas.features import RESIDUALS

NETWORK = "line"
PIPES = 12
SENSORS = 6
DAY = datetime(2019, 3, 4, tzinfo=UTC)
STEPS = 288


@dataclass(frozen=True)
class Scenarios:
    """Window features per batch and the leak truth of all of them."""

    batches: list[pl.DataFrame]
    leak_truth: pl.DataFrame
    pipes: CandidatePipes


@pytest.fixture(scope="session")
def pipes() -> CandidatePipes:
    """Twelve pipes of 100 m in a row."""
    links = pl.DataFrame(
        {
            "link_id": [f"p{i:02d}" for i in range(PIPES)],
            "start_node": [f"n{i:02d}" for i in range(PIPES)],
            "end_node": [f"n{i + 1:02d}" for i in range(PIPES)],
        }
    )
    place = np.arange(PIPES) * 100.0
    distance = np.abs(place[:, None] - place[None, :])
    return CandidatePipes.build(links["link_id"].to_list(), distance, links)


@pytest.fixture(scope="session")
def scenarios(pipes: CandidatePipes) -> Scenarios:
    """Six batches of eight one-day scenarios; three of four leak from 06:00 to 20:00."""
    rng = np.random.default_rng(0)
    sensors = np.linspace(0, PIPES - 1, SENSORS)
    times = [DAY + timedelta(minutes=5 * k) for k in range(STEPS)]
    batches, truth = [], []
    for b in range(6):
        frames = []
        for s in range(8):
            name = f"{NETWORK}/b{b:03d}/s{s:03d}"
            noise = rng.normal(size=(SENSORS + 1, STEPS))
            z = noise + 0.7 * np.roll(noise, 1, axis=1)
            if s % 4:
                pipe = int(rng.integers(PIPES))
                size = rng.uniform(3, 8)
                active = slice(72, 240)
                z[:SENSORS, active] -= size * np.exp(-np.abs(sensors - pipe) / 3)[:, None]
                z[SENSORS, active] += size
                truth.append(_leak(name, f"b{b:03d}", pipe, size))
            frames.append(_rows(name, f"b{b:03d}", times, z))
        batches.append(pl.concat(frames))
    utc = pl.Datetime("us", "UTC")
    leak_truth = pl.DataFrame(truth).with_columns(
        pl.col("leak_start", "leak_peak", "leak_end").cast(utc)
    )
    features = [training_windows(batch, leak_truth) for batch in batches]
    return Scenarios(features, leak_truth, pipes)


@pytest.fixture(scope="session")
def windows(scenarios: Scenarios) -> WindowSet:
    """All labelled windows."""
    return training_set(scenarios.batches, STATISTICS)


@pytest.fixture(scope="session")
def detector_config() -> DetectorConfig:
    """Return the packaged configuration, smaller."""
    config = load_config("leak_detector")
    assert isinstance(config, DetectorConfig)
    return _small(config, epochs=6)


@pytest.fixture(scope="session")
def pinpointer_config() -> PinpointerConfig:
    """Return the packaged configuration, smaller."""
    config = load_config("leak_pinpointer")
    assert isinstance(config, PinpointerConfig)
    return _small(config, epochs=12)


@pytest.fixture(scope="session")
def detector(windows: WindowSet, scenarios: Scenarios, detector_config: DetectorConfig):
    """Return a trained detector."""
    return _train(detector_config, windows, scenarios)


@pytest.fixture(scope="session")
def pinpointer(windows: WindowSet, scenarios: Scenarios, pinpointer_config: PinpointerConfig):
    """Return a trained pinpointer."""
    return _train(pinpointer_config, windows, scenarios)


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory, detector: TrainingResult, pinpointer: TrainingResult):
    """Both models, exported; do not change the folders."""
    models_dir: Path = tmp_path_factory.mktemp("models")
    return export(detector, models_dir), export(pinpointer, models_dir)


def _train(config, windows: WindowSet, scenarios: Scenarios) -> TrainingResult:
    return train(
        config,
        windows,
        network=NETWORK,
        leak_truth=scenarios.leak_truth,
        data_versions={"b000": "v1"},
        contract_sha256="c0ffee",
        trained_at=DAY,
        pipes=scenarios.pipes,
    )


def _small(config, *, epochs: int):
    architecture = config.architecture.model_copy(update={"hidden": 16})
    training = config.training.model_copy(
        update={"epochs": epochs, "threads": 1, "batch_size": 64, "learning_rate": 5e-3}
    )
    return config.model_copy(update={"architecture": architecture, "training": training})


def _rows(name: str, batch: str, times: list[datetime], z: np.ndarray) -> pl.DataFrame:
    channels = [("pressure", f"n{i:02d}") for i in range(SENSORS)] + [("flow", "inflow")]
    return pl.concat(
        pl.DataFrame(
            {
                "network": NETWORK,
                "sensor_id": sensor,
                "quantity": quantity,
                "ts_utc": times,
                "observed_si": z[i] * 1e-3,
                "expected_si": 0.0,
                "residual_si": z[i] * 1e-3,
                "residual_z": z[i],
                "mask": 1,
            },
            schema=RESIDUALS.polars_schema,
        ).with_columns(scenario_id=pl.lit(name), batch=pl.lit(batch))
        for i, (quantity, sensor) in enumerate(channels)
    )


def _leak(name: str, batch: str, pipe: int, size: float) -> dict[str, object]:
    start = DAY + timedelta(hours=6)
    return {
        "scenario_id": name,
        "batch": batch,
        "leak_id": 0,
        "link_id": f"p{pipe:02d}",
        "leak_type": "abrupt",
        "leak_start": start,
        "leak_peak": start,
        "leak_end": DAY + timedelta(hours=20),
        "max_flow_m3_per_h": 3.6 * size,
    }
