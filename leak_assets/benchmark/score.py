"""What a submission is worth by the rules of BattLeDIM 2020, in euro.

The rules and nothing else: files are read in `exchange.battledim`, detections made elsewhere.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.exchange.battledim.submission import read_submission
from leak_assets.exchange.battledim.truth import TrueLeak, Truth, read_truth
from leak_assets.sites.distance import PipeDistance
from leak_assets.warehouse.schemas.table import UTC_US

STEPS_PER_H = 12
MAX_DISTANCE_M = 300.0
PRICE_EUR_PER_M3 = 0.80
CREW_EUR = 500.0
_DAYS_PER_MONTH = 365.25 / 12

DETECTION_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.Int64,
    "link_id": pl.String,
    "detected_at": UTC_US,
    "outcome": pl.String,
    "leak_link_id": pl.String,
    "value_eur": pl.Float64,
    "distance_m": pl.Float64,
    "delay_h": pl.Float64,
    "saved_m3": pl.Float64,
}


@dataclass(frozen=True)
class ScoreResult:
    """The score of a submission. Money in euro; None where there is nothing to divide by.

    `detections` has one row per detection in order of time (outcome `TP`, `FP`, `repeated` or
    `before_period`); `delay_h` counts from the leak's start or the period's, whichever is later.
    """

    score_eur: float
    max_score_eur: float
    score_pct: float | None
    leaks: int
    true_positives: int
    false_positives: int
    false_negatives: int
    repeated: int
    before_period: int
    precision: float | None
    recall: float | None
    median_delay_h: float | None
    mean_distance_m: float | None
    false_alarms_per_month: float
    water_saved_m3: float
    water_lost_m3: float
    missed: tuple[str, ...]
    detections: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values, rounded as people read them."""
        return {
            "score_eur": round(self.score_eur, 2),
            "max_score_eur": round(self.max_score_eur, 2),
            "score_pct": _rounded(self.score_pct, 2),
            "leaks": self.leaks,
            "TP": self.true_positives,
            "FP": self.false_positives,
            "FN": self.false_negatives,
            "repeated": self.repeated,
            "before_period": self.before_period,
            "precision": _rounded(self.precision, 3),
            "recall": _rounded(self.recall, 3),
            "median_delay_h": _rounded(self.median_delay_h, 2),
            "mean_distance_m": _rounded(self.mean_distance_m, 2),
            "false_alarms_per_month": round(self.false_alarms_per_month, 3),
            "water_saved_m3": round(self.water_saved_m3, 1),
            "water_lost_m3": round(self.water_lost_m3, 1),
            "missed": list(self.missed),
        }


def score(
    truth_dir: Path | str,
    submission_path: Path | str,
    *,
    max_distance_m: float = MAX_DISTANCE_M,
    price_eur_per_m3: float = PRICE_EUR_PER_M3,
    crew_eur: float = CREW_EUR,
) -> ScoreResult:
    """Return what a submission is worth.

    Detections count in order of time (ties in file order). One that lies within
    `max_distance_m` of a leak running then, and not found before, is worth the water that the
    nearest such leak loses from then to the end of the period, less
    `distance / max_distance_m * crew_eur`. One that only meets leaks found before is worth
    nothing; one that meets none costs `crew_eur`. Detections before the period are ignored.

    References
    ----------
    Vrachimis et al., "Battle of the Leakage Detection and Isolation Methods",
    J. Water Resour. Plann. Manage. 148(12), 2022; the organizers' published reports.

    Raises
    ------
    InputError
        A file is missing or malformed, or a detection names a link the network does not have.
    """
    truth = read_truth(Path(truth_dir))
    path = Path(submission_path)
    distance = PipeDistance(truth.network())
    known = set(distance.link_ids)
    entries = []
    for row, link, when in read_submission(path):
        if link not in known:
            raise InputError(
                f"the network has no link {link!r}",
                remedy="Use link names of the network model",
                file=path,
                row=row,
                column="linkID",
            )
        entries.append((truth.step(when), row, link, when))
    entries.sort(key=lambda entry: (entry[0], entry[1]))

    found: set[int] = set()
    rows = []
    for step, row, link, when in entries:
        running = [
            (distance(leak.link_id, link), index)
            for index, leak in enumerate(truth.leaks)
            if truth.step(leak.start_at) <= step <= truth.step(leak.end_at)
        ]
        outcome = _judge(running, found, step, max_distance_m)
        value: tuple[Any, ...] = (None, 0.0, None, None, None)
        if isinstance(outcome, str):
            value = (None, -crew_eur if outcome == "FP" else 0.0, None, None, None)
        else:
            metres, index = outcome
            found.add(index)
            leak, outcome = truth.leaks[index], "TP"
            saved = volume_from(leak, step)
            delay = (step - max(truth.step(leak.start_at), 0)) / STEPS_PER_H
            gain = saved * price_eur_per_m3 - metres / max_distance_m * crew_eur
            value = (leak.link_id, gain, metres, delay, saved)
        rows.append((row, link, when, outcome, *value))
    table = pl.DataFrame(rows, schema=DETECTION_COLUMNS, orient="row")
    return _result(truth, found, table, price_eur_per_m3)


def _judge(
    running: list[tuple[float, int]], found: set[int], step: int, max_distance_m: float
) -> tuple[float, int] | str:
    """Return distance and number of the leak that a detection finds, or its outcome.

    `running` has distance in metres and number of every leak that runs at the step.
    """
    if step < 0:
        return "before_period"
    near = [hit for hit in running if hit[0] <= max_distance_m]
    fresh = [hit for hit in near if hit[1] not in found]
    if fresh:
        return min(fresh)
    return "repeated" if near else "FP"


def volume_from(leak: TrueLeak, step: int) -> float:
    """Return the water lost from a step to the end of the period, m3.

    The organizers count samples from 1: the detection at step 1 saves from the first sample on.
    """
    flow: NDArray[np.float64] = leak.flow_m3_per_h[max(step, 1) - 1 :]
    return float(flow.sum()) / STEPS_PER_H


def _result(truth: Truth, found: set[int], table: pl.DataFrame, price: float) -> ScoreResult:
    hits = table.filter(pl.col("outcome") == "TP")
    counts = {name: table.filter(pl.col("outcome") == name).height for name in _OUTCOMES}
    lost = sum(volume_from(leak, truth.step(leak.start_at)) for leak in truth.leaks)
    total, most = float(table["value_eur"].sum()), lost * price
    reported = counts["TP"] + counts["FP"]
    months = truth.steps / STEPS_PER_H / 24 / _DAYS_PER_MONTH
    delay, distance = hits["delay_h"].median(), hits["distance_m"].mean()
    return ScoreResult(
        score_eur=total,
        max_score_eur=most,
        score_pct=100 * total / most if most > 0 else None,
        leaks=len(truth.leaks),
        true_positives=counts["TP"],
        false_positives=counts["FP"],
        false_negatives=len(truth.leaks) - len(found),
        repeated=counts["repeated"],
        before_period=counts["before_period"],
        precision=counts["TP"] / reported if reported else None,
        recall=len(found) / len(truth.leaks) if truth.leaks else None,
        median_delay_h=None if delay is None else float(delay),  # type: ignore[arg-type]
        mean_distance_m=None if distance is None else float(distance),  # type: ignore[arg-type]
        false_alarms_per_month=counts["FP"] / months,
        water_saved_m3=float(hits["saved_m3"].sum()),
        water_lost_m3=lost,
        missed=tuple(leak.link_id for i, leak in enumerate(truth.leaks) if i not in found),
        detections=table,
    )


_OUTCOMES = ("TP", "FP", "repeated", "before_period")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
