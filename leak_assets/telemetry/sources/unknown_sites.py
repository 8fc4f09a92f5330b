"""Where messages go that name no site that there is: a page of the quarantine of their own.

No run takes them, so the collector writes the page itself, for the reserved name `unknown-site`.
Only what the collector does with them belongs here.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from leak_assets.pipeline.context import day_partition
from leak_assets.settings import Settings
from leak_assets.system.locks import locks
from leak_assets.telemetry.readers.limits import PROBLEMS_KEPT
from leak_assets.telemetry.readers.messages import Message, Unusable, clean
from leak_assets.telemetry.readers.problems import Problem, quarantine_frame
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.schemas.telemetry import QUARANTINE

UNKNOWN_SITE = "unknown-site"


def quarantine_unknown(
    warehouse: Warehouse,
    settings: Settings,
    messages: Sequence[tuple[Message, Unusable]],
    *,
    source: str,
    received_at: datetime,
) -> int:
    """Add messages to the day's page of `telemetry.quarantine` that has no site.

    A page takes `PROBLEMS_KEPT` rows: a gateway that is set up wrongly sends the same all day.

    Returns
    -------
    int
        Messages that found no room.
    """
    partition = day_partition(received_at.date(), UNKNOWN_SITE)
    table = QUARANTINE.full_name
    with locks(settings).hold(UNKNOWN_SITE):
        before = warehouse.read(table, partition)
        page = QUARANTINE.empty() if before is None else before
        room = max(PROBLEMS_KEPT - page.height, 0)
        if room:
            problems = [
                Problem(
                    row=0,
                    column=found.field,
                    text=clean(found.text),
                    reason=found.reason,
                    problem=clean(found.problem),
                    remedy=found.remedy,
                    message_id=f"{message.name}:0",
                )
                for message, found in messages[:room]
            ]
            new = quarantine_frame(
                problems,
                network=UNKNOWN_SITE,
                file_path=source,
                source=source,
                received_at=received_at,
            )
            page = pl.concat([page, new]).unique(QUARANTINE.key, keep="first", maintain_order=True)
            inputs = [Input("stream", source, "", "")]
            warehouse.write(table, partition, page, inputs=inputs)
    return max(len(messages) - room, 0)
