"""The test set that never changes: towns of a network's first training, kept for every comparison.

Two versions that were trained on different towns are compared on these; no training learns from
them. Where the network's model or sensors change, a new set begins.
"""

from collections.abc import Sequence

import polars as pl

from leak_assets.errors import InputError
from leak_assets.pipeline.code import code_version
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Warehouse, Written
from leak_assets.warehouse.schemas.models import FROZEN_WINDOWS

from .batches import FEATURES, TrainingBatches, training_batches
from .config import DETECTOR, load_config
from .split import grouped_split

TABLE = FROZEN_WINDOWS.full_name


def write_frozen_windows(ctx: StepContext, site: NetworkSite) -> list[Written]:
    """Keep the test set of the first training; one that fits the network is never replaced."""
    partition = {"network": site.name}
    known = ctx.warehouse.record(TABLE, partition)
    if known is not None and site.provenance.made(known.inputs):
        return [Written(known, changed=False)]
    batches = training_batches(ctx.warehouse, site)
    config = load_config(DETECTOR, ctx.settings.configs_dir)
    rows = pl.concat(batches.frames(ctx.warehouse, FEATURES))
    try:
        split = grouped_split(
            rows.select("scenario_id", "batch", "is_leak"),
            validation=config.split.validation,
            test=config.split.test,
            seed=config.seed,
        )
    except ValueError as error:
        raise InputError(
            str(error), remedy="Simulate more scenarios: `leak-assets train --batches`"
        ) from error
    frozen = rows.filter(pl.col("scenario_id").is_in(list(split.sets["test"])))
    ctx.progress(f"{len(split.sets['test'])} scenarios are kept as the test set of all comparisons")
    frozen = frozen.sort("scenario_id", "window_start", "quantity", "sensor_id")
    return [
        ctx.warehouse.write(
            TABLE,
            partition,
            frozen.select(FROZEN_WINDOWS.polars_schema.names()),
            inputs=[*batches.inputs, *site.provenance.inputs()],
            code_version=code_version(__name__),
        )
    ]


def frozen_scenarios(warehouse: Warehouse, batches: TrainingBatches) -> frozenset[str]:
    """Return the scenarios of a training's batches that stand in the frozen set.

    A batch of the same name that was simulated from another plan is another town.
    """
    partition = {"network": batches.network}
    rows, record = warehouse.read(TABLE, partition), warehouse.record(TABLE, partition)
    if rows is None or record is None:
        return frozenset()
    same = {i.partition for i in batches.inputs if i in record.inputs}
    names = [name for name in batches.batches if any(f"batch={name}__" in p for p in same)]
    return frozenset(rows.filter(pl.col("batch").is_in(names))["scenario_id"])


def _write(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return write_frozen_windows(work.ctx, work.network)


FROZEN_STEP = Step(
    name="frozen_windows",
    partition="site",
    writes=(TABLE,),
    reads=(Read(FEATURES),),
    given=(NETWORK,),
    run=_write,
    description="The test set of all comparisons: towns of the first training.",
)
