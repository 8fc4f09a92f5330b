"""A town: how reality differs from the network model, in one seeded object.

Only what a town is and how it is drawn; `town_model` applies it to a model, `demand` and
`sensing` apply its noise.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from leak_assets.errors import InputError
from leak_assets.sites.registry import Network

from .supply_check import ServiceCheck


@dataclass(frozen=True)
class DemandNoise:
    """Random part of demands, as coefficients of variation (standard deviation / mean).

    Defaults are those of the development towns: the sum of all meters scatters by 0.07 from
    step to step, one meter by 0.4, slowly by 0.1, the whole town by 0.008 from day to day.
    """

    common_cv: float = 0.067
    node_cv: float = 0.4
    slow_cv: float = 0.1
    slow_hours: float = 6.0
    day_cv: float = 0.008


@dataclass(frozen=True)
class SensorErrors:
    """Noise (standard deviation), offset and resolution of the sensors, SI."""

    pressure_sd_m: float = 0.01
    flow_sd_m3_per_s: float = 0.03 / 3600
    level_sd_m: float = 0.004
    pressure_offset_sd_m: float = 0.1
    pressure_resolution_m: float = 0.01
    flow_resolution_m3_per_s: float = 0.01 / 3600
    level_resolution_m: float = 0.01
    demand_resolution_m3_per_s: float = 0.001 / 3600


NO_NOISE = DemandNoise(0.0, 0.0, 0.0, 6.0, 0.0)
NO_ERRORS = SensorErrors(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class TownBounds:
    """How far a town may differ from the model; a factor lies within 1 ± its bound.

    `pattern` bounds the daily shape of each demand pattern, `season` the yearly wave,
    `prv_offset_m` the set-points of pressure reducing valves; `closed_valves` is the number of
    pipes that are closed in reality and open in the model.
    """

    roughness: float = 0.10
    diameter: float = 0.10
    length: float = 0.10
    base_demand: float = 0.10
    pattern: float = 0.20
    season: float = 0.10
    prv_offset_m: float = 1.0
    closed_valves: int = 1
    noise: DemandNoise = field(default_factory=DemandNoise)
    sensors: SensorErrors = field(default_factory=SensorErrors)

    def __post_init__(self) -> None:
        for name in ("roughness", "diameter", "length", "base_demand", "pattern", "season"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"bound {name} = {getattr(self, name)} is not between 0 and 1",
                    remedy="Give the largest relative difference, for example 0.1 for ±10 %",
                )
        if self.prv_offset_m < 0 or self.closed_valves < 0:
            raise InputError(
                "prv_offset_m and closed_valves cannot be negative", remedy="Use 0 for none"
            )


NO_BOUNDS = TownBounds(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, NO_NOISE, NO_ERRORS)


@dataclass(frozen=True)
class Town:
    """One town. Factors are by element name; an element without one is as in the model.

    Parameters
    ----------
    pattern_shape
        For each time pattern the Fourier coefficients (cos, sin) of 1, 2 and 3 waves per day
        that its logarithm is changed by.
    season_amplitude, season_peak_day
        Yearly wave of all demands and the day of the year of its maximum.
    prv_offset_m, pressure_offset_m
        Added to set-points and to pressure readings.
    closed_pipes
        Closed in reality, open in the model.
    leak_exponent
        N1 of all emitters: 0.5 for a fixed hole, up to 1.5 for a crack that opens. Other values
        than 0.5 keep Torricelli's flow at 50 m.
    background_l_per_km_per_h
        Background leakage of the mains at 50 m pressure; 0 for none.
    """

    network: str
    seed: int | None
    bounds: TownBounds
    roughness: dict[str, float] = field(default_factory=dict)
    diameter: dict[str, float] = field(default_factory=dict)
    length: dict[str, float] = field(default_factory=dict)
    base_demand: dict[str, float] = field(default_factory=dict)
    pattern_shape: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    season_amplitude: float = 0.0
    season_peak_day: float = 0.0
    prv_offset_m: dict[str, float] = field(default_factory=dict)
    pressure_offset_m: dict[str, float] = field(default_factory=dict)
    closed_pipes: tuple[str, ...] = ()
    leak_exponent: float = 0.5
    background_l_per_km_per_h: float = 0.0

    @classmethod
    def nominal(cls, network: Network) -> "Town":
        """Return the town that is exactly as the model says: no noise, perfect sensors."""
        return cls(network.name, None, NO_BOUNDS)

    @classmethod
    def draw(cls, network: Network, seed: int, bounds: TownBounds | None = None) -> "Town":
        """Draw a town; the same network, seed and bounds give the same town."""
        bounds = bounds or TownBounds()
        model = network.water_network()
        rng = np.random.default_rng(np.random.SeedSequence([seed, 0x70]))

        def factors(names: list[str], bound: float) -> dict[str, float]:
            drawn = 1.0 + rng.uniform(-bound, bound, len(names))
            return dict(zip(names, drawn.tolist(), strict=True))

        pipes, junctions = list(model.pipe_name_list), list(model.junction_name_list)
        town = cls(
            network.name,
            seed,
            bounds,
            roughness=factors(pipes, bounds.roughness),
            diameter=factors(pipes, bounds.diameter),
            length=factors(pipes, bounds.length),
            base_demand=factors(junctions, bounds.base_demand),
            pattern_shape={n: _shape(rng, bounds.pattern) for n in model.pattern_name_list},
            season_amplitude=float(rng.uniform(0, bounds.season)),
            season_peak_day=float(rng.uniform(150, 240)),
            prv_offset_m={
                name: float(rng.uniform(-bounds.prv_offset_m, bounds.prv_offset_m))
                for name, valve in model.valves()
                if valve.valve_type == "PRV"
            },
            pressure_offset_m=dict(
                zip(
                    junctions,
                    rng.normal(0, bounds.sensors.pressure_offset_sd_m, len(junctions)).tolist(),
                    strict=True,
                )
            ),
        )
        candidates = loop_pipes(model)
        count = min(bounds.closed_valves, len(candidates))
        return replace(town, closed_pipes=_closable(model, candidates, count, rng))

    def to_json(self) -> str:
        """Return every uncertainty: bounds, seed, drawn values, and the extent of each factor.

        Factors of single elements follow from network, seed and bounds, so only their extent is
        written.
        """
        content: dict[str, Any] = {
            "network": self.network,
            "seed": self.seed,
            "bounds": asdict(self.bounds),
            "closed_pipes": list(self.closed_pipes),
            "prv_offset_m": {k: round(v, 6) for k, v in self.prv_offset_m.items()},
            "season_amplitude": round(self.season_amplitude, 6),
            "season_peak_day": round(self.season_peak_day, 3),
            "pattern_shape": {
                name: [[round(c, 6), round(s, 6)] for c, s in shape]
                for name, shape in self.pattern_shape.items()
            },
            "leak_exponent": self.leak_exponent,
            "background_l_per_km_per_h": self.background_l_per_km_per_h,
            "extent": {
                name: _extent(getattr(self, name))
                for name in ("roughness", "diameter", "length", "base_demand", "pressure_offset_m")
            },
        }
        return json.dumps(content, sort_keys=True)


def loop_pipes(model: Any) -> list[str]:
    """Return pipes whose closing leaves every node joined to a source, smaller ones only.

    Pipes wider than the median stay open: a closed trunk main does not go unnoticed.
    """
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(model.node_name_list)
    count: dict[frozenset[str], int] = {}
    for _, link in model.links():
        if str(link.initial_status) != "Closed":
            ends = frozenset((link.start_node_name, link.end_node_name))
            count[ends] = count.get(ends, 0) + 1
            graph.add_edge(link.start_node_name, link.end_node_name)
    bridges = {frozenset(edge) for edge in nx.bridges(graph)}
    controlled = {
        str(action.target()[0].name)
        for _, control in model.controls()
        for action in control.actions()
        if hasattr(action.target()[0], "name")
    }
    median = float(np.median([pipe.diameter for _, pipe in model.pipes()]))
    return [
        name
        for name, pipe in model.pipes()
        if (ends := frozenset((pipe.start_node_name, pipe.end_node_name))) in count
        and str(pipe.initial_status) != "Closed"
        and (count[ends] > 1 or ends not in bridges)
        and pipe.diameter <= median
        and not pipe.check_valve
        and name not in controlled
    ]


def _closable(
    model: Any, candidates: list[str], count: int, rng: np.random.Generator
) -> tuple[str, ...]:
    """Choose pipes one after the other, whose closing nobody notices.

    Each time the rest must still be a loop pipe, and every customer must keep pressure.
    """
    closed: list[str] = []
    if not count:
        return ()
    with ServiceCheck(model) as service:
        while len(closed) < count and candidates:
            name = candidates[int(rng.integers(len(candidates)))]
            if service.close_pipe(name):
                closed.append(name)
                model.get_link(name).initial_status = "CLOSED"
                candidates = [pipe for pipe in loop_pipes(model) if pipe in candidates]
            else:
                candidates.remove(name)
    return tuple(closed)


def _shape(rng: np.random.Generator, bound: float) -> tuple[tuple[float, float], ...]:
    """Draw Fourier coefficients whose sum stays within log(1 + bound) at any hour."""
    raw = rng.normal(size=(3, 2)) / np.arange(1, 4)[:, None]
    # The sum of all amplitudes bounds the sum of the waves.
    scale = np.log1p(bound) * rng.uniform(0.5, 1.0) / np.hypot(raw[:, 0], raw[:, 1]).sum()
    return tuple((float(c * scale), float(s * scale)) for c, s in raw)


def _extent(values: dict[str, float]) -> dict[str, float]:
    if not values:
        return {"min": 0.0, "max": 0.0, "count": 0}
    drawn = np.array(list(values.values()))
    return {
        "min": round(float(drawn.min()), 6),
        "max": round(float(drawn.max()), 6),
        "count": len(drawn),
    }
