"""The maintenance calendar: what it explains is recorded, and is an incident again without it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leak_assets.errors import InputError
from leak_assets.incidents.calendar import Entry, add, remove
from leak_assets.incidents.people import record
from leak_assets.pipeline.context import StepContext
from leak_assets_tests.hypotheses import midnight, story
from leak_assets_tests.unit.incidents.lake import NET, derive, lake, only_id
from leak_assets_tests.unit.incidents.test_people import transition

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def entry(begin: float, end: float, **other: Any) -> Entry:
    """Return maintenance between two days by number."""
    given: dict[str, Any] = {"network": NET, "kind": "maintenance", "zone": None, "note": None}
    return Entry(begin_at=midnight(begin), end_at=midnight(end), **(given | other))


def numbers(ctx: StepContext) -> tuple[int, int]:
    """Return the number of incidents and of suppressed detections."""
    return tuple(
        ctx.warehouse.sql(f"SELECT count(*) AS n FROM incidents.{view}")["n"][0]
        for view in ("incidents", "suppressed")
    )  # type: ignore[return-value]


def test_a_detection_during_work_is_recorded_and_no_incident(tmp_path: Path) -> None:
    """With the entry and the reason; removing the entry brings the incident back."""
    ctx = lake(tmp_path, story("h1", ".rre"))
    assert numbers(ctx) == (1, 0)
    row = add(ctx, entry(1, 4), actor="ann", at=NOW)
    assert numbers(ctx) == (0, 1)
    found = ctx.warehouse.sql("SELECT * FROM incidents.suppressed").row(0, named=True)
    assert (found["entry_id"], found["reason"]) == (row["entry_id"], "planned_work")
    assert ctx.warehouse.sql("SELECT * FROM incidents.incident_events").height == 2
    remove(ctx, row["entry_id"], actor="ann", at=NOW, note=None)
    assert numbers(ctx) == (1, 0)
    events = ctx.warehouse.sql("SELECT event FROM incidents.calendar_events ORDER BY revision")
    assert events["event"].to_list() == ["added", "removed"]


@pytest.mark.parametrize(
    ("work", "incidents"),
    [
        (entry(1, 4, zone="0"), 0),
        (entry(1, 4, zone="1"), 1),
        (entry(4.5, 6), 1),
        (entry(-5, 0), 1),
        (entry(0.5, 1.9), 1),
    ],
)
def test_another_zone_or_time_explains_nothing(tmp_path: Path, work: Entry, incidents: int) -> None:
    """Nor does work that the symptoms outlast by more than a day."""
    ctx = lake(tmp_path, story("h1", ".rre"))
    add(ctx, work, actor="ann", at=NOW)
    assert numbers(ctx)[0] == incidents


def test_a_leak_that_outlasts_the_work_becomes_an_incident(tmp_path: Path) -> None:
    """While the work lasts it is explained; two days later it is not."""
    ctx = lake(tmp_path, story("h1", ".rr"))
    add(ctx, entry(1, 3), actor="ann", at=NOW)
    assert numbers(ctx) == (0, 1)
    derive(ctx, story("h1", ".rrrrrrrrr", flow_m3_per_h=[12.0] * 3 + [30.0] * 7))
    assert numbers(ctx) == (1, 0)


def test_a_changed_meter_explains_no_leak(tmp_path: Path) -> None:
    """It is a word about a sensor, not about the water."""
    ctx = lake(tmp_path, story("h1", ".rre"))
    add(ctx, entry(1, 4, kind="meter_change", sensor_id="p1"), actor="ann", at=NOW)
    assert numbers(ctx) == (1, 0)


def test_whoever_speaks_of_it_makes_it_an_incident(tmp_path: Path) -> None:
    """A person knows better than the calendar."""
    ctx = lake(tmp_path, story("h1", ".rre"))
    add(ctx, entry(1, 4), actor="ann", at=NOW)
    record(ctx, only_id(ctx), transition("close", reason="confirmed_leak"))
    assert numbers(ctx) == (1, 0)


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (entry(4, 1), "not after it begins"),
        (entry(1, 1), "not after it begins"),
        (entry(1, 2, kind="party"), "no kind of work"),
        (entry(1, 2, zone="9"), "no zone '9'.*0, 1"),
        (entry(1, 2, kind="meter_change"), "--sensor"),
        (entry(1, 2, sensor_id="p1"), "only with it"),
    ],
)
def test_unusable_entries_are_refused(tmp_path: Path, work: Entry, told: str) -> None:
    """In one line with what is possible; nothing is written."""
    ctx = lake(tmp_path, story("h1", "r"), days=1)
    with pytest.raises(InputError, match=told):
        add(ctx, work, actor="ann", at=NOW)
    assert ctx.warehouse.partitions("incidents.calendar_events") == []


def test_an_entry_that_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    """Nor one that was removed before."""
    ctx = lake(tmp_path, story("h1", "r"), days=1)
    row = add(ctx, entry(1, 2), actor="ann", at=NOW)
    remove(ctx, row["entry_id"], actor="ann", at=NOW + timedelta(days=1), note="done")
    for name in (row["entry_id"], "x"):
        with pytest.raises(InputError, match="no entry"):
            remove(ctx, name, actor="ann", at=NOW, note=None)
