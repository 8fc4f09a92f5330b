"""A step over a range of days in which some cannot be made: the others go on.

For Dagster's assets and for the runs without a daemon alike. What a step makes, and when, is the
runner's matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.pipeline.step import Step
from leak_assets.quality.breaks import READINGS, known_breaks
from leak_assets.sites.site import Site
from leak_assets.warehouse import Written


@dataclass(frozen=True)
class SoundDays:
    """What a step made of some days.

    Parameters
    ----------
    written
        What it wrote or kept.
    days
        Those that it could make, in order.
    problems
        Why it could not make the others, one line each.
    """

    written: list[Written]
    days: list[date]
    problems: dict[date, str]


def run_sound_days(step: Step, ctx: StepContext, site: Site, days: Sequence[date]) -> SoundDays:
    """Bring the days of a step up to date that can be made; what is up to date costs little.

    Of a day that is known to break its contract, nothing is made but the readings.

    Raises
    ------
    InputError
        What stands in the way is the same for each of several days.
    """
    problems = {} if READINGS in step.writes else _broken(ctx, site, days)
    whole = [day for day in sorted(days) if day not in problems]
    failed: dict[date, InputError] = {}
    written = _halved(step, ctx, site, whole, failed)
    if len(failed) == len(whole) > 1 and len(set(map(str, failed.values()))) == 1:
        raise failed[whole[0]]
    problems |= {day: f"{site.name} {day} {step.name}: {error}" for day, error in failed.items()}
    return SoundDays(written, [day for day in whole if day not in failed], problems)


def _broken(ctx: StepContext, site: Site, days: Sequence[date]) -> dict[date, str]:
    found = {day: known_breaks(ctx, site, day) for day in days}
    return {day: "; ".join(lines) for day, lines in found.items() if lines}


def _halved(
    step: Step, ctx: StepContext, site: Site, days: Sequence[date], failed: dict[date, InputError]
) -> list[Written]:
    """Make all days that can be made, and note the others."""
    if not days:
        return []
    try:
        return run_step(step, ctx, site, day_partitions(days, site.name))
    except InputError as error:
        if len(days) == 1:
            failed[days[0]] = error
            return []
    half = len(days) // 2
    return _halved(step, ctx, site, days[:half], failed) + _halved(
        step, ctx, site, days[half:], failed
    )
