"""Steady states of a network in process: set demands and heads, solve, read the sensors.

Nothing here knows of measurements, patterns or leaks; runs over time with tanks, controls and
leaks are `engine`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError

from .project import (
    LINK_FLOW,
    LINK_SETTING,
    LINK_STATUS,
    NODE_HEAD,
    NODE_PRESSURE,
    NODE_TANK_LEVEL,
    WARN_UNBALANCED,
    WARN_UNSTABLE,
    EpanetProject,
    Reader,
)

# L-Town's own 0.01 hardly iterates after a warm start; at 1e-5 pressures are good to 1 mm.
ACCURACY = 1e-5
# A character that no EPANET name has, so made names cannot meet the user's.
_GROUP = "~g{}"


@dataclass(frozen=True, eq=False)
class SteadyState:
    """All that EPANET found, nodes and links in the order of the WNTR model's names.

    Parameters
    ----------
    head_m
        Of junctions, tanks and reservoirs (N).
    flow_m3_per_s
        Of links (L).
    is_open
        Whether links are open or active (L).
    setting
        Of links: speed of pumps, pressure in m, flow in m3/h or loss coefficient of valves (L).
    """

    head_m: NDArray[np.float64]
    flow_m3_per_s: NDArray[np.float64]
    is_open: NDArray[np.bool_]
    setting: NDArray[np.float64]


class Snapshots:
    """A solver of steady states of one model; a context manager with a private folder.

    Heads of tanks and reservoirs are boundary values, controls are dropped. A junction takes the
    sum over groups of its share times the group's multiplier.

    Parameters
    ----------
    model
        `wntr.network.WaterNetworkModel`; it is changed.
    groups
        For each group its shares `{junction: m3/s}`.
    pressures, flows
        Nodes and links that are read after each solution.
    levels
        Tanks (level above the bottom) and reservoirs (head) that are set before it.
    switched
        Links that are opened and closed.
    closed
        Links that stay closed.

    Raises
    ------
    HydraulicError
        EPANET refuses the model.
    """

    def __init__(
        self,
        model: Any,
        groups: Sequence[Mapping[str, float]],
        *,
        pressures: Sequence[str],
        flows: Sequence[str] = (),
        levels: Sequence[str] = (),
        switched: Sequence[str] = (),
        closed: Sequence[str] = (),
    ) -> None:
        import wntr

        _prepare(model, groups, closed)
        self._folder = tempfile.TemporaryDirectory(prefix="leak-assets-")
        path = Path(self._folder.name) / "model.inp"
        wntr.network.write_inpfile(model, str(path), units="CMH", version=2.2)
        self._project = EpanetProject(path, path.parent)
        project = self._project
        self._groups = [project.pattern_index(_GROUP.format(i)) for i in range(len(groups))]
        self._levels = [project.node_index(name) for name in levels]
        self._switched = [project.link_index(name) for name in switched]
        self._pressures = project.node_reader(
            [project.node_index(name) for name in pressures], NODE_PRESSURE
        )
        self._flows = project.link_reader([project.link_index(name) for name in flows], LINK_FLOW)
        self._nodes = (*model.junction_name_list, *model.tank_name_list, *model.reservoir_name_list)
        self._links = tuple(model.link_name_list)
        project.open_hydraulics()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def restart(self) -> None:
        """Forget the last solution, so that what follows does not depend on what was before."""
        self._project.open_hydraulics()

    def close(self) -> None:
        """Close the project and delete its files."""
        self._project.close()
        self._folder.cleanup()

    def set_multipliers(self, values: Sequence[float] | NDArray[np.float64]) -> None:
        """Set the multiplier of every group (G)."""
        for number, value in enumerate(values):
            self.set_multiplier(number, float(value))

    def set_multiplier(self, number: int, value: float) -> None:
        """Set the multiplier of one group by its number."""
        self._project.set_pattern_value(self._groups[number], 1, value)

    def set_levels(self, metres: Sequence[float] | NDArray[np.float64]) -> None:
        """Set levels and heads in the order of `levels`."""
        for node, value in zip(self._levels, metres, strict=True):
            self._project.set_node(node, NODE_TANK_LEVEL, float(value))

    def set_open(self, is_open: Sequence[bool] | NDArray[np.bool_]) -> None:
        """Open or close the links in the order of `switched`."""
        for link, value in zip(self._switched, is_open, strict=True):
            self._project.set_link(link, LINK_STATUS, float(value))

    def solve(self) -> bool:
        """Find the steady state; False where EPANET finds none, after which it starts afresh."""
        try:
            code = self._project.run()
        except HydraulicError:
            self._project.open_hydraulics()
            return False
        return code not in (WARN_UNBALANCED, WARN_UNSTABLE)

    def pressures(self) -> NDArray[np.float64]:
        """Return the pressures in metres (N); overwritten by the next call."""
        return self._pressures()

    def flows(self) -> NDArray[np.float64]:
        """Return the link flows in m3/s (N)."""
        return self._flows() / 3600

    def state(self) -> SteadyState:
        """Return the whole of the last solution."""
        heads, flows, statuses, settings = self._whole
        return SteadyState(heads().copy(), flows() / 3600, statuses() > 0, settings().copy())

    @cached_property
    def _whole(self) -> tuple[Reader, ...]:
        project = self._project
        nodes = [project.node_index(name) for name in self._nodes]
        links = [project.link_index(name) for name in self._links]
        return (
            project.node_reader(nodes, NODE_HEAD),
            *(project.link_reader(links, code) for code in (LINK_FLOW, LINK_STATUS, LINK_SETTING)),
        )


def _prepare(model: Any, groups: Sequence[Mapping[str, float]], closed: Sequence[str]) -> None:
    """Turn a model into one steady state whose demands come from outside."""
    for name in list(model.control_name_list):
        model.remove_control(name)
    shares: dict[str, list[tuple[str, float]]] = {}
    for number, group in enumerate(groups):
        model.add_pattern(_GROUP.format(number), [1.0])
        for junction, share in group.items():
            shares.setdefault(junction, []).append((_GROUP.format(number), share))
    for name, junction in model.junctions():
        junction.demand_timeseries_list.clear()
        for pattern, share in shares.get(name, []):
            junction.add_demand(share, pattern)
    for _, reservoir in model.reservoirs():
        # The head is set for each state; a pattern would multiply it once more.
        reservoir.head_pattern_name = None
    for name in closed:
        model.get_link(name).initial_status = "Closed"
    hydraulic = model.options.hydraulic
    hydraulic.demand_multiplier = 1.0
    hydraulic.demand_model = "DDA"
    hydraulic.pattern = None
    hydraulic.accuracy = ACCURACY
    hydraulic.trials = max(hydraulic.trials, 200)
    model.options.time.duration = 0
    model.options.report.status = "NO"
    model.options.quality.parameter = "NONE"
