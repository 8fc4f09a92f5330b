"""When alarmed windows become an incident: three of four, over after eight quiet ones in a row.

One rule for the windows method and for the metrics: a model is judged by what operators get.
"""

from collections import deque
from collections.abc import Iterable

CONFIRM_ALARMS = 3
CONFIRM_WINDOWS = 4
CLOSE_AFTER_QUIET_WINDOWS = 8


def incident_openings(alarms: Iterable[bool]) -> list[int]:
    """Return the positions of the windows at which incidents open.

    Parameters
    ----------
    alarms
        Whether each of a run of windows alarmed, in order of time.

    Examples
    --------
    >>> incident_openings([True, False, True, True, True])
    [3]
    """
    last: deque[bool] = deque(maxlen=CONFIRM_WINDOWS)
    openings: list[int] = []
    is_open, quiet = False, 0
    for position, alarm in enumerate(alarms):
        last.append(alarm)
        quiet = 0 if alarm else quiet + 1
        if not is_open and sum(last) >= CONFIRM_ALARMS:
            openings.append(position)
            is_open = True
        elif is_open and quiet >= CLOSE_AFTER_QUIET_WINDOWS:
            is_open = False
            last.clear()
    return openings
