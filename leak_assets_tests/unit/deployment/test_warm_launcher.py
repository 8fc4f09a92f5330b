"""Runs in processes that waited for them, on a real instance with SQLite."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus

from leak_assets.deployment.warm_launcher import PID_TAG, WORKER, WarmRunLauncher
from leak_assets.system.processes import command_of
from leak_assets_tests.dev_server import wait_for

JOBS = Path(__file__).with_name("jobs_of_runs.py")
SETTINGS = """
telemetry: {enabled: false}
run_launcher:
  module: leak_assets.deployment.warm_launcher
  class: WarmRunLauncher
  config: {imports: [dagster._core.execution.api, no_such_module]}
"""
Launch = Callable[[str], dg.DagsterRun]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with settings as `leak-assets dev` writes them."""
    (tmp_path / "dagster.yaml").write_text(SETTINGS, "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def launcher(instance: dg.DagsterInstance) -> WarmRunLauncher:
    """The instance's launcher."""
    assert isinstance(instance.run_launcher, WarmRunLauncher)
    return instance.run_launcher


@pytest.fixture
def launch(instance: dg.DagsterInstance, launcher: WarmRunLauncher) -> Launch:
    """Return a function that launches a job of `jobs_of_runs.py`."""

    def start(name: str, file: Path = JOBS) -> dg.DagsterRun:
        repository = ReconstructableRepository.for_file(str(file), "defs")
        job = ReconstructableRepository.for_file(str(JOBS), "defs").get_definition().get_job(name)
        run = instance.create_run_for_job(
            job_def=job,
            status=dg.DagsterRunStatus.STARTING,
            job_code_origin=repository.get_reconstructable_job(name).get_python_origin(),
        )
        launcher.launch_run(LaunchRunContext(run, None))
        return run

    return start


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    """Return a run's status now."""
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def wait_until(
    instance: dg.DagsterInstance, run: dg.DagsterRun, wanted: dg.DagsterRunStatus
) -> None:
    """Wait for a status."""
    wait_for(
        lambda: status(instance, run) == wanted, 60, lambda: f"{status(instance, run)} at the end"
    )


def wait_for_spare(launcher: WarmRunLauncher) -> int:
    """Wait until a process waits for the next run, and return its number."""
    wait_for(lambda: launcher.waiting_pid is not None, 60, lambda: "no process waits")
    assert launcher.waiting_pid is not None
    return launcher.waiting_pid


def pid_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """Return the process of a run."""
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return int(found.tags[PID_TAG])


def test_the_second_run_gets_the_process_that_waits(
    instance: dg.DagsterInstance, launcher: WarmRunLauncher, launch: Launch
) -> None:
    """Each run has a process of its own, and the next one waits; a bad import harms none."""
    first = launch("short_job")
    wait_until(instance, first, dg.DagsterRunStatus.SUCCESS)
    waiting = wait_for_spare(launcher)
    assert waiting != pid_of(instance, first)
    second = launch("short_job")
    assert pid_of(instance, second) == waiting
    wait_until(instance, second, dg.DagsterRunStatus.SUCCESS)
    assert wait_for_spare(launcher) != waiting


def test_two_runs_at_once_wait_for_nobody(instance: dg.DagsterInstance, launch: Launch) -> None:
    """Without a process that waits, each run gets a new one."""
    runs = [launch("short_job"), launch("short_job")]
    for run in runs:
        wait_until(instance, run, dg.DagsterRunStatus.SUCCESS)
    assert pid_of(instance, runs[0]) != pid_of(instance, runs[1])


def test_a_killed_process_that_waited_is_replaced(
    instance: dg.DagsterInstance, launcher: WarmRunLauncher, launch: Launch
) -> None:
    """The run starts in a new process."""
    wait_until(instance, launch("short_job"), dg.DagsterRunStatus.SUCCESS)
    waiting = wait_for_spare(launcher)
    os.kill(waiting, signal.SIGKILL)
    wait_for(lambda: launcher.waiting_pid is None, 10, lambda: "it lives")
    run = launch("short_job")
    wait_until(instance, run, dg.DagsterRunStatus.SUCCESS)
    assert pid_of(instance, run) != waiting


def test_a_process_from_before_a_change_gets_no_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    instance: dg.DagsterInstance,
    launcher: WarmRunLauncher,
    launch: Launch,
) -> None:
    """A run sees settings and code as they are when it begins."""
    monkeypatch.chdir(tmp_path)
    wait_until(instance, launch("short_job"), dg.DagsterRunStatus.SUCCESS)
    waiting = wait_for_spare(launcher)
    Path(".env").write_text("WATER_PRICE_EUR_PER_M3=2\n", "utf-8")
    run = launch("short_job")
    assert pid_of(instance, run) != waiting
    assert command_of(waiting) == []
    wait_until(instance, run, dg.DagsterRunStatus.SUCCESS)


def test_termination_cancels_the_run(
    instance: dg.DagsterInstance, launcher: WarmRunLauncher, launch: Launch
) -> None:
    """The process is interrupted and says so itself."""
    run = launch("endless_job")
    wait_until(instance, run, dg.DagsterRunStatus.STARTED)
    assert launcher.check_run_worker_health(_now(instance, run)).status == WorkerStatus.RUNNING
    assert launcher.terminate(run.run_id)
    wait_until(instance, run, dg.DagsterRunStatus.CANCELED)
    assert not launcher.terminate(run.run_id)


def test_a_run_whose_process_dies_fails_with_the_reason(
    instance: dg.DagsterInstance, launch: Launch
) -> None:
    """Nobody has to wait for the next look of the run monitoring."""
    run = launch("deadly_job")
    wait_until(instance, run, dg.DagsterRunStatus.FAILURE)
    assert any("exit code 9" in str(entry.message) for entry in instance.all_logs(run.run_id))


def test_monitoring_of_another_process_sees_a_killed_run(
    tmp_path: Path, instance: dg.DagsterInstance, launch: Launch
) -> None:
    """After a restart of the daemon the number in the run's tags is all there is."""
    run = launch("endless_job")
    wait_until(instance, run, dg.DagsterRunStatus.STARTED)
    with dg.DagsterInstance.from_config(str(tmp_path)) as restarted:
        health = restarted.run_launcher.check_run_worker_health
        assert health(_now(instance, run)).status == WorkerStatus.RUNNING
        os.kill(pid_of(instance, run), signal.SIGKILL)
        wait_until(instance, run, dg.DagsterRunStatus.FAILURE)
        assert health(_now(instance, run)).status == WorkerStatus.NOT_FOUND


def test_another_program_with_the_number_is_left_alone(
    instance: dg.DagsterInstance, launcher: WarmRunLauncher, launch: Launch
) -> None:
    """Numbers of processes come again; only a process of a run is asked to end."""
    run = launch("endless_job")
    wait_until(instance, run, dg.DagsterRunStatus.STARTED)
    pid = pid_of(instance, run)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        instance.add_run_tags(run.run_id, {PID_TAG: str(other.pid)})
        assert not launcher.terminate(run.run_id)
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0
    os.kill(pid, signal.SIGTERM)
    wait_until(instance, run, dg.DagsterRunStatus.CANCELED)


def test_code_that_does_not_load_fails_the_run(
    tmp_path: Path, instance: dg.DagsterInstance, launch: Callable[..., dg.DagsterRun]
) -> None:
    """The run's log has the cause."""
    broken = tmp_path / "broken.py"
    broken.write_text("defs = 1 / 0\n", "utf-8")
    run = launch("short_job", broken)
    wait_until(instance, run, dg.DagsterRunStatus.FAILURE)
    errors = [
        str(entry.dagster_event.engine_event_data.error)
        for entry in instance.all_logs(run.run_id)
        if entry.dagster_event is not None and entry.dagster_event.is_engine_event
    ]
    assert any("ZeroDivisionError" in error for error in errors)


def test_a_process_that_cannot_be_started_is_said(
    monkeypatch: pytest.MonkeyPatch, launch: Launch
) -> None:
    """Dagster marks the run as failed with this line."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(DagsterLaunchFailedError, match="cannot be started"):
        launch("short_job")


def test_a_process_ends_with_the_daemon() -> None:
    """Its standard input is closed then, also where the daemon was killed."""
    command = [sys.executable, "-m", WORKER, "json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        time.sleep(0.5)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(60) == 0


def _now(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found
