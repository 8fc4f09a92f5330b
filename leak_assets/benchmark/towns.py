"""Benchmark towns: simulated over two periods and written in BattLeDIM's format, truth beside.

What happens in a town is drawn in `town_plan`; here it is simulated and becomes files.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.exchange.battledim.leaks import leak_list
from leak_assets.exchange.battledim.names import META, MINUTE_FORMAT, TRUTH_FOLDER, repair_report
from leak_assets.exchange.battledim.submission import write_repair_report
from leak_assets.exchange.battledim.telemetry import write_scada_csv
from leak_assets.exchange.battledim.truth import Truth, write_truth
from leak_assets.exchange.run_folder import write_other_truth
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.sites import Network, SensorLayout
from leak_assets.system.files import check_replaceable, publish, publishing_folder
from leak_assets.system.processes import fan_out

from .score import STEPS_PER_H
from .town_plan import DrawnTown, TownPlan

# A folder with this file is a town and may be replaced by another.
MARKER = f"{TRUTH_FOLDER}/{META}"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class WrittenTown:
    """A town on disk: what was drawn, and the water that its leaks take in the evaluated period."""

    seed: int
    folder: Path
    leaks_history: int
    leaks_evaluated: int
    events: int
    sensor_faults: int
    lost_m3: float
    low_pressures: int
    """How many times a junction with demand had pressure below zero."""

    @property
    def truth(self) -> Path:
        """Folder that the scorer reads."""
        return self.folder / TRUTH_FOLDER


def town_folder(out: Path, network: Network, seed: int) -> Path:
    """Return the folder of a town below the folder of all."""
    return out / f"{network.name}-{seed}"


def write_towns(
    network: Network,
    layout: SensorLayout,
    plan: TownPlan,
    seeds: Sequence[int],
    out: Path,
    *,
    progress: Progress,
    workers: int | None = None,
) -> Iterator[WrittenTown]:
    """Write towns, several at once, and yield each as it is done.

    Parameters
    ----------
    progress
        Gets a line a simulated quarter where one town is at work, a line a town otherwise.
    workers
        Processes; as many as there are cores by default.

    Raises
    ------
    InputError
        A folder holds other files: found before anything is simulated.
    """
    for seed in seeds:
        check_replaceable(town_folder(out, network, seed), MARKER)
    if len(seeds) == 1:
        folder = town_folder(out, network, seeds[0])
        yield write_town(network, layout, plan, seeds[0], folder, progress=progress)
        return
    write = partial(_write_one, network, layout, plan, out)
    for number, (seed, town) in enumerate(fan_out(write, seeds, workers=workers), 1):
        progress(f"town {seed} is written ({number} of {len(seeds)})")
        yield town


def _write_one(
    network: Network, layout: SensorLayout, plan: TownPlan, out: Path, seed: int
) -> WrittenTown:
    return write_town(network, layout, plan, seed, town_folder(out, network, seed))


def write_town(
    network: Network,
    layout: SensorLayout,
    plan: TownPlan,
    seed: int,
    folder: Path,
    *,
    progress: Progress | None = None,
) -> WrittenTown:
    """Simulate a town and write it; its folder appears whole or not at all.

    The folder has the gzipped CSV set of both periods, the history's repair report, the nominal
    model, and `truth/`: `leaks.csv`, `leak_flows.parquet` and `meta.json` of the evaluated
    period, `leaks_<history>.csv` of what ended before it, `events.csv` and `sensor_faults.csv`
    of both. The same seed gives the same bytes.
    """
    progress = progress or _silent
    progress(f"drawing town {seed} of {network.name}")
    drawn = plan.draw(network, layout, seed)
    run = run_scenario(
        network,
        layout,
        start_at=plan.start_at,
        duration_s=round((plan.end_at - plan.start_at).total_seconds()),
        step_s=plan.step_s,
        town=drawn.town,
        leaks=drawn.leaks,
        events=drawn.events,
        faults=drawn.faults,
        seed=drawn.noise_seed,
        progress=_by_quarter(plan, progress),
    )
    progress("writing")
    with publishing_folder(folder, MARKER) as draft:
        _write_telemetry(run, plan, draft)
        write_repair_report(draft / repair_report(plan.labels[0]), drawn.repairs(plan))
        shutil.copyfile(network.inp_path, draft / network.inp_path.name)
        truth = _write_truth(network, run, plan, drawn, draft / TRUTH_FOLDER)
    return WrittenTown(
        seed,
        folder,
        sum(leak.start_at < plan.evaluated_at for leak in drawn.leaks),
        sum(leak.start_at >= plan.evaluated_at for leak in drawn.leaks),
        len(drawn.events),
        len(drawn.faults),
        sum(float(leak.flow_m3_per_h.sum()) for leak in truth.leaks) / STEPS_PER_H,
        run.negative_pressures,
    )


def _write_telemetry(run: ScenarioRun, plan: TownPlan, folder: Path) -> None:
    wide = run.wide()
    is_history = pl.col("ts_utc") < plan.evaluated_at
    for label, rows in zip(plan.labels, (is_history, ~is_history), strict=True):
        write_scada_csv(wide.filter(rows), run.layout, folder, label=label, compress=True)


def _write_truth(
    network: Network, run: ScenarioRun, plan: TownPlan, drawn: DrawnTown, folder: Path
) -> Truth:
    first = round((plan.evaluated_at - plan.start_at).total_seconds()) // plan.step_s
    truth = Truth.of_run(
        f"{network.name}-{drawn.seed}",
        Path("..") / network.inp_path.name,
        plan.evaluated_at,
        plan.end_at,
        run.leaks,
        run.leak_flow_m3_per_h()[first:],
    )
    write_truth(truth, folder, _meta(network, run, plan, drawn))
    ended = [
        (leak, leak.end_at)
        for leak in run.leaks
        if leak.end_at is not None and leak.end_at <= plan.evaluated_at
    ]
    publish(folder / f"leaks_{plan.labels[0]}.csv", leak_list(ended).encode())
    write_other_truth(run, folder)
    return truth


def _meta(network: Network, run: ScenarioRun, plan: TownPlan, drawn: DrawnTown) -> dict[str, Any]:
    """Return what a town was drawn from, for `meta.json`."""
    return {
        "network_name": network.name,
        "seeds": {"town": drawn.town.seed, "noise": drawn.noise_seed, "schedule": drawn.seed},
        "history": {
            "label": plan.labels[0],
            "start": plan.start_at.strftime(MINUTE_FORMAT),
            "repairs": len(drawn.repairs(plan)),
        },
        "evaluated": {"label": plan.labels[1]},
        "events": len(drawn.events),
        "sensor_faults": len(drawn.faults),
        "closed_valve": list(drawn.town.closed_pipes),
        "negative_pressures": run.negative_pressures,
        "town": json.loads(drawn.town.to_json()),
    }


def _by_quarter(plan: TownPlan, progress: Progress) -> Callable[[int, int], None]:
    """Return what turns steps into a line at the beginning and whenever a quarter has gone by."""
    told: set[tuple[int, int]] = set()

    def tell(step: int, steps: int) -> None:
        now = plan.start_at + timedelta(seconds=step * plan.step_s)
        quarter = (now.year, (now.month - 1) // 3)
        if quarter not in told:
            told.add(quarter)
            progress(f"simulating from {now:%Y-%m-%d} ({100 * step // steps} %)")

    return tell


def _silent(_line: str) -> None:
    return None
