"""The graph: an order that follows from what steps read, and what cannot be a graph."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import leak_assets
from leak_assets.pipeline.code import SourceTree
from leak_assets.pipeline.step import Read, Step
from leak_assets.runs.graph import GRAPH, Graph
from leak_assets_tests.steps import RAW, READINGS, RESIDUALS, RUNNING_SUM, TWO_DAYS

FIRST = replace(TWO_DAYS, name="first", writes=(RAW,), reads=())


def names(graph: Graph) -> list[str]:
    """Return the names of a graph's steps in order."""
    return [step.name for step in graph.steps]


def test_steps_stand_after_those_that_they_read_from() -> None:
    """In whatever order they are given; a step may read its own table."""
    assert names(Graph([RUNNING_SUM, TWO_DAYS, FIRST])) == ["first", "two_days", "running_sum"]


def test_a_table_has_one_writer() -> None:
    """Two would take turns in undoing each other."""
    other = replace(TWO_DAYS, name="other")
    with pytest.raises(ValueError, match=r"telemetry.readings is written by two_days and by other"):
        Graph([FIRST, TWO_DAYS, other])


def test_a_name_has_one_step() -> None:
    """Else one of the two would be lost without a word."""
    other = replace(RUNNING_SUM, name="two_days")
    with pytest.raises(ValueError, match="two steps are named two_days"):
        Graph([FIRST, TWO_DAYS, other])


def test_what_is_read_is_written_by_a_step() -> None:
    """A table that nobody writes would be empty for ever."""
    with pytest.raises(ValueError, match=rf"step two_days reads {RAW}: nobody writes it"):
        Graph([TWO_DAYS])


def test_steps_do_not_read_in_a_circle() -> None:
    """The error names the steps."""
    ring = replace(FIRST, reads=(Read(RESIDUALS),))
    with pytest.raises(ValueError, match=r"read from each other: .*first.*"):
        Graph([ring, TWO_DAYS, RUNNING_SUM])


def test_a_step_with_all_before_it() -> None:
    """In order; the others are left out."""
    graph = Graph([RUNNING_SUM, TWO_DAYS, FIRST])
    assert [step.name for step in graph.upstream(["two_days"])] == ["first", "two_days"]
    assert graph.writer[READINGS] is graph.step("two_days")


def test_days_are_taken_in_the_order_of_the_house() -> None:
    """From raw readings to summaries, without a list of them anywhere."""
    order = [step.name for step in GRAPH.by_day()]
    wanted = ["raw_readings", "readings", "calibrations", "residuals", "incidents", "summaries"]
    assert [name for name in order if name in wanted] == wanted


def test_changed_code_of_features_makes_scores_stale(tmp_path: Path) -> None:
    """ORC9: of windows, scores and hypotheses; the readings before them stay."""
    copy = tmp_path / "leak_assets"
    shutil.copytree(Path(leak_assets.__file__).parent, copy, ignore=lambda _, names: [
        name for name in names if "." in name and not name.endswith(".py")
    ])  # fmt: skip

    def version(step: Step) -> str:
        function = step.compute or step.run
        assert function is not None
        return SourceTree({"leak_assets": copy}).version(*step.code, function.__module__)

    before = {step.name: version(step) for step in GRAPH.by_day()}
    windows = copy / "features" / "windows.py"
    windows.write_text(windows.read_text() + "\n_ANOTHER_CONSTANT = 1\n")
    changed = {step.name for step in GRAPH.by_day() if version(step) != before[step.name]}
    assert {"windows", "window_scores", "hypotheses"} <= changed
    assert not {"raw_readings", "readings", "sensor_quality"} & changed
