"""One run as a folder of files: telemetry in the format asked for, and the truth beside it.

The formats themselves are in modules of their own; here is which file lies where.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.hydraulics.truth import event_truth, fault_labels
from leak_assets.sites.registry import Network
from leak_assets.system.files import publish
from leak_assets.telemetry.sources.deliver import SIMULATION_LIST as MANIFEST

from .battledim.names import EVENTS, SENSOR_FAULTS, TRUTH_FOLDER
from .battledim.telemetry import write_scada_csv
from .battledim.truth import Truth, write_truth
from .inp import write_scenario_inp
from .landing_parquet import write_long_parquet
from .ldim import write_ldim_dataset
from .leakdb import write_leakdb_scenario
from .windows_jsonl import scenario_frames, write_windows_jsonl

FORMATS = ("csv", "parquet", "leakdb", "ldim", "jsonl", "inp")


def write_run(
    network: Network, run: ScenarioRun, folder: Path, formats: Sequence[str] = ("csv",)
) -> list[Path]:
    """Write a run and return its files.

    Parameters
    ----------
    formats
        `csv`: BattLeDIM's SCADA files, one per quantity and year. `parquet`: one long file for
        the landing zone. `leakdb`: `leakdb/Scenario-1/`. `ldim`: `ldim/`, a dataset of
        LDIMBenchmark. `jsonl`: `windows.jsonl`, labelled windows. `inp`: `scenario.inp`, which
        EPANET alone can run.

    Returns
    -------
    list of Path
        Telemetry, and under `truth/`: `leaks.csv`, `leak_flows.parquet` and `meta.json` as the
        scorer reads them, `events.csv` and `sensor_faults.csv` where there are any.

    Raises
    ------
    InputError
        Unknown format, or a folder of the export holds other files.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(f"no format {unknown[0]!r}", remedy=f"Use {', '.join(FORMATS)}")
    files: list[Path] = []
    if "csv" in formats:
        files += write_scada_csv(run.wide(), run.layout, folder)
    if "parquet" in formats:
        path = folder / f"{run.start_at:%Y-%m-%d}_SCADA.parquet"
        write_long_parquet(run.wide(), run.layout, path)
        files.append(path)
    if "leakdb" in formats:
        files += _within(write_leakdb_scenario(network, run, folder / "leakdb"))
    if "ldim" in formats:
        files += _within(write_ldim_dataset(network, run, folder / "ldim"))
    if "jsonl" in formats:
        path = folder / "windows.jsonl"
        scenario = f"{network.name}/{run.start_at:%Y-%m-%d}"
        write_windows_jsonl(path, *scenario_frames(run, scenario), run.layout.columns())
        files.append(path)
    if "inp" in formats:
        write_scenario_inp(network, run, folder / "scenario.inp")
        files.append(folder / "scenario.inp")
    return files + write_run_truth(network, run, folder / TRUTH_FOLDER)


def write_list(network: Network, run: ScenarioRun, folder: Path, files: Sequence[Path]) -> None:
    """Write `simulation.json`: what was simulated, and all files of this and earlier runs.

    `clear_run` removes these files and nothing else.
    """
    before = _listed(folder)
    listed = sorted({*before, *(str(path.relative_to(folder)) for path in files)})
    content = {
        "network": network.name,
        "start": run.start_at.isoformat(),
        "steps": run.steps,
        "step_s": run.step_s,
        "seed": run.seed,
        "town_seed": run.town.seed,
        "leaks": len(run.leaks),
        "events": len(run.events),
        "sensor_faults": len(run.faults),
        "files": listed,
    }
    publish(folder / MANIFEST, json.dumps(content, indent=1).encode())


def clear_run(folder: Path) -> int:
    """Remove what earlier runs wrote into a folder; return the number of files.

    Files that no run wrote stay.
    """
    removed = 0
    for name in _listed(folder):
        path = folder / name
        if path.is_file():
            path.unlink()
            removed += 1
        for parent in path.parents:
            if parent == folder or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()
    (folder / MANIFEST).unlink(missing_ok=True)
    return removed


def _listed(folder: Path) -> list[str]:
    """Return the files that earlier runs wrote, as far as they lie in the folder."""
    file = folder / MANIFEST
    if not file.is_file():
        return []
    try:
        names = [str(name) for name in json.loads(file.read_text("utf-8"))["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "the list of an earlier simulation cannot be read",
            remedy="Remove the file, or choose another folder",
            file=file,
        ) from error
    root = folder.resolve()
    for name in names:
        if not (folder / name).resolve().is_relative_to(root):
            raise InputError(
                f"the list of an earlier simulation names {name!r}, outside of its folder",
                remedy="Remove the file, or choose another folder",
                file=file,
            )
    return names


def _within(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write_run_truth(network: Network, run: ScenarioRun, folder: Path) -> list[Path]:
    """Write the truth of a run: leaks, their flow, events and sensor faults; return the files."""
    end_at = run.start_at + timedelta(seconds=(run.steps - 1) * run.step_s)
    truth = Truth.of_run(
        "simulated",
        network.inp_path,
        run.start_at,
        end_at,
        run.leaks,
        run.leak_flow_m3_per_h(),
    )
    meta = {"network_name": network.name, "seed": run.seed}
    return write_truth(truth, folder, meta) + write_other_truth(run, folder)


def write_other_truth(run: ScenarioRun, folder: Path) -> list[Path]:
    """Write what happened besides leaks, where anything did; return the files."""
    files = []
    for name, rows in ((EVENTS, event_truth(run)), (SENSOR_FAULTS, fault_labels(run))):
        if rows.height:
            publish(folder / name, rows.write_csv().encode())
            files.append(folder / name)
    return files
