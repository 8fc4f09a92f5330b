"""Whether one process of the platform is alive, in a tenth of a second: for containers' checks.

`python -m leak_assets.deployment.health url URL`, `… held LOCK` or `… fresh FILE SECONDS`; paths
are below `LEAK_ASSETS_HOME`. Exit code 0 or 1. Whether the platform as a whole does its work is
not judged here.
"""

import fcntl
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

_ANSWER_S = 5.0


def problem(arguments: list[str]) -> str:
    """Return what is wrong, empty where nothing is."""
    home = Path(os.environ.get("LEAK_ASSETS_HOME") or ".")
    match arguments:
        case ["url", url] if url.startswith(("http://", "https://")):
            return _url(url)
        case ["held", path]:
            return _held(home / path)
        case ["fresh", path, seconds] if seconds.isdecimal():
            return _fresh(home / path, int(seconds))
    return "usage: url URL | held LOCK | fresh FILE SECONDS"


def _url(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:  # noqa: S310 - http alone
            answer.read()
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}"
    except OSError as error:
        return f"{url} does not answer ({error})"
    return ""


def _held(path: Path) -> str:
    """Say what is wrong with a lock: a process holds its own as long as it lives."""
    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""
    except OSError as error:
        return f"{path}: {error.strerror}"
    return f"nobody holds {path}"


def _fresh(path: Path, seconds: int) -> str:
    try:
        age_s = time.time() - path.stat().st_mtime
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if age_s <= seconds else f"{path} was written {age_s:.0f} s ago"


if __name__ == "__main__":
    told = problem(sys.argv[1:])
    if told:
        sys.stderr.write(f"{told}\n")
    sys.exit(1 if told else 0)
