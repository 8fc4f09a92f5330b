"""How often one client may ask. Counts are of this instance alone; no answer follows from them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_CLIENTS = 10_000


@dataclass
class Rate:
    """A bucket of tokens for each client: a minute's worth to begin with, refilled evenly.

    Parameters
    ----------
    per_minute
        Requests that a client may make in a minute.
    clock
        Seconds; a test has its own.
    """

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def wait_s(self, client: str) -> float:
        """Take a token of a client; return 0, or the seconds until there is one again."""
        now = self.clock()
        with self._lock:
            left, seen_at = self._left.pop(client, (float(self.per_minute), now))
            left = min(float(self.per_minute), left + (now - seen_at) * self.per_minute / 60)
            allowed = left >= 1
            self._left[client] = (left - 1 if allowed else left, now)
            # Who has not asked for longest has the fullest bucket: little is forgiven.
            if len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self.per_minute
