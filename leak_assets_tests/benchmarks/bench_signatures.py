"""Leak signatures by the network's equations against EPANET's: time and error.

Run it: python leak_assets_tests/benchmarks/bench_signatures.py
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from leak_assets.hydraulics.signatures.signatures import (
    Signatures,
    epanet_signatures,
    signatures_of_sizes,
)
from leak_assets.hydraulics.signatures.table import HOURS, leak_sizes_m3_per_s
from leak_assets.settings import Settings
from leak_assets.sites import Network, candidate_pipes, load_layout, resolve
from leak_assets_tests.benchmarks.figures import Figure, print_figures

TOPIC = "Leak signatures: the equations against EPANET, processor seconds of one core"
# Network, every which pipe, hours. EPANET takes as long for each hour and pipe.
CASES = (
    ("hanoi", 1, (0,)),
    ("net3", 1, (0, 8)),
    ("ky4", 4, (2, 14)),
    ("l-town", 1, (3, 9, 15, 21)),
)

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the processor time of a work and its result."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def errors(ours: Sequence[Signatures], theirs: Sequence[Signatures]) -> NDArray[np.float64]:
    """Return errors of pressures as shares of the signature's norm, those above a millimeter."""
    found = []
    for one, other in zip(ours, theirs, strict=True):
        pressures = [i for i, name in enumerate(one.sensors) if name.startswith("pressure/")]
        norm = np.linalg.norm(other.response[..., pressures], axis=-1)
        error = np.linalg.norm((one.response - other.response)[..., pressures], axis=-1)
        found.append((error / np.maximum(norm, 1e-9))[norm > 1.0])
    return np.concatenate(found)


def case(network: Network, every: int, hours: tuple[int, ...]) -> Iterator[Figure]:
    """Yield time and errors of one network."""
    layout, pipes = load_layout(network), candidate_pipes(network)[::every]
    sizes = leak_sizes_m3_per_s(network)
    ours_s, ours = timed(
        lambda: signatures_of_sizes(network, layout, pipes, hours=hours, sizes_m3_per_s=sizes)
    )
    theirs_s, theirs = timed(
        lambda: epanet_signatures(network, layout, pipes, hours=hours, sizes_m3_per_s=sizes)
    )
    off = errors(ours, theirs)
    label = f"{network.name}, {len(pipes)} pipes, {len(hours)} hours, {len(sizes)} sizes"
    yield Figure(TOPIC, f"{label}: faster than EPANET", theirs_s / ours_s, "×")
    yield Figure(TOPIC, f"{label}: error, median", 100 * float(np.median(off)), "%")
    yield Figure(TOPIC, f"{label}: error, 95 of 100", 100 * float(np.percentile(off, 95)), "%")
    yield Figure(TOPIC, f"{label}: error, worst", 100 * float(off.max()), "%", "≤ 3")
    left = sum(one.by_epanet for one in ours)
    yield Figure(TOPIC, f"{label}: left to EPANET", f"{left} of {off.size}")


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield time and errors by network; a smoke run is Hanoi alone."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(LEAK_ASSETS_HOME=home)
        for name, every, hours in CASES[:1] if smoke else CASES:
            yield from case(resolve(name, settings), every, hours)
        if smoke:
            return
        network = resolve("l-town", settings)
        pipes, sizes = candidate_pipes(network), leak_sizes_m3_per_s(network)
        for some in (sizes[1:2], sizes):
            begin = time.process_time()
            signatures_of_sizes(
                network, load_layout(network), pipes, hours=range(HOURS), sizes_m3_per_s=some
            )
            label = f"L-Town, {len(pipes)} pipes × {HOURS} hours × {len(some)} sizes"
            yield Figure(TOPIC, label, time.process_time() - begin, "s", "≤ 5")


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
