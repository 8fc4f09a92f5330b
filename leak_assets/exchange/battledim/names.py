"""BattLeDIM's names: which file holds what, and how times and numbers are written in it.

Names only, for readers and writers alike; what telemetry readers must know of them stands in
`telemetry.readers.scada_header` and is taken from there.
"""

import re
from datetime import timedelta
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.telemetry.readers.scada_header import QUANTITY_WORDS, SEPARATOR, TIME_COLUMN
from leak_assets.telemetry.readers.times import OFFICIAL_FORMAT

__all__ = [
    "EVENTS",
    "LEAKS",
    "LEAK_COLUMNS",
    "LEAK_FLOWS",
    "META",
    "MINUTE_FORMAT",
    "OFFICIAL_FORMAT",
    "QUANTITY_WORDS",
    "REPAIR_COLUMNS",
    "SENSOR_FAULTS",
    "SEPARATOR",
    "STEP",
    "SUBMISSION_COLUMNS",
    "TIME_COLUMN",
    "TRUTH_FOLDER",
    "repair_report",
    "scada_file",
    "scada_files",
]

STEP = timedelta(minutes=5)
# Leak lists, repair reports and submissions have commas and times to the minute.
MINUTE_FORMAT = "%Y-%m-%d %H:%M"
LEAK_COLUMNS = ("linkID", "startTime", "endTime", "diameter_m", "type", "peakTime")
SUBMISSION_COLUMNS = ("linkID", "startTime")
REPAIR_COLUMNS = ("linkID", "repairTime")

TRUTH_FOLDER = "truth"
LEAKS, LEAK_FLOWS, META = "leaks.csv", "leak_flows.parquet", "meta.json"
EVENTS, SENSOR_FAULTS = "events.csv", "sensor_faults.csv"

_SCADA = re.compile(rf"(.+)_SCADA_({'|'.join(QUANTITY_WORDS.values())})\.csv(\.gz)?")
_QUANTITY = {word: quantity for quantity, word in QUANTITY_WORDS.items()}


def scada_file(label: str, quantity: str, *, compressed: bool = False) -> str:
    """Return a file's name, e.g. `2019_SCADA_Pressures.csv` for the label `2019`."""
    return f"{label}_SCADA_{QUANTITY_WORDS[quantity]}.csv{'.gz' if compressed else ''}"


def repair_report(label: str) -> str:
    """Return the name of a period's list of repaired leaks."""
    return f"{label}_Fixed_Leakages_Report.txt"


def scada_files(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the SCADA files of a folder by label and quantity, sorted.

    Raises
    ------
    InputError
        No such folder, or two files hold the same quantity of a period (plain and gzipped).
    """
    if not folder.is_dir():
        raise InputError("no such folder", remedy="Name the folder of the export", file=folder)
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        match = _SCADA.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        key = match[1], _QUANTITY[match[2]]
        if key in found:
            raise InputError(
                f"{found[key].name} and {path.name} are both there",
                remedy="Keep one of them",
                file=folder,
            )
        found[key] = path
    order = list(QUANTITY_WORDS)
    return dict(sorted(found.items(), key=lambda item: (item[0][0], order.index(item[0][1]))))
