"""Dagster's run launcher that keeps one process ready, so that a run starts without its imports.

One run per process, on the machine of the daemon. What a run does is none of its business.
"""

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, Field
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, serialize_value
from dagster._serdes.config_class import ConfigurableClassData

import leak_assets
from leak_assets.system.processes import command_of, end_process

PID_TAG = "leak_assets/worker_pid"
WORKER = "leak_assets.deployment.run_worker"
# The next process imports for two seconds of a core that the run can use better. A short run has
# ended by then; a long one must not leave the runs after it without a process.
NEXT_AFTER_S = 10.0


class WarmRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Hands a run to a process that has imported everything, and starts the next such process.

    The first run after a start, and one that comes before the next process is ready, wait for
    their imports as they would anywhere. A process ends with its run, or with the daemon.

    Parameters
    ----------
    imports
        Modules that a process imports before it gets a run, definitions first.
    """

    def __init__(
        self, imports: Sequence[str] = (), inst_data: ConfigurableClassData | None = None
    ) -> None:
        self._imports = tuple(imports)
        self._inst_data = inst_data
        self._spare: subprocess.Popen[bytes] | None = None
        self._spare_code: object = None
        self._lock = threading.Lock()
        self._is_disposed = False
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What the instance's settings say of the launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the launcher's settings in `dagster.yaml`."""
        return {
            "imports": Field(
                [str],
                is_required=False,
                default_value=[],
                description="Modules imported before a run comes, definitions first.",
            )
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> Self:
        """Return a launcher of settings."""
        return cls(config_value["imports"], inst_data=inst_data)

    @property
    def waiting_pid(self) -> int | None:
        """The process that waits for the next run."""
        spare = self._spare
        return spare.pid if spare is not None and spare.poll() is None else None

    def launch_run(self, context: LaunchRunContext) -> None:
        """Hand a run to the process that waits, or to a new one.

        Raises
        ------
        DagsterLaunchFailedError
            No process can be started; Dagster marks the run as failed with the reason.
        """
        run = context.dagster_run
        if context.job_code_origin is None:
            raise DagsterLaunchFailedError(f"run {run.run_id} does not say where its code is")
        line = serialize_value(
            ExecuteRunArgs(
                job_origin=context.job_code_origin,
                run_id=run.run_id,
                instance_ref=self._instance.get_ref(),
            )
        ).encode()
        try:
            process = self._waiting_process()
            if not self._hand_over(process, run.run_id, line):
                # It ended while it waited, for example killed: the next is new.
                process = self._start()
                self._hand_over(process, run.run_id, line)
        except OSError as error:
            raise DagsterLaunchFailedError(
                f"the process of run {run.run_id} cannot be started: {error}"
            ) from error
        threading.Thread(
            target=self._look_after, args=(process, run.run_id), name="warm-launcher", daemon=True
        ).start()

    def terminate(self, run_id: str) -> bool:
        """Interrupt the process of a run, which then cancels it; False where there is none."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        pid = _pid(run)
        if pid is not None and _is_worker(pid) and end_process(pid):
            return True
        self._instance.report_engine_event(
            f"There is no process {pid} of the run on this machine to interrupt.", run
        )
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks whether a run's process lives."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return whether the process of a run lives."""
        pid = _pid(run)
        if pid is None:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, "the run has no process")
        if _is_worker(pid):
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(pid))
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"process {pid} is gone", run_worker_id=str(pid)
        )

    def dispose(self) -> None:
        """End the process that waits; runs go on."""
        with self._lock:
            self._is_disposed = True
            spare, self._spare = self._spare, None
        _dismiss(spare)

    def _waiting_process(self) -> subprocess.Popen[bytes]:
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None and self._spare_code == _code_state():
            return spare
        # Its code is not what is on disk any more.
        _dismiss(spare)
        return self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - this interpreter, and modules of the settings
            [sys.executable, "-m", WORKER, *self._imports], stdin=subprocess.PIPE
        )

    def _hand_over(self, process: subprocess.Popen[bytes], run_id: str, line: bytes) -> bool:
        if process.poll() is not None or process.stdin is None:
            return False
        # Before the process reads the run.
        self._instance.add_run_tags(run_id, {PID_TAG: str(process.pid)})
        try:
            with process.stdin as pipe:
                pipe.write(line + b"\n")
        except BrokenPipeError:
            return False
        return True

    def _look_after(self, process: subprocess.Popen[bytes], run_id: str) -> None:
        """Have the next process ready, and tell Dagster of a run that its process left behind."""
        try:
            process.wait(NEXT_AFTER_S)
        except subprocess.TimeoutExpired:
            self._have_spare()
        code = process.wait()
        try:
            # Of a run that was killed, files wait for the news.
            self._end_run(run_id, code)
        finally:
            self._have_spare()

    def _have_spare(self) -> None:
        with self._lock:
            if self._is_disposed or (self._spare is not None and self._spare.poll() is None):
                return
            self._spare_code = _code_state()
            # The next run starts its own process, and says what is in the way.
            try:
                self._spare = self._start()
            except OSError:
                self._spare = None

    def _end_run(self, run_id: str, code: int) -> None:
        if self._is_disposed or not self.has_instance:
            return
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        message = f"The process of the run {how} before the run did; its output has the reason."
        if run.status == DagsterRunStatus.CANCELING:
            self._instance.report_run_canceled(run, message)
        else:
            self._instance.report_run_failed(run, message)


def _pid(run: DagsterRun) -> int | None:
    text = run.tags.get(PID_TAG, "")
    return int(text) if text.isdecimal() else None


def _is_worker(pid: int) -> bool:
    """Whether a process is one of a run; another program may have got its number meanwhile."""
    return WORKER in command_of(pid)


def _dismiss(spare: subprocess.Popen[bytes] | None) -> None:
    if spare is not None:
        spare.terminate()
        spare.wait()
        if spare.stdin is not None:
            spare.stdin.close()


def _code_state() -> tuple[int, int]:
    """Return what changes with the package's files and `.env`: a process has read them early."""
    files = [*Path(leak_assets.__file__).parent.rglob("*.py"), Path(".env")]
    times = [file.stat().st_mtime_ns for file in files if file.is_file()]
    return len(times), max(times)
