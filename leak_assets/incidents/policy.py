"""When an incident opens, is told again and closes, and how far back its reckoning looks.

Only the numbers belong here; what is done with them is in the modules beside this one.
"""

import math
from dataclasses import dataclass

SEVERITY_MEDIUM_FROM_M3_PER_H = 5.0
"""A service pipe break; BattLeDIM's smaller bursts start here."""
SEVERITY_HIGH_FROM_M3_PER_H = 15.0
"""A mains burst: more than 350 m3 a day."""

WINDOW_H = 3.0
"""Length of the scored windows."""
TOP_CANDIDATES = 20
TOP_SENSORS = 10


@dataclass(frozen=True, kw_only=True)
class TrackerPolicy:
    """Rules of an incident's life.

    Parameters
    ----------
    confirm_alarms, confirm_windows
        An incident opens when `confirm_alarms` of the last `confirm_windows` windows alarmed.
    close_after_quiet_windows
        It closes after this many scored windows in a row without alarm. A window without
        sufficient data is neither quiet nor an alarm: a silent sensor cannot clear a leak.
    update_every_h
        While it alarms, a new revision at least this often.
    update_not_before_h
        Other candidate or severity: told at once, but not within this time of the last revision.
    onset_lookback_h
        How far before detection the start of the leak is searched.
    evidence_lookback_h
        Candidates, evidence and flow rest on the alarms of this long before the last alarm.
    """

    confirm_alarms: int = 3
    confirm_windows: int = 4
    close_after_quiet_windows: int = 8
    update_every_h: float = 6.0
    update_not_before_h: float = 2.0
    onset_lookback_h: float = 72.0
    evidence_lookback_h: float = 24.0

    def __post_init__(self) -> None:
        if not 1 <= self.confirm_alarms <= self.confirm_windows:
            msg = (
                f"confirm_alarms = {self.confirm_alarms} must lie between 1 and "
                f"confirm_windows = {self.confirm_windows}"
            )
            raise ValueError(msg)
        if self.close_after_quiet_windows < 1:
            msg = f"close_after_quiet_windows = {self.close_after_quiet_windows} must be 1 or more"
            raise ValueError(msg)

    @property
    def context_days(self) -> int:
        """Days of scores, candidates and residuals to hand over before the day itself."""
        return math.ceil(max(self.onset_lookback_h, self.evidence_lookback_h + WINDOW_H) / 24.0)

    @property
    def oldest_window_h(self) -> float:
        """No window that ended longer ago than this is looked at: its steps are not at hand."""
        return 24.0 * self.context_days - WINDOW_H
