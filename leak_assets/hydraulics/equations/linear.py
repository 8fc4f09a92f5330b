"""A steady state's equations in full: Newton's matrix, its factors, and the loops of the network.

What draws of water change in it is `changes`.
"""

from typing import Any

import numpy as np

from leak_assets.hydraulics.epanet.snapshots import SteadyState

from .elements import CLOSED_RESISTANCE, Floats, Ints, Law
from .network import Equations, NotLinearizedError

# A step of Newton that moves no head by more than this ends the solution.
_SOLVED_M = 1e-7
_MOST_STEPS = 20
# EPANET's states are good to some millimetres; beyond this the equations are not EPANET's.
_SAME_STATE_M = 0.1


class Linearized:
    """The equations of a network at one steady state.

    Mass balance at junctions and head loss along links: Newton's matrix Eᵀ·diag(1/h′)·E of the
    gradient method (Todini and Pilati 1988, as in EPANET), factored once. A valve that holds a
    head adds its flow as an unknown and the head as an equation.

    Parameters
    ----------
    equations
        Of the model.
    state
        As EPANET found it; brought to 1e-7 m by a few steps of Newton.

    Attributes
    ----------
    incidence
        E: +1 at the start and −1 at the end of links, of junctions (L × J, sparse).
    head, flow, loss, tangent, conductance
        Heads of all nodes in m (N); flows in m3/s, head losses in m, their derivatives and the
        inverse of these, 0 for links that hold a head or a flow (L each).
    held, held_at
        Links that hold a head, and the nodes they hold it at (H).
    loops
        One link for each loop, that closes it (M); what closed valves would close is none.

    Raises
    ------
    NotLinearizedError
        The equations do not describe this state.
    """

    def __init__(self, equations: Equations, state: SteadyState) -> None:
        self.equations = equations
        self.elements, self.switches, head, flow = equations.in_state(state)
        held = equations.held_nodes(self.elements)
        self.held: Ints = np.array([link for link, _ in held], dtype=np.int64)
        self.held_at: Ints = np.array([node for _, node in held], dtype=np.int64)
        self.incidence = equations.incidence()
        self.junctions = len(equations.junctions)
        self._balance = self.incidence.T.tocsr()
        self._solve(head, flow)
        self.loops, self._closed = self._cotree()

    def factored(self, conductance: Floats) -> Any:
        """Return the factors of Newton's matrix with other derivatives (L)."""
        import scipy.sparse as sp
        from scipy.sparse.linalg import splu

        matrix = self._balance @ sp.diags_array(conductance) @ self.incidence
        if self.held.size:
            count = self.held.size
            hold = sp.csr_matrix(
                (np.ones(count), (np.arange(count), self.held_at)), shape=(count, self.junctions)
            )
            matrix = sp.block_array([[matrix, self._balance[:, self.held]], [hold, None]])
        try:
            return splu(sp.csc_matrix(matrix))
        except RuntimeError as error:
            raise NotLinearizedError(f"the equations are singular: {error}") from error

    def open_conductance(self, flow: Floats) -> Floats:
        """Return 1/h′ at other flows, 0 for closed links that only close loops (L)."""
        conductance: Floats = np.where(
            self.elements.law < Law.HEAD, 1.0 / self.elements.head_loss(flow)[1], 0.0
        )
        conductance[self._closed] = 0.0
        return conductance

    def padded(self, rows: Floats) -> Floats:
        """Return right-hand sides (J × K) with zeros for the held heads."""
        whole = np.zeros((self.junctions + self.held.size, rows.shape[1]), order="F")
        whole[: self.junctions] = rows
        return whole

    def first_order(self, draws: Floats) -> Floats:
        """Return the changes of flows that draws bring to the first order (L × K)."""
        found = self._factor.solve(self.padded(-draws))
        flow: Floats = self.incidence @ found[: self.junctions]
        flow *= self.conductance[:, None]
        flow[self.held] = found[self.junctions :]
        return flow

    def _solve(self, head: Floats, flow: Floats) -> None:
        """Bring the state to the solution of the equations and factor their matrix there."""
        equations, begin = self.equations, head.copy()
        passive = self.elements.law < Law.HEAD
        for _ in range(_MOST_STEPS):
            self.loss, gradient = self.elements.head_loss(flow)
            self.tangent = np.where(passive, gradient, 0.0)
            self.conductance = np.where(passive, 1.0 / gradient, 0.0)
            self._factor = self.factored(self.conductance)
            off = head[equations.start] - head[equations.end] - self.loss
            off[~passive] = 0.0
            right = -(self._balance @ (self.conductance * off))
            found = self._factor.solve(self.padded(right[:, None]))[:, 0]
            moved = found[: self.junctions]
            change = self.conductance * (off + self.incidence @ moved)
            change[self.held] = found[self.junctions :]
            head[: self.junctions] += moved
            flow = flow + change
            if np.abs(moved).max(initial=0.0) < _SOLVED_M:
                break
        else:
            raise NotLinearizedError("the equations find no steady state near EPANET's")
        if not np.abs(head - begin).max() < _SAME_STATE_M:
            raise NotLinearizedError("the equations' steady state is not EPANET's")
        self.head, self.flow = head, flow
        self.loss = self.elements.head_loss(flow)[0]

    def _cotree(self) -> tuple[Ints, Ints]:
        """Return a link per loop beside a spanning tree, and closed links that would be such."""
        elements, equations = self.elements, self.equations
        closed = (elements.law == Law.RESISTANCE) & (elements.resistance >= CLOSED_RESISTANCE)
        fixed = set(range(self.junctions, equations.node_count)) | set(self.held_at.tolist())
        above = {node: -1 if node in fixed else node for node in range(equations.node_count)}
        above[-1] = -1

        def root(node: int) -> int:
            while above[node] != node:
                above[node] = above[above[node]]
                node = above[node]
            return node

        loops: list[int] = []
        kept_closed: list[int] = []
        # Good conductors make the tree; a closed link only where nothing else joins two parts.
        order = np.lexsort((self.tangent, closed))
        for link in order[elements.law[order] < Law.HEAD].tolist():
            one, other = root(int(equations.start[link])), root(int(equations.end[link]))
            if one != other:
                above[max(one, other)] = min(one, other)
            else:
                (kept_closed if closed[link] else loops).append(link)
        return np.array(loops, dtype=np.int64), np.array(kept_closed, dtype=np.int64)
