"""Which commit of the code runs, where it runs from a checkout.

What results follow from is the hash of their modules (`pipeline.code`); the commit is for people.
"""

import subprocess
from functools import cache
from pathlib import Path
from shutil import which


@cache
def commit() -> str | None:
    """Return the commit that is checked out; None for an installed package, or without git."""
    git = which("git")
    root = Path(__file__).parents[2]
    if git is None or not (root / ".git").exists():
        return None
    found = subprocess.run(  # noqa: S603 - nothing of it comes from a user
        [git, "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None
