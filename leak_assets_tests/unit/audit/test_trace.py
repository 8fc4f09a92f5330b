"""An incident back to its deliveries: all that it was made from, nothing else."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.audit.chain import chain_of
from leak_assets.audit.reading import sample_reading, trace_reading
from leak_assets.audit.replay import replay_incident
from leak_assets.audit.rescore import Variant
from leak_assets.audit.text import chain_text, reading_text
from leak_assets.audit.trace import deliveries, trace_incident
from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.reports.audit_report import audit_page
from leak_assets.settings import Settings
from leak_assets.telemetry.raw_steps import take_deliveries
from leak_assets.telemetry.readers.spooled import SPOOLED
from leak_assets.telemetry.sources.spool import Spool
from leak_assets.warehouse import Input
from leak_assets_tests.unit.audit.conftest import CONTRACT, DAYS, NETWORK, RUN, LittleLake


def test_the_trace_reaches_the_file_and_the_contract(little_lake: LittleLake) -> None:
    """Raw file with its hash, contract, settings: everything that a write recorded is there."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    assert [(d.name, d.version) for d in deliveries(trace)] == [
        (f"{NETWORK}/2019_Pressures.csv", little_lake.sha256)
    ]
    assert CONTRACT in trace.nodes
    assert {node.source.name for node in trace.nodes.values()} >= {
        "incidents.incident_events",
        "detection.hypotheses",
        "features.channels_30m",
        "telemetry.readings",
        "telemetry.raw_readings",
        "network.links",
        "price",
    }
    assert all(node.record is not None for node in trace.of("telemetry.readings"))


def test_days_before_the_leak_are_not_followed(little_lake: LittleLake) -> None:
    """Memory of the days before the leak is named; its inputs are not, and no file is opened."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    assert {node.day for node in trace.of("telemetry.readings")} == set(DAYS[1:3])
    beyond = [node for node in trace.of("detection.states") if not node.is_followed]
    assert [node.day for node in beyond] == [DAYS[0]]


def test_other_methods_tables_are_no_part_of_it(little_lake: LittleLake) -> None:
    """The step's record names what all methods read; the raising method did not look at scores."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    for source, inputs in trace.edges.items():
        if source.name == "detection.hypotheses":
            assert "detection.window_scores" not in {entry.name for entry in inputs}


def test_a_partition_that_was_written_anew_is_told(little_lake: LittleLake) -> None:
    """The incident keeps pointing at the version that it was made from, with its own record."""
    table, where = "telemetry.readings", day_partition(DAYS[2], NETWORK)
    frame = little_lake.warehouse.read(table, where)
    before = little_lake.warehouse.record(table, where)
    assert frame is not None
    assert before is not None
    little_lake.warehouse.write(
        table, where, frame.with_columns(value_si=pl.lit(1.0)), inputs=before.inputs
    )
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    (node,) = trace.superseded
    assert node.record is not None
    assert node.record.data_version == before.data_version
    text = chain_text(chain_of(little_lake.warehouse, little_lake.settings, trace))
    assert "1 partitions have been written anew since" in text


def test_every_query_finds_what_it_names(little_lake: LittleLake) -> None:
    """Each box's SQL has rows: no id in an audit is made up."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    chain = chain_of(little_lake.warehouse, little_lake.settings, trace)
    with little_lake.warehouse.connect() as connection:
        for box in chain.boxes:
            for query in box.queries:
                assert connection.sql(query).pl().height > 0, query


def test_runs_of_dagster_are_linked_and_others_are_not(little_lake: LittleLake) -> None:
    """A run's UUID is Dagster's; a command's run has no page there."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    settings = little_lake.settings.model_copy(update={"dagster_ui_url": "https://dagster.example"})
    chain = chain_of(little_lake.warehouse, settings, trace)
    urls = {url for box in chain.boxes for _, url in box.runs}
    assert urls == {f"https://dagster.example/runs/{RUN}"}
    settings = settings.model_copy(update={"dagster_ui_url": "http://x/"})
    (box,) = [b for b in chain_of(little_lake.warehouse, settings, trace).boxes
              if b.kind == "incident"]  # fmt: skip
    assert box.asset_url == "http://x/assets/incidents/incident_events"


def test_a_model_that_was_deleted_is_told(little_lake: LittleLake) -> None:
    """An audit goes on and says so; a replay by that version names what there is instead."""
    lake = little_lake
    where = day_partition(DAYS[2], NETWORK)
    former = lake.warehouse.record("detection.window_scores", where)
    gone = Input("model", "leak_detector", NETWORK, "2.0.0-gone")
    scores = lake.warehouse.read("detection.window_scores", where)
    lake.warehouse.write("detection.window_scores", where, scores, inputs=[*former.inputs, gone])
    chain = chain_of(
        lake.warehouse, lake.settings, trace_incident(lake.warehouse, lake.incident_id)
    )
    assert "leak_detector 2.0.0-gone is not at hand any more" in chain.notes
    assert "not in the registry" in chain_text(chain)
    ctx = StepContext(lake.warehouse, lake.settings)
    variant = Variant(method="windows", model="2.0.0-gone")
    with pytest.raises(InputError, match=r"2\.0\.0-gone of net1 is not at hand.*none is left"):
        replay_incident(ctx, lake.incident_id, variant=variant)


def test_unknown_incidents_and_revisions_are_refused(little_lake: LittleLake) -> None:
    """One line with the remedy."""
    with pytest.raises(InputError, match=r"there is no incident 'nobody'.*incidents list"):
        trace_incident(little_lake.warehouse, "nobody")
    with pytest.raises(InputError, match=r"has no revision 9.*revisions 1 to 1"):
        trace_incident(little_lake.warehouse, little_lake.incident_id, revision=9)


def test_a_reading_leads_to_its_line(little_lake: LittleLake) -> None:
    """Sensor and time give file, hash, line number and the text of the line."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    sample = sample_reading(little_lake.warehouse, little_lake.settings, trace)
    assert sample is not None
    (raw,) = sample.raw
    assert raw.is_used
    assert (raw.line, raw.sha256) == (4, little_lake.sha256)
    assert raw.text == "2019-01-09 12:00:00;32,5"
    assert "line 4: 2019-01-09 12:00:00;32,5" in reading_text(sample)


def test_a_file_that_changed_since_is_not_shown(little_lake: LittleLake) -> None:
    """The line's number stands in the warehouse; a text that is not the delivered one does not."""
    little_lake.file.write_text(little_lake.file.read_text().replace("32,5", "99,9"))
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    sample = sample_reading(little_lake.warehouse, little_lake.settings, trace)
    assert sample is not None
    assert sample.raw[0].text is None
    assert sample.raw[0].line == 4


def test_a_streams_reading_leads_to_its_message(tmp_path: Path) -> None:
    """Batch, its hash in the ledger, and the message's own name; not the batch of another day."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    ctx = StepContext.local(settings, run_id=RUN)
    site = ctx.site("hanoi")
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    days = [noon.date(), noon.date() + timedelta(days=1)]
    batches = []
    for number, day in enumerate(days):
        row = {
            "message": f"town@{number}-0", "item": 1, "sequence": 7, "sensor_id": "12",
            "quantity": "pressure", "ts_utc": noon + number * timedelta(days=1),
            "raw_text": "30.5", "value": 30.5,
        }  # fmt: skip
        batch = pl.DataFrame([row], schema=SPOOLED)
        # A collector's round is cut at midnight: two batches of one time of receipt.
        path = Spool("scada", settings).write("hanoi", batch, (day, day), noon + timedelta(days=2))
        batches.append((f"scada/{path.name}", hashlib.sha256(path.read_bytes()).hexdigest()))
    take_deliveries(ctx, site, days)
    found = trace_reading(
        ctx.warehouse, settings, "hanoi", "12", noon + timedelta(days=1), quantity="pressure"
    )
    (raw,) = found.raw
    assert (raw.delivery, raw.sha256) == batches[1]
    assert (raw.message, raw.line, raw.text) == ("town@1-0:1", 7, None)
    text = reading_text(found)
    assert "message town@1-0:1" in text
    assert "line" not in text


def test_a_reading_that_is_not_there_names_the_nearest(little_lake: LittleLake) -> None:
    """A wrong time or sensor is answered with what there is."""
    lake = little_lake
    at = lake.warehouse.read("telemetry.readings", day_partition(DAYS[0], NETWORK))["ts_utc"][0]
    with pytest.raises(InputError, match="nearest is at 2019-01-07T12:00:00"):
        trace_reading(lake.warehouse, lake.settings, NETWORK, "n1", at.replace(hour=3))
    with pytest.raises(InputError, match="Sensors of that day are: n1"):
        trace_reading(lake.warehouse, lake.settings, NETWORK, "n9", at)


def test_the_page_holds_graph_facts_and_the_line(little_lake: LittleLake) -> None:
    """One page, nothing from outside, everything escaped; a box leads to its facts."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    chain = chain_of(little_lake.warehouse, little_lake.settings, trace)
    sample = sample_reading(little_lake.warehouse, little_lake.settings, trace)
    page = audit_page(chain, sample=sample)
    assert page.count("<rect") == len(chain.boxes)
    assert page.count('class="card ') == len(chain.boxes)
    for needed in (little_lake.sha256, "2019-01-09 12:00:00;32,5", CONTRACT.version, RUN):
        assert needed in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert " src=" not in page
