"""A language model that hangs: detection goes on, and what came meanwhile is in the next text."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from leak_assets.pipeline.context import StepContext
from leak_assets.runs.plant_watch import PlantWatch
from leak_assets_tests.plants import plant_home, said, spool

BEGIN = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def test_detection_does_not_wait_for_the_language_model(
    tmp_path: Path, chat_server, llm_settings
) -> None:
    """SUM2: while a text is being written, anomalies are noticed and kept."""
    chat_server.delay_s = 1.5
    chat_server.answers = ["A spike of 45.2 °C on wtf-pipe-1.", "A flow of 300 L/min."]
    home = plant_home(tmp_path / "home")
    settings = llm_settings(LEAK_ASSETS_HOME=str(home.settings.home), SUMMARY_INTERVAL="60")
    ctx = StepContext(home.warehouse, settings)
    watch = PlantWatch(ctx, ctx.site("works"), lambda _line: None, take_after_s=None)
    spool(settings, [said(BEGIN, temperature=45.2)], BEGIN)
    watch.step(BEGIN)
    # Within the interval and the time of an answer: far less than three minutes.
    watch.step(BEGIN + timedelta(seconds=60))
    spool(settings, [said(BEGIN + timedelta(seconds=2), flow=300.0)], BEGIN + timedelta(seconds=60))
    watch.step(BEGIN + timedelta(seconds=61))
    partition = {"date": BEGIN.date().isoformat(), "site": "works"}
    noticed = ctx.warehouse.read("plant.live_anomalies", partition)
    assert noticed is not None
    assert 300.0 in noticed["value"].to_list()
    assert ctx.warehouse.read("plant.live_summaries", partition) is None
    watch.finish()
    watch.tell_now()
    texts = ctx.warehouse.read("plant.live_summaries", partition)
    assert texts is not None
    assert texts["summary"].to_list() == chat_server.answers
    assert texts["generated_by"].to_list() == ["llm_summarizer"] * 2
    assert texts["finish_reason"].to_list() == ["stop"] * 2
    assert texts.select(pl.col("prompt_tokens", "latency_s").is_not_null().all()).row(0) == (
        True,
        True,
    )
