"""The digest of a day: its numbers, its text, and when it is written again."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from leak_assets.errors import MissingInputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.settings import Settings
from leak_assets.summaries.daily import write_daily_digest
from leak_assets.summaries.facts import day_facts
from leak_assets.summaries.faithfulness import unknown_number
from leak_assets.summaries.template import render
from leak_assets.warehouse.schemas.incidents import INCIDENT_DAYS

DAY = date(2019, 3, 5)


def incident(name: str, day: date, **values: Any) -> dict[str, Any]:
    """Return a row of `incidents.incident_days`."""
    begin = datetime(2019, 3, 4, 6, tzinfo=UTC)
    row: dict[str, Any] = {
        "network": "l-town", "incident_id": name, "day": day, "revision": 1, "revised_at": begin,
        "revised_flow_m3_per_h": 5.0, "status": "open", "severity": "medium", "leak_start": begin,
        "detected_at": begin, "last_seen_at": begin, "flow_m3_per_h": 5.0,
        "volume_lost_m3": 90.0, "volume_before_m3": 0.0, "openings": 1, "value_eur": 72.0,
        "confidence": 0.9, "top_link_id": "p227", "hypothesis_id": "h", "method": "likelihood",
        "method_version": "1",
    }  # fmt: skip
    return {
        key: value for key, value in (row | values).items() if key in INCIDENT_DAYS.polars_schema
    }


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """Two days: one incident grows, one closes, one opens."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))
    before = date(2019, 3, 4)
    days = {
        before: [incident("a", before), incident("b", before, value_eur=8.0, volume_lost_m3=10.0)],
        DAY: [
            incident("a", DAY, volume_lost_m3=210.0, value_eur=168.0),
            incident("b", DAY, status="closed", volume_lost_m3=12.0, value_eur=9.6),
            incident("c", DAY, detected_at=datetime(2019, 3, 5, 9, tzinfo=UTC), volume_lost_m3=1.0,
                     value_eur=0.8, flow_m3_per_h=2.5, top_link_id="p1"),
        ],
    }  # fmt: skip
    for day, rows in days.items():
        frame = pl.DataFrame(rows, schema=INCIDENT_DAYS.polars_schema)
        ctx.warehouse.write("incidents.incident_days", day_partition(day, "l-town"), frame)
    return ctx


def test_the_day_is_told_with_its_own_losses(ctx: StepContext) -> None:
    """Counts, the day's share of the losses, the costliest first."""
    row = write_daily_digest(ctx, "l-town")
    assert (row["day"], row["opened"], row["closed"], row["running"]) == (DAY, 1, 1, 2)
    assert (row["flow_m3_per_h"], row["volume_lost_m3"], row["value_eur"]) == (7.5, 123.0, 98.4)
    assert row["summary"].startswith(
        'On 2019-03-05 (UTC+00:00), network "l-town" had 1 new and 1 closed leak incidents;'
        " 2 were running at its end with 7.5 m³/h. The day cost 123.0 m³ of water, worth 98.4 EUR."
        ' Costliest first: "a" (medium, open) since 2019-03-04 06:00 (UTC+00:00), 5.0 m³/h,'
        ' 168.0 EUR so far, first pipe "p227"; "b"'
    )
    assert (row["generated_by"], row["finish_reason"]) == ("template", None)


def test_the_same_day_is_not_told_twice(ctx: StepContext, llm_settings, chat_server) -> None:
    """Nobody pays again for the same facts; a language model that is new is asked."""
    first = write_daily_digest(ctx, "l-town", DAY)
    assert write_daily_digest(ctx, "l-town", DAY) == first
    chat_server.answers = ["Three incidents cost 98.4 EUR."]
    settings = llm_settings(LEAK_ASSETS_HOME=str(ctx.settings.home))
    asked = StepContext(ctx.warehouse, settings)
    told = write_daily_digest(asked, "l-town", DAY)
    assert (told["generated_by"], told["model_name"]) == ("llm_summarizer", "llama-3.2-1b")
    assert write_daily_digest(asked, "l-town", DAY) == told
    assert len(chat_server.requests) == 1


def test_a_day_without_rows_is_refused(ctx: StepContext) -> None:
    """With the remedy."""
    with pytest.raises(MissingInputError, match="no incident rows of 2020-01-01"):
        write_daily_digest(ctx, "l-town", date(2020, 1, 1))


def test_a_quiet_day_and_a_long_one_keep_to_the_facts(ctx: StepContext) -> None:
    """Nothing to list, and more than is listed."""
    amounts = {"flow_m3_per_h": 0.0, "volume_lost_m3": 0.0, "value_eur": 0.0}
    quiet = day_facts(network="n", day=DAY, zone="UTC", amounts=amounts, incidents=[],
                      counts={"opened": 0, "closed": 0, "running": 0})  # fmt: skip
    assert render(quiet).endswith("0 were running at its end.")
    rows = [incident(f"i{n}", DAY, value_eur=float(n)) for n in range(60)]
    long = day_facts(network="n", day=DAY, zone="UTC", amounts=amounts, incidents=rows,
                     counts={"opened": 60, "closed": 0, "running": 60})  # fmt: skip
    assert render(long).endswith("And 10 more.")
    assert long["listed"][0]["incident_id"] == "i59"
    for facts in (quiet, long):
        assert unknown_number(render(facts), facts) is None
