"""A BattLeDIM export as a folder: which files it has, their sensors, half-hour means, repairs.

Reading only. Cells are checked by `telemetry.readers`; nothing is written to the warehouse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from leak_assets.errors import InputError
from leak_assets.sites import Network, SensorLayout, layout_from_headers
from leak_assets.sites.contract import load_contract
from leak_assets.telemetry.readers.read_file import parse_file
from leak_assets.telemetry.readers.scada_csv import read_header

from .names import repair_report, scada_file, scada_files
from .submission import read_submission

# Of these an export has at least one.
ONE_OF = ("pressure", "flow")
MEAN_OVER = "30m"
PERIODS = 2


@dataclass(frozen=True)
class Repair:
    """A repaired leak as the utility reported it."""

    link_id: str
    at: datetime


@dataclass(frozen=True)
class ScadaExport:
    """The files of an export.

    Parameters
    ----------
    history, evaluated
        Labels of the two periods: what their files' names begin with, e.g. `2018` and `2019`.
    files
        By label and quantity.
    layout
        Sensors of their headers.
    repair_report, repairs
        The history's list of repaired leaks, and what it says, by time.
    """

    history: str
    evaluated: str
    files: dict[tuple[str, str], Path]
    layout: SensorLayout
    repair_report: Path | None
    repairs: tuple[Repair, ...]


def open_export(
    network: Network, folder: Path, history: str | None = None, evaluated: str | None = None
) -> ScadaExport:
    """Return what an export folder has, without reading the measurements.

    Parameters
    ----------
    history, evaluated
        Labels of the two periods. By default the folder's only two, in the order of the
        alphabet: years, or days as `2019-07-01`.

    Raises
    ------
    InputError
        A period lacks what the other has, or both lack pressures and flows, two files claim the
        same quantity, the headers of the two periods differ, or a sensor or a repaired link is not
        in the network.
    """
    present = scada_files(folder)
    if history is None or evaluated is None:
        history, evaluated = _periods(folder, sorted({label for label, _ in present}))
    files = {key: path for key, path in present.items() if key[0] in (history, evaluated)}
    quantities = dict.fromkeys(quantity for _, quantity in files)
    if not set(quantities) & set(ONE_OF):
        wanted = [f"{scada_file(history, quantity)}[.gz]" for quantity in ONE_OF]
        raise InputError(
            f"neither {' nor '.join(wanted)} is there",
            remedy="Put the files into the folder",
            file=folder,
        )
    for label in (history, evaluated):
        for quantity in quantities:
            if (label, quantity) not in files:
                raise InputError(
                    f"{scada_file(label, quantity)}[.gz] is missing, the other period has it",
                    remedy="Put the file into the folder",
                    file=folder,
                )
    headers: dict[str, tuple[str, ...]] = {}
    for (_, quantity), path in files.items():
        names = read_header(path)[1]
        if set(headers.setdefault(quantity, names)) != set(names):
            raise InputError(
                f"its sensors differ from those of {history}",
                remedy="Deliver the same sensors in both periods",
                file=path,
                row=1,
            )
    layout = layout_from_headers(network, headers)
    report = folder / repair_report(history)
    if not report.is_file():
        return ScadaExport(history, evaluated, files, layout, None, ())
    return ScadaExport(history, evaluated, files, layout, report, _repairs(network, report))


def _periods(folder: Path, labels: list[str]) -> tuple[str, str]:
    if len(labels) != PERIODS:
        found = f"files of {', '.join(labels)}" if labels else "no file like 2019_SCADA_Flows.csv"
        raise InputError(
            f"the folder has {found}, not of two periods",
            remedy="Put the files of history and evaluation there, or name the two periods",
            file=folder,
        )
    return labels[0], labels[1]


def half_hour_means(
    network: Network, export: ScadaExport, progress: Callable[[str], None]
) -> pl.DataFrame:
    """Return the measurements as a wide frame of half-hour means in SI, on a gapless grid.

    Values that cannot be used count as missing; `progress` gets a line for each file that has some.
    """
    contract = load_contract()
    now = datetime.now(UTC)
    periods: dict[str, pl.DataFrame] = {}
    for (label, _), path in sorted(export.files.items()):
        progress(f"reading {path.name}")
        parsed = parse_file(
            path,
            network=network.name,
            layout=export.layout,
            contract=contract,
            received_at=now,
            refuses_impossible=True,
            strict=True,
        )
        if parsed.quarantined:
            first = parsed.quarantine.row(0, named=True)
            progress(
                f"{path.name}: {parsed.quarantined} values are not used, the first in row"
                f" {first['file_row']}: {first['message']}"
            )
        means = (
            parsed.wide()
            .group_by_dynamic("ts_utc", every=MEAN_OVER)
            .agg(pl.exclude("ts_utc").mean())
        )
        before = periods.get(label)
        periods[label] = (
            means if before is None else before.join(means, on="ts_utc", how="full", coalesce=True)
        )
    frame = pl.concat(periods.values(), how="diagonal").sort("ts_utc")
    missing = pl.lit(None, pl.Float64)
    columns = [
        pl.col(name) if name in frame.columns else missing.alias(name)
        for name in export.layout.columns()
    ]
    return frame.upsample("ts_utc", every=MEAN_OVER).select("ts_utc", *columns)


def _repairs(network: Network, path: Path) -> tuple[Repair, ...]:
    """Return the reported repairs, by time."""
    links = set(network.water_network().link_name_list)
    out = []
    for row, link, when in read_submission(path):
        if link not in links:
            raise InputError(
                f"{network.name} has no link {link!r}",
                remedy="Use link names of the network model",
                file=path,
                row=row,
                column="linkID",
            )
        out.append(Repair(link, when))
    return tuple(sorted(out, key=lambda repair: repair.at))
