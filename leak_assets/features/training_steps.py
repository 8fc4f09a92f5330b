"""The features room's step for scenario runs: the same residuals and windows, with labels.

Each batch is a town of its own: its leak-free reference run calibrates the twin for all its
scenarios, as the reference days of a real town do.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.hydraulics.twin.channels import Channels, twin_of
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.telemetry.long_wide import to_wide
from leak_assets.warehouse import Input
from leak_assets.warehouse.contract import contract_of

from .half_hours import learn_correction
from .windows import training_windows

TRAINING_TABLE = "features.training_windows"
SOURCES = ("simulation.scenarios", "simulation.telemetry", "simulation.leak_truth")
_MEASURED = ("pressure", "flow", "level", "demand")


def training_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the labelled windows of scenario batches.

    Raises
    ------
    MissingInputError
        If a batch was not simulated.
    """
    site = work.network
    for partition in partitions:
        frames = [work.read(table, partition) for table in SOURCES]
        scenarios, telemetry, leak_truth = frames
        if scenarios is None or telemetry is None or leak_truth is None:
            raise MissingInputError(
                f"batch {partition['batch']} of {site.name} was not simulated",
                remedy=f"Materialize simulation/telemetry of {partition['batch']} first",
            )
        residuals = scenario_residuals(site, scenarios, telemetry)
        yield partition, {TRAINING_TABLE: training_windows(residuals, leak_truth)}


def scenario_residuals(
    site: NetworkSite, scenarios: pl.DataFrame, telemetry: pl.DataFrame
) -> pl.DataFrame:
    """Return the residuals of a batch's runs, all but the reference run, as `Channels` gives them.

    Parameters
    ----------
    scenarios, telemetry
        Rows of `simulation.scenarios` and `simulation.telemetry` of one batch.

    Returns
    -------
    polars.DataFrame
        Columns of `features.residuals`, scenario_id and batch.
    """
    twin = twin_of(site.network, site.layout)
    instrumented = pl.DataFrame(
        [(s.sensor_id, s.quantity) for s in site.layout.sensors],
        schema=["sensor_id", "quantity"],
        orient="row",
    )
    readings = (
        telemetry.filter(pl.col("quantity").is_in(_MEASURED))
        .rename({"element_id": "sensor_id"})
        .with_columns(mask=pl.lit(1, pl.Int8))
        .join(instrumented, on=["sensor_id", "quantity"], how="semi")
        .partition_by("scenario_id", as_dict=True)
    )
    reference = scenarios.filter("is_reference").row(0, named=True)["scenario_id"]
    calibration = learn_correction(twin, to_wide(readings.pop((reference,))))
    frames = [
        Channels.of(twin, to_wide(frame))
        .residuals(site.name, calibration)
        .with_columns(scenario_id=pl.lit(scenario), batch=pl.lit(scenarios["batch"][0]))
        for (scenario,), frame in sorted(readings.items())
    ]
    return pl.concat(frames)


def _contract(_work: Work) -> list[Input]:
    """Return the contract of the table, so that a training sees that it changed."""
    contract = contract_of(TRAINING_TABLE)
    return [] if contract is None else [Input("contract", TRAINING_TABLE, "", contract.sha256)]


TRAINING_STEP = Step(
    name="training_features",
    partition="batch",
    writes=(TRAINING_TABLE,),
    # The twin is made of the model and the layout: other sensors are other channels.
    reads=tuple(Read(table, required=True) for table in SOURCES),
    given=(NETWORK, Given("contract", _contract)),
    compute=training_frames,
    in_processes=True,
    description="Scenario runs seen through their town's calibrated twin, windowed and labelled.",
)
