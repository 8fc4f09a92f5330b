"""A driver for leak-assets: messages that another program leaves in a table of a database.

The pattern fits any database with ODBC (a historian, a billing system): a trigger or a job writes
each change into an outbox table, and a row is deleted once its reading is durable. SQLite here.
"""

import sqlite3
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from leak_assets.telemetry.readers.messages import Message
from leak_assets.telemetry.sources.stream import StreamLostError, cut
from leak_assets.telemetry.sources.stream_config import StreamConfig

OUTBOX = "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, topic TEXT, payload BLOB)"


class OutboxStream:
    """The rows of `outbox` in a file such as `outbox:///var/lib/scada/outbox.db`.

    A row has an id that is never used again, a topic and a message (JSON, as `docs/sources.md`
    describes it). `topics` of the configuration are those that are taken.
    """

    # Rows that were not acknowledged are there still after a crash.
    replays = True

    def __init__(self, config: StreamConfig) -> None:
        config.check_options(("poll_s",))
        self._path = urlsplit(config.url).path
        self._topics = config.topics
        self._poll_s = float(config.option("poll_s", 0.2))
        self._connection: sqlite3.Connection | None = None
        # Handed out by this process up to here; a new process begins anew.
        self._handed_out = 0

    def receive(self, most: int, timeout_s: float) -> Sequence[Message]:
        """Return up to `most` rows that were not handed out yet; wait for some if there are none.

        Raises
        ------
        StreamLostError
            The database cannot be read now; the collector says so once and tries again.
        """
        until = time.monotonic() + timeout_s
        while True:
            rows = self._rows(most) if most else []
            if rows or time.monotonic() >= until:
                break
            time.sleep(max(min(self._poll_s, until - time.monotonic()), 0.0))
        if rows:
            self._handed_out = rows[-1][0]
        return [cut(topic, str(number), _bytes(payload), number) for number, topic, payload in rows]

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Delete rows: their readings are on the collector's disk now.

        Raises
        ------
        StreamLostError
            The database cannot be written now; the rows come again, and are merged by their ids.
        """
        try:
            with self._open() as connection:
                connection.executemany(
                    "DELETE FROM outbox WHERE id = ?", [(message.token,) for message in messages]
                )
        except sqlite3.Error as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """End the connection; what was not acknowledged stays in the table."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, most: int) -> list[tuple[int, str, str | bytes]]:
        marks = ", ".join("?" * len(self._topics))
        query = (
            f"SELECT id, topic, payload FROM outbox WHERE id > ? AND topic IN ({marks})"
            " ORDER BY id LIMIT ?"
        )
        try:
            return self._open().execute(query, (self._handed_out, *self._topics, most)).fetchall()
        except sqlite3.Error as error:
            raise self._lost(error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=5.0)
            self._connection.execute(OUTBOX)
        return self._connection

    def _lost(self, error: sqlite3.Error) -> StreamLostError:
        self.close()
        self._handed_out = 0
        return StreamLostError(f"the outbox {self._path} cannot be used ({error})")


def _bytes(payload: str | bytes) -> bytes:
    """Return a payload as bytes: SQLite keeps text as text, whatever the column is declared."""
    return payload.encode() if isinstance(payload, str) else payload
