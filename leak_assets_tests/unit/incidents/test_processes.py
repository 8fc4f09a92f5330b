"""Several processes speak of one incident, one of them is killed: no transition is lost or torn."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from leak_assets.incidents.people import TABLE, history
from leak_assets_tests.hypotheses import story
from leak_assets_tests.unit.incidents.lake import lake, only_id

_SPEAKER = """
import sys
from datetime import UTC, datetime
from leak_assets.incidents.people import record
from leak_assets.incidents.transitions import Transition
from leak_assets.pipeline.context import StepContext

ctx, at = StepContext.local(), datetime.now(UTC)
for number in range(int(sys.argv[3])):
    said = {"actor": sys.argv[2], "note": f"{number}", "happened_at": at, "recorded_at": at}
    record(ctx, sys.argv[1], Transition(action="note", **said))
    print(number, flush=True)
"""


def test_words_of_several_processes_are_all_there(tmp_path: Path) -> None:
    """What a process was told is written is found again, also of the one that was killed."""
    ctx = lake(tmp_path, story("h1", "rr"), days=2)
    name = only_id(ctx)
    environment = {"LEAK_ASSETS_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}

    def start(actor: str, transitions: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _SPEAKER, name, actor, str(transitions)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    killed, *others = start("kim", 500), start("ann", 3), start("bob", 3)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "0\n"
    time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    done = [process.communicate()[0].split() for process in others]
    told = 1 + len(killed.communicate()[0].split())
    assert done == [["0", "1", "2"]] * 2
    transitions = history(ctx.warehouse, name)
    assert transitions["revision"].to_list() == list(range(1, transitions.height + 1))
    assert transitions.filter(actor="kim").height in (told, told + 1)
    for actor in ("ann", "bob"):
        assert transitions.filter(actor=actor)["note"].to_list() == ["0", "1", "2"]
    assert len(ctx.warehouse.partitions(TABLE)) == transitions.height
