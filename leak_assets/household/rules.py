"""Rules beside the learned model: trickle, running toilet, water that never rests, use at night.

Each remembers the little that it needs and says its reason; the engine raises the alarm.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from .context import zone_of
from .learning import Learned
from .meter import Step
from .sessions import Running, Session
from .settings import HomeSettings

# A cistern fills in less; its refills come back at equal times, people do not.
LONGEST_REFILL_S = 180.0
SPACING_TOLERANCE = 0.10
# A toilet that loses little refills rarely: so many at equal times within hours.
SLOW_COUNT, SLOW_WINDOW_S, MEMORY = 6, 4 * 3600.0, 40
NIGHT_ENDS_H = 5
# Other uses hide refills for a while; a toilet that stopped running has none for an hour.
REFILLS_REST_S = 3600.0


@dataclass(frozen=True)
class Refill:
    """A short session that may be a refill: start (s since 1970), volume, how long it took."""

    start_s: float
    volume_l: float
    duration_s: float


@dataclass(frozen=True)
class RuleMemory:
    """What the rules remember.

    Parameters
    ----------
    unrested_s
        Measured time since a step without flow.
    refills
        The latest short sessions.
    refilling_until_s
        Until when the last refill of a series counts.
    refill
        A refill of the newest series.
    """

    unrested_s: float = 0.0
    refills: tuple[Refill, ...] = ()
    refilling_until_s: float = 0.0
    refill: Refill | None = None


def remember(
    memory: RuleMemory,
    step: Step,
    missing_s: float,
    ended: Session | None,
    settings: HomeSettings,
) -> RuleMemory:
    """Return the memory after a step and the session that ended with it."""
    unrested_s = 0.0 if missing_s > settings.missing_s else memory.unrested_s
    wet = step.flow_l_per_min >= settings.min_flow_l_per_min
    unrested_s = unrested_s + step.seconds if wet else 0.0
    if ended is None or ended.duration_s > LONGEST_REFILL_S or ended.ended_by != "no_flow":
        if unrested_s == memory.unrested_s:
            return memory
        return replace(memory, unrested_s=unrested_s)
    start_s = ended.start_at.timestamp()
    recent = [r for r in memory.refills if r.start_s > start_s - SLOW_WINDOW_S][-MEMORY + 1 :]
    new = Refill(start_s, ended.volume_l, ended.duration_s)
    refills = (*recent, new)
    until_s, refill = memory.refilling_until_s, memory.refill
    spacing_s = refill_spacing_s(refills, settings)
    if spacing_s is not None:
        until_s, refill = step.end_s + max(REFILLS_REST_S, 3 * spacing_s), new
    elif until_s >= step.end_s and refill is not None and _is_like(new, refill, settings):
        # People flush and tap between: a toilet that runs goes on running.
        until_s = max(until_s, step.end_s + REFILLS_REST_S)
    return RuleMemory(unrested_s, refills, until_s, refill)


def _is_like(one: Refill, other: Refill, settings: HomeSettings) -> bool:
    return (
        abs(one.volume_l - other.volume_l) <= settings.refill_tolerance * other.volume_l
        and abs(one.duration_s - other.duration_s) <= settings.step_s + 1e-6
    )


def refill_spacing_s(refills: Iterable[Refill], settings: HomeSettings) -> float | None:
    """Return the time between the refills of a running toilet, None where there is none.

    Equal volumes at equal times, up to the last session: four within a quarter of an hour, or
    six within four hours. Other uses between them are left aside.
    """
    all_refills = tuple(refills)
    if not all_refills:
        return None
    last = all_refills[-1]
    equal = [r for r in all_refills if _is_like(r, last, settings)]
    quick = [r for r in equal if r.start_s >= last.start_s - settings.refill_window_s]
    for series, count in ((quick, settings.refill_count), (equal[-SLOW_COUNT:], SLOW_COUNT)):
        # A meter's steps make two of the same length differ by one step, not by two.
        lengths = [r.duration_s for r in series]
        if len(series) < count or max(lengths) - min(lengths) > settings.step_s + 1e-6:
            continue
        spaces = sorted(b.start_s - a.start_s for a, b in pairwise(series))
        middle = spaces[len(spaces) // 2]
        if all(abs(space - middle) <= SPACING_TOLERANCE * middle for space in spaces):
            return middle
    return None


def broken_rules(
    memory: RuleMemory,
    running: Running | None,
    step: Step,
    learned: Learned,
    settings: HomeSettings,
    explained_s: float = 0.0,
) -> dict[str, str]:
    """Return the rules that are broken now, each with its reason in words.

    Parameters
    ----------
    explained_s
        For how long from its start a recurring use explained the session: the end of a drip line
        is no trickle of its own.
    """
    found: dict[str, str] = {}
    if running is not None and running.dry_s == 0:
        most_s = max(settings.low_flow_s, settings.habit_margin * learned.longest_low_s)
        low_s = min(running.low_s, running.elapsed_s - explained_s)
        if low_s >= most_s:
            found["low_flow"] = (
                f"low_flow: a trickle of {running.flow_l_per_min:.2f} L/min for"
                f" {low_s / 60:.0f} min; up to {most_s / 60:.0f} min is usual"
            )
    if memory.refilling_until_s >= step.end_s:
        litres = memory.refills[-1].volume_l if memory.refills else 0.0
        found["tank_refill"] = (
            f"tank_refill: equal refills of {litres:.1f} L again and again, as of a running toilet"
        )
    if memory.unrested_s >= settings.continuous_s:
        found["continuous"] = (
            f"continuous: the flow has not rested for {memory.unrested_s / 3600:.0f} h"
        )
    if memory.unrested_s >= settings.night_use_s:
        local = datetime.fromtimestamp(step.end_s, UTC).astimezone(zone_of(settings.zone))
        into_night_s = local.hour * 3600 + local.minute * 60 + local.second
        if settings.night_use_s <= into_night_s <= NIGHT_ENDS_H * 3600:
            found["night_use"] = (
                f"night_use: water has run for {memory.unrested_s / 3600:.1f} h without rest in"
                " the night"
            )
    return found
