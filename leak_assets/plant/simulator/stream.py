"""The simulated plant as a stream of messages in real time, for demos and tests: no broker needed.

Readings follow from the seed and the start; nothing is kept, what nobody receives is not sent.
"""

import json
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from leak_assets.telemetry.readers.messages import Message
from leak_assets.telemetry.sources.stream import content_id, cut
from leak_assets.telemetry.sources.stream_config import StreamConfig

from .simulator import PlantStream, messages

DRIVER = f"{__name__}:SimulatedPlant"
_LOOK_S = 0.05


class SimulatedPlant:
    """Devices that send every `step_s` seconds, and at first what they would have sent before.

    Parameters
    ----------
    config
        Options: `sensors` (1), `seed` (1), `step_s` (2), `past_s` (600), `anomaly_rate_per_h` (6).
    """

    replays = False

    def __init__(self, config: StreamConfig) -> None:
        config.check_options(("sensors", "seed", "step_s", "past_s", "anomaly_rate_per_h"))
        self._topic = config.topics[0]
        self._step = timedelta(seconds=config.option("step_s", 2))
        past = timedelta(seconds=config.option("past_s", 600))
        self._next = datetime.now(UTC).replace(microsecond=0) - past
        self._plant = PlantStream(
            config.option("seed", 1),
            start_at=self._next,
            sensors=config.option("sensors", 1),
            step_s=config.option("step_s", 2),
            anomaly_rate_per_h=float(config.option("anomaly_rate_per_h", 6.0)),
        )
        self._held: deque[Message] = deque()

    def receive(self, most: int, timeout_s: float) -> Sequence[Message]:
        """Return messages of readings up to now."""
        deadline = time.monotonic() + timeout_s
        while True:
            due = (datetime.now(UTC) - self._next) // self._step + 1
            if due > 0:
                self._next += due * self._step
                for one in messages(self._plant.next(due).readings):
                    payload = json.dumps(one).encode()
                    self._held.append(cut(self._topic, content_id(self._topic, payload), payload))
            if most and self._held:
                return [self._held.popleft() for _ in range(min(most, len(self._held)))]
            if time.monotonic() >= deadline:
                return []
            time.sleep(min(_LOOK_S, timeout_s))

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Do nothing: nothing is sent again."""

    def close(self) -> None:
        """Do nothing: there is no connection."""
