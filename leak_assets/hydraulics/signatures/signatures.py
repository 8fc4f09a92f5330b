"""Leak signatures: what a leak at each pipe changes at the sensors, seen through the twin.

Computed on the nominal model; which signature is in the data is the detection's question.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leak_assets.hydraulics.equations.changes import changes
from leak_assets.hydraulics.equations.linear import Linearized
from leak_assets.hydraulics.equations.network import NotLinearizedError
from leak_assets.sites import Network, SensorLayout
from leak_assets.system.files import publishing

from .leaks import LeakModel

# A mid-sized leak: 7 m3/h. Head loss is not linear in flow; larger leaks respond more strongly.
LEAK_M3_PER_S = 0.002
_VERSION = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Signatures:
    """Response of the twin's residuals to a leak of 1 m3/s at each pipe.

    Parameters
    ----------
    pipes
        Names of the pipes (P).
    sensors
        Wide columns: pressures, then the flow meters that the twin does not impose (S).
    hours
        Hours since the start of the time patterns' calendar day (H).
    response
        Change of measured minus expected per m3/s of leak, m/(m3/s) or 1 (P × H × S).
    zone
        Number of the twin's zone in which a pipe lies, -1 where it lies in none or in two (P).
    spread
        Change of expected per m3/s that a zone's meters read too much (Z × H × S).
    by_epanet
        Leaks, counted per hour, that EPANET had to solve.
    """

    pipes: tuple[str, ...]
    sensors: tuple[str, ...]
    hours: tuple[int, ...]
    response: Floats
    zone: NDArray[np.int64]
    spread: Floats
    by_epanet: int = 0

    def mean(self, hours: Sequence[int] | None = None) -> Floats:
        """Return the mean response over hours of the day, or over all (P × S)."""
        if hours is None:
            return self.response.mean(axis=1)
        chosen = [i for i, hour in enumerate(self.hours) if hour % 24 in set(hours)]
        return self.response[:, chosen].mean(axis=1)


def signatures(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    *,
    hours: Sequence[int] = tuple(range(0, 24, 2)),
    leak_m3_per_s: float = LEAK_M3_PER_S,
    cache_dir: Path | None = None,
) -> Signatures:
    """Return the signatures of leaks of one size, as `signatures_of_sizes`."""
    return signatures_of_sizes(
        network, layout, pipes, hours=hours, sizes_m3_per_s=(leak_m3_per_s,), cache_dir=cache_dir
    )[0]


def signatures_of_sizes(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    *,
    hours: Sequence[int],
    sizes_m3_per_s: Sequence[float],
    cache_dir: Path | None = None,
) -> tuple[Signatures, ...]:
    """Return the signatures of leaks of each size at the middle of pipes.

    A leak is an extra demand, half at each end of the pipe. The twin sees the larger inflow and
    spreads it over the zone's junctions; the signature is what remains (in a zone that AMR meters
    drive, the whole response). EPANET solves each hour once, without a leak; the network's
    equations there tell what a leak changes. Where they do not hold, because a valve or a pump
    would change its status, or an element is unknown to them, EPANET solves with the leak.

    Parameters
    ----------
    hours
        Hours of the first pattern day at which the network is solved.
    sizes_m3_per_s
        Rising.
    cache_dir
        Folder for results, by content hash of model, layout and options; None keeps nothing.
    """
    key = _key(network, layout, pipes, hours, sizes_m3_per_s)
    file = None if cache_dir is None else cache_dir / f"signatures-{network.name}-{key}.npz"
    if file is not None and file.is_file():
        return _stored(file)
    made = _compute(network, layout, tuple(pipes), tuple(hours), tuple(sizes_m3_per_s))
    if file is not None:
        # An open file: numpy would append its suffix to another name.
        with publishing(file) as draft, draft.open("wb") as stream:
            np.savez(
                stream,
                pipes=np.array(made[0].pipes),
                sensors=np.array(made[0].sensors),
                hours=np.array(made[0].hours),
                response=np.stack([one.response for one in made]),
                zone=made[0].zone,
                spread=np.stack([one.spread for one in made]),
                by_epanet=np.array([one.by_epanet for one in made]),
            )
    return made


def epanet_signatures(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    *,
    hours: Sequence[int],
    sizes_m3_per_s: Sequence[float],
) -> tuple[Signatures, ...]:
    """Return what `signatures_of_sizes` does, each leak solved by EPANET: its reference."""
    return _compute(
        network, layout, tuple(pipes), tuple(hours), tuple(sizes_m3_per_s), epanet_only=True
    )


def _compute(
    network: Network,
    layout: SensorLayout,
    pipes: tuple[str, ...],
    hours: tuple[int, ...],
    sizes: tuple[float, ...],
    *,
    epanet_only: bool = False,
) -> tuple[Signatures, ...]:
    with LeakModel(network, layout, pipes, hours) as model:
        known: dict[bytes, tuple[list[Floats], list[int]]] = {}
        by_hour = []
        for h in range(len(hours)):
            alike = model.multipliers[h].tobytes()
            if alike not in known:
                known[alike] = changes_at(model, h, sizes, epanet_only=epanet_only)
            by_hour.append(known[alike])
        names = (
            *(f"pressure/{n}" for n in model.pressures),
            *(f"flow/{n}" for n in model.flows),
        )
        made = []
        for i, size in enumerate(sizes):
            change = np.stack([found[i].T for found, _ in by_hour], axis=1) / size
            leaks, spread = change[: len(pipes)], change[len(pipes) :]
            nothing = np.zeros((1, *spread.shape[1:]))
            # Zone −1, where the twin has no balance to see a leak in, takes the zeros at the end.
            explained = np.concatenate([spread, nothing])[model.zone]
            by_epanet = sum(count[i] for _, count in by_hour)
            response = leaks - explained
            made.append(Signatures(pipes, names, hours, response, model.zone, spread, by_epanet))
    return tuple(made)


def changes_at(
    model: LeakModel, h: int, sizes: tuple[float, ...], *, epanet_only: bool = False
) -> tuple[list[Floats], list[int]]:
    """Return what draws of each size change at one hour (S × P+Z), and how many EPANET solved.

    `h` is the place of the hour in the model's list.
    """
    everything = np.arange(model.zone.size + model.zones)
    if epanet_only:
        return model.epanet_changes(h, sizes, everything), [everything.size] * len(sizes)
    state = model.nominal(h)
    try:
        linear = Linearized(model.equations, state)
        found = list(changes(linear, model.draws(h), sizes, model.pressures, model.flows))
    except NotLinearizedError:
        return model.epanet_changes(h, sizes, everything), [everything.size] * len(sizes)
    whole, counts = [], []
    for size, one in zip(sizes, found, strict=True):
        left = np.flatnonzero(~one.is_valid)
        if left.size:
            one.change[:, left] = model.epanet_changes(h, (size,), left)[0]
        whole.append(one.change)
        counts.append(left.size)
    return whole, counts


def _stored(file: Path) -> tuple[Signatures, ...]:
    with np.load(file) as stored:
        return tuple(
            Signatures(
                tuple(stored["pipes"].tolist()),
                tuple(stored["sensors"].tolist()),
                tuple(stored["hours"].tolist()),
                response,
                stored["zone"],
                spread,
                int(by_epanet),
            )
            for response, spread, by_epanet in zip(
                stored["response"], stored["spread"], stored["by_epanet"], strict=True
            )
        )


def _key(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    hours: Sequence[int],
    sizes: Sequence[float],
) -> str:
    """Return a hash of all that the signatures depend on."""
    model = network.inp_path.read_bytes()
    rest = repr(
        (_VERSION, network.pattern_epoch, layout.columns(), list(pipes), list(hours), list(sizes))
    )
    return hashlib.sha256(model + rest.encode()).hexdigest()[:16]
