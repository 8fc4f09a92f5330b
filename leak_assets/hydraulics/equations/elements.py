"""Head loss of links and its derivative, as EPANET 2.2 has them, for many flows at once.

Elements only: which nodes they join and what follows for heads is `network`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_M_PER_FT, _M3_PER_FT3 = 0.3048, 0.3048**3
_SI_RESISTANCE = _M_PER_FT / _M3_PER_FT3
# EPANET's own limits (ft and ft3/s): the least gradient of a head loss, and what a closed link
# and an open valve without loss put in its place (types.h, hydcoeffs.c).
LEAST_GRADIENT = 1e-7 * _SI_RESISTANCE
CLOSED_RESISTANCE = 1e8 * _SI_RESISTANCE
OPEN_RESISTANCE = 1e-6 * _SI_RESISTANCE
_GRAVITY = 32.2 * _M_PER_FT
# Kinematic viscosity of water in EPANET (1.1e-5 ft2/s), times the model's relative viscosity.
VISCOSITY_M2_PER_S = 1.1e-5 * _M_PER_FT**2
_LAMINAR, _TURBULENT = 2000.0, 4000.0


class Law(IntEnum):
    """How the flow of a link follows from the heads at its ends, in the state it is in."""

    POWER = 0  # r·q·|q|^(n−1) + m·q·|q|: pipes, valves with a loss, emitters
    DARCY = 1  # Darcy–Weisbach friction + m·q·|q|
    PUMP = 2  # −(a − b·q^n): what a pump adds
    HORSEPOWER = 3  # −P/q
    CURVE = 4  # straight lines between points: pumps of many points, general purpose valves
    RESISTANCE = 5  # r·q: closed links, open valves without a loss
    HEAD = 6  # a valve that holds a head; its flow is whatever that takes
    FLOW = 7  # a valve that holds a flow


@dataclass(frozen=True, eq=False)
class Elements:
    """Parameters of links in one state (L each); what a law does not use is 0.

    Parameters
    ----------
    law
        `Law` of each link.
    resistance, exponent, minor
        Of the law `POWER` in m and m3/s; `resistance` is r of `RESISTANCE`, P of `HORSEPOWER`.
    shutoff
        a of `PUMP` in m; its b and n are `resistance` and `exponent`.
    length, diameter, roughness
        Of `DARCY`, m.
    curves
        Points of `CURVE` by number of the link: flows in m3/s and head losses in m.
    viscosity
        Kinematic, m2/s.
    """

    law: Ints
    resistance: Floats
    exponent: Floats
    minor: Floats
    shutoff: Floats
    length: Floats
    diameter: Floats
    roughness: Floats
    curves: dict[int, tuple[Floats, Floats]]
    viscosity: float = VISCOSITY_M2_PER_S

    def head_loss(self, flow: Floats) -> tuple[Floats, Floats]:
        """Return head losses in m and their derivatives by flow, for flows in m3/s (L or L × K).

        Links that hold a head or a flow have neither: 0 and infinity.
        """
        flat = flow if flow.ndim == 2 else flow[:, None]
        loss, gradient = self._power(flat)
        for law, function in (
            (Law.DARCY, self._darcy),
            (Law.PUMP, self._pump),
            (Law.HORSEPOWER, self._horsepower),
            (Law.RESISTANCE, self._linear),
        ):
            rows = np.flatnonzero(self.law == law)
            if rows.size:
                loss[rows], gradient[rows] = function(rows, flat[rows])
        for row, (flows, losses) in self.curves.items():
            if self.law[row] == Law.CURVE:
                loss[row], gradient[row] = _interpolated(flat[row], flows, losses)
        held = np.flatnonzero(self.law >= Law.HEAD)
        loss[held], gradient[held] = 0.0, np.inf
        return loss.reshape(flow.shape), gradient.reshape(flow.shape)

    def only(self, links: Ints) -> "Elements":
        """Return the parameters of some of the links."""
        place = {int(link): i for i, link in enumerate(links)}
        return Elements(
            self.law[links],
            self.resistance[links],
            self.exponent[links],
            self.minor[links],
            self.shutoff[links],
            self.length[links],
            self.diameter[links],
            self.roughness[links],
            {place[link]: curve for link, curve in self.curves.items() if link in place},
            self.viscosity,
        )

    def losses32(self) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        """Return a function of flows (L × K) to head losses in single precision.

        Without the derivative and without EPANET's straight line at the smallest flows: a third of
        the time of `head_loss`, and good to 1e-6 of the loss.
        """
        resistance = self.resistance.astype(np.float32)[:, None]
        same = np.all(self.exponent == self.exponent[0])
        power = np.float32(self.exponent[0] - 1) if same else (self.exponent - 1)[:, None]
        power = np.asarray(power, dtype=np.float32)
        minor = self.minor.astype(np.float32)[:, None]
        rough = np.flatnonzero(self.minor)
        others = np.flatnonzero(self.law != Law.POWER)
        rest = self.only(others)

        def losses(flow: NDArray[np.float32]) -> NDArray[np.float32]:
            loss = np.abs(flow)
            local = minor[rough] * loss[rough]
            np.power(loss, power, out=loss)
            loss *= resistance
            loss[rough] += local
            loss *= flow
            if others.size:
                loss[others] = rest.head_loss(flow[others].astype(np.float64))[0]
            return loss

        return losses

    def _power(self, flow: Floats) -> tuple[Floats, Floats]:
        size = np.abs(flow)
        one = self.exponent[0] if np.all(self.exponent == self.exponent[0]) else None
        exponent = self.exponent[:, None] if one is None else one
        # Rows of other laws come out as they may: their own functions replace them.
        with np.errstate(divide="ignore"):
            gradient = size ** (exponent - 1.0)
        gradient *= (self.exponent * self.resistance)[:, None]
        loss = gradient / exponent
        low = gradient < LEAST_GRADIENT
        if low.any():
            gradient[low] = LEAST_GRADIENT
            loss[low] = LEAST_GRADIENT
        rough = np.flatnonzero(self.minor)
        if rough.size:
            local = self.minor[rough, None] * size[rough]
            loss[rough] += local
            gradient[rough] += 2.0 * local
        with np.errstate(invalid="ignore"):
            loss *= flow
        return loss, gradient

    def _darcy(self, rows: Ints, flow: Floats) -> tuple[Floats, Floats]:
        """Hagen–Poiseuille, Dunlop's cubic between, Swamee–Jain (EPANET 2.2's frictionFactor)."""
        diameter, length = self.diameter[rows, None], self.length[rows, None]
        size = np.abs(flow)
        area = np.pi / 4 * diameter**2
        per_square = length / (2 * _GRAVITY * diameter * area**2)
        reynolds = size * diameter / (area * self.viscosity)
        relative = self.roughness[rows, None] / (3.7 * diameter)
        busy = np.maximum(reynolds, _LAMINAR)
        # Swamee–Jain and its slope d(ln f)/d(ln q).
        y = relative + 5.74 * busy**-0.9
        factor = 0.25 / np.log10(y) ** 2
        slope = 1.8 * 5.74 * busy**-0.9 / (y * np.log(y))
        between = (reynolds > _LAMINAR) & (reynolds < _TURBULENT)
        if between.any():
            at = relative + 5.74 * _TURBULENT**-0.9
            log = -0.86859 * np.log(at)
            fa = log**-2
            fb = fa * (2 - 0.00514215 / (at * log))
            r = busy / _LAMINAR
            x = (7 * fa - fb, 0.128 - 17 * fa + 2.5 * fb, -0.128 + 13 * fa - 2 * fb)
            x3 = 0.032 - 3 * fa + 0.5 * fb
            cubic = x[0] + r * (x[1] + r * (x[2] + r * x3))
            rise = r * (x[1] + r * (2 * x[2] + 3 * r * x3)) / cubic
            factor, slope = np.where(between, cubic, factor), np.where(between, rise, slope)
        loss = factor * per_square * size
        gradient = loss * (2.0 + slope)
        laminar = reynolds <= _LAMINAR
        steady = np.broadcast_to(16 * np.pi * self.viscosity * diameter * per_square, size.shape)
        loss = np.where(laminar, steady, loss)
        gradient = np.where(laminar, steady, gradient)
        local = self.minor[rows, None] * size
        return (loss + local) * flow, gradient + 2.0 * local

    def _pump(self, rows: Ints, flow: Floats) -> tuple[Floats, Floats]:
        size = np.abs(flow)
        b, n = self.resistance[rows, None], self.exponent[rows, None]
        gradient = np.maximum(n * b * size ** (n - 1.0), LEAST_GRADIENT)
        return gradient / n * flow - self.shutoff[rows, None], gradient

    def _horsepower(self, rows: Ints, flow: Floats) -> tuple[Floats, Floats]:
        power = self.resistance[rows, None]
        size = np.maximum(np.abs(flow), 1e-6)
        return -power / size, power / size**2

    def _linear(self, rows: Ints, flow: Floats) -> tuple[Floats, Floats]:
        gradient = np.broadcast_to(self.resistance[rows, None], flow.shape)
        return gradient * flow, gradient


def _interpolated(flow: Floats, flows: Floats, losses: Floats) -> tuple[Floats, Floats]:
    """Return a curve's head loss and slope; its end pieces go on beyond its ends."""
    piece = np.clip(np.searchsorted(flows, flow, side="right") - 1, 0, len(flows) - 2)
    slopes = np.diff(losses) / np.diff(flows)
    slope = slopes[piece]
    return losses[piece] + slope * (flow - flows[piece]), np.maximum(slope, LEAST_GRADIENT)


def pipe_resistance(model: Any, pipe: Any) -> tuple[float, float]:
    """Return r and n of a pipe's friction by the model's formula (not Darcy–Weisbach).

    Constants as in EPANET 2.2 (hydcoeffs.c, `resistcoeff`), in feet.
    """
    feet, diameter = float(pipe.length) / _M_PER_FT, float(pipe.diameter) / _M_PER_FT
    rough = float(pipe.roughness)
    if model.options.hydraulic.headloss == "C-M":
        r = (4.0 * rough / (1.49 * np.pi * diameter**2)) ** 2 * (diameter / 4.0) ** -1.333 * feet
        return r * _M_PER_FT / _M3_PER_FT3**2, 2.0
    r = 4.727 * feet / rough**1.852 / diameter**4.871
    return r * _M_PER_FT / _M3_PER_FT3**1.852, 1.852


def minor_resistance(coefficient: float, diameter_m: float) -> float:
    """Return m of m·q·|q| of a minor loss coefficient (0.02517·K/d^4 in feet, as EPANET)."""
    feet = diameter_m / _M_PER_FT
    return 0.02517 * coefficient / feet**4 * _M_PER_FT / _M3_PER_FT3**2
