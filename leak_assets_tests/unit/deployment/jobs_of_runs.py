"""Jobs for the tests of the run launcher: short, endless, and one whose process dies."""

import os
import time

import dagster as dg


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.op
def endless() -> None:
    """Go on for longer than any test waits."""
    time.sleep(600)


@dg.op
def death() -> None:
    """End the process at once, as the system does when memory is short."""
    os._exit(9)


@dg.job(executor_def=dg.in_process_executor)
def short_job() -> None:
    """Succeed."""
    nothing()


@dg.job(executor_def=dg.in_process_executor)
def endless_job() -> None:
    """Wait to be ended."""
    endless()


@dg.job(executor_def=dg.in_process_executor)
def deadly_job() -> None:
    """Die."""
    death()


defs = dg.Definitions(jobs=[short_job, endless_job, deadly_job])
