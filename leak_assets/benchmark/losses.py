"""Where the euros of a score went: by what kind of leak, and how it was lost.

Arithmetic over a scored submission; the rules of the score itself are `score`.
"""

from statistics import median

import numpy as np

from leak_assets.exchange.battledim.truth import TrueLeak, Truth

from .score import MAX_DISTANCE_M, STEPS_PER_H, ScoreResult, volume_from

INCIPIENT = "incipient"
# From here on the published methods see a growing leak of L-Town at all.
VISIBLE_M3_PER_H = 1.5
CAUSES = (
    "new_missed",
    "old_missed",
    "old_late",
    "incipient_late",
    "abrupt_late",
    "misplaced",
    "false_calls",
)


def losses(
    truth: Truth, result: ScoreResult, *, price_eur_per_m3: float, crew_eur: float
) -> dict[str, float]:
    """Return the part of the perfect score that was lost by each of `CAUSES`, in percent.

    Old leaks are those that run when the period begins. Empty where nothing leaks.
    """
    if result.max_score_eur <= 0:
        return {}
    lost = dict.fromkeys(CAUSES, 0.0)
    saved = {leak: volume for leak, volume, _ in _found(result)}
    for leak in truth.leaks:
        whole = volume_from(leak, truth.step(leak.start_at)) * price_eur_per_m3
        if leak.link_id not in saved:
            lost["old_missed" if _is_old(truth, leak) else "new_missed"] += whole
            continue
        late = whole - saved[leak.link_id] * price_eur_per_m3
        kind = "incipient_late" if leak.leak.kind == INCIPIENT else "abrupt_late"
        lost["old_late" if _is_old(truth, leak) else kind] += late
    away = result.detections["distance_m"].drop_nulls().sum()
    lost["misplaced"] = float(away) / MAX_DISTANCE_M * crew_eur
    lost["false_calls"] = result.false_positives * crew_eur
    return {cause: 100 * eur / result.max_score_eur for cause, eur in lost.items()}


def delays(truth: Truth, result: ScoreResult) -> dict[str, float | None]:
    """Return median delays of the new leaks that were found.

    `abrupt_h` and `incipient_d` since their begin, `visible_d` of incipient leaks since they
    passed `VISIBLE_M3_PER_H`; None where there is none.
    """
    found = {leak: hours for leak, _, hours in _found(result)}
    abrupt_h, incipient_d, visible_d = [], [], []
    for leak in truth.leaks:
        if leak.link_id not in found or _is_old(truth, leak):
            continue
        hours = found[leak.link_id]
        if leak.leak.kind != INCIPIENT:
            abrupt_h.append(hours)
            continue
        incipient_d.append(hours / 24)
        seen = np.flatnonzero(leak.flow_m3_per_h >= VISIBLE_M3_PER_H)
        if len(seen):
            after_h = (int(seen[0]) - truth.step(leak.start_at)) / STEPS_PER_H
            visible_d.append((hours - after_h) / 24)
    parts = {"abrupt_h": abrupt_h, "incipient_d": incipient_d, "visible_d": visible_d}
    return {name: median(values) if values else None for name, values in parts.items()}


def _found(result: ScoreResult) -> list[tuple[str, float, float]]:
    """Return pipe, saved m3 and delay in hours of the leaks that were found."""
    columns = ("leak_link_id", "saved_m3", "delay_h")
    rows = result.detections.filter(outcome="TP").select(columns).rows()
    return [(str(link), float(saved), float(delay)) for link, saved, delay in rows]


def _is_old(truth: Truth, leak: TrueLeak) -> bool:
    return leak.start_at < truth.start_at
