"""A BattLeDIM export as a folder: which files it has, their sensors, half-hour means, repairs.

Reading only. Cells are checked by `telemetry.parse`; nothing is written to the warehouse.
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

from .files import read_submission

QUANTITY_FILES = {
    "pressure": "Pressures",
    "flow": "Flows",
    "level": "Levels",
    "demand": "Demands",
}
REQUIRED = ("pressure", "flow")
REPAIRS = "{year}_Fixed_Leakages_Report.txt"
MEAN_OVER = "30m"
_ENDINGS = (".csv", ".csv.gz")


@dataclass(frozen=True)
class Repair:
    """A repaired leak as the utility reported it."""

    link_id: str
    at: datetime


@dataclass(frozen=True)
class ScadaExport:
    """The files of an export: by year and quantity, the layout of their headers, repairs."""

    files: dict[tuple[int, str], Path]
    layout: SensorLayout
    repair_report: Path | None
    repairs: tuple[Repair, ...]


def open_export(network: Network, folder: Path, history: int, evaluated: int) -> ScadaExport:
    """Return what an export folder has, without reading the measurements.

    Parameters
    ----------
    history, evaluated
        Years of the history and of the evaluation, e.g. 2018 and 2019.

    Raises
    ------
    InputError
        A required file is missing, two files claim the same quantity, the headers of the two
        years differ, or a sensor or a repaired link is not in the network.
    """
    if not folder.is_dir():
        raise InputError("no such folder", remedy="Name the folder of the export", file=folder)
    files: dict[tuple[int, str], Path] = {}
    for year in (history, evaluated):
        for quantity, word in QUANTITY_FILES.items():
            found = [folder / f"{year}_SCADA_{word}{ending}" for ending in _ENDINGS]
            present = [path for path in found if path.is_file()]
            if len(present) > 1:
                raise InputError(
                    f"{present[0].name} and {present[1].name} are both there",
                    remedy="Keep one of them",
                    file=folder,
                )
            if present:
                files[year, quantity] = present[0]
            elif quantity in REQUIRED:
                raise InputError(
                    f"{year}_SCADA_{word}.csv[.gz] is missing",
                    remedy="Put the file into the folder",
                    file=folder,
                )
    headers: dict[str, tuple[str, ...]] = {}
    for (_, quantity), path in files.items():
        names = read_header(path)[1]
        if set(headers.setdefault(quantity, names)) != set(names):
            raise InputError(
                f"its sensors differ from those of {history}",
                remedy="Deliver the same sensors in both years",
                file=path,
                row=1,
            )
    layout = layout_from_headers(network, headers)
    report = folder / REPAIRS.format(year=history)
    if not report.is_file():
        return ScadaExport(files, layout, None, ())
    return ScadaExport(files, layout, report, _repairs(network, report))


def half_hour_means(
    network: Network, export: ScadaExport, progress: Callable[[str], None]
) -> pl.DataFrame:
    """Return the measurements as a wide frame of half-hour means in SI, on a gapless grid.

    Values that cannot be used count as missing; `progress` gets a line for each file that has some.
    """
    contract = load_contract()
    now = datetime.now(UTC)
    years: dict[int, pl.DataFrame] = {}
    for (year, _), path in sorted(export.files.items()):
        progress(f"reading {path.name}")
        parsed = parse_file(
            path,
            network=network.name,
            layout=export.layout,
            contract=contract,
            received_at=now,
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
        before = years.get(year)
        years[year] = (
            means if before is None else before.join(means, on="ts_utc", how="full", coalesce=True)
        )
    frame = pl.concat(years.values(), how="diagonal").sort("ts_utc")
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
