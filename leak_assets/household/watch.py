"""The live engines of homes behind one collector: what each message changes, and who is told.

A batch is judged after it is durable and before it is acknowledged, so that a restart in the
middle of a session goes on from the stored state and hears the rest again.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import polars as pl

from leak_assets.errors import InputError
from leak_assets.sites.site import Site
from leak_assets.telemetry.readers.messages import Message
from leak_assets.telemetry.readers.spooled import parse_rows
from leak_assets.warehouse import Warehouse

from .control_rows import say
from .controls import Control
from .engine import Event
from .home import home_of
from .live import LiveHome
from .live_rows import load, save
from .stream import updated_home

# The tables of a home follow its stream at least so often, also without a daemon.
REFRESH_S = 3600.0
_LOOK_S = 1.0


class Audience(Protocol):
    """Who is told of each home's state, and may ask for pauses: Home Assistant."""

    def tell(self, live: LiveHome, now: datetime) -> None:
        """Hear the state of a home, after each change and at least once a second."""

    def asked(self) -> Sequence[tuple[str, bool]]:
        """Return homes whose pause was switched since the last call, on (true) or off."""


class HouseholdWatch:
    """Homes on a stream, a `Listener` of a collector.

    Parameters
    ----------
    homes
        What is watched; messages of other sites go on to the tables alone.
    warehouse, source
        Where states are, and the name of the stream.
    refresh
        Brings the tables of a home up to date.
    audience
        Is told of each state.
    line
        Called with a line for each event.
    """

    def __init__(
        self,
        homes: Sequence[Site],
        warehouse: Warehouse,
        source: str,
        refresh: Callable[[Site], None],
        audience: Audience | None,
        line: Callable[[str], None],
    ) -> None:
        self._sites = {site.name: site for site in homes}
        self._warehouse = warehouse
        self._source = source
        self._refresh = refresh
        self._audience = audience
        self._line = line
        self._updated: set[str] = set()
        self._looked = float("-inf")
        self._refreshed = dict.fromkeys(self._sites, time.monotonic())
        self._statuses: dict[str, str] = {}
        self._homes = {site.name: self._open(site) for site in homes}

    def _open(self, site: Site) -> LiveHome:
        live = LiveHome(home_of(site), self._warehouse, lambda: self._bring_up_to_date(site))
        live.refresh()
        live.begin()
        load(live)
        live.listen()
        live.learn()
        self._keep(live, ())
        return live

    def _keep(self, live: LiveHome, events: Sequence[Event]) -> datetime:
        now = datetime.now(UTC)
        save(live, events, now)
        self._statuses[live.home.name] = live.status(now.timestamp())
        return now

    def _bring_up_to_date(self, site: Site) -> None:
        self._refreshed[site.name] = time.monotonic()
        try:
            self._refresh(site)
        except InputError as error:
            # The stream goes on by the habits that are known.
            self._line(f"{site.name}: the tables are not up to date ({error})")

    def home(self, name: str) -> LiveHome:
        """Return what is held of a home."""
        return self._homes[name]

    def signals(self, message: Message) -> bool:
        """Whether a message says that a home's habits are new: they are learned with this turn."""
        name = updated_home(message.topic)
        if name is None:
            return False
        if name in self._homes:
            self._updated.add(name)
        else:
            self._line(f"`{message.topic[:100]}` is of no home that is watched")
        return True

    def written(self, site: str, rows: pl.DataFrame, received_at: datetime) -> None:
        """Judge what has come."""
        live = self._homes.get(site)
        if live is None:
            return
        watched = self._sites[site]
        raw = parse_rows(
            rows,
            source=self._source,
            network=site,
            layout=watched.layout,
            contract=watched.contract,
            received_at=received_at,
            refuses_impossible=True,
        ).readings
        live.listen()
        self._told(live, live.hear(raw, received_at))

    def turn(self) -> None:
        """Hear what people say, learn what is new, tell what only time changes."""
        now = time.monotonic()
        if self._audience is not None:
            for name, pause in self._audience.asked():
                if name in self._homes:
                    self._switch(self._homes[name], pause=pause)
        while self._updated:
            live = self._homes[self._updated.pop()]
            live.learn()
            self._told(live, ())
        if now < self._looked + _LOOK_S:
            return
        self._looked = now
        for name, live in self._homes.items():
            # A feed that falls silent changes the stored status as well.
            if live.listen() or live.status(time.time()) != self._statuses.get(name):
                self._told(live, ())
            elif self._audience is not None:
                self._audience.tell(live, datetime.now(UTC))
            if now > self._refreshed[name] + REFRESH_S:
                live.refresh()

    def _switch(self, live: LiveHome, *, pause: bool) -> None:
        now = datetime.now(UTC)
        at_s = now.timestamp()
        control = (
            Control(at_s, "pause", at_s + live.home.settings.pause_switch_s, "switched on")
            if pause
            else Control(at_s, "resume", reason="switched off")
        )
        say(self._warehouse, live.home.name, control, actor="home assistant", at=now)
        live.listen()
        self._told(live, ())

    def _told(self, live: LiveHome, events: Sequence[Event]) -> None:
        now = self._keep(live, events)
        if self._audience is not None:
            self._audience.tell(live, now)
        for event in events:
            at = datetime.fromtimestamp(event.at_s, UTC)
            why = "; ".join(event.attributes["reasons"])
            self._line(f"{live.home.name} {at:%Y-%m-%d %H:%M:%S} {event.event}: {why}")
