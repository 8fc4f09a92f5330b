"""A stream scored as it arrives, without a daemon: collect, preprocess, score, compare, alert.

Readings go the way of all readings: through the collector into the spool and from there through the
steps of the day. Nothing is scored by another path, so a replay of the day gives the same scores.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from leak_assets.errors import InputError, MissingInputError
from leak_assets.incidents.notifications import notify
from leak_assets.incidents.sinks import sinks
from leak_assets.models.config import CONFIG_DIR
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.system.strict_yaml import read_mapping, validated
from leak_assets.telemetry.sources.collect import Collector
from leak_assets.telemetry.sources.drivers import open_stream
from leak_assets.telemetry.sources.every import EverySource
from leak_assets.telemetry.sources.stream_config import StreamConfig

from .daemonless import process_landing_zone

SCORES, CANDIDATES = "detection.window_scores", "detection.window_candidates"
NAME = "realtime.yaml"
_LOOK_S = 0.2


class RealtimeConfig(BaseModel):
    """What is listened to, how often it is scored, and what alerts.

    Attributes
    ----------
    source
        The stream, as of `leak-assets collect`.
    score_every_s
        Longest time between two looks at what arrived.
    alert_from
        Score from which a window alerts; None: the threshold of its model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: StreamConfig
    score_every_s: float = Field(10.0, gt=0, le=3600)
    alert_from: float | None = Field(None, ge=0, le=1)


def load_realtime(settings: Settings, path: Path | None = None) -> RealtimeConfig:
    """Return the configuration of a file, of the home, or the packaged one.

    Raises
    ------
    InputError
        It cannot be read, or a key is unknown or wrong; key, file and line are named.
    """
    own = settings.configs_dir / NAME
    file = path or (own if own.is_file() else CONFIG_DIR / NAME)
    if not file.is_file():
        raise MissingInputError("no such file", remedy="Give a YAML file", file=file)
    content, text = read_mapping(
        file, "realtime configuration", remedy="Write `source:` with the keys of docs/sources.md"
    )
    config = validated(
        RealtimeConfig, content, file=file, text=text, remedy="docs/models.md has an example"
    )
    secrets = {"username": settings.source_username, "password": settings.source_password}
    return config.model_copy(update={"source": config.source.model_copy(update=secrets)})


@dataclass
class RealtimeCounts:
    """What became of a stream: readings taken, windows scored, alerts raised."""

    readings: int = 0
    windows: int = 0
    alerts: int = 0


class Realtime:
    """Collects a stream and scores what arrived, until it is stopped.

    Parameters
    ----------
    alert
        Called with each window that alerts: network, window_end, anomaly_score, threshold,
        link_id, model_version.
    say
        Called with each line for people.

    Raises
    ------
    InputError
        The stream cannot be opened as it is configured.
    """

    def __init__(
        self,
        ctx: StepContext,
        config: RealtimeConfig,
        *,
        alert: Callable[[dict[str, Any]], None],
        say: Callable[[str], None],
    ) -> None:
        self.counts = RealtimeCounts()
        self._ctx, self._config, self._alert, self._say = ctx, config, alert, say
        stream = open_stream(config.source)
        self._collector = Collector(config.source, stream, ctx.settings, ctx.warehouse, say)
        self._stopping = threading.Event()
        self._seen: dict[str, datetime] = {}
        self._problem: BaseException | None = None

    def stop(self) -> None:
        """End after what was received is scored; for signal handlers."""
        self._stopping.set()
        self._collector.stop()

    def run(self) -> RealtimeCounts:
        """Collect and score until `stop`.

        Raises
        ------
        InputError
            What only the user can mend: a password, a key that is no stream.
        """
        listener = threading.Thread(target=self._collect, name="collector", daemon=True)
        listener.start()
        looked = 0.0
        while not self._stopping.is_set() and listener.is_alive():
            if time.monotonic() >= looked + self._config.score_every_s:
                self.score_waiting()
                looked = time.monotonic()
            self._stopping.wait(min(_LOOK_S, self._config.score_every_s))
            self.counts.readings = self._collector.counts.readings
        self._collector.stop()
        listener.join()
        if self._problem is not None:
            raise self._problem
        self.score_waiting()
        self.counts.readings = self._collector.counts.readings
        return self.counts

    def _collect(self) -> None:
        try:
            self._collector.run()
        except (InputError, OSError) as error:
            self._problem = error

    def score_waiting(self) -> None:
        """Take what waits through the steps of its days, and alert of windows that are new."""
        waiting = EverySource(self._ctx.settings, self._ctx.warehouse).waiting()
        for name in sorted({one.network for one in waiting}):
            before = self._seen.setdefault(name, self._newest(name))
            try:
                process_landing_zone(self._ctx, self._ctx.site(name))
            except InputError as error:
                # One site must not keep the others from being scored.
                self._say(f"{name}: {error}")
                continue
            self._tell_new(name, before)
        if waiting and sinks(self._ctx.settings):
            notify(self._ctx)

    def _newest(self, network: str) -> datetime:
        rows = self._rows(network, SCORES)
        newest = rows["window_end"].max() if rows.height else None
        return newest if isinstance(newest, datetime) else _LONG_AGO

    def _tell_new(self, network: str, before: datetime) -> None:
        scores = self._rows(network, SCORES).filter(pl.col("window_end") > before)
        best = self._rows(network, CANDIDATES).filter(rank=1).select("window_start", "link_id")
        limit = self._config.alert_from
        is_alert = pl.col("is_alarm") if limit is None else pl.col("anomaly_score") >= limit
        found = scores.join(best, on="window_start", how="left").filter(is_alert)
        for row in found.sort("window_end").iter_rows(named=True):
            self.counts.alerts += 1
            self._alert(
                {
                    "network": network,
                    "window_end": row["window_end"],
                    "anomaly_score": row["anomaly_score"],
                    "threshold": row["threshold"] if limit is None else limit,
                    "link_id": row["link_id"],
                    "model_version": row["method_version"],
                }
            )
        self.counts.windows += scores.height
        if scores.height:
            self._seen[network] = scores["window_end"].max()  # type: ignore[assignment]

    def _rows(self, network: str, table: str) -> pl.DataFrame:
        """Return the rows of the two newest days: a window belongs to the day it ends."""
        days = sorted(self._ctx.warehouse.days(table, network))[-2:]
        found = [
            frame
            for day in days
            if (frame := self._ctx.warehouse.read(table, {"date": day, "network": network}))
            is not None
        ]
        return pl.concat(found) if found else _empty(table)


_LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _empty(table: str) -> pl.DataFrame:
    from leak_assets.warehouse.schemas import TABLES

    return TABLES[table].empty()
