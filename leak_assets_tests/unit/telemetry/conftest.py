"""Fixtures of the telemetry tests: Hanoi's sensors, files in the official format, a parser."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.sites.contract import Contract, load_contract
from leak_assets.sites.sensors import Sensor, SensorLayout
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.readers.read_file import parse_file
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

NODES = ("12", "21", "27")
START = datetime(2019, 3, 4, tzinfo=UTC)


@pytest.fixture
def contract() -> Contract:
    """Return the packaged contract."""
    return load_contract()


@pytest.fixture
def layout() -> SensorLayout:
    """Return three pressure sensors, the inflow meter and one water meter of Hanoi."""
    sensors = [Sensor(node, "pressure", "node", "m") for node in NODES]
    sensors += [Sensor("1", "flow", "link", "m3/h"), Sensor("12", "demand", "node", "L/h")]
    return SensorLayout("hanoi", tuple(sensors))


@pytest.fixture
def csv_lines() -> Callable[..., list[str]]:
    """Return a maker of clean lines: header and `steps` lines of values with two decimals."""

    def lines(steps: int = 4, ids: tuple[str, ...] = NODES, start: datetime = START) -> list[str]:
        made = [";".join(["Timestamp", *ids])]
        for step in range(steps):
            time = start + timedelta(minutes=5 * step)
            values = [f"{30 + i + step / 100:.2f}".replace(".", ",") for i in range(len(ids))]
            made.append(";".join([f"{time:%Y-%m-%d %H:%M:%S}", *values]))
        return made

    return lines


@pytest.fixture
def parse(tmp_path: Path, contract: Contract, layout: SensorLayout) -> Callable[..., ParsedFile]:
    """Return a parser of content (text, lines or bytes) as a file of Hanoi."""

    def parsed(
        content: str | bytes | list[str],
        name: str = "2019_SCADA_Pressures.csv",
        *,
        received_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        **options: object,
    ) -> ParsedFile:
        if isinstance(content, list):
            content = "\n".join(content) + "\n"
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if options.pop("zip", False) else data)
        return parse_file(
            path,
            network="hanoi",
            layout=layout,
            contract=contract,
            received_at=received_at,
            **options,  # type: ignore[arg-type]
        )

    return parsed


@pytest.fixture
def raw_rows() -> Callable[..., pl.DataFrame]:
    """Return a maker of `raw_readings` rows from (sensor, minute of the day, value) triples."""

    def rows(
        readings: list[tuple[str, float, float]],
        *,
        received_minute: int = 0,
        sha: str = "a" * 64,
        quantity: str = "pressure",
        unit: str = "m",
        day: datetime = START,
    ) -> pl.DataFrame:
        received = datetime(2019, 3, 6, tzinfo=UTC) + timedelta(minutes=received_minute)
        return pl.DataFrame(
            [
                {
                    "network": "hanoi",
                    "sensor_id": sensor,
                    "quantity": quantity,
                    "ts_utc": day + timedelta(minutes=minute),
                    "received_at": received,
                    "source": "file",
                    "message_id": f"{sha}:{number}",
                    "sequence": number,
                    "raw_text": f"{value}".replace(".", ","),
                    "value": float(value),
                    "unit": unit,
                }
                for number, (sensor, minute, value) in enumerate(readings, start=2)
            ],
            schema=RAW_READINGS.polars_schema,
        )

    return rows


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of shared test data, or skip."""
    beside = Path(__file__).parents[4] / "shared"
    root = Path(os.environ.get("LEAK_ASSETS_SHARED", beside))
    if not (root / "data" / "ltown-dev").is_dir():
        pytest.skip("shared data (ltown-dev) are not here; set LEAK_ASSETS_SHARED")
    return root / "data"
