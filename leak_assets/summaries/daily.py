"""The digest of a day of a network: its incidents in words, for the morning.

From `incidents.incident_days` alone, written when it is asked for: by the morning's schedule or a
command.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.incidents import DAILY_DIGESTS, INCIDENT_DAYS

from .client import summarize
from .facts import day_facts
from .prompt import build_messages, prompt_sha256
from .rows import summary_row

TABLE, DAYS = DAILY_DIGESTS.full_name, INCIDENT_DAYS.full_name
_DAY = timedelta(days=1)


def write_daily_digest(ctx: StepContext, network: str, day: date | None = None) -> dict[str, Any]:
    """Write the digest of a day; by default the newest day with incident rows.

    A text that was written from the same facts by the configured writer is kept.

    Returns
    -------
    dict
        The row of `incidents.daily_digests`.

    Raises
    ------
    MissingInputError
        The network has no incident rows of that day.
    """
    known = [date.fromisoformat(p["date"]) for p in ctx.warehouse.partitions(DAYS, network=network)]
    if not known or (day is not None and day not in known):
        when = "any day" if day is None else str(day)
        raise MissingInputError(
            f"{network} has no incident rows of {when}",
            remedy=f"`leak-assets ingest PATH --network {network}` brings them",
        )
    day = day or max(known)
    today, before = (_rows(ctx, network, each) for each in (day, day - _DAY))
    numbers = _numbers(day, today, before)
    amounts = ("flow_m3_per_h", "volume_lost_m3", "value_eur")
    facts = day_facts(
        network=network,
        day=day,
        zone="UTC",
        counts={name: numbers[name] for name in ("opened", "closed", "running")},
        amounts={name: numbers[name] for name in amounts},
        incidents=today.to_dicts(),
        limit=ctx.settings.max_buffer_size,
    )
    partition = day_partition(day, network)
    former = ctx.warehouse.read(TABLE, partition)
    wanted = ctx.settings.llm_model_name if ctx.settings.openai_api_base else None
    if former is not None and former.select("prompt_sha256", "model_name").row(0) == (
        prompt_sha256(build_messages(facts)),
        wanted,
    ):
        return former.row(0, named=True)
    row = summary_row(
        DAILY_DIGESTS,
        {"network": network, "day": day, **numbers},
        summarize(facts, ctx.settings),
        datetime.now(UTC),
    )
    inputs: list[Input] = [
        entry
        for each in (day - _DAY, day)
        if (entry := ctx.warehouse.as_input(DAYS, day_partition(each, network)))
    ]
    ctx.warehouse.write(TABLE, partition, row, inputs=inputs)
    return row.row(0, named=True)


def _rows(ctx: StepContext, network: str, day: date) -> pl.DataFrame:
    rows = ctx.warehouse.read(DAYS, day_partition(day, network))
    return INCIDENT_DAYS.empty() if rows is None else rows


def _numbers(day: date, today: pl.DataFrame, before: pl.DataFrame) -> dict[str, Any]:
    """Return counts and amounts of a day; losses are less those of the day before."""
    running = today.filter(pl.col("status") != "closed")
    known = before.join(today, on="incident_id", how="semi")
    lost = {
        name: float(today[name].sum()) - float(known[name].sum())
        for name in ("volume_lost_m3", "value_eur")
    }
    was_closed = before.filter(pl.col("status") == "closed").get_column("incident_id").to_list()
    closed = today.filter(pl.col("status") == "closed", ~pl.col("incident_id").is_in(was_closed))
    return {
        "opened": today.filter(pl.col("detected_at").dt.date() == day).height,
        "closed": closed.height,
        "running": running.height,
        "flow_m3_per_h": round(float(running["flow_m3_per_h"].sum()), 3),
        "volume_lost_m3": round(lost["volume_lost_m3"], 3),
        "value_eur": round(lost["value_eur"], 2),
    }
