"""A lake of four days with one incident, written by hand: every input is known."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.incidents.policy import TrackerPolicy
from leak_assets.incidents.tracker import track
from leak_assets.pipeline.context import day_partition
from leak_assets.settings import Settings
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.hypotheses import FIRST_DAY, NETWORK, pipes_in_a_row, story

DAYS = [FIRST_DAY + timedelta(days=number) for number in range(4)]
CONTRACT = Input("contract", "readings", "", "c0ffee" * 10)
RUN = "0b0e2a3c-9f5d-4b62-8d1e-7b6a3f1d2c4e"
SENSOR = "n1"


@dataclass(frozen=True)
class LittleLake:
    """The lake, its settings, the incident and what was delivered."""

    warehouse: Warehouse
    settings: Settings
    incident_id: str
    file: Path
    sha256: str


@pytest.fixture
def little_lake(tmp_path: Path) -> LittleLake:
    """Four days of one sensor; a leak is suspected on the second and reported on the third."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    warehouse = Warehouse.from_settings(settings, run_id=RUN)
    received = datetime(2019, 1, 12, 8, tzinfo=UTC)
    done = settings.landing_dir / NETWORK / "done" / "2019-01-12"
    done.mkdir(parents=True)
    file = done / "2019_Pressures.csv"
    lines = [f"{day} 12:00:00;{30 + number},5" for number, day in enumerate(DAYS)]
    file.write_text("\n".join(["Timestamp;n1", *lines]) + "\n")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    delivery = Input("file", f"{NETWORK}/{file.name}", "", sha256)
    _write(
        warehouse,
        "telemetry.ingest_ledger",
        {"date": "2019-01-12", "network": NETWORK},
        [
            {
                "network": NETWORK,
                "source": "file",
                "file_path": delivery.name,
                "file_sha256": sha256,
                "received_at": received,
                "fingerprint": "1:2:3",
                "size_bytes": file.stat().st_size,
                "format": "csv",
                "days": "2019-01-07..2019-01-10",
                "readings": 4,
                "accepted": 4,
                "quarantined": 0,
                "duplicates": 0,
                "status": "ingested",
                "ingested_at": received,
                "run_id": RUN,
            }
        ],
        [delivery],
    )
    links = warehouse.write(
        "network.links", {"network": NETWORK}, _fitted("network.links", pipes_in_a_row())
    ).as_input()
    told = story("h1", "-wrr")
    previous = TABLES["incidents.incident_days"].empty()
    memory: list[Input] = []
    states: list[Input] = []
    incident_id = ""
    for number, day in enumerate(DAYS):
        where = day_partition(day, NETWORK)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        raw = _write(
            warehouse,
            "telemetry.raw_readings",
            where,
            [
                {
                    "network": NETWORK,
                    "sensor_id": SENSOR,
                    "quantity": "pressure",
                    "ts_utc": noon,
                    "received_at": received,
                    "source": "file",
                    "message_id": f"{sha256}:{number + 2}",
                    "sequence": number + 2,
                    "raw_text": f"{30 + number},5",
                    "value": 30.5 + number,
                    "unit": "m",
                }
            ],
            [delivery],
        )
        readings = _write(
            warehouse,
            "telemetry.readings",
            where,
            [
                {
                    "network": NETWORK,
                    "sensor_id": SENSOR,
                    "quantity": "pressure",
                    "ts_utc": noon,
                    "value_si": 30.5 + number,
                    "quality": "good",
                    "flags": 0,
                    "mask": 1,
                    "received_at": received,
                    "source": "file",
                    "message_id": f"{sha256}:{number + 2}",
                }
            ],
            [raw, CONTRACT],
        )
        channels = _write(warehouse, "features.channels_30m", where, [], [readings])
        scores = _write(warehouse, "detection.window_scores", where, [], [channels])
        made_from = [*states, channels, scores, links]
        of_day = told.filter(pl.col("at").dt.date() == day + timedelta(days=1))
        named = {
            "detection.hypotheses": of_day.hypotheses,
            "detection.leak_candidates": of_day.candidates,
            "detection.evidence": of_day.evidence,
        }
        held = [
            warehouse.write(table, where, frame, inputs=made_from).as_input()
            for table, frame in named.items()
        ]
        states = [_write(warehouse, "detection.states", where, [], made_from)]
        tracked = track(
            network=NETWORK,
            first_day=day,
            last_day=day,
            hypotheses=of_day.hypotheses,
            candidates=of_day.candidates,
            evidence=of_day.evidence,
            previous_days=previous,
            method="likelihood",
            policy=TrackerPolicy(),
            price_eur_per_m3=0.8,
            contract_sha256=CONTRACT.version,
            run_id=RUN,
            links=pipes_in_a_row(),
            zones={},
        )
        rows = {
            "incidents.incident_events": tracked.incident_events,
            "incidents.incident_days": tracked.incident_days,
            "incidents.candidates": tracked.candidates,
            "incidents.evidence": tracked.evidence,
        }
        given = [*held, *memory, links, CONTRACT, Input("setting", "price", "", "0.8")]
        for table, frame in rows.items():
            written = warehouse.write(table, where, frame, inputs=given).as_input()
            if table == "incidents.incident_days":
                memory = [written]
        previous = tracked.incident_days
        if tracked.incident_events.height:
            incident_id = tracked.incident_events["incident_id"][0]
    return LittleLake(warehouse, settings, incident_id, file, sha256)


def _write(
    warehouse: Warehouse,
    table: str,
    where: dict[str, str],
    rows: list[dict[str, object]],
    inputs: list[Input],
) -> Input:
    frame = pl.DataFrame(rows, schema=TABLES[table].polars_schema)
    return warehouse.write(table, where, frame, inputs=inputs, code_version="1").as_input()


def _fitted(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with the columns that a table has beside, empty or zero."""
    schema = TABLES[table].polars_schema
    zeros = {pl.Float64: 0.0, pl.String: "", pl.Int64: 0, pl.Boolean: False}
    return frame.with_columns(
        pl.lit(zeros[type(dtype)] if type(dtype) in zeros else zeros[dtype]).alias(name)
        for name, dtype in schema.items()
        if name not in frame.columns
    ).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
