"""A plant's newest anomalies and summaries as lists in Redis, for programs that read them there.

The lists follow the tables, and nobody here reads them: a restart, or a Redis that was gone, leaves
nothing out and nothing twice.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas import TABLES

ANOMALIES, SUMMARIES = "anomaly_history", "summary_history"
# Entries of each list, newest first.
MOST = 100
_LOOK_S = 0.5
_TIMEOUT_S = 5.0
# What the day's run made counts more than what the watch noticed until then.
_TABLES = {
    ANOMALIES: ("plant.live_anomalies", "plant.anomalies"),
    SUMMARIES: ("plant.live_summaries", "plant.summaries"),
}


@contextmanager
def shown_in_redis(
    url: str, settings: Settings, warehouse: Warehouse, site: str, say: Callable[[str], None]
) -> Iterator[Callable[[], str]]:
    """Keep both lists up to date while the block runs.

    Yields what tells why Redis does not answer, empty where it does.

    Parameters
    ----------
    url
        Such as `redis://localhost:6379/0`.
    settings
        Hold user and password, which stand in no URL.
    say
        Called with a line when Redis is gone, and when it is back.

    Raises
    ------
    InputError
        The URL is none of Redis.
    """
    lists = RedisLists(url, settings, warehouse, site)
    over = threading.Event()
    trouble = ""

    def follow() -> None:
        nonlocal trouble
        while True:
            try:
                lists.follow()
                if trouble:
                    say("Redis is back: its lists are as the tables are")
                trouble = ""
            except (OSError, InputError) as error:
                if not trouble:
                    say(f"lists in Redis: {error}; trying again")
                trouble = str(error)
            if over.wait(_LOOK_S):
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield lambda: trouble
    finally:
        over.set()
        thread.join(_TIMEOUT_S)
        lists.close()


class RedisLists:
    """Both lists of one plant.

    Parameters
    ----------
    url, settings, warehouse, site
        As of `shown_in_redis`.
    """

    def __init__(self, url: str, settings: Settings, warehouse: Warehouse, site: str) -> None:
        import redis

        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise InputError(
                "the URL of the lists holds a user or a password",
                remedy="Set LEAK_ASSETS_SOURCE_USERNAME and LEAK_ASSETS_SOURCE_PASSWORD in the"
                " environment",
            )
        secret = settings.source_password

        try:
            # Of a wrong URL this is the place to say so; it connects when it is used.
            self._client: Any = redis.Redis.from_url(
                url,
                username=settings.source_username,
                password=secret.get_secret_value() if secret else None,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
            )
        except ValueError as error:
            raise InputError(
                f"this is no URL of Redis ({error})", remedy="Write redis://HOST:PORT"
            ) from error
        self._warehouse = warehouse
        self._site = site
        self._shown: dict[str, object] = {}

    def follow(self) -> None:
        """Bring lists up to date whose tables changed since the last call.

        Raises
        ------
        ConnectionError
            Redis cannot be reached or refuses.
        """
        import redis

        try:
            for key, tables in _TABLES.items():
                state = self._state(tables)
                # A Redis that began anew may have forgotten everything.
                if self._shown.get(key) != (state, self._client.llen(key)):
                    self._shown[key] = state, self._replace(key, tables)
        except redis.RedisError as error:
            raise ConnectionError(f"Redis does not answer ({error})") from error

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _state(self, tables: tuple[str, ...]) -> list[tuple[str, int, int]]:
        found = []
        for table in tables:
            for partition in self._warehouse.partitions(table, site=self._site):
                path = self._warehouse.path(table, partition)
                if path.exists():
                    status = path.stat()
                    found.append((path.name, status.st_ino, status.st_mtime_ns))
        return found

    def _replace(self, key: str, tables: tuple[str, ...]) -> int:
        entries = anomaly_entries if key == ANOMALIES else summary_entries
        frames = [self._newest(table) for table in tables]
        texts = entries(*frames)[:MOST]
        pipe: Any = self._client.pipeline(transaction=True)
        pipe.delete(key)
        if texts:
            pipe.rpush(key, *texts)
        pipe.execute()
        return len(texts)

    def _newest(self, table: str) -> pl.DataFrame:
        """Return the rows of the newest partitions that hold enough of them."""
        frames: list[pl.DataFrame] = []
        for partition in reversed(self._warehouse.partitions(table, site=self._site)):
            frame = self._warehouse.read(table, partition)
            if frame is not None:
                frames.append(frame)
            if sum(one.height for one in frames) >= 2 * MOST:
                break
        return pl.concat(frames) if frames else TABLES[table].empty()


def anomaly_entries(live: pl.DataFrame, judged: pl.DataFrame) -> list[str]:
    """Return anomalies as JSON, newest first; each once, as it is known last."""
    rows = (
        pl.concat([judged, live.select(judged.columns)])
        .sort(pl.col("duration_s").is_null(), maintain_order=True)
        .unique(["site", "anomaly_id"], keep="first", maintain_order=True)
        .sort("ts_utc", "anomaly_id", descending=[True, False])
    )
    return [
        json.dumps(
            {
                "type": row["type"],
                "timestamp": row["ts_utc"].isoformat().replace("+00:00", "Z"),
                "sensor_id": row["sensor_id"],
                "parameter": row["parameter"],
                "value": row["value"],
                "message": row["message"],
            },
            ensure_ascii=False,
        )
        for row in rows.iter_rows(named=True)
    ]


def summary_entries(live: pl.DataFrame, judged: pl.DataFrame) -> list[str]:
    """Return texts, newest first; a live one counts until the day's run has told that time."""
    told = judged.get_column("last_at").max()
    live = live if told is None else live.filter(pl.col("last_at") > told)
    rows = pl.concat([judged.select("first_at", "summary"), live.select("first_at", "summary")])
    return rows.sort("first_at", descending=True, maintain_order=True)["summary"].to_list()
