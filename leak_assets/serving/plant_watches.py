"""Running watches of plants as Prometheus reads them: `leak_assets_plant_watch_*` by site.

From what each watch writes of itself; whether data come at all is `plant_answers.status`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .newest import NewestRows
from .plant_rows import ALIVE_S

_PREFIX = "leak_assets_plant_watch_"
_COUNTS = {
    "judged_readings": "Readings judged since the plant was watched first.",
    "anomalies": "Anomalies noticed since the watch was started.",
    "failures": "Looks and texts that failed and were repeated.",
}
_NUMBERS = {
    "lag_s": ("lag_seconds", "How old the newest reading was when it came."),
    "untold": ("untold_anomalies", "Anomalies that no summary tells of yet."),
    "waiting": ("waiting_deliveries", "Deliveries that no run has taken yet."),
}
_AGES = {
    "newest_reading_at": ("last_reading_age_seconds", "Age of the newest reading."),
    "oldest_waiting_at": ("oldest_waiting_age_seconds", "Age of the oldest untaken delivery."),
}
_WRITERS = {"llm_summarizer": "llm_summaries", "template": "template_summaries"}
_Samples = Sequence[tuple[tuple[str, ...], float | None]]
_Family = GaugeMetricFamily | CounterMetricFamily


def watch_rows(rows: NewestRows, sites: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the watches of plants wrote of themselves, ended ones among them."""
    found = []
    for site in sites:
        state = rows.warehouse.read("plant.live_states", {"site": site})
        if state is not None and not state.is_empty():
            found.append(state.drop("state").row(-1, named=True))
    return found


class Watches(Collector):
    """Tells watches of plants.

    Parameters
    ----------
    watches
        Rows of `plant.live_states`.
    now
        Ages are measured from it.
    """

    def __init__(self, watches: Sequence[Mapping[str, Any]], now: datetime) -> None:
        self._watches = watches
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield each series with a sample for each plant that says it."""
        ages = {"up": self._of("alive_at", self._is_alive)}
        ages |= {name: self._of(column, self._age) for column, (name, _) in _AGES.items()}
        texts = {"up": f"1 where the watch wrote within {ALIVE_S:g} s."}
        texts |= dict([*_AGES.values(), *_NUMBERS.values()])
        numbers = {name: self._of(column) for column, (name, _) in _NUMBERS.items()}
        for name, samples in (ages | numbers).items():
            family = GaugeMetricFamily(_PREFIX + name, texts[name], labels=["site"])
            yield _filled(family, samples)
        for column, text in _COUNTS.items():
            yield _filled(
                CounterMetricFamily(_PREFIX + column, text, labels=["site"]), self._of(column)
            )
        reasons = [
            ((row["site"], reason), count)
            for row in self._watches
            for reason, count in json.loads(row["not_judged"]).items()
        ]
        name, text = f"{_PREFIX}not_judged_readings", "Readings not judged live."
        yield _filled(CounterMetricFamily(name, text, labels=["site", "reason"]), reasons)
        writers = [
            ((row["site"], writer), row[column])
            for row in self._watches
            for writer, column in _WRITERS.items()
        ]
        name, text = f"{_PREFIX}summaries", "Texts by who wrote them."
        yield _filled(CounterMetricFamily(name, text, labels=["site", "generated_by"]), writers)

    def _of(self, column: str, value: Callable[[Any], float] = lambda known: known) -> _Samples:
        """Return a column's value of each plant, None where it is not said."""
        return [
            ((row["site"],), None if row[column] is None else value(row[column]))
            for row in self._watches
        ]

    def _age(self, at: datetime) -> float:
        return max((self._now - at).total_seconds(), 0.0)

    def _is_alive(self, at: datetime) -> float:
        return float(self._age(at) <= ALIVE_S)


def _filled(family: _Family, samples: _Samples) -> Metric:
    """Return a family with the samples that say something."""
    for labels, value in samples:
        if value is not None:
            family.add_metric(list(labels), value)
    return family
