"""How large a delivery may be: beyond it memory or patience would end before the file does.

A year of 82 sensors each minute is 43 million values in 258 MB of text; a gzip file of half a
megabyte can hold as much in empty lines. Only the bounds and their wording belong here.
"""

from .problems import Problem, whole_file

# Of a file, and of what it unpacks to.
MOST_BYTES = 512 * 2**20
MOST_LINES = 10_000_000
MOST_COLUMNS = 10_000
MOST_VALUES = 50_000_000
# Rows in quarantine of one delivery; what follows is counted.
PROBLEMS_KEPT = 20_000

TOO_LARGE = "too_large"


def too_large(what: str) -> Problem:
    """Return the problem of a file that holds more than can be read at once."""
    return whole_file(TOO_LARGE, f"the file holds more than {what}", "Deliver it in several files")


def too_many_bytes() -> Problem:
    """Return the problem of a file that is, or unpacks to, more than `MOST_BYTES`."""
    return too_large(f"{MOST_BYTES // 2**20} MiB")


def too_many_lines() -> Problem:
    """Return the problem of a file of more than `MOST_LINES`."""
    return too_large(f"{MOST_LINES:,} lines")


def too_many_values() -> Problem:
    """Return the problem of a file of more than `MOST_VALUES`."""
    return too_large(f"{MOST_VALUES:,} values")
