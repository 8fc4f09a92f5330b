"""Windows of operation that people judged: what was no leak, and where a leak was found.

Closing reasons (`incidents.labels`) become rows that the next training learns from beside the
scenario runs. They are never in a held-out set: those stay towns that nobody has seen. The table
is a snapshot, made with each training, so that a label changes no model that is in use.
"""

import hashlib
from collections.abc import Sequence

import polars as pl

from leak_assets.pipeline.code import code_version
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.step import Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Warehouse, Written
from leak_assets.warehouse.schemas.models import JUDGED_WINDOWS

TABLE = JUDGED_WINDOWS.full_name
WINDOWS = "features.windows"
BATCH = "operation"
# A detection that the data no longer support says nothing of the windows that they are now.
_LABELS = """
    SELECT incident_id, label, begin_at, end_at, link_id, estimated_flow_m3_per_h
    FROM incidents.labels WHERE network = ? AND is_supported ORDER BY incident_id
"""


def write_judged_windows(ctx: StepContext, site: NetworkSite) -> list[Written]:
    """Write the windows that lie within incidents which people closed with a reason.

    A leak whose pipe nobody named teaches the detector and not the pinpointer.
    """
    warehouse = ctx.warehouse
    labels = warehouse.sql(_LABELS, [site.name])
    days = [
        {"date": partition["date"], "network": site.name}
        for partition in warehouse.partitions(WINDOWS, network=site.name)
        if any(
            row["begin_at"].date().isoformat()
            <= partition["date"]
            <= row["end_at"].date().isoformat()
            for row in labels.iter_rows(named=True)
        )
    ]
    text = labels.write_csv()
    digest = hashlib.sha256(text.encode()).hexdigest()
    inputs = [Input("labels", "incidents.labels", site.name, digest)]
    inputs += [source for day in days if (source := warehouse.as_input(WINDOWS, day)) is not None]
    frames = [frame for day in days if (frame := warehouse.read(WINDOWS, day)) is not None]
    rows = _judged(pl.concat(frames), labels) if frames else JUDGED_WINDOWS.empty()
    if rows.height:
        count = rows.select("scenario_id", "window_start").n_unique()
        ctx.progress(f"{count} windows of {rows['scenario_id'].n_unique()} judged incidents")
    partition = {"network": site.name}
    return [
        warehouse.write(TABLE, partition, rows, inputs=inputs, code_version=code_version(__name__))
    ]


def _judged(windows: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the windows that lie wholly within a label's time, with what it says of them."""
    is_leak = pl.col("label") == "leak"
    return (
        windows.join_where(
            labels,
            pl.col("window_start") >= pl.col("begin_at"),
            pl.col("window_end") <= pl.col("end_at"),
        )
        .with_columns(
            batch=pl.lit(BATCH),
            scenario_id=pl.col("incident_id"),
            is_leak=is_leak,
            link_id=pl.when(is_leak).then("link_id"),
            leak_type=pl.lit(None, pl.String),
            leak_flow_m3_per_h=pl.when(is_leak).then("estimated_flow_m3_per_h").otherwise(0.0),
        )
        .select(JUDGED_WINDOWS.polars_schema.names())
        .sort("scenario_id", "window_start", "quantity", "sensor_id")
    )


def judged_input(warehouse: Warehouse, network: str) -> Input | None:
    """Return the snapshot as an input of a training, also where nobody has judged anything yet."""
    return warehouse.as_input(TABLE, {"network": network})


def _write(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return write_judged_windows(work.ctx, work.network)


JUDGED_STEP = Step(
    name="judged_windows",
    partition="site",
    writes=(TABLE,),
    reads=(Read(WINDOWS),),
    given=(),
    run=_write,
    description="Windows of incidents that people closed with a reason, for the next training.",
)
