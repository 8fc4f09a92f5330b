"""What draws of water change at sensors: first order and adjoints, then circulations around loops.

Hydraulics alone; which draws and which sensors is the caller's choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .acceleration import Acceleration
from .elements import Floats, Ints, Law
from .linear import Linearized
from .network import NotLinearizedError

# A response is done when a correction changes it by less than this share of its norm; what is
# then left is some 0.3 % (see the benchmark).
CONVERGED = 0.003
# … or by less than the table of signatures tells apart, m.
_NOTHING_M = 1e-5
# Flow that loops still lack when a response is done, as a share of the draw.
_BALANCED = 0.1
_MOST_CORRECTIONS = 12
# The tangent of links that hardly flow is far too flat for what a leak sends through them. It is
# taken at the flow that the draws change by, root mean square over the draws, times this. On
# L-Town at night 0 leaves 2 % of the largest leaks without a solution, 0.5 1 % and 1.5 none.
_TYPICAL_CHANGE = 1.5
_IN_A_LOOP, _AT_A_SENSOR = 1e-6, 1e-6

Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Changes:
    """What draws of one size change at sensors.

    Parameters
    ----------
    change
        Pressures in m, then flows in m3/s (S × K).
    is_valid
        Whether it can be relied on: no link changes its status, and corrections became small (K).
    """

    change: Floats
    is_valid: NDArray[np.bool_]


def changes(
    linear: Linearized,
    draws: Floats,
    sizes: Sequence[float],
    pressures: Sequence[str],
    flows: Sequence[str],
) -> Iterator[Changes]:
    """Yield what draws of each size change at sensors.

    A draw changes flows by its first order and by circulations around loops, one unknown each.
    Head losses along the paths to a sensor, which its adjoint solution weighs, give its pressure.
    Those around loops must vanish, which Newton's method with one tangent for all draws of a size
    brings about, accelerated draw by draw.

    Parameters
    ----------
    linear
        The state without the draws.
    draws
        Additional demand at junctions per unit of size (J × K).
    sizes
        m3/s, rising.
    pressures, flows
        Junctions and links with sensors (S in all).
    """
    sensors = _Sensors(linear, pressures, flows)
    unit = linear.first_order(draws)
    typical = np.sqrt((unit**2).mean(axis=1))
    around = np.zeros((linear.loops.size, draws.shape[1]))
    before = sizes[0]
    for size in sizes:
        circulation = _Circulation(linear, sensors, _TYPICAL_CHANGE * size * typical)
        # What the size before brought about is a good guess for this one.
        around *= size / before
        head, settled = circulation.solve(unit, size, around)
        flow = sensors.flows(circulation, unit, draws, size, around)
        valid = settled & sensors.keep_status(head, flow)
        count = len(pressures)
        yield Changes(np.concatenate([head[:count], flow[: len(flows)]]).astype(np.float64), valid)
        # What did not come to rest is no guess.
        around[:, ~settled] = 0.0
        before = size


class _Sensors:
    """Junctions and links that are read: those with sensors, then those that may switch a link."""

    def __init__(self, linear: Linearized, pressures: Sequence[str], flows: Sequence[str]) -> None:
        equations = linear.equations
        self._linear = linear
        switched = [switch.link for switch in linear.switches]
        ends = [
            int(node) for link in switched for node in (equations.start[link], equations.end[link])
        ]
        self.pressures = len(pressures)
        self.nodes: Ints = np.array(
            [*(equations.node_number[name] for name in pressures), *ends], dtype=np.int64
        )
        self.links: Ints = np.array(
            [*(equations.link_number[name] for name in flows), *switched], dtype=np.int64
        )
        self._first_switched = len(flows)
        self._from_flows, self._from_draws = self._balances()
        self.needed = np.abs(self._from_flows).max(axis=0, initial=0.0) > 0

    def adjoints(self) -> Floats:
        """Return a unit at each read junction (J+H × S); tanks and reservoirs never move."""
        linear = self._linear
        rows = linear.padded(np.zeros((linear.junctions, self.nodes.size)))
        inside = np.flatnonzero(self.nodes < linear.junctions)
        rows[self.nodes[inside], inside] = 1.0
        return rows

    def flows(
        self,
        circulation: "_Circulation",
        unit: Floats,
        draws: Floats,
        size: float,
        around: Floats,
    ) -> Floats:
        """Return the changes of the read links' flows (S × K)."""
        by_loops = self._from_flows[:, circulation.core] @ circulation.loops
        found: Floats = size * (self._from_flows @ unit - self._from_draws @ draws)
        found += by_loops @ around
        return found

    def keep_status(self, head: Floats, flow: Floats) -> NDArray[np.bool_]:
        """Return for which draws no link changes its status (K)."""
        linear = self._linear
        keeps = np.ones(head.shape[1], dtype=np.bool_)
        for number, switch in enumerate(linear.switches):
            link = switch.link
            place = self.pressures + 2 * number
            start = linear.head[linear.equations.start[link]] + head[place]
            end = linear.head[linear.equations.end[link]] + head[place + 1]
            moved = linear.flow[link] + flow[self._first_switched + number]
            law = Law(linear.elements.law[link])
            keeps &= switch.stays(law, float(linear.flow[link]), start, end, moved)
        return keeps

    def _balances(self) -> tuple[Floats, Floats]:
        """Return how read flows follow from flows (S × L) and draws (S × J).

        A valve that holds a head lets through what the junction it holds it at passes on.
        """
        linear = self._linear
        from_flows = np.zeros((self.links.size, linear.flow.size))
        from_draws = np.zeros((self.links.size, linear.junctions))
        held = {int(link): i for i, link in enumerate(linear.held)}
        if held:
            across = linear.incidence[:, linear.held_at].toarray()
            own = across[linear.held].T
            if np.linalg.matrix_rank(own) < len(held):
                raise NotLinearizedError("valves that hold the head of one junction")
            across[linear.held] = 0.0
            through = np.linalg.solve(own, across.T)
            drawn = np.linalg.solve(own, np.eye(len(held)))
        for row, link in enumerate(self.links.tolist()):
            if link not in held:
                from_flows[row, link] = 1.0
                continue
            from_flows[row] = -through[held[link]]
            from_draws[row, linear.held_at] = drawn[held[link]]
        return from_flows, from_draws


class _Circulation:
    """Flows around loops under draws of one size, with tangents at typical changes of flow.

    Attributes
    ----------
    core
        Links in loops, on paths to sensors, or read (C).
    loops
        Flow in them per unit around each loop (C × M).
    """

    def __init__(self, linear: Linearized, sensors: _Sensors, typical: Floats) -> None:
        conductance = linear.open_conductance(np.hypot(linear.flow, typical))
        factor = linear.factored(conductance)
        loops = linear.loops
        pushed = linear.padded(linear.incidence[loops].T.toarray() * conductance[loops])
        around = self._response(linear, conductance, factor.solve(pushed))
        turned = around
        if linear.held.size:
            turned = self._response(linear, conductance, factor.solve(pushed, trans="T"))
        basis = np.linalg.solve(around[loops].T, around.T).T if loops.size else around
        adjoint = factor.solve(sensors.adjoints(), trans="T")[: linear.junctions]
        paths = (linear.incidence @ adjoint) * conductance[:, None]
        used = sensors.needed.copy()
        used |= np.abs(basis).max(axis=1, initial=0.0) > _IN_A_LOOP
        used |= np.abs(paths).max(axis=1, initial=0.0) > _AT_A_SENSOR
        self.core: Ints = np.flatnonzero(used)
        self._sensors = sensors
        self.loops = np.ascontiguousarray(basis[self.core], dtype=np.float32)
        self._turned = np.ascontiguousarray(turned[self.core].T, dtype=np.float32)
        self._paths = np.ascontiguousarray(paths[self.core].T, dtype=np.float32)
        self._losses = linear.elements.only(self.core).losses32()
        self._flow = linear.flow[self.core, None].astype(np.float32)
        self._loss = self._losses(self._flow)
        self._tangent = linear.tangent[self.core, None]

    @staticmethod
    def _response(linear: Linearized, conductance: Floats, heads: Floats) -> Floats:
        """Return flows that a head pushed around each loop brings about (L × M)."""
        flow: Floats = (linear.incidence @ heads[: linear.junctions]) * -conductance[:, None]
        flow[linear.loops, np.arange(linear.loops.size)] += conductance[linear.loops]
        return flow

    def solve(self, unit: Floats, size: float, around: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return changes of heads at read junctions (S × K), and which draws came to rest (K).

        Parameters
        ----------
        unit
            Changes of flows to the first order, per unit of size (L × K).
        size
            m3/s.
        around
            Flows around loops (M × K): a guess, replaced by the solution.
        """
        first = unit[self.core] * size
        head = self._paths @ (self._tangent * first).astype(np.float32)
        base = self._flow + first.astype(np.float32)
        settled = np.zeros(unit.shape[1], dtype=np.bool_)
        going = np.arange(unit.shape[1])
        now, acceleration = around.copy(), Acceleration()
        for correction in range(_MOST_CORRECTIONS):
            # What has no solution this way may grow without bounds before it is given up.
            with np.errstate(over="ignore", invalid="ignore"):
                loss = self._losses(base + self.loops @ now.astype(np.float32))
                loss -= self._loss
                push = -(self._turned @ loss).astype(np.float64)
                found = self._paths @ loss
                small = self._small(found - head[:, going], found)
            around[:, going] = now + push
            # The first guess proves nothing, nor does a crawl far from balance.
            small &= (correction > 0) & (np.abs(push).max(axis=0, initial=0.0) < _BALANCED * size)
            head[:, going] = found
            settled[going[small]] = True
            if small.all():
                break
            keep = ~small & np.isfinite(push).all(axis=0)
            going, base = going[keep], base[:, keep]
            now = acceleration.next(now, push, keep)
        return head.astype(np.float64), settled

    def _small(self, step: Singles, found: Singles) -> NDArray[np.bool_]:
        """Return which draws' pressures moved by next to nothing (K)."""
        watched = self._sensors.pressures or len(found)
        moved = np.linalg.norm(step[:watched], axis=0)
        size = np.linalg.norm(found[:watched], axis=0)
        small: NDArray[np.bool_] = moved <= np.maximum(CONVERGED * size, _NOTHING_M)
        return small
