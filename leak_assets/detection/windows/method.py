"""The windows method as a detector: scored windows in, at most one leak at a time out.

The seam to the other methods. Persistent alarms of the trained detector are a leak, the pooled
lists of the pinpointer its place; a second leak that starts meanwhile is part of the first.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from leak_assets.detection.detector import Findings, Observed
from leak_assets.detection.hypothesis import Contribution, Hypothesis, Status, hypothesis_id
from leak_assets.errors import InputError
from leak_assets.features.inflow import inflow_residual

from .evidence import pooled_candidates, sensor_evidence
from .flow import leak_flow_m3_per_h, volume_between_m3
from .lifecycle import OpenLeak, RecentWindows, stride_of
from .onset import leak_start
from .policy import WindowsPolicy
from .scoring import METHOD

# Of the rules; which models scored a window stands in `detection.window_scores`.
VERSION = "1"
FORMAT = 1
SCORES = "detection.window_scores"
CANDIDATES = "detection.window_candidates"
RESIDUALS = "features.residuals"
NEAR_M = 300.0
_AGAIN = "Materialize the detection of the network again from its first day"


@dataclass(frozen=True)
class WindowsState:
    """What is known after the last window seen.

    Parameters
    ----------
    day
        Day of the last call.
    leak
        The leak that runs.
    closed_at, leak_free_from
        End of the window that ended the last leak, and of that leak's last alarmed window.
    """

    day: date | None = None
    leak: OpenLeak | None = None
    closed_at: datetime | None = None
    leak_free_from: datetime | None = None


@dataclass(frozen=True)
class WindowsDetector:
    """The windows of a network.

    Parameters
    ----------
    network
        Name of the network.
    load_links
        Gives rows of `network.links`, when they are needed first.
    load_distance
        Gives the distance of two pipes in metres, when it is needed first.
    policy
        When leaks are reported and end.
    """

    network: str
    load_links: Callable[[], pl.DataFrame] = field(repr=False)
    load_distance: Callable[[], Callable[[str, str], float]] = field(repr=False)
    policy: WindowsPolicy = field(default_factory=WindowsPolicy)

    method = METHOD
    version = VERSION

    def start(self) -> WindowsState:
        """Return the state before the first day."""
        return WindowsState()

    def step(self, state: WindowsState, observed: Observed) -> tuple[WindowsState, Findings]:
        """Take the windows that end in a day so far.

        A finding rests on windows and residuals up to its time; a day that goes on is handed over
        again from the state of the day before.
        """
        begin = datetime.combine(observed.day, time(), UTC)
        end = begin + timedelta(days=1)
        here = pl.col("network") == self.network
        windows = (
            observed.tables[SCORES]
            .filter(here & (pl.col("window_end") < end))
            .unique("window_start")
            .sort("window_end", "window_start")
        )
        seen = _Sight(
            windows,
            observed.tables[CANDIDATES].filter(here),
            observed.tables[RESIDUALS].filter(here & (pl.col("ts_utc") < end)),
            stride_of(windows["window_end"]),
        )
        tracking = _Tracking(self, seen, state)
        for window in windows.iter_rows(named=True):
            tracking.see(window, is_new=window["window_end"] >= begin)
        after = replace(tracking.state, day=observed.day)
        return after, Findings(tracking.hypotheses)

    def is_checkpoint(self, before: WindowsState, after: WindowsState) -> bool:
        """Say yes: the state is small."""
        return before is not after

    def day(self, state: WindowsState) -> date | None:
        """Return the day of the last call."""
        return state.day

    def summary(self, state: WindowsState) -> dict[str, Any]:
        """Return the leak that runs, if any."""
        return {"open": None if state.leak is None else state.leak.hypothesis_id}

    def to_bytes(self, state: WindowsState) -> bytes:
        """Return the state as JSON."""
        times = {"day": state.day, "closed_at": state.closed_at}
        times["leak_free_from"] = state.leak_free_from
        fields = {name: None if at is None else at.isoformat() for name, at in times.items()}
        leak = None if state.leak is None else state.leak.to_json()
        head = {"method": METHOD, "format": FORMAT, "network": self.network}
        return json.dumps(head | fields | {"leak": leak}, sort_keys=True).encode()

    def from_bytes(self, content: bytes) -> WindowsState:
        """Return the state that `to_bytes` gave.

        Raises
        ------
        InputError
            It is of another method, format or network.
        """
        try:
            plain = json.loads(content)
            found = (plain["method"], plain["format"], plain["network"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"a detection state cannot be read: {error}", remedy=_AGAIN) from error
        wanted = (METHOD, FORMAT, self.network)
        if found != wanted:
            raise InputError(
                f"a detection state is of {found[0]} {found[1]} of {found[2]},"
                f" wanted is {wanted[0]} {wanted[1]} of {wanted[2]}",
                remedy=_AGAIN,
            )
        leak, day = plain["leak"], plain["day"]
        closed, free = plain["closed_at"], plain["leak_free_from"]
        return WindowsState(
            None if day is None else date.fromisoformat(day),
            None if leak is None else OpenLeak.from_json(leak),
            None if closed is None else datetime.fromisoformat(closed),
            None if free is None else datetime.fromisoformat(free),
        )

    @cached_property
    def links(self) -> pl.DataFrame:
        """Rows of `network.links`."""
        return self.load_links()

    def near_share(self, pipe: str, pool: pl.DataFrame) -> float:
        """Return the probability of the listed pipes within 300 m of one of them."""
        distance = self._distance
        listed = zip(pool["link_id"], pool["probability"], strict=True)
        return min(1.0, sum(share for link, share in listed if distance(pipe, link) <= NEAR_M))

    @cached_property
    def _distance(self) -> Callable[[str, str], float]:
        return self.load_distance()


@dataclass(frozen=True)
class _Sight:
    """What a call looks at: windows, lists and residuals of the day and of the days before."""

    windows: pl.DataFrame
    candidates: pl.DataFrame
    residuals: pl.DataFrame
    stride: timedelta

    @cached_property
    def inflow(self) -> pl.DataFrame:
        return inflow_residual(self.residuals)


class _Tracking:
    """The way through the windows of a call."""

    def __init__(self, detector: WindowsDetector, sight: _Sight, state: WindowsState) -> None:
        self.detector, self.sight = detector, sight
        self.policy = detector.policy
        # A copy: the state that was handed over stays as it is.
        self.leak = None if state.leak is None else replace(state.leak)
        self.closed_at, self.leak_free_from = state.closed_at, state.leak_free_from
        self.hypotheses: list[Hypothesis] = []
        self._recent = RecentWindows(self.policy, sight.stride)

    @property
    def state(self) -> WindowsState:
        return WindowsState(None, self.leak, self.closed_at, self.leak_free_from)

    def see(self, window: dict[str, Any], *, is_new: bool) -> None:
        """Take in one window; decide only where it is new."""
        at: datetime = window["window_end"]
        if self.leak is not None:
            if is_new:
                self.leak.count(window)
                self._revise(self.leak, at)
            return
        if self.closed_at is not None and at <= self.closed_at:
            return
        self._recent.add(window)
        if is_new and self._recent.confirm_a_leak:
            self._open(at)

    def _open(self, at: datetime) -> None:
        alarms = self._recent.alarms
        first = alarms[0]["window_end"]
        start = leak_start(
            self.sight.residuals,
            first_alarm_start=alarms[0]["window_start"],
            detected_at=at,
            lookback=timedelta(hours=self.policy.onset_lookback_h),
            not_before=self.leak_free_from,
        )
        leak = OpenLeak(
            hypothesis_id="",
            first_alarm_at=first,
            detected_at=at,
            last_alarm_at=alarms[-1]["window_end"],
            leak_start=start,
            revised_at=start,
            changed_at=at,
            revised_alarms=0,
            revised_quiet_windows=0,
            alarms=len(alarms),
            quiet_windows=0,
            score_sum=sum(w["anomaly_score"] for w in alarms),
            flow_m3_per_h=0.0,
            volume_m3=0.0,
            top_link_id=None,
        )
        found = self._estimate(leak, at)
        leak.hypothesis_id = hypothesis_id(
            self.detector.network, METHOD, "leak", first, found.element_id
        )
        self._recent.clear()
        self.leak = leak
        self._report("reported", leak, at, found)

    def _revise(self, leak: OpenLeak, at: datetime) -> None:
        if leak.quiet_windows >= self.policy.close_after_quiet_windows:
            self._report("ended", leak, at, self._estimate(leak, at))
            self.closed_at, self.leak_free_from = at, leak.last_alarm_at
            self.leak = None
            return
        due = leak.is_due(at, self.sight.stride, self.policy)
        if not due and not leak.may_have_news(at, self.policy):
            return
        found = self._estimate(leak, at)
        if due or found.top_link_id != leak.top_link_id:
            self._report("reported", leak, at, found)

    def _estimate(self, leak: OpenLeak, at: datetime) -> "_Estimate":
        since = max(
            leak.last_alarm_at - timedelta(hours=self.policy.evidence_lookback_h),
            leak.detected_at - self.sight.stride * self.policy.confirm_windows,
            at - timedelta(hours=self.policy.oldest_window_h),
        )
        if self.closed_at is not None:
            since = max(since, self.closed_at)
        alarmed = self.sight.windows.filter(
            pl.col("is_alarm") & (pl.col("window_end") > since) & (pl.col("window_end") <= at)
        )
        flow = leak.flow_m3_per_h
        if alarmed["leak_flow_m3_per_h"].is_finite().any():
            flow = leak_flow_m3_per_h(alarmed, leak.leak_start)
        lists = self.sight.candidates.join(alarmed, on="window_start", how="semi")
        pool = pooled_candidates(lists.sort("window_start"), alarmed, self.detector.links)
        evidence = sensor_evidence(self.sight.residuals, alarmed)
        best = pool["link_id"][0] if pool.height else leak.top_link_id
        return _Estimate(flow, pool, evidence, best or _pipe_near(evidence, self.detector.links))

    def _report(self, status: Status, leak: OpenLeak, at: datetime, found: "_Estimate") -> None:
        added = volume_between_m3(
            self.sight.inflow, leak.revised_at, at, flow_if_missing_m3_per_h=found.flow_m3_per_h
        )
        moved = leak.top_link_id != found.top_link_id
        leak.volume_m3 = max(0.0, leak.volume_m3 + added)
        leak.flow_m3_per_h, leak.top_link_id = found.flow_m3_per_h, found.top_link_id
        is_change = moved or status == "ended" or leak.revised_alarms == 0
        leak.changed_at = at if is_change else leak.changed_at
        leak.revised_at = at
        leak.revised_alarms, leak.revised_quiet_windows = leak.alarms, leak.quiet_windows
        near = 0.0
        if found.top_link_id is not None and found.pool.height:
            near = self.detector.near_share(found.top_link_id, found.pool)
        self.hypotheses.append(
            Hypothesis(
                hypothesis_id=leak.hypothesis_id,
                at=at,
                kind="leak",
                status=status,
                element_id=found.element_id,
                onset_at=leak.leak_start,
                first_seen_at=leak.first_alarm_at,
                reported_at=leak.detected_at,
                ended_at=leak.last_alarm_at if status == "ended" else None,
                last_updated_at=leak.changed_at,
                flow_m3_per_h=leak.flow_m3_per_h if status == "reported" else 0.0,
                volume_m3=leak.volume_m3,
                probability=near,
                score=leak.mean_score,
                candidates=list(zip(found.pool["link_id"], found.pool["probability"], strict=True)),
                evidence=[Contribution(**row) for row in found.evidence.drop("rank").to_dicts()],
            )
        )


@dataclass(frozen=True)
class _Estimate:
    """What the alarms say at a time: flow, pooled candidates, sensors."""

    flow_m3_per_h: float
    pool: pl.DataFrame
    evidence: pl.DataFrame
    top_link_id: str

    @property
    def element_id(self) -> str:
        """Best pipe; without a pinpointer one at the sensor that is off most."""
        return self.top_link_id


def _pipe_near(evidence: pl.DataFrame, links: pl.DataFrame) -> str:
    """Return a pipe at the sensors that are off most; any where none has one."""
    pipes = links.filter(pl.col("link_type") == "pipe").sort("link_id")
    for sensor in evidence.sort("rank")["sensor_id"]:
        ends = (pl.col("start_node") == sensor) | (pl.col("end_node") == sensor)
        near = pipes.filter(ends | (pl.col("link_id") == sensor))
        if near.height:
            return str(near["link_id"][0])
    return str(pipes["link_id"][0])
