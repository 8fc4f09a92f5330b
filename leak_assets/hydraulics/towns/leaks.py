"""A leak: where, from when, how large, and how its hole opens over time.

Only the leak itself and its checks; the engine turns the area into an emitter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError

from .periods import period_problem

GRAVITY_M_PER_S2 = 9.81
KINDS = ("abrupt", "incipient")


class LeakModelMismatch(InputError):  # noqa: N818 – the name users know it by
    """A model carries leaks of a kind that the chosen engine would silently ignore."""


@dataclass(frozen=True)
class Leak:
    """One leak, by default at the middle of a pipe.

    Parameters
    ----------
    link_id
        Leaking pipe; None for a leak at a node.
    start_at, peak_at, end_at
        UTC times. Each takes effect at the first step of the simulation that is not before it.
        An incipient leak has its full diameter from `peak_at`; for an abrupt one it equals
        `start_at` (the default). There is no flow from `end_at`; None means until the end of
        the run.
    diameter_m
        Diameter of the hole at its peak.
    kind
        `abrupt` or `incipient` (diameter grows linearly, so area grows with the square, as in
        BattLeDIM's and LeakDB's generators).
    discharge_coeff
        Cd of Q = Cd·A·sqrt(2·g·p).
    node_id
        Leaking junction instead of a pipe.
    """

    link_id: str | None
    start_at: datetime
    diameter_m: float
    kind: str = "abrupt"
    peak_at: datetime | None = None
    end_at: datetime | None = None
    discharge_coeff: float = 0.75
    node_id: str | None = None

    def __post_init__(self) -> None:
        if (self.link_id is None) == (self.node_id is None):
            raise InputError(
                f"a leak is at a pipe or at a node, not at {self.link_id!r} and {self.node_id!r}",
                remedy="Name exactly one of them",
            )
        if self.kind not in KINDS:
            self._refuse(f"unknown type {self.kind!r}", "Use abrupt or incipient")
        if not 0 < self.diameter_m < 10:
            self._refuse(f"diameter {self.diameter_m} m", "Give a positive diameter in metres")
        if not 0 < self.discharge_coeff <= 1:
            self._refuse(
                f"discharge coefficient {self.discharge_coeff}", "Use a value above 0 and up to 1"
            )
        if wrong := period_problem(self.start_at, self.end_at, self.peak_at):
            self._refuse(*wrong)
        if self.kind == "incipient" and self.peak_at is None:
            self._refuse("is incipient and has no peak time", "Give the time of its full size")
        if self.peak < self.start_at or (self.end_at is not None and self.peak > self.end_at):
            self._refuse(
                f"peak {self.peak:%Y-%m-%d %H:%M} is not between start and end",
                "Put the peak between them",
            )

    def _refuse(self, problem: str, remedy: str) -> None:
        raise InputError(f"leak at {self.place}: {problem}", remedy=remedy)

    @property
    def place(self) -> str:
        """Name of the leaking element for people."""
        return f"pipe {self.link_id}" if self.link_id is not None else f"node {self.node_id}"

    @property
    def element_id(self) -> str:
        """Name of the leaking element."""
        return self.link_id if self.link_id is not None else str(self.node_id)

    @property
    def peak(self) -> datetime:
        """Time of full size: `peak_at`, or the start of an abrupt leak."""
        if self.kind == "abrupt" or self.peak_at is None:
            return self.start_at
        return self.peak_at

    @property
    def area_m2(self) -> float:
        """Area of the hole at its peak."""
        return pi * self.diameter_m**2 / 4

    def on_grid(self, start_at: datetime, step_s: int) -> tuple[int, int, int | None]:
        """Return step numbers of start, peak and end: the first steps not before them."""

        def step(t: datetime) -> int:
            return ceil((t - start_at) / timedelta(seconds=step_s))

        end = None if self.end_at is None else step(self.end_at)
        return step(self.start_at), step(self.peak), end

    def opening(self, start_at: datetime, step_s: int, steps: int) -> NDArray[np.float64]:
        """Return the open area as a share of the peak area at each step (T).

        The diameter of an incipient leak is (k + 1)/(n + 1) of its peak k steps after the start,
        n steps before the peak: water flows from the very step of the start, and all of it from
        the step of the peak.
        """
        first, peak, end = self.on_grid(start_at, step_s)
        k = np.arange(steps)
        share = np.clip((k - first + 1) / (peak - first + 1), 0.0, 1.0) ** 2
        share[k < first] = 0.0
        if end is not None:
            share[k >= end] = 0.0
        return share

    def coefficient(self, exponent: float, reference_pressure_m: float) -> float:
        """Return C of Q = C·p^exponent at the peak, m3/s per m^exponent.

        With exponent 0.5 this is Torricelli's Cd·A·sqrt(2·g). Another exponent (FAVAD's N1)
        gives the same flow at the reference pressure.
        """
        torricelli = self.discharge_coeff * self.area_m2 * sqrt(2 * GRAVITY_M_PER_S2)
        return float(torricelli * reference_pressure_m ** (0.5 - exponent))


def check_leaks(model: Any, leaks: Iterable[Leak]) -> None:
    """Refuse leaks that a model cannot have.

    Raises
    ------
    InputError
        Unknown pipe or node, a pump, valve, tank or reservoir, a closed pipe, or a hole wider
        than its pipe.
    """
    for leak in leaks:
        if leak.node_id is not None:
            if leak.node_id not in model.junction_name_list:
                raise InputError(
                    f"leak at node {leak.node_id}: no such junction",
                    remedy="Leaks at nodes are possible at junctions only",
                )
            continue
        if leak.link_id not in model.link_name_list:
            raise InputError(
                f"leak at pipe {leak.link_id}: no such pipe in the network",
                remedy="Check the name; `network.links` lists all links",
            )
        link = model.get_link(leak.link_id)
        if link.link_type != "Pipe":
            raise InputError(
                f"leak at {leak.link_id}: it is a {link.link_type.lower()}",
                remedy="Leaks are possible at pipes only",
            )
        if leak.diameter_m > link.diameter:
            raise InputError(
                f"leak at pipe {leak.link_id}: diameter {leak.diameter_m * 1000:g} mm is wider"
                f" than the pipe ({link.diameter * 1000:g} mm)",
                remedy="Give the diameter of the hole in millimetres",
            )
        if str(link.initial_status) == "Closed":
            raise InputError(
                f"leak at pipe {leak.link_id}: the pipe is closed",
                remedy="Choose a pipe that is open",
            )


def guard_leak_model(model: Any, engine: str) -> None:
    """Refuse to simulate leaks with an engine that ignores them without a word.

    EPANET (also `wntr.sim.EpanetSimulator`) knows nothing of WNTR's `add_leak()`;
    `WNTRSimulator` knows nothing of emitters.

    Parameters
    ----------
    model
        `wntr.network.WaterNetworkModel`.
    engine
        `epanet` or `wntr`.

    Raises
    ------
    LeakModelMismatch
        Names the first leak that would be lost.
    """
    if engine not in ("epanet", "wntr"):
        raise ValueError(f"unknown engine {engine!r}")
    for name in [*model.junction_name_list, *model.tank_name_list]:
        node = model.get_node(name)
        if engine == "epanet" and node.leak_area > 0:
            raise LeakModelMismatch(
                f"EPANET would ignore the leak that add_leak() put at node {name}",
                remedy="Use hydraulics.Leak, or simulate this model with WNTRSimulator",
            )
        if engine == "wntr" and getattr(node, "emitter_coefficient", None):
            raise LeakModelMismatch(
                f"WNTRSimulator would ignore the emitter at node {name}",
                remedy="Use EPANET for models with emitters",
            )
