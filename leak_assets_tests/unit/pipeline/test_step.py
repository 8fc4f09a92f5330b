"""Declarations: what cannot be right is refused where it is written, not in a run."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

import pytest

from leak_assets.pipeline.step import Frames, Given, Partition, Read
from leak_assets.pipeline.work import Work
from leak_assets.warehouse import Written
from leak_assets_tests.steps import DOUBLED, RAW, READINGS, SCENARIOS, TWO_DAYS


def none(_: Work, __: date) -> tuple[date, ...]:
    """Return no day."""
    return ()


def writes_itself(_: Work, __: Sequence[Partition]) -> list[Written]:
    """Write nothing."""
    return []


def test_unknown_tables_are_refused() -> None:
    """To read, and to write."""
    with pytest.raises(ValueError, match=r"there is no table 'telemetry.raw'"):
        Read("telemetry.raw")
    with pytest.raises(ValueError, match=r"step two_days writes unknown tables: telemetry.red"):
        replace(TWO_DAYS, writes=("telemetry.red",))


@pytest.mark.parametrize(("first", "last"), [(0, 1), (-1, -2)])
def test_days_run_from_the_past_to_the_day_itself(first: int, last: int) -> None:
    """Nothing follows from tomorrow."""
    with pytest.raises(ValueError, match=r"telemetry.raw_readings: days must run"):
        Read(RAW, first_day=first, last_day=last)


def test_days_around_and_days_chosen_exclude_each_other() -> None:
    """One declaration says one thing."""
    with pytest.raises(ValueError, match=r"telemetry.raw_readings: either"):
        Read(RAW, first_day=-1, days=none)


def test_only_days_have_days_before() -> None:
    """A step of a batch has no yesterday, nor has a table without days."""
    with pytest.raises(ValueError, match=r"step doubled is no step by day"):
        replace(DOUBLED, reads=(Read(RAW, first_day=-1),))
    with pytest.raises(ValueError, match=r"simulation.scenarios has no days"):
        Read(SCENARIOS, first_day=-1)


def test_a_step_computes_or_writes_by_itself() -> None:
    """One of the two."""
    with pytest.raises(ValueError, match="either `compute` or `run`"):
        replace(TWO_DAYS, run=writes_itself)
    with pytest.raises(ValueError, match="either `compute` or `run`"):
        replace(TWO_DAYS, compute=None)


def test_tables_are_partitioned_as_the_step_that_makes_them() -> None:
    """A step by day cannot make a table by batch, unless it writes by itself."""
    with pytest.raises(ValueError, match=r"step two_days is by day, simulation.scenarios is not"):
        replace(TWO_DAYS, writes=(SCENARIOS,))
    assert replace(TWO_DAYS, compute=None, run=writes_itself, writes=(SCENARIOS,))


def test_tables_that_a_step_follows_from() -> None:
    """Those that it reads and those behind what it is given, each once."""
    models = Given("model", lambda _: (), tables=("models.registry_events", READINGS))
    step = replace(TWO_DAYS, reads=(Read(RAW), Read(READINGS), Read(READINGS, days=none)))
    assert replace(step, given=(models,)).upstream_tables == (
        RAW,
        READINGS,
        "models.registry_events",
    )


def test_code_of_an_unknown_module_has_no_version() -> None:
    """A misspelled module would never make anything stale."""
    step = replace(TWO_DAYS, code=("leak_assets.unitz",))
    with pytest.raises(ValueError, match=r"module leak_assets.unitz has no source file"):
        _ = step.code_version


def test_what_computes_decides_the_version() -> None:
    """Steps of one module share it; another module's step has another."""
    assert replace(TWO_DAYS, name="again").code_version == TWO_DAYS.code_version

    def here(_: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
        yield from ((partition, {}) for partition in partitions)

    assert replace(TWO_DAYS, compute=here).code_version != TWO_DAYS.code_version
