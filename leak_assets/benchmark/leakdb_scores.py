"""LeakDB's scores: per time step leak or none, and how early a fault is told.

Pure functions over labels, and how labels follow from leaks and from incidents; where a leak is
plays no part here (that is `score`'s).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from math import exp
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.exchange.battledim.truth import Truth

Labels = NDArray[np.bool_]
STEP = timedelta(minutes=30)
EXTRA_STEPS = 10
"""By how much a fault's window outlasts it."""
LEAST_SHARE = 0.75
"""Of the labels from the first alarm on, in a fault's window; more must say leak."""
_STEEPNESS = 5.0


@dataclass(frozen=True)
class Period:
    """A time that begins and may end (UTC); `until` is the first moment after it."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class LeakdbScores:
    """Counts of steps and faults of a scenario; the sum of two is both scenarios pooled.

    Parameters
    ----------
    true_positives, false_positives, true_negatives, false_negatives
        Steps.
    faults
        Runs of steps on which something leaks.
    early
        Sum of the early-detection scores of the faults.
    """

    true_positives: int = 0
    false_positives: int = 0
    true_negatives: int = 0
    false_negatives: int = 0
    faults: int = 0
    early: float = 0.0

    def __add__(self, other: Self) -> "LeakdbScores":
        """Return the scores of both scenarios together, as LeakDB's program pools them."""
        names = [field.name for field in fields(self)]
        return LeakdbScores(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def true_positive_rate(self) -> float | None:
        """Share of the leaking steps that are told (LeakDB's STPR); None where none leaks."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float | None:
        """Share of the sound steps without alarm (LeakDB's STNR); None where all leak."""
        return _share(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def accuracy(self) -> float | None:
        """Share of the steps that are told as they are."""
        right = self.true_positives + self.true_negatives
        return _share(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float | None:
        """Share of the steps with alarm on which something leaks; None without alarm."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN); None where nothing leaks and nothing is told."""
        twice = 2 * self.true_positives
        return _share(twice, twice + self.false_positives + self.false_negatives)

    @property
    def early_detection(self) -> float | None:
        """Mean early-detection score of the faults (LeakDB's SED); None without a fault."""
        return self.early / self.faults if self.faults else None


def leakdb_scores(leaking: Labels, told: Labels) -> LeakdbScores:
    """Return the scores of a scenario.

    Parameters
    ----------
    leaking, told
        At each half-hour (T): whether something leaks, whether the method says so.

    Raises
    ------
    ValueError
        The two are not of one length.

    References
    ----------
    Vrachimis, Kyriakou, Eliades and Polycarpou, "LeakDB: a benchmark dataset for leakage
    diagnosis in water distribution networks", WDSA/CCWI 2018, and the published program
    (KIOS-Research/LeakDB, `CCWI-WDSA2018/Scoring Function/scoring_algorithm.m`), which adds up
    steps and faults of all scenarios before it divides.
    """
    if leaking.shape != told.shape:
        raise ValueError(f"{leaking.shape} labels of leaks and {told.shape} of alarms")
    early = early_detection_scores(leaking, told)
    return LeakdbScores(
        int((leaking & told).sum()),
        int((~leaking & told).sum()),
        int((~leaking & ~told).sum()),
        int((leaking & ~told).sum()),
        len(early),
        sum(early),
    )


def early_detection_scores(leaking: Labels, told: Labels) -> list[float]:
    """Return the early-detection score of each fault, by time: 1 at once, 0 never.

    A fault is a run of leaking steps; its window goes `EXTRA_STEPS` beyond its last step, or to
    the end of the scenario. With the first alarm Dt steps after the fault's begin and a window of
    tw steps after its first, it is worth 2 / (1 + exp(5 Dt / tw)) where more than `LEAST_SHARE`
    of the labels from that alarm to the window's end say leak, else nothing.

    References
    ----------
    As of `leakdb_scores`. Two oddities of the published program are not repeated: a fault that
    runs until the end of the scenario has no end there, and a window that was cut at the end of
    one scenario stays shorter in all that follow. An alarm that was up before the fault began
    counts as told at once, as there. EPyT-Flow's reimplementation looks at the first ten steps of
    each leak alone and gives other figures.
    """
    edges = np.diff(np.concatenate([[False], leaking, [False]]).astype(np.int8))
    found = []
    for first, after in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        window = told[first : after + EXTRA_STEPS]
        if not window.any():
            found.append(0.0)
            continue
        delay = int(window.argmax())
        is_kept = window[delay:].mean() > LEAST_SHARE
        # A window of one step is told at once or not at all.
        length = max(len(window) - 1, 1)
        found.append(2 / (1 + exp(_STEEPNESS * delay / length)) if is_kept else 0.0)
    return found


def labels(periods: Iterable[Period], start_at: datetime, steps: int) -> Labels:
    """Return for each half-hour from a start whether it begins within one of the periods (T)."""
    out = np.zeros(steps, dtype=np.bool_)
    for period in periods:
        until = steps if period.until is None else _first_step(period.until - start_at)
        out[max(_first_step(period.since - start_at), 0) : max(until, 0)] = True
    return out


def true_labels(truth: Truth) -> Labels:
    """Return for each half-hour of a truth's period whether something leaks (T).

    As in LeakDB a leak counts from its start on, however little it takes then.
    """
    running = [
        Period(leak.start_at, None if leak.end_at >= truth.end_at else leak.end_at)
        for leak in truth.leaks
    ]
    return labels(running, truth.start_at, (truth.end_at - truth.start_at) // STEP + 1)


def alarms(events: pl.DataFrame) -> list[Period]:
    """Return when incidents were open, by what was known then.

    Parameters
    ----------
    events
        Rows of `incidents.incident_events` of one network.
    """
    found: list[Period] = []
    for _, of_one in events.sort("incident_id", "revision").group_by(
        "incident_id", maintain_order=True
    ):
        since: datetime | None = None
        for at, status in of_one.select("event_at", "status").rows():
            if status == "closed" and since is not None:
                found.append(Period(since, at))
                since = None
            elif status != "closed" and since is None:
                since = at
        if since is not None:
            found.append(Period(since))
    return found


def pooled(scores: Sequence[LeakdbScores]) -> LeakdbScores:
    """Return the scores of all scenarios together."""
    return sum(scores, start=LeakdbScores())


def _first_step(after: timedelta) -> int:
    """Return the first half-hour that begins at or after a time since the start."""
    return -(-after // STEP)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
