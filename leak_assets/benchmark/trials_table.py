"""Judged towns as rows for people: each town, and mean, median and worst by kind of town.

Presentation only; the figures are `trials`'.
"""

from collections.abc import Callable, Sequence
from statistics import mean, median, stdev
from typing import Any

from .losses import CAUSES
from .trials import VARIANTS, Judged


def town_rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return a row for each town."""
    return [
        {
            "town": one.trial.name,
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


def summary(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return a row for each kind of town: what detection is worth there."""
    rows: list[dict[str, Any]] = []
    for variant in VARIANTS:
        leaky = [j for j in judged if j.trial.variant == variant and j.score_pct is not None]
        clean = [j for j in judged if j.trial.variant == variant and j.score_pct is None]
        if not leaky and not clean:
            continue
        scores = [j.score_pct for j in leaky if j.score_pct is not None]
        row = {
            "variant": variant,
            "towns": len(leaky),
            "mean %": _of(mean, scores),
            "± se": _rounded(stdev(scores) / len(scores) ** 0.5, 1) if len(scores) > 1 else None,
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
    for variant in VARIANTS:
        leaky = [j for j in judged if j.trial.variant == variant and j.score_pct is not None]
        if leaky:
            parts = {c.replace("_", " "): _of(mean, [j.losses[c] for j in leaky]) for c in CAUSES}
            rows.append({"variant": variant, **parts})
    return rows


def _of(what: Callable[[Sequence[float]], float], values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(what(known), 1) if known else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
