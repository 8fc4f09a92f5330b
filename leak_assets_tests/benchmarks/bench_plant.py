"""Rules of a plant on stored readings: readings judged per second.

Run it: python -m leak_assets_tests.benchmarks.bench_plant
"""

import statistics
import time
from datetime import UTC, datetime

from leak_assets.plant.profile import load_profile
from leak_assets.plant.rules import ORDER, judge
from leak_assets.plant.simulator.simulator import PlantStream
from leak_assets_tests.benchmarks.figures import Figure, print_figures

TOPIC = "Plant rules: 100 sensors x 3 parameters every 2 s, stored readings"
COMMAND = "python -m leak_assets_tests.benchmarks.bench_plant"


def figures(*, smoke: bool = False) -> list[Figure]:
    """Return readings per second, median of five runs."""
    sensors, steps = (5, 300) if smoke else (100, 20_000)
    stream = PlantStream(7, start_at=datetime(2025, 5, 28, tzinfo=UTC), sensors=sensors)
    readings = stream.next(steps).readings.sort(ORDER)
    profile = load_profile("wtf_strict")
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        anomalies = judge(readings, profile).anomalies
        seconds.append(time.perf_counter() - begun)
    rate = readings.height / statistics.median(seconds) / 1e6
    return [
        Figure(TOPIC, "readings judged", rate, "million/s", "≥ 5", COMMAND),
        Figure(TOPIC, "anomalies among them", float(anomalies.height), "", "", COMMAND),
    ]


if __name__ == "__main__":
    print_figures(figures())
