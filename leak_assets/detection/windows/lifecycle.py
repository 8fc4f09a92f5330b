"""The state machine of a leak in scored windows: which window opens, revises or ends it.

It counts and decides; figures and causes are in the modules beside this one.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from .policy import WindowsPolicy

STRIDE_IF_UNKNOWN = timedelta(minutes=30)
_TIMES = (
    "first_alarm_at",
    "detected_at",
    "last_alarm_at",
    "leak_start",
    "revised_at",
    "changed_at",
)


@dataclass
class OpenLeak:
    """What is known of a leak that alarms.

    Parameters
    ----------
    hypothesis_id
        Its name.
    first_alarm_at, detected_at, last_alarm_at
        Ends of the first alarmed window, of the one that confirmed it, of the last alarmed one.
    leak_start
        Estimated start.
    revised_at, revised_alarms, revised_quiet_windows
        End of the window of the last row, and the counts then.
    changed_at
        End of the window with which it was found or its best pipe became another.
    alarms, quiet_windows
        Alarmed windows so far, windows without alarm since the last one.
    score_sum
        Of its alarms.
    flow_m3_per_h, volume_m3, top_link_id
        As in the last row.
    """

    hypothesis_id: str
    first_alarm_at: datetime
    detected_at: datetime
    last_alarm_at: datetime
    leak_start: datetime
    revised_at: datetime
    changed_at: datetime
    revised_alarms: int
    revised_quiet_windows: int
    alarms: int
    quiet_windows: int
    score_sum: float
    flow_m3_per_h: float
    volume_m3: float
    top_link_id: str | None

    def count(self, window: dict[str, Any]) -> None:
        """Take one more window into account."""
        if window["is_alarm"]:
            self.alarms += 1
            self.quiet_windows = 0
            self.last_alarm_at = window["window_end"]
            self.score_sum += window["anomaly_score"]
        elif window["state"] == "scored":
            self.quiet_windows += 1

    @property
    def mean_score(self) -> float:
        """Mean anomaly score of the alarms."""
        return self.score_sum / self.alarms

    def may_have_news(self, at: datetime, policy: WindowsPolicy) -> bool:
        """Whether another best pipe would be reported now."""
        return self.last_alarm_at == at and at - self.revised_at >= timedelta(
            hours=policy.update_not_before_h
        )

    def is_due(self, at: datetime, stride: timedelta, policy: WindowsPolicy) -> bool:
        """Whether a row is due, news or not.

        The last window of a day always has one where something moved. Which window is the last is
        told by the clock, not by what has arrived so far: a half-delivered day gives the same
        rows as the first half of the whole one.
        """
        moved = (self.alarms, self.quiet_windows) != (
            self.revised_alarms,
            self.revised_quiet_windows,
        )
        if moved and (at + stride).date() != at.date():
            return True
        return self.alarms > self.revised_alarms and at - self.revised_at >= timedelta(
            hours=policy.update_every_h
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        fields = asdict(self)
        return fields | {name: fields[name].isoformat() for name in _TIMES}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "OpenLeak":
        """Return what `to_json` gave."""
        return cls(**(fields | {name: datetime.fromisoformat(fields[name]) for name in _TIMES}))


class RecentWindows:
    """The last windows before a leak: enough to confirm one, never across a gap."""

    def __init__(self, policy: WindowsPolicy, stride: timedelta) -> None:
        self._policy = policy
        self._span = stride * policy.confirm_windows
        self._windows: deque[dict[str, Any]] = deque(maxlen=policy.confirm_windows)

    def add(self, window: dict[str, Any]) -> None:
        """Take in the next window; forget those too old to confirm anything."""
        self._windows.append(window)
        while window["window_end"] - self._windows[0]["window_end"] >= self._span:
            self._windows.popleft()

    def clear(self) -> None:
        """Forget all windows: they belong to a leak already."""
        self._windows.clear()

    @property
    def alarms(self) -> list[dict[str, Any]]:
        """Alarmed windows, oldest first."""
        return [w for w in self._windows if w["is_alarm"]]

    @property
    def confirm_a_leak(self) -> bool:
        """Whether enough of them alarmed."""
        return len(self.alarms) >= self._policy.confirm_alarms


def stride_of(window_ends: Iterable[datetime]) -> timedelta:
    """Return the distance of neighboring windows: the smallest there is."""
    ends = sorted(set(window_ends))
    gaps = [later - earlier for earlier, later in pairwise(ends)]
    return min(gaps, default=STRIDE_IF_UNKNOWN)
