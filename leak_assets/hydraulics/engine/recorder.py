"""Reads one run: sensors, leak flow, events' water, negative pressures, everything if asked.

Reads only; what is set before a step is the engine's matter. EPANET works in m3/h and metres
here, results are SI.
"""

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError, InputError
from leak_assets.hydraulics.epanet import project as epanet
from leak_assets.hydraulics.epanet.pressure_driven import delivered_share
from leak_assets.hydraulics.towns.town_model import TownModel
from leak_assets.sites.sensors import SensorLayout
from leak_assets.system.processes import memory_bytes
from leak_assets.units import SECONDS_PER_HOUR

from .actuators import Draws
from .emitters import LeakSites
from .scenario_run import Series

Array = NDArray[np.float64]
_M3_PER_H = 1 / SECONDS_PER_HOUR
# True, measured, as a frame and on its way to a file.
_BYTES_PER_VALUE = 4 * 8
_NODE_QUANTITIES = {
    "pressure": (epanet.NODE_PRESSURE, 1.0),
    "head": (epanet.NODE_HEAD, 1.0),
    "demand": (epanet.NODE_DEMAND, _M3_PER_H),
}
_LINK_QUANTITIES = {
    "flow": (epanet.LINK_FLOW, _M3_PER_H),
    "velocity": (epanet.LINK_VELOCITY, 1.0),
    "status": (epanet.LINK_STATUS, 1.0),
}


# Pressure driven, EPANET gives nodes that nothing supplies a pressure of about 1e-8 m and no
# warning.
_DRY_M = 1e-6


class Recorder:
    """Collects the values of one run.

    `negative_pressures` counts steps of junctions with demand below zero pressure; `is_dry` says
    whether one of them had no pressure at all in the step read last.
    """

    def __init__(
        self,
        project: epanet.EpanetProject,
        model: TownModel,
        layout: SensorLayout,
        base_emitter: dict[str, float],
        exponent: float,
    ) -> None:
        self._project = project
        self._model = model
        self._layout = layout
        self._base = base_emitter
        self._exponent = exponent
        self.negative_pressures = 0
        self.is_dry = False

    def start(self, steps: int, sites: LeakSites, draws: Draws, *, record_all: bool) -> None:
        """Prepare readers and arrays for a run.

        Raises
        ------
        InputError
            The values do not fit into the memory of this machine.
        """
        p, layout = self._project, self._layout
        self._sites, self._draws = sites, draws
        node, link = self._nodes, self._links
        self._readers = {
            "pressure": node(layout.ids("pressure"), epanet.NODE_PRESSURE),
            "flow": link(layout.ids("flow"), epanet.LINK_FLOW),
            "level": node(layout.ids("level"), epanet.NODE_PRESSURE),
            "demand": node(layout.ids("demand"), epanet.NODE_DEMAND),
        }
        # Outflow of emitters is part of EPANET's demand; a water meter does not see it.
        self._leaky = {*sites.nodes, *(n for n, c in self._base.items() if c)}
        unmetered = {n for n, m in zip(draws.nodes, draws.is_metered, strict=True) if not m}
        if (self._leaky | unmetered) & set(layout.ids("demand")):
            self._readers["meter_pressure"] = node(layout.ids("demand"), epanet.NODE_PRESSURE)
        self._readers["leak_demand"] = node(sites.nodes, epanet.NODE_DEMAND)
        self._readers["leak_pressure"] = node(sites.nodes, epanet.NODE_PRESSURE)
        self._readers["draw_pressure"] = node(draws.nodes, epanet.NODE_PRESSURE)
        if record_all:
            names = self._model.model
            for q, (code, _) in _NODE_QUANTITIES.items():
                self._readers[f"all/{q}"] = node(names.node_name_list, code)
            for q, (code, _) in _LINK_QUANTITIES.items():
                self._readers[f"all/{q}"] = link(names.link_name_list, code)
        values = steps * sum(len(reader.values) for reader in self._readers.values())
        if (needed := values * _BYTES_PER_VALUE) > memory_bytes():
            raise InputError(
                f"a run of {steps:,} steps with {values / steps:,.0f} values each needs about"
                f" {needed / 1e9:,.0f} GB of memory, and this machine has"
                f" {memory_bytes() / 1e9:,.0f} GB",
                remedy="Simulate fewer days, or longer steps",
            )
        self._arrays = {
            name: np.zeros((steps, len(reader.values))) for name, reader in self._readers.items()
        }
        self._read = [
            (self._arrays[name], reader)
            for name, reader in self._readers.items()
            if len(reader.values)
        ]
        self._scan = p.node_reader(
            [p.node_index(name) for name in self._model.demand_pattern], epanet.NODE_PRESSURE
        )

    def read(self, k: int) -> None:
        """Read step k."""
        for values, reader in self._read:
            values[k] = reader()
        # EPANET counts junctions that get less than they ask for; only then can one of them be
        # below zero, and only then is it worth reading them all.
        self.is_dry = False
        if self._project.statistic(epanet.STAT_DEFICIENT_NODES):
            pressure = self._scan()
            self.negative_pressures += int((pressure < 0).sum())
            self.is_dry = bool((np.abs(pressure) < _DRY_M).any())

    def result(self) -> tuple[dict[str, Series], dict[str, Series], Array, Array]:
        """Return instrumented series, all series, leak flow (T × L) and draws (T × D), m3/s.

        Raises
        ------
        HydraulicError
            EPANET returned values that are no numbers, which it does without a warning.
        """
        layout, arrays = self._layout, self._arrays
        for name, values in arrays.items():
            bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if len(bad):
                raise HydraulicError(
                    f"EPANET gave no number for {name.removeprefix('all/')} at step {bad[0]}"
                )
        true = {
            "pressure": Series(layout.ids("pressure"), arrays["pressure"]),
            "flow": Series(layout.ids("flow"), arrays["flow"] * _M3_PER_H),
            "level": Series(layout.ids("level"), arrays["level"]),
            "demand": Series(layout.ids("demand"), self._metered() * _M3_PER_H),
        }
        everything = {}
        for quantities, names in (
            (_NODE_QUANTITIES, self._model.model.node_name_list),
            (_LINK_QUANTITIES, self._model.model.link_name_list),
        ):
            for q, (_, factor) in quantities.items():
                if f"all/{q}" in arrays:
                    everything[q] = Series(tuple(names), arrays[f"all/{q}"] * factor)
        kept = {quantity: series for quantity, series in true.items() if series.ids}
        leak_flow, draw_flow = self._leak_flow() * _M3_PER_H, self._draw_flow() * _M3_PER_H
        return kept, everything, leak_flow, draw_flow

    def _draw_flow(self) -> Array:
        """Return what the events' draws get of what they want, m3/h (T × D)."""
        pressure = self._arrays["draw_pressure"]
        flow: Array = self._draws.wanted * delivered_share(self._model.model, pressure)
        return flow

    def _leak_flow(self) -> Array:
        """Share the emitter outflow of each leaking node among its leaks, m3/h (T × L)."""
        coefficients, nodes = self._sites.coefficients, self._sites.nodes
        pressure = np.maximum(self._arrays["leak_pressure"], 0.0)
        flow: Array = coefficients * pressure**self._exponent
        middles = set(self._model.leak_nodes.values())
        for i, node in enumerate(nodes):
            # Nothing else flows out at the middle of a pipe: take EPANET's own balance there.
            if node in middles and nodes.count(node) == 1:
                flow[:, i] = np.where(coefficients[:, i] > 0, self._arrays["leak_demand"][:, i], 0)
        return flow

    def _metered(self) -> Array:
        """Return the demand without what leaks or is drawn past the meters, m3/h."""
        demand = self._arrays["demand"]
        if "meter_pressure" not in self._arrays:
            return demand
        demand = demand.copy()
        drawn = self._draw_flow()
        pressure = np.maximum(self._arrays["meter_pressure"], 0.0) ** self._exponent
        for column, name in enumerate(self._layout.ids("demand")):
            demand[:, column] -= self._base.get(name, 0.0) * pressure[:, column]
            for i, node in enumerate(self._sites.nodes):
                if node == name:
                    demand[:, column] -= self._sites.coefficients[:, i] * pressure[:, column]
            for i, node in enumerate(self._draws.nodes):
                if node == name and not self._draws.is_metered[i]:
                    demand[:, column] -= drawn[:, i]
        return demand

    def _nodes(self, names: tuple[str, ...] | list[str], code: int) -> epanet.Reader:
        p = self._project
        return p.node_reader([p.node_index(n) for n in names], code)

    def _links(self, names: tuple[str, ...] | list[str], code: int) -> epanet.Reader:
        p = self._project
        return p.link_reader([p.link_index(n) for n in names], code)
