"""The state machine of an incident: which window opens, revises or closes it.

It counts and decides; figures, causes and table rows are the tracker's.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from .policy import TrackerPolicy

STRIDE_IF_UNKNOWN = timedelta(minutes=30)


@dataclass
class OpenIncident:
    """What is known of the open incident. Every field can be read back from its last row."""

    incident_id: str
    revision: int
    revised_at: datetime
    revised_alarms: int
    revised_quiet_windows: int
    leak_start: datetime
    detected_at: datetime
    last_alarm_at: datetime
    alarms: int
    quiet_windows: int
    peak_score: float
    score_sum: float
    severity: str
    flow_m3_per_h: float
    volume_m3: float
    top_link_id: str | None
    detector_version: str
    pinpointer_version: str | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "OpenIncident":
        """Read the state back from a row of `incidents.incident_events`."""
        return cls(
            incident_id=row["incident_id"],
            revision=row["revision"],
            revised_at=row["event_at"],
            revised_alarms=row["alarms"],
            revised_quiet_windows=row["quiet_windows"],
            leak_start=row["leak_start"],
            detected_at=row["detected_at"],
            last_alarm_at=row["last_alarm_at"],
            alarms=row["alarms"],
            quiet_windows=row["quiet_windows"],
            peak_score=row["peak_score"],
            score_sum=row["confidence"] * row["alarms"],
            severity=row["severity"],
            flow_m3_per_h=row["estimated_flow_m3_per_h"],
            volume_m3=row["volume_lost_m3"],
            top_link_id=row["top_link_id"],
            detector_version=row["detector_version"],
            pinpointer_version=row["pinpointer_version"],
        )

    def count(self, window: dict[str, Any]) -> None:
        """Take one more window into account."""
        if window["is_alarm"]:
            self.alarms += 1
            self.quiet_windows = 0
            self.last_alarm_at = window["window_end"]
            self.peak_score = max(self.peak_score, window["anomaly_score"])
            self.score_sum += window["anomaly_score"]
            self.detector_version = window["method_version"]
        elif window["state"] == "scored":
            self.quiet_windows += 1

    @property
    def confidence(self) -> float:
        """Mean anomaly score of the alarms."""
        return self.score_sum / self.alarms

    def may_have_news(self, at: datetime, policy: TrackerPolicy) -> bool:
        """Whether other candidates or another severity would be told now."""
        return self.last_alarm_at == at and at - self.revised_at >= timedelta(
            hours=policy.update_not_before_h
        )

    def is_due(self, at: datetime, stride: timedelta, policy: TrackerPolicy) -> bool:
        """Whether the state has to be written down, news or not.

        The last window of a day always writes what moved, so that the next day goes on from
        the row alone. Which window is the last is told by the clock, not by what has arrived
        so far: a half-delivered day gives the same rows as the first half of the whole one.
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


class RecentWindows:
    """The last windows before an incident: enough to confirm one, never across a gap."""

    def __init__(self, policy: TrackerPolicy, stride: timedelta) -> None:
        self._policy = policy
        self._span = stride * policy.confirm_windows
        self._windows: deque[dict[str, Any]] = deque(maxlen=policy.confirm_windows)

    def add(self, window: dict[str, Any]) -> None:
        """Take in the next window; forget those too old to confirm anything."""
        self._windows.append(window)
        while window["window_end"] - self._windows[0]["window_end"] >= self._span:
            self._windows.popleft()

    def clear(self) -> None:
        """Forget all windows: they belong to an incident already."""
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
