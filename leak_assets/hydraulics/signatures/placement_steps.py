"""The step of `simulation.sensor_placement`: solve with a sensor everywhere, then choose."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Frames, Given, Partition, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites import Network, Sensor, SensorLayout
from leak_assets.sites.derived_layout import spread_junctions
from leak_assets.system.processes import fan_out
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.simulation import SENSOR_PLACEMENT

from .placement import (
    LeakCases,
    Quality,
    check_request,
    place_sensors,
    placement_quality,
    random_quality,
)
from .signatures import signatures_of_sizes
from .steps import leaking_pipes, unsolvable, worth_workers
from .table import LEAK_SHARES, leak_sizes_m3_per_s, mean_demand_m3_per_s

TABLE = "simulation.sensor_placement"
# Sizes and hours of the leaks that sensors are chosen for, and of those that they are tried on.
CHOICE_HOURS, TRIAL_HOURS = (0, 6, 12, 18), (3, 9, 15, 21)
TRIAL_SHARES = (0.03, 0.06)
# In leak-free simulated towns the daily mean of a calibrated residual scatters by 4 to 12 mm on
# L-Town and by 50 to 60 cm in Hanoi: on both as much as a leak of this share of the demand does
# to the junction that feels it most, in the median over pipes.
NOISE_LEAK_SHARE = 0.005
# Beyond this, junctions that are spread evenly stand for their neighbors.
MOST_JUNCTIONS = 1000

Floats = NDArray[np.float64]
_Task = tuple[tuple[float, ...], tuple[int, ...]]


@dataclass(frozen=True)
class PlacementPlan:
    """What is asked for.

    Parameters
    ----------
    sensors
        How many pressure sensors.
    noise_m
        Standard deviation of a daily mean residual in metres; None derives it from the network.
    seed
        Of the drawn leaks and their noise.
    """

    sensors: int = 5
    noise_m: float | None = None
    seed: int = 1


def placement_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield junctions for pressure sensors with what they see.

    The layout's flow meters and AMR meters stay: what they take out of the residual, no pressure
    sensor sees.

    Raises
    ------
    InputError
        More sensors than junctions, noise that is not positive, or a model that
        `signature_frames` refuses too.
    """
    entry, layout = work.network.network, work.network.layout
    plan = _plan_of(work)
    model = entry.water_network()
    junctions: Sequence[str] = model.junction_name_list
    if len(junctions) > MOST_JUNCTIONS:
        junctions = spread_junctions(entry, model, MOST_JUNCTIONS)
    # Before minutes of solving, not after them.
    check_request(plan.sensors, len(junctions), 1.0 if plan.noise_m is None else plan.noise_m)
    sizes = np.array(leak_sizes_m3_per_s(entry, LEAK_SHARES))
    trial_sizes = np.array(leak_sizes_m3_per_s(entry, TRIAL_SHARES))
    everywhere = _instrumented(layout, junctions)
    known, trial = _mean_responses(
        work, entry, everywhere, [(tuple(sizes), CHOICE_HOURS), (tuple(trial_sizes), TRIAL_HOURS)]
    )
    library = known.mean(axis=0)
    noise_m = plan.noise_m
    if noise_m is None:
        strongest = np.median(np.abs(library).max(axis=1))
        noise_m = float(NOISE_LEAK_SHARE * mean_demand_m3_per_s(entry) * strongest)
    work.progress(f"choosing {plan.sensors} of {len(junctions)} junctions, noise {noise_m:.3g} m")
    chosen = place_sensors(
        library,
        LeakCases.of_sizes(known, sizes),
        sensors=plan.sensors,
        noise_m=noise_m,
        seed=plan.seed,
    )
    tried = LeakCases.of_sizes(trial, trial_sizes)
    frame = _rows(
        entry,
        model,
        [junctions[number] for number in chosen],
        placement_quality(library, tried, chosen, noise_m=noise_m, seed=plan.seed),
        random_quality(library, tried, plan.sensors, noise_m=noise_m, seed=plan.seed),
        noise_m,
        plan.seed,
    )
    for partition in partitions:
        yield partition, {TABLE: frame}


def _instrumented(layout: SensorLayout, junctions: Sequence[str]) -> SensorLayout:
    """Return the layout with a pressure sensor at each of the junctions and nowhere else."""
    pressures = (Sensor(name, "pressure", "node", "m") for name in junctions)
    others = (sensor for sensor in layout.sensors if sensor.quantity != "pressure")
    return SensorLayout(layout.network, (*pressures, *others))


def _mean_responses(
    work: Work, entry: Network, layout: SensorLayout, tasks: Sequence[_Task]
) -> list[Floats]:
    """Return per task the response per m3/s at all pressures, mean over hours (Z × P × N)."""
    pipes = leaking_pipes(entry)
    solve = partial(_mean_response, entry, layout, pipes)
    solutions = len(pipes) * sum(len(sizes) * len(hours) for sizes, hours in tasks)
    found: dict[_Task, Floats] = {}
    try:
        for task, response in fan_out(solve, tasks, workers=worth_workers(solutions)):
            found[task] = response
            text = ", ".join(f"{size * 1000:g}" for size in task[0])
            work.progress(f"leaks of {text} L/s ({len(found)} of {len(tasks)})")
    except HydraulicError as error:
        raise unsolvable(entry, error) from error
    return [found[task] for task in tasks]


def _mean_response(
    entry: Network, layout: SensorLayout, pipes: tuple[str, ...], task: _Task
) -> Floats:
    sizes, hours = task
    found = signatures_of_sizes(entry, layout, pipes, hours=hours, sizes_m3_per_s=sizes)
    return np.stack([one.mean()[:, : len(layout.ids("pressure"))] for one in found])


def _rows(
    entry: Network,
    model: Any,
    nodes: Sequence[str],
    found: Sequence[Quality],
    random: Sequence[Sequence[Quality]],
    noise_m: float,
    seed: int,
) -> pl.DataFrame:
    rows = []
    for i, (node, quality) in enumerate(zip(nodes, found, strict=True)):
        x, y = model.get_node(node).coordinates
        rows.append(
            (
                entry.name,
                i + 1,
                node,
                float(x),
                float(y),
                quality.seen_share,
                quality.top1_hit,
                quality.topk_hit,
                float(np.mean([one[i].seen_share for one in random])),
                float(np.mean([one[i].top1_hit for one in random])),
                float(np.mean([one[i].topk_hit for one in random])),
                noise_m,
                seed,
            )
        )
    return pl.DataFrame(rows, schema=SENSOR_PLACEMENT.polars_schema, orient="row")


def _plan_of(work: Work) -> PlacementPlan:
    if not isinstance(work.plan, PlacementPlan):
        raise TypeError(f"step {work.step.name} needs a PlacementPlan, not {work.plan!r}")
    return work.plan


def _plan(work: Work) -> tuple[Input, ...]:
    text = json.dumps(asdict(_plan_of(work)), sort_keys=True)
    return (Input("plan", "sensor_placement", "", hashlib.sha256(text.encode()).hexdigest()),)


PLACEMENT_STEP = Step(
    name="sensor_placement",
    partition="site",
    writes=(TABLE,),
    reads=(),
    given=(NETWORK, Given("plan", _plan)),
    compute=placement_frames,
    description="Junctions at which pressure sensors miss the fewest leaks and tell pipes apart.",
)
