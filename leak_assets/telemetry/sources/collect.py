"""The collector: messages of one stream into durable batches, acknowledged only after that.

One thread and one loop: receive, gather, write, acknowledge. What is held is bounded: nothing is
received while the spool is full or the disk refuses. Brokers are the matter of the streams.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import polars as pl

from leak_assets.errors import InputError
from leak_assets.settings import FIRST_DAY, Settings
from leak_assets.sites.registry import slug
from leak_assets.sites.site import find_site
from leak_assets.telemetry.readers.messages import (
    Message,
    Reading,
    Unusable,
    decode,
    frame_of,
    readings,
    site_named,
)
from leak_assets.telemetry.readers.problems import shown
from leak_assets.telemetry.readers.read_file import MAX_AHEAD_S
from leak_assets.telemetry.readers.times import TimeRange
from leak_assets.warehouse import Warehouse

from .spool import Spool
from .stream import Stream, StreamLostError
from .stream_config import StreamConfig, topic_pattern
from .unknown_sites import quarantine_unknown

_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
# A broker with a small window sends no more before it is answered (mosquitto's default is 20):
# so many messages are not kept waiting for others once the stream pauses.
_WINDOW = 20
_PAUSE_S = 0.02
_MOST_FILES = 5000
_RECHECK_S = 30.0
_MOST_NAMES = 10_000
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,99}")

Found = Reading | Unusable


class Listener(Protocol):
    """Who else hears what a collector takes, in its one thread: a live engine."""

    def signals(self, message: Message) -> bool:
        """Whether a message is no reading but a signal, which is acknowledged with its batch."""

    def written(self, site: str, rows: pl.DataFrame, received_at: datetime) -> None:
        """Hear rows of the spool that are durable, and acknowledged after this returns."""

    def turn(self) -> None:
        """Do what is due; called with each turn of the loop, twice a second or more."""


@dataclass
class Counts:
    """What a collector has done since it began."""

    messages: int = 0
    readings: int = 0
    problems: int = 0
    batches: int = 0


@dataclass
class _Batch:
    messages: list[Message] = field(default_factory=list)
    by_site: dict[str, list[tuple[Message, Sequence[Found]]]] = field(default_factory=dict)
    unknown: list[tuple[Message, Unusable]] = field(default_factory=list)
    items: int = 0
    size_bytes: int = 0
    began: float = 0.0


class Collector:
    """Takes one stream into its spool.

    Parameters
    ----------
    config
        What the stream is and how its messages are read.
    stream
        Where messages come from.
    settings, warehouse
        Name the spool; hold the quarantine of messages without a site.
    say
        Called with a line for each thing that people should know: once, and when it is over.
    listener
        Hears what is taken as well.

    Raises
    ------
    InputError
        The configured site does not exist.
    """

    def __init__(
        self,
        config: StreamConfig,
        stream: Stream,
        settings: Settings,
        warehouse: Warehouse,
        say: Callable[[str], None],
        listener: Listener | None = None,
    ) -> None:
        self.counts = Counts()
        # What keeps the stream from being read; empty where nothing does.
        self.lost = ""
        self._listener = listener
        self._config = config
        self._stream = stream
        self._settings = settings
        self._warehouse = warehouse
        self._say = say
        self._spool = Spool(config.name, settings)
        self._pattern = None if config.topic is None else topic_pattern(config.topic)
        self._names = config.names
        self._batch = _Batch()
        self._stopping = False
        self._troubles: dict[str, str] = {}
        self._sites: dict[str, str | None] = {}
        self._zones: dict[str, str] = {}
        self._checked = self._measured = float("-inf")
        self._is_full = False
        self._received_at = datetime(1970, 1, 1, tzinfo=UTC)
        if config.site is not None and self._site(config.site) is None:
            raise InputError(
                f"{config.name}: there is no site `{shown(config.site)}`",
                remedy="`leak-assets sites list` and `leak-assets networks list` name them",
            )

    def stop(self) -> None:
        """End after what is held was written; for signal handlers."""
        self._stopping = True

    def run(self) -> Counts:
        """Collect until `stop`.

        Raises
        ------
        InputError
            What only the user can mend: a password, a key that is no stream.
        """
        wait_s = _WAIT_S
        while not self._stopping:
            try:
                self._step()
                wait_s = _WAIT_S
            except StreamLostError as error:
                self._trouble("stream", f"{error}; trying again", "the stream is back")
                self.lost = str(error)
                self._write()
                self._pause(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            if self._listener is not None:
                self._listener.turn()
        self._write()
        self._stream.close()
        return self.counts

    def _step(self) -> None:
        """Receive once, and write what is due."""
        batch, config = self._batch, self._config
        if self._has_no_room():
            self._stream.receive(0, _WAIT_S)
            self._over("stream")
            return
        now = time.monotonic()
        due_s = batch.began + config.batch_s - now if batch.messages else _WAIT_S
        paused = len(batch.messages) >= _WINDOW
        wait_s = max(min(due_s, _PAUSE_S if paused else _WAIT_S), 0.0)
        received = self._stream.receive(max(config.batch_readings - batch.items, 1), wait_s)
        self._over("stream")
        for message in received:
            self._take(message)
            # At once: of a backlog a thousand times as many readings may come together, and each
            # takes a kilobyte until it is written.
            if self._is_large() and not self._stopping:
                self._write()
        is_due = (
            self._is_large()
            or time.monotonic() >= self._batch.began + config.batch_s
            or (paused and not received)
        )
        if self._batch.messages and is_due:
            self._write()

    def _is_large(self) -> bool:
        """Whether the batch has all the readings or bytes that one may have."""
        batch, config = self._batch, self._config
        return batch.items >= config.batch_readings or batch.size_bytes >= config.batch_mib * 2**20

    def _take(self, message: Message) -> None:
        """Add a message to the batch of its site."""
        batch = self._batch
        if not batch.messages:
            batch.began = time.monotonic()
        batch.messages.append(message)
        batch.size_bytes += len(message.payload)
        if self._listener is not None and self._listener.signals(message):
            batch.items += 1
            return
        site, found = self._read(message)
        batch.items += max(len(found), 1)
        if site is None:
            first = next((one for one in found if isinstance(one, Unusable)), None)
            batch.unknown.append((message, first or self._no_site(message, "")))
        else:
            batch.by_site.setdefault(site, []).append((message, found))

    def _read(self, message: Message) -> tuple[str | None, Sequence[Found]]:
        """Return the site of a message, None where there is none, and what it holds."""
        given: dict[str, str] = {}
        if self._pattern is not None:
            match = self._pattern.fullmatch(message.topic)
            if match is None:
                problem = f"the topic `{shown(message.topic)}` is not like `{self._config.topic}`"
                remedy = "Correct `topic` of the source, or the topic"
                found = Unusable("unknown_topic", problem, remedy, message.topic)
                return self._site(self._config.site), (found,)
            given = match.groupdict()
        document = decode(message)
        named = self._config.site or given.get("site")
        if isinstance(document, Unusable):
            return self._site(named), (document,)
        if named is None:
            named = site_named(document, self._names)
            given["site"] = named or ""
        else:
            given.pop("site", None)
        site = self._site(named)
        if site is None:
            return None, (self._no_site(message, named or ""),)
        return site, tuple(readings(document, self._names, given))

    def _no_site(self, message: Message, named: str) -> Unusable:
        start = message.payload[:200].decode("utf-8", "backslashreplace")
        if not named:
            problem = "neither the source nor topic or message says of which site it is"
            return Unusable("no_site", problem, "Set `site` or `topic` of the source", start)
        return Unusable(
            "unknown_site",
            f"there is no site `{shown(named)}`",
            "Register it: leak-assets networks register, or sites register without a model; what"
            " came before is sent again by its source alone",
            start,
            "site",
        )

    def _site(self, text: str | None) -> str | None:
        """Return the name of a site that there is, or None."""
        if not text or not _SITE.fullmatch(text):
            return None
        now = time.monotonic()
        if now > self._checked + _RECHECK_S or len(self._sites) > _MOST_NAMES:
            # Sites come and go; and names that nobody knows must not fill the memory.
            self._sites.clear()
            self._checked = now
        if text not in self._sites:
            try:
                site = find_site(slug(text), self._settings)
            except InputError:
                self._sites[text] = None
            else:
                self._sites[text] = site.name
                self._zones[site.name] = site.contract.source_timezone
        return self._sites[text]

    def _has_no_room(self) -> bool:
        """Whether so much waits that nothing more is received; looked at each second."""
        now = time.monotonic()
        if now >= self._measured + 1:
            self._measured = now
            files, size = self._spool.size()
            most = self._settings.spool_most_mib
            self._is_full = files >= _MOST_FILES or size >= most * 2**20
            if self._is_full:
                self._trouble(
                    "spool",
                    f"{files:,} batches ({size / 2**20:,.0f} MiB) wait to be taken, so nothing more"
                    " is received. Is `leak-assets dev` running? SPOOL_MOST_MIB is the limit",
                    "the spool is taken again",
                )
            else:
                self._over("spool")
        return self._is_full

    def _write(self) -> None:
        """Write what is held, however long the disk refuses, and acknowledge it after that."""
        if not self._batch.messages:
            return
        wait_s = _WAIT_S
        while True:
            try:
                self._write_batch()
                break
            except OSError as error:
                reason = error.strerror or str(error)
            except InputError as error:
                # A damaged page of the quarantine, or a folder that is no folder.
                reason = str(error)
            self._trouble(
                "disk",
                f"nothing can be written ({reason}), so nothing is acknowledged; trying again",
                "the disk takes batches again",
            )
            if self._stopping:
                # What was not acknowledged is at the broker still.
                return
            self._keep_alive(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        self._over("disk")
        messages, self._batch = self._batch.messages, _Batch()
        self.counts.messages += len(messages)
        try:
            self._stream.acknowledge(messages)
        except StreamLostError as error:
            self._trouble("stream", f"{error}; trying again", "the stream is back")

    def _write_batch(self) -> None:
        """Write every site's part; one that is there already is not written again."""
        batch = self._batch
        received_at = self._now()
        allowed = TimeRange(FIRST_DAY, received_at, MAX_AHEAD_S)
        while batch.by_site:
            site, messages = next(iter(batch.by_site.items()))
            frame = frame_of(messages, allowed, self._zones[site])
            for days, rows in by_days(frame, received_at):
                self._spool.write(site, rows, days, received_at)
                self.counts.batches += 1
                if self._listener is not None:
                    self._listener.written(site, rows, received_at)
            bad = frame.height - frame.get_column("reason").null_count()
            self.counts.problems += bad
            self.counts.readings += frame.height - bad
            del batch.by_site[site]
        if batch.unknown:
            left = quarantine_unknown(
                self._warehouse,
                self._settings,
                batch.unknown,
                source=self._config.name,
                received_at=received_at,
            )
            self.counts.problems += len(batch.unknown)
            first = batch.unknown[0][1]
            more = f" ({left:,} more find no room on today's page)" if left else ""
            self._trouble("site", f"messages without a site are quarantined: {first.problem}{more}")
            batch.unknown = []

    def _now(self) -> datetime:
        """Return the time of receipt, later than that of the last batch."""
        later = self._received_at + timedelta(microseconds=1)
        self._received_at = max(datetime.now(UTC), later)
        return self._received_at

    def _keep_alive(self, seconds: float) -> None:
        try:
            self._stream.receive(0, min(seconds, 5.0))
        except StreamLostError:
            # Said where it is read again; now the disk is what is in the way.
            time.sleep(seconds)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(min(_WAIT_S, seconds))

    def _trouble(self, kind: str, line: str, over: str = "") -> None:
        """Say a trouble when it begins, not again while it lasts."""
        if kind not in self._troubles:
            self._say(f"{self._config.name}: {line}")
        self._troubles[kind] = over

    def _over(self, kind: str) -> None:
        if kind == "stream":
            self.lost = ""
        over = self._troubles.pop(kind, "")
        if over:
            self._say(f"{self._config.name}: {over}")


def by_days(
    frame: pl.DataFrame, received_at: datetime
) -> list[tuple[tuple[date, date], pl.DataFrame]]:
    """Split rows into parts whose days touch, so that none asks for a run of years.

    A device whose clock says 2018 is believed, and is a batch of its own. Problems go with the
    first part, on the day of receipt where there is no other.
    """
    day = pl.col("ts_utc").dt.date()
    good = frame.filter(pl.col("reason").is_null())
    bad = frame.filter(pl.col("reason").is_not_null())
    today = received_at.date()
    days = good.select(day.unique().sort()).to_series().to_list()
    spans: list[list[date]] = []
    for one in days:
        if spans and one <= spans[-1][1] + timedelta(days=1):
            spans[-1][1] = one
        else:
            spans.append([one, one])
    if not spans:
        return [((today, today), bad)]
    parts = []
    for number, (first, last) in enumerate(spans):
        rows = good.filter(day.is_between(first, last))
        parts.append(((first, last), rows if number else pl.concat([rows, bad])))
    return parts
