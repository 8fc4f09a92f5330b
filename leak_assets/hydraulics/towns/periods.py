"""From when to when something holds in a run: checked times, and the steps between them."""

from datetime import datetime, timedelta
from math import ceil


def period_problem(
    start_at: datetime, end_at: datetime | None, *between: datetime | None
) -> tuple[str, str] | None:
    """Return what is wrong with a period and its remedy; None where nothing is.

    Parameters
    ----------
    end_at
        None for a period without an end.
    between
        Further times of it, of which only the zone is checked.
    """
    if any(time is not None and time.tzinfo is None for time in (start_at, end_at, *between)):
        return "a time has no time zone", "Give times in UTC"
    if end_at is not None and end_at <= start_at:
        return (
            f"ends at {end_at:%Y-%m-%d %H:%M}, not after its start {start_at:%Y-%m-%d %H:%M}",
            "Put the end after the start",
        )
    return None


def steps_between(
    start_at: datetime, end_at: datetime, *, run_start_at: datetime, step_s: int, steps: int
) -> range:
    """Return the steps of a run from the first not before the start to the last before the end.

    Parts of the period outside of the run have no steps.
    """
    step = timedelta(seconds=step_s)
    first = min(max(0, ceil((start_at - run_start_at) / step)), steps)
    return range(first, max(first, min(steps, ceil((end_at - run_start_at) / step))))
