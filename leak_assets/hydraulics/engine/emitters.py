"""Emitters: how leaks and background leakage stand in EPANET.

Coefficients are in m3/h per m^exponent throughout.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leak_assets.hydraulics.epanet import project as epanet
from leak_assets.hydraulics.towns.town import Town
from leak_assets.hydraulics.towns.town_model import TownModel

# Leak emitters with another exponent than 0.5 keep Torricelli's flow at this pressure, and
# background leakage is quoted at it (BABE).
REFERENCE_PRESSURE_M = 50.0
_AJAR = 1e-6


@dataclass(frozen=True)
class LeakSites:
    """Emitters of the leaks: node names (L) and coefficients at each step (T × L)."""

    nodes: list[str]
    coefficients: NDArray[np.float64]


class Emitters:
    """Opens and closes the leaks of one run; touches EPANET only where an opening changed.

    With an exponent above 1 EPANET's head loss has no finite slope at zero flow, and an emitter
    that opens during a run makes every head NaN. Such emitters are therefore open by a
    millionth from before the start.
    """

    def __init__(
        self,
        project: epanet.EpanetProject,
        sites: LeakSites,
        base: dict[str, float],
        exponent: float,
    ) -> None:
        self._project = project
        nodes = list(dict.fromkeys(sites.nodes))
        self._index = [project.node_index(n) for n in nodes]
        self._base = np.array([base.get(n, 0.0) for n in nodes])
        self._openings = np.zeros((len(sites.coefficients), len(nodes)))
        for i, node in enumerate(sites.nodes):
            self._openings[:, nodes.index(node)] += sites.coefficients[:, i]
        if exponent > 1:
            np.maximum(self._openings, _AJAR * self._openings.max(axis=0), out=self._openings)
        self._openings += self._base
        changes = np.any(np.diff(self._openings, axis=0) != 0, axis=1)
        self._is_new = np.concatenate([[True], changes])
        self._now = np.full(len(nodes), np.nan)

    def set(self, k: int) -> None:
        """Set the openings of step k; those of step 0 before EPANET's hydraulics start.

        Steps are set in order, from 0.
        """
        if not self._is_new[k]:
            return
        wanted = self._openings[k]
        for i in np.flatnonzero(wanted != self._now):
            self._project.set_node(self._index[i], epanet.NODE_EMITTER, float(wanted[i]))
        self._now = wanted

    def reset(self) -> None:
        """Close all leaks, for the next run in the same project."""
        for index, base in zip(self._index, self._base, strict=True):
            self._project.set_node(index, epanet.NODE_EMITTER, float(base))


def base_emitters(model: TownModel, town: Town) -> dict[str, float]:
    """Return emitters that are always there: the model's own and background leakage, m3/h.

    Background leakage of a pipe is shared by its two end junctions.
    """
    base = dict(model.own_emitters)
    if not town.background_l_per_km_per_h:
        return base
    per_m = town.background_l_per_km_per_h / 1e6 / REFERENCE_PRESSURE_M**town.leak_exponent
    junctions = set(model.model.junction_name_list)
    for _, pipe in model.model.pipes():
        for node in (pipe.start_node_name, pipe.end_node_name):
            if node in junctions:
                base[node] = base.get(node, 0.0) + per_m * pipe.length / 2
    return base
