"""Reads the leaks of a user's schedule, whichever program's format it has.

Which format it is; the formats themselves are in `battledim.leaks` and `leakdb_leaks`. Times
without a zone are UTC.
"""

from datetime import datetime
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns.leaks import Leak

from .battledim.leaks import read_configuration, read_leak_list
from .battledim.names import LEAKS
from .leakdb_leaks import read_leakdb

# BattLeDIM's own generator spells the suffix `.yalm`.
CONFIG_SUFFIXES = (".yaml", ".yml", ".yalm")
_FORMATS = "Give BattLeDIM's leaks.csv, its dataset_configuration.yaml, or a LeakDB scenario folder"


def read_leaks(path: Path, *, start_at: datetime | None = None) -> tuple[Leak, ...]:
    """Read the leaks of a schedule; what the path is tells the format.

    Parameters
    ----------
    path
        * a file `.csv` or `.txt`: BattLeDIM's list (`battledim.leaks.read_leak_list`);
        * a file `.yaml`, `.yml` or `.yalm`: configuration of a dataset generator, BattLeDIM's or
          LDIMBenchmark's (`battledim.leaks.read_configuration`);
        * a folder with `Leaks/`, such a `Leaks` folder, or one `Leak_<node>_info.csv`: a LeakDB
          scenario (`leakdb_leaks.read_leakdb`);
        * a folder with `leaks.csv`: that file.
    start_at
        Time of step 0 of a LeakDB scenario whose times are step numbers and which has neither
        `Timestamps.csv` nor `Labels.csv`. UTC.

    Raises
    ------
    InputError
        No such path, none of these formats, or an unusable value; names file, row and remedy.
    """
    if path.is_dir():
        if path.name == "Leaks" or (path / "Leaks").is_dir():
            return read_leakdb(path, start_at=start_at)
        if (path / LEAKS).is_file():
            return read_leak_list(path / LEAKS)
        raise InputError("the folder has neither leaks.csv nor Leaks/", remedy=_FORMATS, file=path)
    if not path.is_file():
        raise InputError("the leak schedule does not exist", remedy=_FORMATS, file=path)
    if path.suffix.lower() in CONFIG_SUFFIXES:
        return read_configuration(path)
    if path.name.startswith("Leak_") and path.name.endswith("_info.csv"):
        return read_leakdb(path, start_at=start_at)
    if path.suffix.lower() in (".csv", ".txt"):
        return read_leak_list(path)
    raise InputError(
        f"no known format of leak schedules has the suffix {path.suffix!r}",
        remedy=_FORMATS,
        file=path,
    )
