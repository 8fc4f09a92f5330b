"""The demo's town: it differs from the model, has two leaks, and delivers official-format files.

The platform sees the files only; the truth is kept aside for the table at the end.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from leak_assets.exchange.battledim.telemetry import write_scada_csv
from leak_assets.exchange.run_folder import write_run_truth
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town
from leak_assets.sites import Network, SensorLayout, candidate_pipes

STEP_S = 300
FIRST_DAY = datetime(2019, 3, 4, tzinfo=UTC)
# Far from the seeds of the scenario towns (small numbers), so that no town is seen twice.
_SEED_OFFSET = 1_000_000


@dataclass(frozen=True)
class DemoSize:
    """What the demo runs on: network, size of hidden leaks, scenario runs to learn from.

    A week teaches the twin, then there is a burst that runs for days, then a leak that stays. The
    scenarios' leaks are as large as suits the network where `scenario_leaks_mm` is None.
    """

    network: str
    smallest_leak_mm: float
    largest_leak_mm: float
    batches: int
    scenarios_per_batch: int
    scenario_leaks_mm: tuple[float, float] | None = None
    days: int = 15


L_TOWN = DemoSize("l-town", 14.0, 22.0, batches=16, scenarios_per_batch=26)
# Fewer or smaller leaks in the scenarios do not bring the detector past its gate of recall.
# Hanoi's pipes are kilometres long: which of them leaks is seldom clear, and waited for.
SMALL = DemoSize(
    "hanoi",
    250.0,
    350.0,
    batches=12,
    scenarios_per_batch=24,
    scenario_leaks_mm=(250.0, 400.0),
    days=24,
)


def hidden_leaks(network: Network, town: Town, size: DemoSize, seed: int) -> tuple[Leak, ...]:
    """Draw two leaks: one that bursts and is repaired, then one that grows and stays."""
    rng = np.random.default_rng([_SEED_OFFSET, seed])
    pipes = [p for p in candidate_pipes(network) if p not in town.closed_pipes]
    first, second = rng.choice(pipes, size=2, replace=False)
    drawn_mm = rng.uniform(size.smallest_leak_mm, size.largest_leak_mm, size=2)
    # No hole is wider than its pipe, in the model or in the town.
    model = network.shared_model()
    widest_m = [
        model.get_link(pipe).diameter * min(1.0, town.diameter.get(pipe, 1.0))
        for pipe in (str(first), str(second))
    ]
    diameters = np.minimum(drawn_mm / 1000, widest_m)
    burst = FIRST_DAY + timedelta(days=7, minutes=5 * int(rng.integers(48, 240)))
    growth = FIRST_DAY + timedelta(days=11, minutes=5 * int(rng.integers(0, 120)))
    return (
        Leak(str(first), burst, float(diameters[0]), end_at=burst + timedelta(days=2, hours=16)),
        Leak(
            str(second),
            growth,
            float(diameters[1]),
            "incipient",
            peak_at=growth + timedelta(hours=18),
        ),
    )


def deliver_telemetry(
    network: Network, layout: SensorLayout, size: DemoSize, *, seed: int, landing: Path, truth: Path
) -> None:
    """Simulate the town and write its files into the landing zone, its truth beside."""
    town = Town.draw(network, _SEED_OFFSET + seed)
    leaks = hidden_leaks(network, town, size, seed)
    run = run_scenario(
        network,
        layout,
        start_at=FIRST_DAY,
        # The last step of the last day ends the files; the next day begins the next file.
        duration_s=size.days * 86400 - STEP_S,
        step_s=STEP_S,
        town=town,
        leaks=leaks,
        seed=_SEED_OFFSET + seed,
    )
    write_scada_csv(run.wide(), layout, landing / network.name)
    write_run_truth(network, run, truth)
