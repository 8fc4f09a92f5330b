"""Whether the invariants of incidents hold in 10,000 random sequences of what can happen.

Run it: python leak_assets_tests/benchmarks/bench_incidents.py
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.incident_sequences import run

COMMAND = "python leak_assets_tests/benchmarks/bench_incidents.py"


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield how many sequences held, and what they were made of."""
    sequences, steps = (50, 6) if smoke else (10_000, 15)
    topic = f"Incidents: {sequences:,} random sequences of {steps} events"
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        done = run(Path(folder), sequences, steps)
    seconds = time.process_time() - started
    held = f"{done.sequences:,} of {sequences:,}"
    yield Figure(topic, "sequences in which the invariants hold", held, "", "all", COMMAND)
    yield Figure(
        topic, "transitions of people, all found again", float(done.transitions), "", "", COMMAND
    )
    yield Figure(topic, "illegal transitions refused", float(done.refused), "", "", COMMAND)
    yield Figure(topic, "conflicts of two people", float(done.conflicts), "", "", COMMAND)
    yield Figure(topic, "states checked", float(done.checked_states), "", "", COMMAND)
    yield Figure(topic, "CPU time", seconds, "s", "", COMMAND)


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
