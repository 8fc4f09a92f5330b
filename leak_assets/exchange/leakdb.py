"""Writes a scenario run in the folder layout of LeakDB.

Layout, names, columns and units are those of LeakDB's generator (KIOS-Research/LeakDB,
`Dataset_Generator_Py3/leakDataset.py`) and of the readers of the published folders (EPyT-Flow's
`leakdb.load_data`). The folder appears whole or not at all.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.hydraulics.engine.scenario_run import ScenarioRun, Series
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.sites.registry import Network
from leak_assets.system.files import publishing_folder
from leak_assets.units import SECONDS_PER_HOUR

from .inp import write_scenario_inp

Array = NDArray[np.float64]
Values = Literal["true", "measured"]
_SECOND = "%Y-%m-%d %H:%M:%S"
_DIGITS = 6
# Quantity of a run to folder, file stem and factor to LeakDB's units (m, m3/h).
_FOLDERS = {
    "pressure": ("Pressures", "Node", 1.0),
    "level": ("Pressures", "Node", 1.0),
    "demand": ("Demands", "Node", SECONDS_PER_HOUR),
    "flow": ("Flows", "Link", SECONDS_PER_HOUR),
}


def write_leakdb_scenario(
    network: Network,
    run: ScenarioRun,
    folder: Path,
    number: int = 1,
    *,
    values: Values = "true",
    tank_levels: Mapping[str, float] | None = None,
) -> Path:
    """Write `Scenario-<number>/` into a folder and return its path.

    Parameters
    ----------
    network
        Network of the run.
    values
        `true`, as LeakDB has them: every node and link if the run recorded all, else the
        instrumented ones. `measured`: the instrumented elements with their sensor errors.
    tank_levels
        As given to `TownEngine.run`, for the scenario's `.inp`.

    Returns
    -------
    Path
        Folder with `Pressures/Node_<id>.csv` (m; level of tanks), `Demands/Node_<id>.csv` (m3/h,
        without the leaks), `Flows/Link_<id>.csv` (m3/h), each `Timestamp,Value`; `Labels.csv`
        (`Timestamp,Label`, 1 while a leak is open); `Timestamps.csv` (`Index,Timestamp`);
        `Leaks/Leak_<node>_info.csv` and `Leak_<node>_demand.csv` (m3/h);
        `Scenario-<number>_info.csv`; `<network>_Scenario-<number>.inp`; `README.txt`.

    Raises
    ------
    InputError
        The scenario's folder holds something else.

    Notes
    -----
    LeakDB's leaks are at nodes. A leak at a pipe is at the junction `<pipe>_leaknode` of the
    `.inp`, which has no pressure file, and its info file has a further row `Leak Link`, by which
    `schedules.read_leakdb` gives the pipe again. A second leak at one node is
    `Leak_<node>_2_info.csv`.
    """
    scenario = folder / f"Scenario-{number}"
    info = f"Scenario-{number}_info.csv"
    with publishing_folder(scenario, info) as draft:
        inp = f"{network.name}_Scenario-{number}.inp"
        places = write_scenario_inp(network, run, draft / inp, tank_levels=tank_levels)
        for name in ("Pressures", "Demands", "Flows", "Leaks"):
            (draft / name).mkdir()
        times = run.times.dt.strftime(_SECOND)
        for quantity, series in _series(run, values).items():
            name, stem, factor = _FOLDERS[quantity]
            for column, element in enumerate(series.ids):
                file = draft / name / f"{stem}_{_file_name(element)}.csv"
                _write_column(file, times, "Value", series.values[:, column] * factor)
        _write_leaks(run, places, times, draft / "Leaks")
        active = np.zeros(run.steps, dtype=bool)
        for leak in run.leaks:
            active |= leak.opening(run.start_at, run.step_s, run.steps) > 0
        _write_column(draft / "Labels.csv", times, "Label", active.astype(np.float64))
        numbered = pl.DataFrame({"Timestamp": times}).with_row_index("Index")
        numbered.write_csv(draft / "Timestamps.csv")
        (draft / info).write_text(_scenario_info(network, run))
        (draft / "README.txt").write_text(_readme(network, run, values, inp))
    return scenario


def _series(run: ScenarioRun, values: Values) -> dict[str, Series]:
    """Return the series to write by quantity, SI; demand without leaks."""
    if values == "measured":
        return run.measured
    if not run.everything:
        return run.true
    return {
        "pressure": run.everything["pressure"],
        "demand": _without_leaks(run, run.everything["demand"]),
        "flow": run.everything["flow"],
    }


def _without_leaks(run: ScenarioRun, demand: Series) -> Series:
    """Take the leaks at nodes off, which EPANET counts as demand; LeakDB's demand has none."""
    values = demand.values.copy()
    for number, leak in enumerate(run.leaks):
        if leak.node_id is not None:
            values[:, demand.ids.index(leak.node_id)] -= run.leak_flow[:, number]
    return Series(demand.ids, values)


def _write_leaks(run: ScenarioRun, places: tuple[str, ...], times: pl.Series, folder: Path) -> None:
    seen: dict[str, int] = {}
    for number, (leak, place) in enumerate(zip(run.leaks, places, strict=True)):
        seen[place] = seen.get(place, 0) + 1
        again = "" if seen[place] == 1 else f"_{seen[place]}"
        stem = f"Leak_{_file_name(place)}{again}"
        (folder / f"{stem}_info.csv").write_text(_leak_info(run, leak, place))
        flow = run.leak_flow[:, number] * SECONDS_PER_HOUR
        _write_column(folder / f"{stem}_demand.csv", times, "Value", flow)


def _leak_info(run: ScenarioRun, leak: Leak, place: str) -> str:
    """Return the rows of a leak; `Leak End` is the last step with flow, as in LeakDB."""
    step = timedelta(seconds=run.step_s)
    first, peak, end = leak.on_grid(run.start_at, run.step_s)
    last = (run.steps if end is None else end) - 1
    rows = {
        "Description": "Value",
        "Leak Node": place,
        "Leak Area": f"{leak.area_m2:.9g}",
        "Leak Diameter": f"{leak.diameter_m:.9g}",
        "Leak Type": leak.kind,
        "Leak Start": f"{run.start_at + first * step:{_SECOND}}",
        "Leak End": f"{run.start_at + last * step:{_SECOND}}",
        "Peak Time": f"{run.start_at + peak * step:{_SECOND}}",
    }
    if leak.link_id is not None:
        rows["Leak Link"] = leak.link_id
    return _rows(rows)


def _scenario_info(network: Network, run: ScenarioRun) -> str:
    bounds = run.town.bounds
    return _rows(
        {
            "Description": "Value",
            "Network_Name": network.name,
            "Duration": f"{run.steps * run.step_s / SECONDS_PER_HOUR:g} hours",
            "Time_Step": f"{run.step_s / 60:g} min",
            "Uncertainty_Topology_(%)": "NO" if not run.town.closed_pipes else "YES",
            "Uncertainty_Length_(%)": f"{bounds.length * 100:g}",
            "Uncertainty_Diameter_(%)": f"{bounds.diameter * 100:g}",
            "Uncertainty_Roughness_(%)": f"{bounds.roughness * 100:g}",
            "Seed": str(run.seed),
            "Town_Seed": "none" if run.town.seed is None else str(run.town.seed),
        }
    )


def _readme(network: Network, run: ScenarioRun, values: Values, inp: str) -> str:
    what = "every node and link" if values == "true" and run.everything else "the sensors"
    return (
        f"{network.title}, {run.steps} steps of {run.step_s} s from"
        f" {run.start_at:{_SECOND}} UTC, {len(run.leaks)} leaks, in the layout of LeakDB\n"
        "(Vrachimis et al., WDSA/CCWI 2018).\n\n"
        f"Pressures (m), Demands (m3/h) and Flows (m3/h) hold {values} values of {what}.\n"
        "Demands are without the leaks of Leaks/, and with background leakage if there is any.\n"
        "A leak at a pipe is at the junction <pipe>_leaknode at its middle; the row 'Leak Link'\n"
        "of its info file names the pipe. 'Leak End' is the last step with flow.\n"
        f"{inp} runs in EPANET 2.2 and gives the true pressures; its first lines tell\n"
        "how the leaks are in it, and which events are not.\n"
    )


def _write_column(file: Path, times: pl.Series, name: str, values: Array) -> None:
    column = pl.Series(name, np.round(values, _DIGITS) + 0.0, nan_to_null=True)
    pl.DataFrame([times.alias("Timestamp"), column]).write_csv(file)


def _rows(rows: Mapping[str, str]) -> str:
    return "".join(f"{name} , {value}\n" for name, value in rows.items())


def _file_name(element: str) -> str:
    """Return an EPANET name as part of a file name; EPANET allows the slash."""
    return element.replace("/", "%2F")
