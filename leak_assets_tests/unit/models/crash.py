"""A process that is killed at each of its writes in turn, to see what is left.

`python crash.py TASK HOME COPIES` runs the task in a copy of the home for each write: the copy
numbered n is left by a process that was killed (SIGKILL) as it began its n-th write. It prints how
many writes an unharmed run makes.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from leak_assets.models.artefact import DRAFT_FILES, draft_folder, load_artefact
from leak_assets.models.decisions import step_to
from leak_assets.models.export import package
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings

_MOST = 60
_WRITES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}


def _context(home: Path) -> StepContext:
    return StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="crash")


def promote(home: Path) -> None:
    """Put version 2 in use, and retire version 1."""
    step_to(
        _context(home), "line", "leak_detector", "2.0.0-two", "champion", actor="t", note="crash"
    )


def pack(home: Path) -> None:
    """Pack the only draft."""
    settings = _context(home).settings
    version = next((settings.drafts_dir / "leak_detector").iterdir()).name
    folder = draft_folder(settings.drafts_dir, "leak_detector", version)
    package(load_artefact(folder, files=DRAFT_FILES), settings.models_dir)


TASKS: dict[str, Callable[[Path], None]] = {"promote": promote, "pack": pack}


def _killed_at(number: int, task: Callable[[Path], None], home: Path) -> int:
    """Run a task and be killed at a write; return the number of writes where that many are few."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        is_write = event in _WRITES or (event == "open" and "w" in str(arguments[1]))
        if is_write and str(home) in str(arguments[0]):
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(hook)
    task(home)
    return seen


def main() -> None:
    """Run one task, killed at each write."""
    task, home, copies = TASKS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
    for number in range(_MOST):
        copy = copies / str(number)
        shutil.copytree(home, copy)
        child = os.fork()
        if child == 0:
            _killed_at(number, task, copy)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.stdout.write(f"{number} {os.waitstatus_to_exitcode(status)}\n")
            return


if __name__ == "__main__":
    main()
