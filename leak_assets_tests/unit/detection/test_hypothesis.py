"""Hypotheses as rows of the tables, and the names that they keep."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from leak_assets.detection.hypothesis import Contribution, Hypothesis, frames, hypothesis_id
from leak_assets.detection.methods import METHODS, method
from leak_assets.errors import InputError
from leak_assets.warehouse.schemas import TABLES
from leak_assets.warehouse.validation import validate

AT = datetime(2019, 1, 8, tzinfo=UTC)
LEAK = Hypothesis(
    hypothesis_id="a",
    at=AT,
    kind="leak",
    status="reported",
    element_id="p1",
    onset_at=AT,
    first_seen_at=AT,
    reported_at=AT,
    ended_at=None,
    last_updated_at=AT,
    flow_m3_per_h=8.0,
    volume_m3=12.0,
    probability=0.6,
    score=55.0,
    candidates=[("p1", 0.5), ("p2", 0.3)],
    evidence=[Contribution("n1", "pressure", -4.0, -0.1)],
)


def test_rows_fit_the_tables_and_are_ranked() -> None:
    """Reported before watched, the more probable first; candidates and evidence in order."""
    watched = replace(LEAK, hypothesis_id="b", status="watched", probability=0.9, reported_at=None)
    likelier = replace(LEAK, hypothesis_id="c", probability=0.8)
    found = frames("net1", "likelihood", "1", [watched, LEAK, likelier])
    for table, frame in found.items():
        validate(frame, TABLES[table])
    main = found["detection.hypotheses"]
    assert main["hypothesis_id"].to_list() == ["c", "a", "b"]
    assert main["rank"].to_list() == [1, 2, 3]
    assert found["detection.leak_candidates"].filter(hypothesis_id="a")["link_id"].to_list() == [
        "p1",
        "p2",
    ]
    assert found["detection.evidence"].height == 3


def test_nothing_found_is_no_row() -> None:
    """Without hypotheses there are empty frames of the right types."""
    for table, frame in frames("net1", "likelihood", "1", []).items():
        assert frame.schema == TABLES[table].polars_schema
        assert frame.height == 0


def test_names_are_stable_and_differ() -> None:
    """The same first sight gives the same name; another method, kind, time or place another."""
    first = hypothesis_id("net1", "likelihood", "leak", AT, "p1")
    assert first == hypothesis_id("net1", "likelihood", "leak", AT, "p1")
    others = {
        hypothesis_id("net2", "likelihood", "leak", AT, "p1"),
        hypothesis_id("net1", "windows", "leak", AT, "p1"),
        hypothesis_id("net1", "likelihood", "sensor_fault", AT, "p1"),
        hypothesis_id("net1", "likelihood", "leak", AT.replace(hour=1), "p1"),
        hypothesis_id("net1", "likelihood", "leak", AT, "p2"),
    }
    assert len(others | {first}) == 6


def test_a_method_that_nobody_registered_is_refused() -> None:
    """The message names the methods there are."""
    assert method("likelihood") is METHODS["likelihood"]
    with pytest.raises(InputError, match=r"no detection method 'guess'.*likelihood, windows"):
        method("guess")
