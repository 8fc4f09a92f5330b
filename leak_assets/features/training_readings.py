"""The first stage of a training: what scenario runs delivered, held against the contract.

Outliers are flagged against the leak-free reference run and never dropped: a burst is one, too.
Windows of these readings are `training_steps`' matter.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from leak_assets.errors import InputError, MissingInputError
from leak_assets.pipeline.given import CONTRACT, NETWORK
from leak_assets.pipeline.step import Frames, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.contract import Contract
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.schemas.features import TRAINING_READINGS

TABLE = TRAINING_READINGS.full_name
SOURCES = ("simulation.scenarios", "simulation.telemetry")
# The source document's "3-sigma".
OUTLIER_SIGMA = 3.0
_BY = ("element_id", "quantity")


def readings_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield what the sensors of scenario batches delivered.

    Raises
    ------
    MissingInputError
        A batch was not simulated.
    InputError
        More of a sensor is missing, or impossible, than the contract allows.
    """
    for partition in partitions:
        scenarios, telemetry = (work.read(table, partition) for table in SOURCES)
        if scenarios is None or telemetry is None:
            raise MissingInputError(
                f"batch {partition['batch']} of {work.site.name} was not simulated",
                remedy=f"Run `leak-assets scenarios --network {work.site.name}` first",
            )
        frame = training_readings(work.network, scenarios, telemetry)
        check_readings(frame, work.site.contract)
        yield partition, {TABLE: frame}


def training_readings(
    site: NetworkSite, scenarios: pl.DataFrame, telemetry: pl.DataFrame
) -> pl.DataFrame:
    """Return rows of `features.training_readings` of one batch.

    Parameters
    ----------
    scenarios, telemetry
        Rows of `simulation.scenarios` and `simulation.telemetry` of the batch.
    """
    contract = site.contract
    reference = scenarios.filter("is_reference")["scenario_id"].to_list()
    sensors = pl.DataFrame(
        [(s.sensor_id, s.quantity) for s in site.layout.sensors],
        schema=list(_BY),
        orient="row",
    )
    ranges = pl.DataFrame(
        [(name, allowed.min, allowed.max) for name, allowed in contract.quantities.items()],
        schema={"quantity": pl.String, "low": pl.Float64, "high": pl.Float64},
        orient="row",
    )
    rows = telemetry.join(sensors, on=_BY, how="semi").join(ranges, on="quantity", how="left")
    usual = (
        rows.filter(pl.col("scenario_id").is_in(reference))
        .group_by(_BY)
        .agg(
            reference_mean_si=pl.col("value_si").mean(),
            reference_std_si=pl.col("value_si").std(ddof=0),
        )
    )
    expected = rows.select("scenario_id", "ts_utc").n_unique()
    off = (pl.col("value_si") - pl.col("reference_mean_si")).abs()
    value = pl.col("value_si")
    return (
        rows.join(usual, on=_BY, how="left")
        .group_by(_BY)
        .agg(
            readings=value.is_not_nan().and_(value.is_not_null()).sum().cast(pl.Int64),
            out_of_range=((value < pl.col("low")) | (value > pl.col("high"))).sum().cast(pl.Int64),
            outliers=(off > OUTLIER_SIGMA * pl.col("reference_std_si")).sum().cast(pl.Int64),
            reference_mean_si=pl.col("reference_mean_si").first(),
            reference_std_si=pl.col("reference_std_si").first(),
        )
        .with_columns(
            network=pl.lit(site.name),
            batch=pl.lit(scenarios["batch"][0]),
            sensor_id=pl.col("element_id"),
            missing=(pl.lit(expected) - pl.col("readings")).clip(0).cast(pl.Int64),
            contract_sha256=pl.lit(contract.sha256),
        )
        .select(TRAINING_READINGS.polars_schema.names())
        .sort("quantity", "sensor_id")
    )


def check_readings(frame: pl.DataFrame, contract: Contract) -> None:
    """Refuse a batch of which more is missing or impossible than the contract allows.

    Raises
    ------
    InputError
        Names batch, sensor, share and limit.
    """
    shares = frame.with_columns(
        share=(pl.col("missing") + pl.col("out_of_range"))
        / (pl.col("missing") + pl.col("readings"))
    ).sort("share", descending=True)
    if shares.height and (worst := shares.row(0, named=True))["share"] > contract.max_missing_share:
        raise InputError(
            f"{worst['quantity']} of {worst['sensor_id']} in batch {worst['batch']} of"
            f" {worst['network']}: {worst['share']:.0%} of the readings are missing or outside the"
            f" contract's range, at most {contract.max_missing_share:.0%} may be",
            remedy="Simulate with fewer sensor faults (`--faults`), or correct the contract",
        )


READINGS_STEP = Step(
    name="training_readings",
    partition="batch",
    writes=(TABLE,),
    reads=tuple(Read(table, required=True) for table in SOURCES),
    given=(NETWORK, CONTRACT),
    compute=readings_frames,
    in_processes=True,
    description="Scenario runs held against the contract of readings, before they are windowed.",
)
