"""Texts in Dagster: the morning's digests, and how many texts each writer wrote."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl

from leak_assets.defs.partitions import SITES
from leak_assets.defs.reports.digests import mornings
from leak_assets.defs.resources import Platform
from leak_assets.defs.shown import SHOWN
from leak_assets.warehouse.schemas.incidents import INCIDENT_DAYS
from leak_assets.warehouse.schemas.plant import SUMMARIES
from leak_assets_tests.plants import plant_home


def test_the_morning_asks_for_the_networks_of_yesterday(tmp_path: Path) -> None:
    """Those with incident rows of the day before; none is no run."""
    platform = Platform(home=str(tmp_path))
    warehouse = platform.at("test").warehouse
    empty = pl.DataFrame(schema=INCIDENT_DAYS.polars_schema)
    for network in ("hanoi", "unknown"):
        partition = {"date": "2019-03-04", "network": network}
        warehouse.write("incidents.incident_days", partition, empty)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions(str(SITES.name), ["hanoi", "net1"])
        for day, names in ((5, ["hanoi"]), (6, None)):
            with dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=datetime(2019, 3, day, 5, tzinfo=UTC),
                resources={"platform": platform},
            ) as context:
                asked = mornings(context)
            if names is None:
                assert isinstance(asked, dg.SkipReason)
                continue
            assert isinstance(asked, list)
            assert [request.partition_key for request in asked] == names
            config = asked[0].run_config["ops"]["incidents__daily_digests"]["config"]
            assert config == {"day": "2019-03-04"}


def test_texts_are_counted_by_writer(tmp_path: Path) -> None:
    """The materialization says how many a language model wrote, and how many the template."""
    ctx = plant_home(tmp_path)
    at = datetime(2025, 5, 28, tzinfo=UTC)
    rows = [
        {
            "site": "works", "first_at": at.replace(minute=minute), "last_at": at, "anomalies": 1,
            "summary": "text", "generated_by": writer, "prompt_sha256": "0", "latency_s": 0.1,
            "created_at": at,
        }
        for minute, writer in enumerate(("llm_summarizer", "template", "template"))
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=SUMMARIES.polars_schema)
    ctx.warehouse.write("plant.summaries", {"date": "2025-05-28", "site": "works"}, frame)
    partitions = [{"date": date(2025, 5, d).isoformat(), "network": "works"} for d in (28, 29)]
    counts, pictures = SHOWN["plant_summaries"](ctx, ctx.site("works"), partitions)
    assert counts == {"by_language_model": 1, "by_template": 2}
    assert pictures == {}
