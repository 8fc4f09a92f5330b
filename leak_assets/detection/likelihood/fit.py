"""All known effects fitted together, and what the rest says of an unknown one.

A linear Gaussian model, coordinate by coordinate: a known leak has a course over the days, a size
that is not negative and common to all coordinates, and a deviation from its pipe's effect that
grows with its size. Sizes are estimated, deviations integrated out; what stays is judged by
marginal likelihood (MacKay, "Bayesian Interpolation", Neural Computation 4, 1992).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coordinates import Coordinates
from .timeline import Timeline, courses

Floats = NDArray[np.float64]

# Sizes and deviations depend on each other: the fit settles within this many rounds.
_ROUNDS = 3
# Prior standard deviation of a leak's size in a network of L-Town's demand, m3/h.
_SIZE_SD_M3_PER_H = 12.0
# Deviations are those of a leak of at least 1 m3/h: one that is fitted to nothing must stay free
# to come back.
_LEAST_SIZE = 1.0
_FAULT_SIZE_SD = 100.0
# No leak takes more, no fault is larger: deviations that grow with the size would leave rounding
# errors alone to say how large two effects are that cancel each other.
_MOST_M3_PER_H, _MOST_FAULT = 60.0, 300.0
# Relative deviation of a fault's effect from its direction.
_FAULT_DEVIATION = 0.01
# Prior standard deviation of what a disturbance does, in units of the daily noise.
_DISTURBANCE_SD = 30.0
_RIDGE = 1e-10
_LEAST_INFORMATION = 1e-9


@dataclass(frozen=True)
class Known:
    """An effect that is believed in: a leak or a fault.

    Parameters
    ----------
    kind, index
        What it is, and the number of its pipe or fault.
    sign
        Of a fault's effect.
    onset, growth_days, last_day
        Its course (`timeline.course`).
    size
        Where the fit begins: m3/h of a leak, units of a fault.
    """

    kind: str
    index: int
    sign: float
    onset: int
    growth_days: int
    last_day: int | None
    size: float


@dataclass(frozen=True, eq=False)
class Fit:
    """The known effects as fitted to the days.

    Parameters
    ----------
    sizes
        Of each known effect (K).
    effects
        On the coordinates at full size, deviations included (K × J).
    log_likelihood
        Of the days, deviations integrated out.
    rest
        What the sizes leave, in white noise (N × J).
    """

    sizes: Floats
    effects: Floats
    log_likelihood: float
    rest: Floats
    _columns: list[Floats]
    _inverse: Floats
    _score: Floats

    def evidence(
        self, coordinates: Coordinates, columns: Sequence[Floats]
    ) -> tuple[Floats, Floats]:
        """Return information and score of free effects with given courses (O × J each).

        Log likelihood ratio of effect v: `score · v - (information · v²) / 2`, with the known
        effects adapting themselves.

        Parameters
        ----------
        columns
            Courses in white noise, by group (N × O each).
        """
        information, score = [], []
        for group, known, column in zip(coordinates.groups, self._columns, columns, strict=True):
            inverse = self._inverse[group.part]
            along = known.T @ column
            adapted = inverse @ along
            own = (column**2).sum(axis=0)[:, None]
            information.append(own - np.einsum("ko,jko->oj", along, adapted))
            plain = column.T @ self.rest[:, group.part]
            score.append(plain - np.einsum("jko,kj->oj", adapted, self._score[:, group.part]))
        return (
            np.maximum(np.concatenate(information, axis=1), _LEAST_INFORMATION),
            np.concatenate(score, axis=1),
        )


def fit(
    coordinates: Coordinates,
    timeline: Timeline,
    white: Floats,
    known: Sequence[Known],
    disturbances: Floats,
    flow_scale: float,
) -> Fit:
    """Return the known effects fitted together.

    Parameters
    ----------
    white
        Daily values in white noise (N × J).
    known
        Leaks and faults (K).
    disturbances
        Courses of what is measured and moves the pressures in an unknown way (N × E).
    flow_scale
        Of the network.
    """
    count, extra = len(known), disturbances.shape[1]
    parts = [(one.onset, one.growth_days, one.last_day) for one in known]
    leak_columns = timeline.white_courses(courses(timeline.days, parts))
    columns = [
        np.concatenate(
            [
                own,
                timeline.factor(group) @ disturbances
                if group.is_pressure
                else np.zeros_like(disturbances),
            ],
            axis=1,
        )
        for group, own in zip(coordinates.groups, leak_columns, strict=True)
    ]
    size = white.shape[1]
    gram = np.empty((size, count + extra, count + extra))
    score = np.empty((count + extra, size))
    for group, column in zip(coordinates.groups, columns, strict=True):
        gram[group.part] = column.T @ column
        score[:, group.part] = column.T @ white[:, group.part]
    effects, deviations, prior = _directions(coordinates, known, extra, flow_scale)
    sizes = np.array([one.size for one in known])
    most = np.array([_most(one, flow_scale) for one in known])
    for _ in range(_ROUNDS if count else 1):
        spread = deviations.copy()
        spread[:count] *= np.clip(sizes, _LEAST_SIZE, most)[:, None] ** 2
        inverse = np.asarray(np.linalg.inv(gram + _diagonals(1 / spread)), dtype=np.float64)
        if count:
            sizes = np.minimum(_sizes(gram, score, inverse, effects[:count], prior), most)
    mean = np.zeros((count + extra, size))
    mean[:count] = sizes[:, None] * effects[:count]
    rest = white.copy()
    for group, column in zip(coordinates.groups, columns, strict=True):
        rest[:, group.part] -= column @ mean[:, group.part]
    left = score - np.einsum("jkl,lj->kj", gram, mean)
    deviation = np.einsum("jkl,lj->kj", inverse, left)
    log_likelihood = (
        -((rest**2).sum() - (left * deviation).sum()) / 2
        + (np.linalg.slogdet(inverse)[1].sum() - np.log(spread).sum()) / 2
        - (sizes**2 * prior).sum() / 2
    )
    return Fit(
        sizes,
        (mean + deviation)[:count],
        float(log_likelihood),
        rest,
        columns,
        inverse,
        left,
    )


def _most(one: Known, flow_scale: float) -> float:
    return _MOST_M3_PER_H * flow_scale if one.kind == "leak" else _MOST_FAULT


def _directions(
    coordinates: Coordinates, known: Sequence[Known], extra: int, flow_scale: float
) -> tuple[Floats, Floats, Floats]:
    """Return effects of unit size, variances of their deviations, and precisions of sizes."""
    count, size = len(known), coordinates.leaks.shape[1]
    effects, deviations = np.zeros((count + extra, size)), np.zeros((count + extra, size))
    prior = np.zeros(count)
    for number, one in enumerate(known):
        if one.kind == "leak":
            effects[number] = coordinates.leaks[one.index]
            deviations[number] = coordinates.placed[one.index]
            prior[number] = 1 / (_SIZE_SD_M3_PER_H * flow_scale) ** 2
        else:
            effects[number] = one.sign * coordinates.faults[one.index]
            deviations[number] = (_FAULT_DEVIATION * effects[number]) ** 2 + _LEAST_INFORMATION
            prior[number] = 1 / _FAULT_SIZE_SD**2
    deviations[count:] = _DISTURBANCE_SD**2
    return effects, deviations, prior


def _diagonals(values: Floats) -> Floats:
    """Return diagonal matrices of the columns of values (J × K × K)."""
    out = np.zeros((values.shape[1], values.shape[0], values.shape[0]))
    place = np.arange(values.shape[0])
    out[:, place, place] = values.T
    return out


def _sizes(gram: Floats, score: Floats, inverse: Floats, effects: Floats, prior: Floats) -> Floats:
    """Return the sizes that fit best, not below zero, deviations integrated out (K)."""
    from scipy.optimize import nnls

    count = len(effects)
    adapted = gram[:, :count] @ inverse
    matter = gram[:, :count, :count] - adapted @ gram[:, :, :count]
    normal = np.einsum("kj,lj,jkl->kl", effects, effects, matter) + np.diag(prior)
    right = np.einsum("kj,kj->k", effects, score[:count] - np.einsum("jkl,lj->kj", adapted, score))
    # What leaks that look alike share cancels out: rounding may leave less than nothing of it.
    strength, axes = np.linalg.eigh((normal + normal.T) / 2)
    root = np.sqrt(np.maximum(strength, _RIDGE * strength[-1]))
    sizes, _ = nnls(root[:, None] * axes.T, (axes.T @ right) / root, maxiter=50 * count)
    return np.asarray(sizes, dtype=np.float64)
