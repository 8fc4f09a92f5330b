"""Whether running water is a leak: prototype first, then the bucket's risk, by occupancy.

The formulas are pinned by tests; nothing here remembers anything from step to step.
"""

from dataclasses import dataclass, field

from .context import PEOPLE_BINS, PeopleBin
from .learning import Bucket, Learned
from .prototypes import Match, carried, match
from .sessions import LEVELS_L_PER_MIN, Running
from .settings import HomeSettings

# While guests are in the house people hold flows for longer than they ever did.
GUESTS_MARGIN = 1.5
# Of a shower half or more is hot; of a burst beside a shower less.
HOT_SHARE = 0.3
_P50, _P95, _P99 = 0, 2, 3


@dataclass(frozen=True)
class Judgement:
    """What is held of a running session at one moment.

    Parameters
    ----------
    matched
        The prototype that explains it.
    bucket
        What it was compared with.
    ready
        Whether that bucket has enough sessions.
    risk
        1 is as long as this home's percentile; 0 where a prototype explains it.
    longer_than_ever
        Level (L/min) that was held for longer than this home ever did, None where none was.
    leak
        Whether the risk alone says leak, before the confirm gate.
    reasons
        Why, in words.
    """

    matched: Match | None = None
    bucket: Bucket | None = None
    ready: bool = False
    risk: float = 0.0
    longer_than_ever: float | None = None
    vacation: bool = False
    leak: bool = False
    reasons: tuple[str, ...] = field(default=())


def judge(
    running: Running,
    learned: Learned,
    settings: HomeSettings,
    *,
    explained_s: float = 0.0,
    guests: bool = False,
) -> Judgement:
    """Return what is held of a running session.

    Parameters
    ----------
    explained_s
        For how long from its start a recurring use explained it: only what came after is judged.
    """
    context = running.context
    vacation = context.occupancy_class == "vacation"
    matched = match(running, learned.prototypes, settings)
    if matched is None and not vacation:
        most = learned.buckets.get((6,))
        other = most.flow_l_per_min[_P99] if most else 0.0
        matched = carried(running, learned.prototypes, other, settings)
    bucket = learned.bucket(context, settings)
    ready = bucket is not None and bucket.count >= settings.min_count
    if matched is not None:
        name, sure = matched.prototype.prototype_id, matched.prototype.confidence
        why = f"normal: recurring use {name} (confidence {sure:.2f}, {matched.late_min:+.0f} min)"
        return Judgement(matched, bucket, ready, reasons=(why,))
    elapsed_s = running.elapsed_s - explained_s
    beyond = longer_than_ever(running, learned, settings, elapsed_s=elapsed_s, guests=guests)
    reasons: list[str] = []
    value = 0.0
    if bucket is not None:
        value = risk(
            elapsed_s,
            running.flow_l_per_min,
            bucket,
            context.people_bin,
            settings,
            night=context.occupancy_class == "night",
        )
        reasons += _of_risk(running, elapsed_s, bucket, settings)
    if vacation:
        grace_s = vacation_grace_s(learned, settings)
        value = max(value, elapsed_s / grace_s)
        reasons.append(
            f"vacation: no recurring use matches, {elapsed_s:.0f} s of a grace of {grace_s:.0f} s"
        )
    if beyond is not None and not vacation:
        reasons.append(_of_holding(running, learned, beyond))
    confirmed = beyond is not None or not settings.confirm_by_habit
    leak = (
        (elapsed_s >= vacation_grace_s(learned, settings))
        if vacation
        else (ready and confirmed and value >= 1.0)
    )
    return Judgement(None, bucket, ready, value, beyond, vacation, leak, tuple(reasons))


def risk(
    elapsed_s: float,
    flow_l_per_min: float,
    bucket: Bucket,
    people: PeopleBin,
    settings: HomeSettings,
    *,
    night: bool = False,
) -> float:
    """Return the risk of water that has run so long and so strong.

    `elapsed / (P · night) + 0.25 · max(0, flow / p95 of flow - 1) + 0.10` for an empty home,
    less 0.05 per bin of people above one; P is the bucket's p95 (or p99) of duration.
    """
    index = _P95 if settings.percentile == "p95" else _P99
    threshold_s = bucket.duration_s[index] * (settings.night_factor if night else 1.0)
    value = elapsed_s / threshold_s
    typical = bucket.flow_l_per_min[_P95]
    value += settings.flow_weight * max(0.0, flow_l_per_min / typical - 1)
    above_one = PEOPLE_BINS.index(people) - 1
    if above_one < 0:
        value += settings.empty_home_risk
    else:
        value -= settings.people_relief * above_one
    return max(0.0, value)


def longer_than_ever(
    running: Running,
    learned: Learned,
    settings: HomeSettings,
    *,
    elapsed_s: float | None = None,
    guests: bool = False,
) -> float | None:
    """Return the strongest level (L/min) held for longer than this home ever did, by a margin.

    Each level of flow has its own longest time within the horizon, of prototypes and alarms not:
    a shower is held for ten minutes, what a burst draws never was. A burst is so told within
    minutes from use that only lasts long. Where much of the water is hot, people use it, perhaps
    several at a time: it has to last twice as long to count.
    """
    margin = settings.habit_margin * (GUESTS_MARGIN if guests else 1.0)
    ever = usual_holdings(running, learned)
    # A flow a little above a level is compared with the level below: showers differ by a fifth.
    limits = (ever[0], *ever[:-1])
    most_s = running.elapsed_s if elapsed_s is None else elapsed_s
    held = (most_s, *(min(held_s, most_s) for held_s in running.held_s[1:]))
    hot = running.hot_l_per_min or 0.0
    floor_s = settings.habit_floor_s * (2 if hot >= HOT_SHARE * running.flow_l_per_min else 1)
    for level, held_s, ever_s in zip(
        reversed(LEVELS_L_PER_MIN), reversed(held), reversed(limits), strict=True
    ):
        if held_s > max(floor_s, margin * ever_s):
            return level
    return None


def usual_holdings(running: Running, learned: Learned) -> tuple[float, ...]:
    """Return for how long each level was ever held by who was at home then or is now.

    The garden's drip line has run since the night when people get up and shower.
    """
    began = learned.holdings(running.context.occupancy_class)
    if running.class_now is None or running.class_now == running.context.occupancy_class:
        return began
    return tuple(map(max, began, learned.holdings(running.class_now)))


def vacation_grace_s(learned: Learned, settings: HomeSettings) -> float:
    """Return how long an unmatched session of a vacation may last: a usual session's time."""
    bucket = learned.buckets.get((6,))
    usual_s = bucket.duration_s[_P50] if bucket else settings.vacation_grace_s
    return max(1.0, min(usual_s, settings.vacation_grace_s))


def _of_risk(
    running: Running, elapsed_s: float, bucket: Bucket, settings: HomeSettings
) -> list[str]:
    index = _P95 if settings.percentile == "p95" else _P99
    found = [
        f"runs for {elapsed_s / 60:.1f} min; {settings.percentile} of {bucket.name} is"
        f" {bucket.duration_s[index] / 60:.1f} min ({bucket.count} sessions)"
    ]
    if running.flow_l_per_min > bucket.flow_l_per_min[_P95]:
        found.append(
            f"flows at {running.flow_l_per_min:.1f} L/min; p95 is"
            f" {bucket.flow_l_per_min[_P95]:.1f} L/min"
        )
    if running.context.occupancy_class == "night":
        found.append(f"night: threshold times {settings.night_factor:g}")
    if running.context.people_bin == "0":
        found.append(f"nobody is at home: risk {settings.empty_home_risk:+.2f}")
    return found


def _of_holding(running: Running, learned: Learned, level: float) -> str:
    index = LEVELS_L_PER_MIN.index(level)
    ever_s = usual_holdings(running, learned)[max(0, index - 1)]
    held_s = running.held_s[index] if index else running.elapsed_s
    what = f"{level:g} L/min or more" if index else "water"
    return f"{what} for {held_s / 60:.1f} min; the like lasted {ever_s / 60:.1f} min at most here"
