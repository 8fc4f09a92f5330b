"""Where the leak behind an effect is: the posterior over pipes and sizes.

The likelihood of pipes given an effect; which effect, and what follows, is `history`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coordinates import Coordinates
from .explanations import CANDIDATES, HIT_M, Explanations, Place

Floats = NDArray[np.float64]

# Sizes that a leak may have in a network of L-Town's demand, m3/h: equally likely by their
# logarithm.
SIZES_M3_PER_H = np.exp(np.linspace(np.log(1.0), np.log(45.0), 16))
# Of pipes whose chance differs by less than this the likelier one: it is also the nearer one.
_AS_GOOD = 0.02


@dataclass(frozen=True, eq=False)
class Placed:
    """A leak as explanation of an effect.

    Parameters
    ----------
    gain
        Log of the marginal likelihood over that of no effect, over all pipes and sizes.
    place
        Where it is.
    of_pipes
        Largest log likelihood ratio of each pipe (P).
    shares
        Probability of each pipe (P).
    """

    gain: float
    place: Place
    of_pipes: Floats
    shares: Floats


def place(
    coordinates: Coordinates,
    explanations: Explanations,
    information: Floats,
    score: Floats,
    growth: float = 1.0,
) -> Placed:
    """Return the leak that explains an effect.

    Parameters
    ----------
    information, score
        Of the effect at its full size, by coordinate (J).
    growth
        Part of the full size that it has now: sizes are those of now.
    """
    sizes = SIZES_M3_PER_H * explanations.flow_scale / growth
    ratios = _ratios(sizes, coordinates.leaks, coordinates.strange, information, score)
    peak = float(ratios.max())
    weight = np.exp(ratios - peak)
    shares = weight.sum(axis=0)
    total = float(shares.sum())
    gain = peak + float(np.log(total / ratios.size))
    shares /= total
    near = (explanations.distance_m <= HIT_M) @ shares
    best = int(np.argmax(np.where(near >= near.max() - _AS_GOOD, shares + near, -1.0)))
    flow = float((weight[:, best] * sizes).sum() / weight[:, best].sum()) * growth
    likeliest = [int(i) for i in np.argsort(-shares, kind="stable")[:CANDIDATES]]
    ordered = [best, *(i for i in likeliest if i != best)][:CANDIDATES]
    candidates = tuple((i, float(shares[i])) for i in ordered)
    found = Place(best, float(near[best]), flow, gain, candidates)
    return Placed(gain, found, ratios.max(axis=0), shares)


def at_pipe(
    coordinates: Coordinates,
    explanations: Explanations,
    pipe: int,
    information: Floats,
    score: Floats,
) -> tuple[float, float]:
    """Return gain and size of a leak at a known pipe as explanation of an effect."""
    sizes = SIZES_M3_PER_H * explanations.flow_scale
    one = slice(pipe, pipe + 1)
    ratios = _ratios(
        sizes, coordinates.leaks[one], coordinates.strange[one], information, score
    ).ravel()
    peak = float(ratios.max())
    return peak + float(np.log(np.exp(ratios - peak).mean())), float(sizes[ratios.argmax()])


def _ratios(
    sizes: Floats, effects: Floats, strange: Floats, information: Floats, score: Floats
) -> Floats:
    """Return log likelihood ratios of leaks over none (sizes × pipes)."""
    measured = score / information
    variance = 1 / information + sizes[:, None, None] ** 2 * strange[None]
    rest = measured - sizes[:, None, None] * effects[None]
    likelihood = -(rest * rest / variance + np.log(variance)).sum(axis=2) / 2
    nothing = -(measured * score - np.log(information)).sum() / 2
    return np.asarray(likelihood - nothing, dtype=np.float64)
