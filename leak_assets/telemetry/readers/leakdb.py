"""Series of a LeakDB scenario in the landing zone: what their names say.

A scenario is a folder of one file per element; in the landing zone each file carries the names of
its folders (`Scenario-1_Pressures_Node_12.csv`). `exchange.leakdb` writes such folders.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from leak_assets.sites.sensors import SensorLayout

from .mapping import FileMapping, Tag

# LeakDB's units (Vrachimis et al., WDSA/CCWI 2018); a tank's level is its pressure.
_UNITS = {"pressure": "m", "level": "m", "demand": "m3/h", "flow": "m3/h"}
_QUANTITIES = {"Pressures": ("pressure", "level"), "Demands": ("demand",), "Flows": ("flow",)}
_NAME = re.compile(
    r"(?:.*_)?(?P<folder>Pressures|Demands|Flows)_(?P<kind>Node|Link)_(?P<element>.+)\.csv"
)
_VALUE = "Value"
LEAKDB_FILE = FileMapping(layout="wide", time=("Timestamp",))


class Series(NamedTuple):
    """One element's series: the folder that it came from, and the element."""

    folder: str
    element: str


def leakdb_series(name: str) -> Series | None:
    """Return what a file of the landing zone holds by its name; None where it is no series."""
    found = _NAME.fullmatch(name)
    if found is None or (found["folder"] == "Flows") != (found["kind"] == "Link"):
        return None
    return Series(found["folder"], unquote(found["element"]))


def leakdb_tags(series: Series, layout: SensorLayout) -> dict[str, Tag]:
    """Return the sensor of a series as a mapping has it; nothing where it is not instrumented."""
    for quantity in _QUANTITIES[series.folder]:
        if series.element in layout.ids(quantity):
            return {_VALUE: Tag(sensor=series.element, quantity=quantity, unit=_UNITS[quantity])}
    return {}


def leakdb_files(folder: Path, layout: SensorLayout) -> Iterator[tuple[Path, str]]:
    """Yield the files of a scenario's folder that a layout measures, with their landing names."""
    for place in _QUANTITIES:
        for path in sorted((folder / place).glob("*.csv")):
            name = f"{folder.name}_{place}_{path.name}"
            series = leakdb_series(name)
            if path.is_file() and series is not None and leakdb_tags(series, layout):
                yield path, name


def is_leakdb(folder: Path) -> bool:
    """Whether a folder is a scenario of LeakDB."""
    return any((folder / place).is_dir() for place in _QUANTITIES) and any(
        folder.glob("*_info.csv")
    )
