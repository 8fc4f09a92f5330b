"""The spool keeps what every source promises, and `EverySource` hands out what lies there."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites.site import find_site
from leak_assets.telemetry.readers.spooled import SPOOLED
from leak_assets.telemetry.sources.every import EverySource
from leak_assets.telemetry.sources.source import DeliveryLeftError
from leak_assets.telemetry.sources.source_contract import violations
from leak_assets.telemetry.sources.spool import Spool
from leak_assets.warehouse import Warehouse

SITE = find_site("hanoi", Settings())
DAY = date(2026, 3, 4)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of an empty home."""
    return Settings(LEAK_ASSETS_HOME=tmp_path)


@pytest.fixture
def spool(settings: Settings) -> Spool:
    """Return the empty spool of a stream."""
    return Spool("scada", settings)


def row(**other: object) -> dict[str, object]:
    """Return a row of a batch: a usable reading of Hanoi's node 12, or what is said otherwise."""
    usual = {
        "message": "telemetry@1-0",
        "item": 1,
        "sequence": 1,
        "sensor_id": "12",
        "quantity": "pressure",
        "unit": None,
        "ts_utc": NOON,
        "raw_text": "30.5",
        "value": 30.5,
    }
    return {**usual, **other}


def rows(*found: dict[str, object]) -> pl.DataFrame:
    """Return a batch."""
    return pl.DataFrame(list(found or (row(),)), schema=SPOOLED)


def put(spool: Spool, batch: pl.DataFrame, minute: int = 0, network: str = "hanoi") -> Path:
    """Put a batch of one day into a spool."""
    return spool.write(network, batch, (DAY, DAY), NOON + timedelta(minutes=minute))


def test_the_spool_is_a_source(spool: Spool) -> None:
    """No promise is broken."""
    for minute in range(3):
        put(spool, rows(row(message=f"telemetry@{minute}-0")), minute)
    assert violations(spool, SITE) == []


def test_a_batch_becomes_readings_and_quarantine(spool: Spool) -> None:
    """Unit and quantity follow from the layout; what the layout does not allow is told."""
    put(
        spool,
        rows(
            row(quantity=None, sensor_id="4", sequence=5),
            row(item=2, unit="bar", raw_text="3", value=3.0),
            row(item=3, sensor_id="nobody"),
            row(item=4, unit="gpm"),
            row(item=5, raw_text="1e9", value=1e9),
            row(item=6, reason="malformed_json", problem="no JSON", remedy="Send JSON", value=None),
            row(item=2, unit="bar", raw_text="3", value=3.0),
        ),
    )
    [batch] = spool.waiting()
    assert (batch.source, batch.network, batch.received_at) == ("scada", "hanoi", NOON)
    parsed = spool.read(batch, SITE)
    kept = parsed.readings_of(DAY).select("sensor_id", "quantity", "unit", "value", "sequence")
    assert kept.rows() == [
        ("4", "pressure", "", 30.5, 5),
        ("12", "pressure", "bar", 3.0, 1),
        # Impossible: validation flags it.
        ("12", "pressure", "", 1e9, 1),
    ]
    assert parsed.readings["message_id"].str.tail(1).to_list() == ["1", "2", "5"]
    told = parsed.quarantine.select("file_row", "column_name", "reason", "source").rows()
    assert told == [
        (3, "sensor", "unknown_sensor", "scada"),
        (4, "unit", "unknown_unit", "scada"),
        (6, "", "malformed_json", "scada"),
    ]
    assert parsed.quarantine["message_id"][0] == "telemetry@1-0:3"
    assert parsed.quarantine["file_path"].unique().to_list() == ["scada"]
    assert (parsed.accepted, parsed.quarantined) == (3, 3)


def test_a_damaged_batch_waits(spool: Spool) -> None:
    """It is not taken for an empty one."""
    path = put(spool, rows())
    path.write_bytes(path.read_bytes()[:-20])
    [batch] = spool.waiting()
    with pytest.raises(DeliveryLeftError, match="it waits"):
        spool.read(batch, SITE)


def test_batches_of_a_site_that_is_gone_wait_and_are_told(spool: Spool) -> None:
    """A network that was removed after its messages came."""
    put(spool, rows(), network="gone")
    assert spool.waiting() == []
    [line] = spool.problems()
    assert "gone" in line


def test_every_source_has_files_and_streams(settings: Settings, spool: Spool) -> None:
    """Also a stream whose spool appears after the first look."""
    every = EverySource(settings, Warehouse(settings.warehouse_dir))
    assert every.waiting() == []
    put(spool, rows())
    put(Spool("other", settings), rows(), minute=-1)
    batches = every.waiting()
    assert [b.source for b in batches] == ["other", "scada"]
    assert [every.read(b, SITE).accepted for b in batches] == [1, 1]
    for batch in batches:
        every.acknowledge(batch)
    assert every.waiting() == []


def test_names_that_lead_elsewhere_are_refused(settings: Settings) -> None:
    """A stream's name is a folder's, and never the landing zone's."""
    for name in ("../x", "file", "", "A", ".hidden", "a" * 65):
        with pytest.raises(InputError, match="name of a stream"):
            Spool(name, settings)
