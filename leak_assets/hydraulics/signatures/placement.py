"""Sensor placement: which junctions, watched by pressure sensors, miss the fewest leaks.

Arithmetic on leak responses alone; solving the network for them, tables and partitions are
`placement_steps`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError

# A leak is missed where it stays below this many standard deviations of noise at every sensor.
DETECTION_SD = 3.0
# A leak is found where its pipe is among this many (LOC1's top-5 hit).
TOP_K = 5
# Each junction is tried against each leak and pipe. More leaks than these take longer and choose
# no better on L-Town; fewer leaks are repeated with noise of their own.
MOST_CASES = 512
RANDOM_PLACEMENTS = 20
# A pipe that no sensor feels has no size that fits; below this its response is nothing.
_NO_RESPONSE = np.float32(1e-12)
_CHOICE, _TRIAL, _RANDOM = 0xC0, 0x7E, 0x5A

Floats = NDArray[np.float64]
_State = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True)
class LeakCases:
    """Leaks, and what they would do to a pressure sensor at each junction.

    Parameters
    ----------
    residual_m
        What the twin's residual shows of each leak, without noise (M × N).
    pipe
        Position of the leaking pipe in the signatures (M).
    leak_m3_per_s
        Size of each leak (M).
    """

    residual_m: Floats
    pipe: NDArray[np.int64]
    leak_m3_per_s: Floats

    @classmethod
    def of_sizes(cls, signatures: Floats, sizes: Floats) -> "LeakCases":
        """Return a leak of each size at each pipe.

        Parameters
        ----------
        signatures
            Response per m3/s of leak at each size (Z × P × N).
        sizes
            m3/s (Z).
        """
        count, pipes, junctions = signatures.shape
        return cls(
            (signatures * sizes[:, None, None]).reshape(count * pipes, junctions),
            np.tile(np.arange(pipes), count),
            np.repeat(sizes, pipes),
        )

    def resized(self, count: int, rng: np.random.Generator) -> "LeakCases":
        """Return `count` leaks: a random part of these, or these over and over."""
        have = self.pipe.size
        rows = (
            np.sort(rng.choice(have, count, replace=False))
            if have > count
            else np.tile(np.arange(have), count // have)
        )
        return LeakCases(self.residual_m[rows], self.pipe[rows], self.leak_m3_per_s[rows])


@dataclass(frozen=True)
class Quality:
    """What a set of sensors makes of leaks, each value from 0 to 1.

    Parameters
    ----------
    seen_share
        Share of leaks beyond the detection limit at a sensor or more; the rest is missed.
    top1_hit, topk_hit
        Share of leaks that are seen and whose pipe has the nearest signature, or one of the
        `TOP_K` nearest.
    mrr
        Mean reciprocal rank of the pipe, 0 for a missed leak.
    """

    seen_share: float
    top1_hit: float
    topk_hit: float
    mrr: float


class Pinpointing:
    """Nearest-signature pinpointing of leaks of unknown size, extended sensor by sensor.

    The residual r of a leak is compared with a·s: s the signature of a pipe, a the size within
    the range of sizes that fits best. The pipe of smallest |r − a·s| is the most likely one under
    equal Gaussian noise at all sensors.

    Parameters
    ----------
    signatures
        Response per m3/s of leak, m/(m3/s) (P × N).
    cases
        The leaks.
    noise_m
        Standard deviation of a residual in metres.
    rng
        Draws the noise.
    """

    def __init__(
        self, signatures: Floats, cases: LeakCases, noise_m: float, rng: np.random.Generator
    ) -> None:
        noise = rng.normal(0.0, noise_m, cases.residual_m.shape)
        self._signatures = signatures.astype(np.float32)
        self._observed = (cases.residual_m + noise).astype(np.float32)
        self._over = np.abs(cases.residual_m) > DETECTION_SD * noise_m
        self._pipe = cases.pipe
        self._sizes = (
            np.float32(cases.leak_m3_per_s.min()),
            np.float32(cases.leak_m3_per_s.max()),
        )
        count, pipes = cases.pipe.size, signatures.shape[0]
        self._rows = np.arange(count)
        # Products r·s (M × P), squares s·s (P), and which leaks are seen (M), of all sensors.
        self._state: _State = (
            np.zeros((count, pipes), dtype=np.float32),
            np.zeros(pipes, dtype=np.float32),
            np.zeros(count, dtype=np.bool_),
        )

    def place(self, junction: int) -> None:
        """Place a sensor at a junction, by its number."""
        self._state = self._with(junction)

    def quality(self, junction: int | None = None) -> Quality:
        """Return the quality of the sensors, or what one more would make of it.

        Pipes that fit equally well share the mean of their ranks: a sensor that cannot tell pipes
        apart gains nothing from their order.
        """
        product, square, seen = self._state if junction is None else self._with(junction)
        size = np.clip(product / np.maximum(square, _NO_RESPONSE), *self._sizes)
        # |r − a·s|² less |r|², which is the same for every pipe.
        distance = size * (size * square - 2 * product)
        own = distance[self._rows, self._pipe][:, None]
        rank = (distance < own).sum(axis=1) + ((distance == own).sum(axis=1) - 1) / 2
        return Quality(
            seen_share=float(seen.mean()),
            top1_hit=float((seen & (rank < 1)).mean()),
            topk_hit=float((seen & (rank < TOP_K)).mean()),
            mrr=float((seen / (1 + rank)).mean()),
        )

    def _with(self, junction: int) -> _State:
        product, square, seen = self._state
        signature = self._signatures[:, junction]
        return (
            product + self._observed[:, junction, None] * signature,
            square + signature * signature,
            seen | self._over[:, junction],
        )


def place_sensors(
    signatures: Floats, cases: LeakCases, *, sensors: int, noise_m: float, seed: int
) -> list[int]:
    """Return the numbers of the chosen junctions, the most useful first.

    Greedy: each sensor is the one that adds most to the share of leaks seen plus the mean
    reciprocal rank of their pipes, so the first k of a longer placement are the placement of k.
    (The reciprocal rank rewards every place that a pipe moves up; a top-5 hit is blind to all but
    one.) For the share seen alone, a coverage, greedy choice reaches at least 1 − 1/e of the best
    (Nemhauser, Wolsey and Fisher 1978, doi:10.1007/BF01588971).

    Parameters
    ----------
    signatures
        Response per m3/s of leak at each junction, m/(m3/s) (P × N).
    cases
        Leaks to see and to tell apart.
    sensors
        How many, from 1 to N.
    noise_m
        Standard deviation of a residual in metres.
    seed
        Of the leaks that are drawn and their noise; the same seed gives the same list.

    Raises
    ------
    InputError
        More sensors than junctions, or fewer than one; noise that is not positive.
    """
    junctions = signatures.shape[1]
    check_request(sensors, junctions, noise_m)
    rng = np.random.default_rng([seed, _CHOICE])
    pinpointing = Pinpointing(signatures, cases.resized(MOST_CASES, rng), noise_m, rng)
    chosen: list[int] = []
    for _ in range(sensors):
        gains = [
            -1.0 if number in chosen else _worth(pinpointing.quality(number))
            for number in range(junctions)
        ]
        chosen.append(int(np.argmax(gains)))
        pinpointing.place(chosen[-1])
    return chosen


def check_request(sensors: int, junctions: int, noise_m: float) -> None:
    """Refuse more sensors than junctions, fewer than one, and noise that is not positive."""
    if not 1 <= sensors <= junctions:
        raise InputError(
            f"{sensors} sensors cannot be placed at {junctions} junctions",
            remedy=f"Use a number from 1 to {junctions}",
        )
    if not noise_m > 0:
        raise InputError(f"noise of {noise_m} m", remedy="Give a positive number of metres")


def placement_quality(
    signatures: Floats, cases: LeakCases, chosen: list[int], *, noise_m: float, seed: int
) -> list[Quality]:
    """Return the quality of the first sensor, the first two and so on, on given leaks."""
    rng = np.random.default_rng([seed, _TRIAL])
    pinpointing = Pinpointing(signatures, cases, noise_m, rng)
    found = []
    for number in chosen:
        pinpointing.place(number)
        found.append(pinpointing.quality())
    return found


def random_quality(
    signatures: Floats, cases: LeakCases, sensors: int, *, noise_m: float, seed: int
) -> list[list[Quality]]:
    """Return the quality of random placements of 1, 2 … sensors, in the same noise."""
    rng = np.random.default_rng([seed, _RANDOM])
    return [
        placement_quality(
            signatures,
            cases,
            rng.choice(signatures.shape[1], sensors, replace=False).tolist(),
            noise_m=noise_m,
            seed=seed,
        )
        for _ in range(RANDOM_PLACEMENTS)
    ]


def _worth(quality: Quality) -> float:
    return quality.seen_share + quality.mrr
