"""One home live: raw readings as they come, judged by the functions of the batch.

What it holds is one row of `household.live_states`; where readings come from is the matter of
`watch`, storing the row that of `live_rows`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import polars as pl

from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

from .context import zone_of
from .control_rows import controls, names
from .controls import Control, told_before
from .decision import Judgement
from .engine import Event, HomeState, Status, on_step
from .home import Home
from .learning import Learned, learn
from .meter import Step, take
from .past import newest_state, sessions_before
from .readings import engine_readings, known_before
from .steps import RAW, READINGS

# Brings the tables of a home up to date before its habits are learned anew.
Refresh = Callable[[], None]
_WHO = ("people", "occupancy")


@dataclass
class LiveHome:
    """The engine of a home on a stream.

    Parameters
    ----------
    home, warehouse, refresh
        What is watched, where its past is, what brings that up to date.
    state, judgement
        Of the engine, after the newest reading.
    learned
        Habits of the days before `learned.day`.
    waiting, newest_control
        What people said that counts from a later reading on, and the name of the newest of all.
    local_day, volume_today_l
        Water since local midnight.
    """

    home: Home
    warehouse: Warehouse
    refresh: Refresh
    state: HomeState = field(default_factory=HomeState)
    judgement: Judgement = field(default_factory=Judgement)
    learned: Learned = field(default_factory=Learned)
    waiting: list[Control] = field(default_factory=list)
    newest_control: str = ""
    local_day: date | None = None
    volume_today_l: float = 0.0
    _who: pl.DataFrame = field(default_factory=RAW_READINGS.empty)

    @property
    def flow_now_l_per_min(self) -> float:
        """Flow of the last reading."""
        return self.state.running.flow_l_per_min if self.state.running else 0.0

    def begin(self) -> None:
        """Go on from what the runs know: of a home that was never watched live."""
        self.state, day = newest_state(self.warehouse, self.home.name)
        raw = self._newest(RAW, network=self.home.name)
        readings = self._newest(READINGS, site=self.home.name)
        empty = pl.DataFrame() if readings is None else readings
        self.state = replace(self.state, meter=known_before(raw, empty, self.home))
        if raw is not None:
            self._remember_who(raw)
        # The runs have heard what was said up to the day of the state.
        upto = "" if day is None else f"{day:%Y%m%d}"
        heard = [name for name in names(self.warehouse, self.home.name) if name[:8] <= upto]
        self.newest_control = max(heard, default="")

    def _newest(self, table: str, **fixed: str) -> pl.DataFrame | None:
        found = sorted(
            self.warehouse.partitions(table, **fixed), key=lambda partition: partition["date"]
        )
        return self.warehouse.read(table, found[-1]) if found else None

    def hear(self, raw: pl.DataFrame, received_at: datetime) -> list[Event]:
        """Judge readings that have just come; those heard before change nothing.

        Parameters
        ----------
        raw
            Rows of `telemetry.raw_readings` of this home.
        received_at
            By this machine's clock.
        """
        events: list[Event] = []
        # Who is at home came with an earlier message, perhaps.
        together = pl.concat([self._who, raw.select(RAW_READINGS.polars_schema.names())])
        for reading, row in engine_readings(together, self.home):
            meter, step, _ = take(
                self.state.meter, reading, self.home.settings, now_s=received_at.timestamp()
            )
            self.state = replace(self.state, meter=meter)
            if step is not None:
                events += self._judge(step, row["ts_utc"].date())
        self._remember_who(together)
        return events

    def _remember_who(self, raw: pl.DataFrame) -> None:
        self._who = (
            raw.filter(pl.col("quantity").is_in(_WHO))
            .sort("ts_utc", "received_at", "sequence", maintain_order=True)
            .unique(["quantity", "sensor_id"], keep="last", maintain_order=True)
        )

    def _judge(self, step: Step, day: date) -> list[Event]:
        # A stream of the past is judged by the habits of its own day.
        if day != self.learned.day:
            self.learn(day)
        self.state, events, self.waiting = told_before(self.state, self.waiting, step.end_s)
        outcome = on_step(self.state, step, self.learned, self.home.settings)
        self.state, self.judgement = outcome.state, outcome.judgement
        begun = datetime.fromtimestamp(step.start_s, UTC)
        local = begun.astimezone(zone_of(self.home.settings.zone)).date()
        if local != self.local_day:
            self.local_day, self.volume_today_l = local, 0.0
        self.volume_today_l += step.flow_l_per_min * step.seconds / 60
        return [*events, *outcome.events]

    def learn(self, day: date | None = None) -> None:
        """Learn the habits that a day is judged by, as the graph's step does.

        Parameters
        ----------
        day
            UTC; by default the one that is judged now.
        """
        chosen = day or self.learned.day or datetime.now(UTC).date()
        self.refresh()
        settings = self.home.settings
        past = sessions_before(self.warehouse, self.home.name, chosen, settings)
        self.learned = learn(past, chosen, settings)

    def listen(self) -> bool:
        """Take what people have said since the last look; whether there was anything."""
        new = [name for name in names(self.warehouse, self.home.name) if name > self.newest_control]
        if not new:
            return False
        self.newest_control = new[-1]
        self.waiting += controls(self.warehouse, self.home.name, new)
        self.waiting.sort(key=lambda control: control.at_s)
        return True

    def paused_until_s(self, now_s: float) -> float | None:
        """Return until when alarms are paused, also where no reading has come since it was said."""
        until_s = self.state.paused_until_s
        for control in self.waiting:
            if control.action == "pause":
                until_s = control.until_s
            elif control.action == "resume":
                until_s = None
        return until_s if until_s is not None and until_s > now_s else None

    def status(self, now_s: float) -> Status:
        """Return how the engine is; a stale feed never clears an alarm."""
        found = self.state.status(now_s, self.learned, self.home.settings)
        return "paused" if found != "stale" and self.paused_until_s(now_s) else found
