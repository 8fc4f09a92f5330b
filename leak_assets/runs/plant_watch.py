"""The live watch of a plant: what arrives is judged at once, kept, and told in summaries.

One loop. The day's run judges the same readings again and is the record; this is what people see
until then. What the rules are is `plant`'s matter, what a stream is that of `telemetry.sources`.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.plant.live import LiveState, judge_arrived, judge_silences
from leak_assets.plant.live_store import Doing, LiveStore
from leak_assets.plant.profile import profile_of
from leak_assets.settings import Settings
from leak_assets.sites.site import Site
from leak_assets.summaries.plant_live import LiveSummaries, told_through
from leak_assets.system.locks import exclusive_or_none
from leak_assets.telemetry.follow import Arrived, Follower
from leak_assets.warehouse.schemas.plant import ANOMALIES
from leak_assets.warehouse.schemas.plant_live import LIVE_VALUES

POLL_S = 0.2
_ALIVE_S = 10.0
_MOST_AT_ONCE = 200_000
_LONGEST_WAIT_S = 30.0
_NOTHING_NEW = LIVE_VALUES.empty().drop("site")


@dataclass(frozen=True)
class WatchCounts:
    """What a watch has done since it began.

    Parameters
    ----------
    readings
        Judged.
    not_judged
        Came late, again, ahead of the clock, or cannot be used.
    anomalies
        Noticed, a dropout that began and ended as two.
    """

    readings: int = 0
    not_judged: int = 0
    anomalies: int = 0


@contextmanager
def alone(settings: Settings, site: str) -> Iterator[None]:
    """Hold a plant's watch: one process writes what it noticed.

    Raises
    ------
    InputError
        Another process watches the plant.
    """
    with exclusive_or_none(settings.warehouse_dir / ".locks" / f"watch-{site}.lock") as is_alone:
        if not is_alone:
            raise InputError(
                f"{site} is watched by another process already", remedy="Stop that one first"
            )
        yield


class PlantWatch:
    """Watches a plant until it is stopped.

    Parameters
    ----------
    ctx, site
        Where, and which plant.
    say
        Called with a line for each thing that people should know.
    take_after_s
        Deliveries that no run has taken for so long are taken by a process that this one starts,
        so that the spool does not fill where no daemon runs; None: never.

    Raises
    ------
    InputError
        The plant's profile cannot be used.
    """

    def __init__(
        self,
        ctx: StepContext,
        site: Site,
        say: Callable[[str], None],
        *,
        take_after_s: float | None = 300.0,
    ) -> None:
        self._ctx = ctx
        self._site = site
        self._say = say
        self._take_after_s = take_after_s
        self._profile = profile_of(site)
        self._follower = Follower(ctx.settings, ctx.warehouse, site)
        self._store = LiveStore(ctx.warehouse, site.name)
        self._state = self._store.state()
        untold = self._store.untold(told_through(ctx.warehouse, site.name))
        self._summaries = LiveSummaries(ctx.warehouse, ctx.settings, site.name, untold, say)
        self._stopping = threading.Event()
        self._taker: subprocess.Popen[bytes] | None = None
        self._began = time.monotonic()
        self._began_at = datetime.now(UTC)
        self._failures = 0
        self._has_heard = False
        self._written = self._looked = self._taken = float("-inf")
        self._trouble = ""
        self.counts = WatchCounts()
        # What keeps each Redis beside the watch from answering, if anything; for monitoring.
        self.redis: Sequence[Callable[[], str]] = ()

    def stop(self) -> None:
        """End after what has come was judged; for signal handlers."""
        self._stopping.set()

    def run(self) -> WatchCounts:
        """Watch until `stop`."""
        wait_s = POLL_S
        while not self._stopping.is_set():
            try:
                is_done = self.step()
                wait_s = POLL_S if is_done else 0.0
                self._over()
            except (OSError, InputError) as error:
                # A full disk, a damaged page: nothing is lost, it is judged again.
                self._in_the_way(str(error))
                wait_s = min(max(2 * wait_s, 0.5), _LONGEST_WAIT_S)
            self._stopping.wait(wait_s)
        self.finish()
        return self.counts

    def step(self, now: datetime | None = None) -> bool:
        """Judge what has come; return whether that was all.

        Raises
        ------
        OSError
            The disk refuses; the next step judges the same again.
        """
        arrived: list[Arrived] = []
        held = 0
        is_all = True
        for one in self._follower.arrivals(self._state.seen):
            arrived.append(one)
            held += one.readings.height
            if held >= _MOST_AT_ONCE:
                is_all = False
                break
        now = now or datetime.now(UTC)
        if arrived:
            self._judge(arrived, now)
        if is_all and self._hears():
            self._judge_silences(now)
        if time.monotonic() >= self._written + _ALIVE_S:
            self._keep(ANOMALIES.empty(), _NOTHING_NEW, self._state, now)
        self._summaries.tick(now)
        if is_all and time.monotonic() >= self._looked + 5.0:
            self._looked = time.monotonic()
            self._store.forget_judged()
            self._have_taken(now)
        return is_all

    def finish(self) -> None:
        """Let the text that is being written, and the process that takes deliveries, end."""
        self._summaries.finish(5.0)
        if self._taker is not None and self._taker.poll() is None:
            self._say("deliveries are being taken; waiting for that")
            self._taker.wait()

    def tell_now(self) -> None:
        """Write the text of what was noticed, without waiting for the interval."""
        limit_s = 3 * self._ctx.settings.llm_timeout_s
        self._summaries.finish(limit_s)
        self._summaries.tick(datetime.now(UTC), at_once=True)
        self._summaries.finish(limit_s)

    def _judge(self, arrived: list[Arrived], now: datetime) -> None:
        judged = judge_arrived(arrived, self._profile, self._state, self._site.name)
        self._keep(judged.anomalies, judged.recent, judged.state, now)
        self._has_heard = self._has_heard or not judged.recent.is_empty()
        not_judged = sum(judged.not_judged.values())
        self.counts = replace(
            self.counts,
            readings=self.counts.readings + sum(a.readings.height for a in arrived),
            not_judged=self.counts.not_judged + not_judged,
        )
        if not_judged:
            told = ", ".join(f"{count} {reason}" for reason, count in judged.not_judged.items())
            self._say(f"{self._site.name}: not judged: {told}")

    def _judge_silences(self, now: datetime) -> None:
        anomalies, state = judge_silences(self._profile, self._state, now, self._site.name)
        if anomalies.height:
            self._keep(anomalies, _NOTHING_NEW, state, now)

    def _hears(self) -> bool:
        """Whether a silence is the sensor's: not before what waited for this process has come."""
        listened_s = time.monotonic() - self._began
        return self._has_heard or listened_s > self._profile.dropout_s

    def _keep(
        self, anomalies: pl.DataFrame, recent: pl.DataFrame, state: LiveState, now: datetime
    ) -> None:
        self._store.write(anomalies, recent, state, now, self._doing(anomalies.height))
        self._state = state
        self._written = time.monotonic()
        if anomalies.height:
            self._summaries.add(anomalies, now)
            self.counts = replace(self.counts, anomalies=self.counts.anomalies + anomalies.height)
            for message, sensor in anomalies.select("message", "sensor_id").head(5).iter_rows():
                self._say(f"{sensor}: {message}")
            if anomalies.height > 5:
                self._say(f"and {anomalies.height - 5} more")

    def _doing(self, new: int) -> Doing:
        """Return what monitoring is told beside the state, with some new anomalies."""
        texts = self._summaries
        return Doing(
            began_at=self._began_at,
            anomalies=self.counts.anomalies + new,
            untold=texts.untold + new,
            llm_summaries=texts.written["llm_summarizer"],
            template_summaries=texts.written["template"],
            failures=self._failures + texts.failures,
            waiting=self._follower.waiting,
            oldest_waiting_at=self._follower.oldest_waiting,
            redis="; ".join(filter(None, (ask() for ask in self.redis))) if self.redis else None,
        )

    def _have_taken(self, now: datetime) -> None:
        """Start the run of what waits too long, one at a time."""
        oldest = self._follower.oldest_waiting
        if self._take_after_s is None or oldest is None:
            return
        if now - oldest < timedelta(seconds=self._take_after_s):
            return
        is_busy = self._taker is not None and self._taker.poll() is None
        # What cannot be taken at all is not tried again at each look.
        if is_busy or time.monotonic() < self._taken + self._take_after_s:
            return
        self._taken = time.monotonic()
        self._taker = subprocess.Popen(  # noqa: S603 - this program, for a site that there is
            [sys.executable, "-m", "leak_assets.runs.daemonless", self._site.name],
            env={**os.environ, "LEAK_ASSETS_HOME": str(self._ctx.settings.home.resolve())},
            stdout=subprocess.DEVNULL,
        )

    def _in_the_way(self, reason: str) -> None:
        self._failures += 1
        if reason != self._trouble:
            self._say(f"{self._site.name}: {reason}; trying again, nothing is lost")
        self._trouble = reason

    def _over(self) -> None:
        if self._trouble:
            self._say(f"{self._site.name}: it works again")
        self._trouble = ""
