"""What people say of incidents: states, conflicts, transitions that outlive every re-run."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leak_assets.errors import InputError
from leak_assets.incidents.people import TABLE, history, incident, record
from leak_assets.incidents.transitions import (
    LEGAL,
    REASONS,
    ConflictError,
    IllegalTransitionError,
    IncidentState,
    Transition,
    transition_row,
)
from leak_assets.pipeline.context import StepContext
from leak_assets_tests.hypotheses import NOTHING, story
from leak_assets_tests.unit.incidents.lake import derive, lake, only_id

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def transition(action: str, actor: str = "ann", at: datetime = NOW, **said_: Any) -> Transition:
    """Return a transition with what its action needs."""
    needs: dict[str, Any] = {
        "close": {"reason": "false_positive"},
        "assign": {"assignee": "bob"},
        "snooze": {"snooze_until": at + timedelta(hours=1)},
        "note": {"note": "seen"},
    }
    given = needs.get(action, {}) | said_
    return Transition(action=action, actor=actor, happened_at=at, recorded_at=at, **given)


def state_with(status: str, reason: str | None = None, revision: int = 3) -> IncidentState:
    """Return an incident that nobody wrote down."""
    return IncidentState(
        incident_id="i1",
        network="net1",
        status=status,
        reason=reason,
        revision=revision,
        last_transition="bob said `close`",
        seen={"seen_revision": 1},
    )


def status(ctx: StepContext) -> tuple[str, str | None]:
    """Return status and reason of the only incident."""
    row = incident(ctx.warehouse, only_id(ctx))
    return row["status"], row["reason"]


@pytest.mark.parametrize("state", ["new", "open", "under_investigation", "field_work", "closed"])
@pytest.mark.parametrize("action", LEGAL)
def test_an_action_leads_on_or_is_refused_with_what_is_possible(state: str, action: str) -> None:
    """The whole table of states and actions."""
    reason = "false_positive" if state == "closed" else None
    if state in LEGAL[action]:
        assert (
            transition_row(state_with(state, reason), transition(action))["to_status"]
            == LEGAL[action][state]
        )
        return
    with pytest.raises(IllegalTransitionError, match=r"Possible now: .*note") as error:
        transition_row(state_with(state, reason), transition(action))
    assert action not in error.value.remedy.split(": ")[1].split(", ")


def test_what_stopped_by_itself_may_still_get_its_reason() -> None:
    """Once; after that it has to be reopened."""
    assert transition_row(state_with("closed"), transition("close"))["reason"] == "false_positive"


def test_whoever_saw_an_older_state_is_told_who_was_first() -> None:
    """With the revision to go on with."""
    with pytest.raises(ConflictError, match=r"revision 3, not 2: bob said `close`.*--revision 3"):
        transition_row(state_with("open"), transition("note", expected_revision=2))


@pytest.mark.parametrize(
    ("action", "details", "told"),
    [
        ("close", {"reason": "boredom"}, "no reason.*confirmed_leak"),
        ("close", {"reason": None}, "no reason"),
        ("close", {"reason": "duplicate"}, "--of"),
        ("close", {"duplicate_of": "i2"}, "--of"),
        ("close", {"reason": "duplicate", "duplicate_of": "i1"}, "itself"),
        ("close", {"found_link_id": "p1"}, "confirmed_leak"),
        ("note", {"note": "  "}, "empty"),
        ("note", {"note": "x" * 2001}, "2001 characters"),
        ("note", {"actor": " "}, "name is empty"),
        ("note", {"reason": "false_positive"}, "neither a reason"),
        ("assign", {"assignee": ""}, "assignee is empty"),
        ("snooze", {"snooze_until": NOW}, "future"),
        ("close", {"repaired_at": NOW + timedelta(days=1)}, "not over yet"),
    ],
)
def test_unusable_words_are_refused_with_a_remedy(
    action: str, details: dict[str, Any], told: str
) -> None:
    """Each in one line."""
    with pytest.raises(InputError, match=f"(?s){told}"):
        transition_row(state_with("open"), transition(action, **details))


def test_an_incident_from_new_to_closed_and_back(tmp_path: Path) -> None:
    """The view says the state after each transition; nothing of what was said is lost."""
    ctx = lake(tmp_path, story("h1", "rrrr"))
    name = only_id(ctx)
    assert status(ctx) == ("new", None)
    for action, expected in (
        ("acknowledge", "open"),
        ("assign", "open"),
        ("investigate", "under_investigation"),
        ("dispatch", "field_work"),
        ("close", "closed"),
    ):
        record(ctx, name, transition(action))
        assert status(ctx)[0] == expected
    row = incident(ctx.warehouse, name)
    assert (row["assignee"], row["reason"], row["people_revision"]) == ("bob", "false_positive", 5)
    record(ctx, name, transition("reopen"))
    assert status(ctx) == ("open", None)
    assert history(ctx.warehouse, name)["revision"].to_list() == [1, 2, 3, 4, 5, 6]


def test_a_clock_that_jumps_back_orders_nothing(tmp_path: Path) -> None:
    """The later transition stands, though its time is earlier."""
    ctx = lake(tmp_path, story("h1", "rrrr"))
    record(ctx, only_id(ctx), transition("close"))
    record(ctx, only_id(ctx), transition("reopen", at=NOW - timedelta(days=400)))
    assert status(ctx) == ("open", None)


def test_words_survive_a_rerun_and_the_end_of_the_symptoms_closes(tmp_path: Path) -> None:
    """A late day that ends the leak closes what somebody works on; their transitions remain."""
    ctx = lake(tmp_path, story("h1", "rrrr"))
    name = only_id(ctx)
    record(ctx, name, transition("dispatch"))
    derive(ctx, story("h1", "rrrr"))
    assert status(ctx) == ("field_work", None)
    derive(ctx, story("h1", "rrrre"))
    assert status(ctx) == ("closed", None)
    record(ctx, name, transition("close", reason="confirmed_leak", found_link_id="p3"))
    assert status(ctx) == ("closed", "confirmed_leak")
    found = ctx.warehouse.sql("SELECT * FROM incidents.confirmed_leaks").row(0, named=True)
    assert (found["found_link_id"], found["candidate_rank"]) == ("p3", 2)


def test_who_reopens_what_stopped_is_heard_until_it_turns_again(tmp_path: Path) -> None:
    """The detectors' closing was seen; only a later turn overrules."""
    ctx = lake(tmp_path, story("h1", "rre"))
    record(ctx, only_id(ctx), transition("reopen"))
    assert status(ctx) == ("open", None)
    derive(ctx, story("h1", "rre") + story("h2", "...rre"))
    assert status(ctx) == ("closed", None)


@pytest.mark.parametrize(
    ("reason", "expected"), [("confirmed_leak", "open"), ("sensor_fault", "closed")]
)
def test_a_relapse_reopens_a_repair_and_no_false_alarm(
    tmp_path: Path, reason: str, expected: str
) -> None:
    """Under the same name; a fault that comes again is the same fault."""
    ctx = lake(tmp_path, story("h1", "rre"))
    record(ctx, only_id(ctx), transition("close", reason=reason))
    derive(ctx, story("h1", "rre") + story("h2", "...rr"))
    assert status(ctx)[0] == expected


def test_a_corrected_file_that_removes_the_evidence_leaves_the_words(tmp_path: Path) -> None:
    """The view says that nothing supports it any more, with what the person had seen."""
    ctx = lake(tmp_path, story("h1", "rrrr"))
    name = only_id(ctx)
    record(ctx, name, transition("close"))
    derive(ctx, NOTHING)
    row = incident(ctx.warehouse, name)
    assert (row["is_supported"], row["status"], row["reason"]) == (
        False,
        "closed",
        "false_positive",
    )
    assert (row["top_link_id"], row["method"]) == ("p2", "likelihood")
    assert history(ctx.warehouse, name).height == 1
    record(ctx, name, transition("reopen"))
    derive(ctx, story("h1", "rrrr"))
    row = incident(ctx.warehouse, name)
    assert (row["is_supported"], row["status"]) == (True, "open")


def test_two_at_once_leave_two_words_or_one_and_a_conflict(tmp_path: Path) -> None:
    """With the revision that both saw, one of them is told to look again; without, both count."""
    ctx = lake(tmp_path, story("h1", "rrrr"))
    name = only_id(ctx)

    def one(number: int, expected: int | None) -> str:
        try:
            record(ctx, name, transition("note", f"p{number}", expected_revision=expected))
        except ConflictError:
            return "conflict"
        return "written"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda n: one(n, 0), range(4))) == ["conflict"] * 3 + ["written"]
        assert list(pool.map(lambda n: one(n, None), range(4))) == ["written"] * 4
    assert history(ctx.warehouse, name)["revision"].to_list() == [1, 2, 3, 4, 5]


def test_unknown_incidents_are_refused(tmp_path: Path) -> None:
    """Also as the incident that another one repeats; nothing is written."""
    ctx = lake(tmp_path, story("h1", "rr"))
    with pytest.raises(InputError, match="no incident 'nobody'"):
        record(ctx, "nobody", transition("note"))
    with pytest.raises(InputError, match="no incident 'nobody'"):
        record(ctx, only_id(ctx), transition("close", reason="duplicate", duplicate_of="nobody"))
    assert ctx.warehouse.partitions(TABLE) == []


def test_reasons_become_labels_and_precision(tmp_path: Path) -> None:
    """Two false alarms, a confirmed leak and one that nobody judged."""
    stories = [story(f"h{n}", "." * n + "rr", pipes="p1") for n in range(4)]
    ctx = lake(tmp_path, stories[0] + stories[1] + stories[2] + stories[3])
    names = ctx.warehouse.sql("SELECT incident_id FROM incidents.incidents ORDER BY hypothesis_id")[
        "incident_id"
    ].to_list()
    for name, reason in zip(names, ("false_positive", "fire_flow", "confirmed_leak"), strict=False):
        record(ctx, name, transition("close", reason=reason))
    row = ctx.warehouse.sql("SELECT * FROM incidents.precision").row(0, named=True)
    assert (row["incidents"], row["confirmed"], row["false_alarms"]) == (4, 1, 2)
    assert row["not_closed"] == 1
    assert row["precision"] == pytest.approx(1 / 3)
    labels = ctx.warehouse.sql("SELECT * FROM incidents.labels ORDER BY incident_id")
    assert sorted(labels["label"]) == ["leak", "no_leak", "no_leak"]
    assert set(labels["reason"]) <= set(REASONS)


def test_the_three_times_of_a_closed_incident_are_known(tmp_path: Path) -> None:
    """Awareness, location and repair, also of one that nobody touched."""
    ctx = lake(tmp_path, story("h1", "rrrre") + story("h2", "rrrrr", pipes="p4"))
    name = ctx.warehouse.sql("SELECT incident_id FROM incidents.incidents WHERE status = 'new'")
    name = name["incident_id"][0]
    row = incident(ctx.warehouse, name)
    at = row["detected_at"] + timedelta(hours=5)
    record(ctx, name, transition("dispatch", at=at))
    done = transition("close", reason="confirmed_leak", at=at + timedelta(hours=9))
    record(ctx, name, done)
    times = ctx.warehouse.sql("SELECT * FROM incidents.alr_times").to_dicts()
    assert len(times) == 2
    for one in times:
        assert None not in (one["awareness_h"], one["location_h"], one["repair_h"])
        assert one["awareness_h"] == pytest.approx(6)
    ctx = lake(tmp_path / "open", story("h1", "rrr"))
    (one,) = ctx.warehouse.sql("SELECT * FROM incidents.alr_times").to_dicts()
    assert (one["location_h"], one["repair_h"], one["repair_met"]) == (None, None, None)
    said_ = next(one for one in times if one["incident_id"] == name)
    assert (said_["location_h"], said_["repair_h"]) == (5, 9)
    assert said_["location_met"] is True


def test_the_forecast_is_rate_times_price_times_time(tmp_path: Path) -> None:
    """12 m3/h at 0.80 euro."""
    ctx = lake(tmp_path, story("h1", "rr"))
    row = ctx.warehouse.sql("SELECT * FROM incidents.forecast").row(0, named=True)
    assert row["m3_per_day"] == pytest.approx(288)
    assert row["eur_per_day"] == pytest.approx(288 * 0.8)
    assert row["eur_per_year"] == pytest.approx(288 * 0.8 * 365.25)
    state = incident(ctx.warehouse, only_id(ctx))
    assert state["flow_low_m3_per_h"] == pytest.approx(9.6)
    assert state["flow_high_m3_per_h"] == pytest.approx(17.4)
    assert state["zone"] == "0"
