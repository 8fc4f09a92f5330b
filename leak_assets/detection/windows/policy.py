"""When alarmed windows become a leak, are looked at again and end.

Only the numbers belong here; what is done with them is in the modules beside this one.
"""

import math
from dataclasses import dataclass

from leak_assets.models.confirmation import (
    CLOSE_AFTER_QUIET_WINDOWS,
    CONFIRM_ALARMS,
    CONFIRM_WINDOWS,
)

WINDOW_H = 3.0
"""Length of the scored windows."""
TOP_CANDIDATES = 20
TOP_SENSORS = 10


@dataclass(frozen=True, kw_only=True)
class WindowsPolicy:
    """Rules of a leak's life as windows show it.

    Parameters
    ----------
    confirm_alarms, confirm_windows
        A leak is reported when `confirm_alarms` of the last `confirm_windows` windows alarmed.
    close_after_quiet_windows
        It ends after this many scored windows in a row without alarm. A window without
        sufficient data is neither quiet nor an alarm: a silent sensor cannot clear a leak.
    update_every_h
        While it alarms, a new row at least this often.
    update_not_before_h
        Another best pipe: at once, but not within this time of the last row.
    onset_lookback_h
        How far before detection the start of the leak is searched.
    evidence_lookback_h
        Candidates, evidence and flow rest on the alarms of this long before the last alarm.
    """

    confirm_alarms: int = CONFIRM_ALARMS
    confirm_windows: int = CONFIRM_WINDOWS
    close_after_quiet_windows: int = CLOSE_AFTER_QUIET_WINDOWS
    update_every_h: float = 6.0
    update_not_before_h: float = 2.0
    onset_lookback_h: float = 72.0
    evidence_lookback_h: float = 24.0

    def __post_init__(self) -> None:
        if not 1 <= self.confirm_alarms <= self.confirm_windows:
            raise ValueError(
                f"confirm_alarms = {self.confirm_alarms} must lie between 1 and"
                f" confirm_windows = {self.confirm_windows}"
            )
        if self.close_after_quiet_windows < 1:
            raise ValueError(
                f"close_after_quiet_windows = {self.close_after_quiet_windows} must be 1 or more"
            )

    @property
    def context_days(self) -> int:
        """Days of scores, candidates and residuals to hand over before the day itself."""
        return math.ceil(max(self.onset_lookback_h, self.evidence_lookback_h + WINDOW_H) / 24.0)

    @property
    def oldest_window_h(self) -> float:
        """No window that ended longer ago than this is looked at: its steps are not at hand."""
        return 24.0 * self.context_days - WINDOW_H
