"""The step of `simulation.leak_signatures`: solved once for each model and layout."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from leak_assets.errors import HydraulicError, InputError
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Frames, Partition, Step
from leak_assets.pipeline.work import Work
from leak_assets.settings import Settings
from leak_assets.sites import Network, SensorLayout, candidate_pipes
from leak_assets.system.processes import fan_out

from .signatures import Signatures, signatures_of_sizes
from .table import HOURS, leak_sizes_m3_per_s, signature_rows

TABLE = "simulation.leak_signatures"
# Validating and hashing takes some 450 bytes a row: this many stay below 2 GB.
MOST_ROWS = 4_000_000
# Below this many leaks starting processes takes longer than solving.
_WORTH_PROCESSES = 30_000


def signature_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the signatures of all pipes that can leak.

    A network whose 24 hours would have more than `MOST_ROWS` rows gets every 2nd, 3rd … hour.

    Raises
    ------
    InputError
        The layout has no pressure sensor or flow meter, no pipe can leak, the model has no demand
        or no steady state.
    """
    entry, layout = work.network.network, work.network.layout
    pipes, sizes = leaking_pipes(entry), leak_sizes_m3_per_s(entry)
    sensors = len(layout.ids("pressure")) + len(layout.ids("flow"))
    if sensors == 0:
        raise InputError(
            f"{entry.name} has no pressure sensor and no flow meter that could see a leak",
            remedy="Name some under `sensors` in the network's YAML, or remove `sensors` there"
            " to get a derived layout",
            file=entry.settings_path,
        )
    hours = _hours(len(pipes) * len(sizes) * sensors)
    if len(hours) < HOURS:
        work.progress(f"{len(pipes)} pipes, {sensors} sensors: {len(hours)} hours of the day only")
    solve = partial(_solve, work.settings, entry, layout, pipes, sizes)
    workers = worth_workers(len(pipes) * len(hours) * len(sizes))
    parts = [hours] if workers == 1 else [hours[: len(hours) // 2], hours[len(hours) // 2 :]]
    parts = [part for part in parts if part]
    done: dict[tuple[int, ...], tuple[Signatures, ...]] = {}
    try:
        for part, found in fan_out(solve, parts, workers=workers):
            done[part] = found
            by_epanet = sum(one.by_epanet for one in found)
            work.progress(
                f"hours {part[0]} to {part[-1]}: {len(pipes)} pipes, {len(sizes)} leak sizes,"
                f" {by_epanet} leaks solved by EPANET"
            )
    except HydraulicError as error:
        raise unsolvable(entry, error) from error
    by_size = [_joined([done[part][i] for part in parts]) for i in range(len(sizes))]
    frame = signature_rows(entry.name, sizes, by_size)
    for partition in partitions:
        yield partition, {TABLE: frame}


def leaking_pipes(entry: Network) -> tuple[str, ...]:
    """Return the pipes that can leak.

    Raises
    ------
    InputError
        There is none.
    """
    pipes = candidate_pipes(entry)
    if not pipes:
        raise InputError(
            f"{entry.name} has no pipe that can leak",
            remedy="Use a model with open pipes of positive length",
            file=entry.inp_path,
        )
    return pipes


def worth_workers(solutions: int) -> int | None:
    """Return the number of processes for so many steady states; None for all there are."""
    return 1 if solutions < _WORTH_PROCESSES else None


def unsolvable(entry: Network, error: HydraulicError) -> InputError:
    """Return what a user is told about a model without a steady state."""
    return InputError(
        str(error),
        remedy="Signatures need a steady state at every hour: open the model in EPANET and mend"
        " what it warns of (unconnected demands, pumps that cannot deliver)",
        file=entry.inp_path,
    )


def _hours(rows_per_hour: int) -> tuple[int, ...]:
    """Return as many evenly spaced hours of a day as `MOST_ROWS` has room for, at least one."""
    for step in (1, 2, 3, 4, 6, 8, 12):
        if rows_per_hour * (HOURS // step) <= MOST_ROWS:
            return tuple(range(0, HOURS, step))
    return (0,)


def _solve(
    settings: Settings,
    entry: Network,
    layout: SensorLayout,
    pipes: tuple[str, ...],
    sizes: tuple[float, ...],
    hours: tuple[int, ...],
) -> tuple[Signatures, ...]:
    return signatures_of_sizes(
        entry, layout, pipes, hours=hours, sizes_m3_per_s=sizes, cache_dir=settings.cache_dir
    )


def _joined(parts: Sequence[Signatures]) -> Signatures:
    """Return signatures of several parts of the day as one."""
    first = parts[0]
    return Signatures(
        first.pipes,
        first.sensors,
        tuple(hour for part in parts for hour in part.hours),
        np.concatenate([part.response for part in parts], axis=1),
        first.zone,
        np.concatenate([part.spread for part in parts], axis=1),
    )


SIGNATURES_STEP = Step(
    name="leak_signatures",
    partition="site",
    writes=(TABLE,),
    reads=(),
    given=(NETWORK,),
    compute=signature_frames,
    description="What a leak at each pipe does to each sensor, by hour of the day and leak size.",
)
