"""Judged towns as rows for people: each town, mean and worst by kind, methods side by side.

Presentation only; the figures are `trials`'.
"""

from collections.abc import Callable, Sequence
from statistics import mean, median, stdev
from typing import Any

from .leakdb_scores import LeakdbScores, pooled
from .losses import CAUSES
from .trial import KINDS
from .trials import Judged


def town_rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return a row for each town, and for each method where there are several."""
    is_one = len({one.method for one in judged}) == 1
    return [
        {
            "town": one.trial.name,
            **({} if is_one else {"method": one.method}),
            "% of perfect": _rounded(one.score_pct, 1),
            "% crew 2000": _rounded(one.score_dear_pct, 1),
            "leaks": one.leaks,
            "hits": one.true_positives,
            "false": one.false_positives,
            "repeated": one.repeated,
            "precision": _rounded(one.precision, 2),
            "per call": _rounded(one.per_call, 2),
            "recall": _rounded(one.recall, 2),
            "abrupt h": _rounded(one.delays["abrupt_h"], 1),
            "incipient d": _rounded(one.delays["incipient_d"], 1),
            "visible d": _rounded(one.delays["visible_d"], 1),
            "distance m": _rounded(one.median_distance_m, 0),
        }
        for one in judged
    ]


def leaderboard(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return a row for each kind of town and method, best first: means over the towns."""
    rows = []
    is_one = len({j.trial.variant for j in judged}) == 1
    for variant in KINDS:
        of_kind = [j for j in judged if j.trial.variant == variant]
        methods = dict.fromkeys(j.method for j in of_kind)
        found = [_standing(name, [j for j in of_kind if j.method == name]) for name in methods]
        kind = {} if is_one else {"variant": variant}
        found.sort(key=lambda row: -(row["% of perfect"] or 0.0))
        rows += [kind | row for row in found]
    return rows


def _standing(method: str, judged: Sequence[Judged]) -> dict[str, Any]:
    leaky = [j for j in judged if j.score_pct is not None]
    clean = [j for j in judged if j.score_pct is None]
    scores = [j.score_pct for j in leaky if j.score_pct is not None]
    return {
        "method": method,
        "% of perfect": _of(mean, scores),
        "± se": _error(scores),
        "worst": _of(min, scores),
        "crew 2000": _of(mean, [j.score_dear_pct for j in leaky]),
        "precision": _of(mean, [j.precision for j in leaky], 2),
        "per call": _of(mean, [j.per_call for j in leaky], 2),
        "recall": _of(mean, [j.recall for j in leaky], 2),
        "abrupt h": _of(median, [j.delays["abrupt_h"] for j in leaky], 0),
        "incipient d": _of(median, [j.delays["incipient_d"] for j in leaky]),
        "distance m": _of(mean, [j.median_distance_m for j in leaky], 0),
        "false/clean town": _of(mean, [j.false_positives for j in clean]),
    }


def summary(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return a row for each kind of town: what detection is worth there."""
    rows: list[dict[str, Any]] = []
    for variant in KINDS:
        leaky = [j for j in judged if j.trial.variant == variant and j.score_pct is not None]
        clean = [j for j in judged if j.trial.variant == variant and j.score_pct is None]
        if not leaky and not clean:
            continue
        scores = [j.score_pct for j in leaky if j.score_pct is not None]
        row = {
            "variant": variant,
            "towns": len(leaky),
            "mean %": _of(mean, scores),
            "± se": _error(scores),
            "median %": _of(median, scores),
            "worst %": _of(min, scores),
            "crew 2000": _of(mean, [j.score_dear_pct for j in leaky]),
            "false in clean towns": sum(j.false_positives for j in clean) if clean else None,
            "clean towns": len(clean),
        }
        rows.append(row)
    return rows


def lost_rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return for each kind of town where the rest of the perfect score went, mean percent."""
    rows = []
    for variant in KINDS:
        leaky = [j for j in judged if j.trial.variant == variant and j.score_pct is not None]
        if leaky:
            parts = {c.replace("_", " "): _of(mean, [j.losses[c] for j in leaky]) for c in CAUSES}
            rows.append({"variant": variant, **parts})
    return rows


def leakdb_rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return LeakDB's scores of each of its towns, and for each method of all of them pooled."""
    scored = [(j.trial.name, j.method, j.leakdb) for j in judged if j.leakdb is not None]
    for method in dict.fromkeys(method for _, method, _ in scored):
        scored.append(("all", method, pooled([found for _, of, found in scored if of == method])))
    return [_leakdb_row(*one) for one in scored]


def _leakdb_row(town: str, method: str, scores: LeakdbScores) -> dict[str, Any]:
    return {
        "town": town,
        "method": method,
        "faults": scores.faults,
        "early detection": _rounded(scores.early_detection, 2),
        "true positive rate": _rounded(scores.true_positive_rate, 2),
        "specificity": _rounded(scores.specificity, 2),
        "accuracy": _rounded(scores.accuracy, 2),
        "precision": _rounded(scores.precision, 2),
        "F1": _rounded(scores.f1, 2),
    }


def _error(scores: Sequence[float]) -> float | None:
    """Return the standard error of a mean over towns."""
    return round(stdev(scores) / len(scores) ** 0.5, 1) if len(scores) > 1 else None


def _of(
    what: Callable[[Sequence[float]], float], values: Sequence[float | None], digits: int = 1
) -> float | None:
    known = [value for value in values if value is not None]
    return round(what(known), digits) if known else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
