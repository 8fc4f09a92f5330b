"""Random sequences of what can happen to incidents, many at once, with the invariants that hold.

All sequences take a step together: the tracker's rows and people's transitions of thousands of
networks lie in one lake, and one query of the real views gives the state of all of them. The model
that the views are held against is the loop below.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.incidents.policy import TrackerPolicy
from leak_assets.incidents.tracker import Tracked, track
from leak_assets.incidents.transitions import (
    LEGAL,
    REASONS,
    STATUSES,
    ConflictError,
    IllegalTransitionError,
    IncidentState,
    Transition,
    transition_row,
)
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.incident_people import TRANSITIONS
from leak_assets.warehouse.schemas.incidents import INCIDENT_DAYS
from leak_assets_tests.hypotheses import (
    FIRST_DAY,
    NOTHING,
    ONE_DAY,
    midnight,
    pipes_in_a_row,
    story,
)

DAYS = 9
# Marks of two hypotheses by day: steady, ended, back within a day, back too late, two at once.
STORIES = (
    ("rrrrrrrrr", "........."),
    ("wrrre....", "........."),
    ("rre......", "...rrre.."),
    ("rre......", ".....rrrr"),
    (".rrrre...", "..rrrrrre"),
    ("rre......", "...re...."),
)
EVENTS = (
    *("day",) * 3,
    *("transition",) * 4,
    *("two", "late", "correct", "restore", "restore", "rerun", "restart", "clock"),
)
View = tuple[int, int, int | None, bool]
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Sequence:
    """One network, what is known of it, and what people have said.

    Attributes
    ----------
    transitions
        Every transition that was accepted, as it was stored.
    expected
        By incident that somebody spoke of: status, reason, and turns seen with the last transition.
    """

    name: str
    random: random.Random
    story: int
    delivered: int = 2
    missing: int | None = None
    is_corrected: bool = False
    clock: datetime = START
    transitions: list[dict[str, Any]] = field(default_factory=list)
    expected: dict[str, tuple[str, str | None, int]] = field(default_factory=dict)

    @property
    def view(self) -> View:
        """What of the data is there; equal views derive equal rows."""
        missing = self.missing if self.missing is not None and not self.is_corrected else None
        return (self.story, 0 if self.is_corrected else self.delivered, missing, self.is_corrected)


@dataclass(frozen=True)
class Outcome:
    """What a run of sequences was made of."""

    sequences: int
    steps: int
    transitions: int
    refused: int
    conflicts: int
    checked_states: int


@cache
def derived(story_number: int, days: int, missing: int | None, _corrected: bool) -> Tracked:
    """Return the tracker's rows of a story as far as it was delivered."""
    first, second = STORIES[story_number]
    rows = story("h1", first) + story("h2", second)
    rows = rows.filter(pl.col("at") <= midnight(days))
    if missing is not None:
        day = (pl.col("at") > midnight(missing)) & (pl.col("at") <= midnight(missing + 1))
        rows = rows.filter(~day)
    if not days:
        rows = NOTHING
    return track(
        network="net1",
        first_day=FIRST_DAY,
        last_day=FIRST_DAY + (DAYS - 1) * ONE_DAY,
        hypotheses=rows.hypotheses,
        candidates=rows.candidates,
        evidence=rows.evidence,
        previous_days=INCIDENT_DAYS.empty(),
        method="likelihood",
        policy=TrackerPolicy(),
        price_eur_per_m3=0.8,
        contract_sha256="c0ffee",
        run_id="run-1",
        links=pipes_in_a_row(),
        zones={},
    )


@cache
def told_of(*view: Any) -> dict[str, list[str]]:
    """Return the events of each incident that a view of the data derives."""
    found: dict[str, list[str]] = {}
    rows = derived(*view).incident_events.sort("incident_id", "revision")
    for name, event in rows.select("incident_id", "event").iter_rows():
        found.setdefault(name, []).append(event)
    return found


def run(folder: Path, sequences: int, steps: int, seed: int = 1) -> Outcome:
    """Carry out random sequences and check the invariants after every step.

    Raises
    ------
    AssertionError
        One of them does not hold; the message names sequence and step.
    """
    warehouse = Warehouse(folder)
    crowd = [
        Sequence(f"n{number}", random.Random(f"{seed}:{number}"), number % len(STORIES))  # noqa: S311 - no secret
        for number in range(sequences)
    ]
    refused = conflicts = checked = 0
    state = _state(warehouse, crowd)
    for step in range(steps):
        new: list[dict[str, Any]] = []
        for one in crowd:
            spoken, no, late = _happen(one, state.get(one.name, []))
            new += spoken
            refused, conflicts = refused + no, conflicts + late
        if new:
            partition = {"transition": f"step-{step}", "network": "many"}
            frame = pl.DataFrame(new, schema=TRANSITIONS.polars_schema)
            warehouse.write(TRANSITIONS.full_name, partition, frame)
        state = _state(warehouse, crowd)
        for one in crowd:
            checked += _check(one, state.get(one.name, []), step)
        _check_stored(warehouse, crowd)
    transitions = sum(len(one.transitions) for one in crowd)
    return Outcome(sequences, steps, transitions, refused, conflicts, checked)


def _happen(one: Sequence, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int, int]:
    """Let one thing happen; return the transitions that were accepted, refusals and conflicts."""
    event = one.random.choice(EVENTS)
    match event:
        case "day":
            one.delivered = min(DAYS, one.delivered + 1)
            if one.random.random() < 0.2:
                one.missing = one.random.randrange(one.delivered)
        case "late":
            one.missing = None
        case "correct":
            one.is_corrected = True
        case "restore":
            one.is_corrected = False
        case "clock":
            one.clock += timedelta(days=one.random.uniform(-400, 400))
        case "transition" | "two" if rows:
            return _record(one, one.random.choice(rows), 2 if event == "two" else 1)
    return [], 0, 0


def _record(
    one: Sequence, row: dict[str, Any], people: int
) -> tuple[list[dict[str, Any]], int, int]:
    """Let people who saw the same state speak, one after the other, as the lock makes them."""
    seen = row["people_revision"]
    accepted: list[dict[str, Any]] = []
    refused = conflicts = 0
    state = _standing(row)
    for person in range(people):
        one.clock += timedelta(seconds=one.random.uniform(0, 100))
        transition = _word(one, f"p{person}", seen if people == 2 else None)
        try:
            new = transition_row(state, transition)
        except ConflictError:
            conflicts += 1
            assert person == 1, f"{one.name}: the first was told that he is late"
            continue
        except IllegalTransitionError:
            refused += 1
            assert state.status not in LEGAL[transition.action]
            continue
        accepted.append(new)
        one.transitions.append(new)
        one.expected[row["incident_id"]] = (new["to_status"], new["reason"], row["turns"])
        state = IncidentState(
            incident_id=state.incident_id,
            network=state.network,
            status=new["to_status"],
            reason=new["reason"],
            revision=new["revision"],
            turns=state.turns,
            seen=state.seen,
        )
    assert people == 1 or len(accepted) <= 1, f"{one.name}: both spoke of one revision"
    return accepted, refused, conflicts


def _standing(row: dict[str, Any]) -> IncidentState:
    return IncidentState(
        incident_id=row["incident_id"],
        network=row["network"],
        status=row["status"],
        reason=row["reason"],
        revision=row["people_revision"],
        assignee=row["assignee"],
        snoozed_until=row["snoozed_until"],
        turns=row["turns"],
        seen={"seen_revision": row["revision"], "seen_severity": row["severity"]},
    )


def _word(one: Sequence, actor: str, expected: int | None) -> Transition:
    action = one.random.choice((*LEGAL, "close", "close"))
    return Transition(
        action=action,
        actor=actor,
        happened_at=one.clock,
        recorded_at=one.clock,
        expected_revision=expected,
        note="n",
        reason=one.random.choice((*REASONS[:-1], *REASONS[:1] * 3)) if action == "close" else None,
        assignee="bob" if action == "assign" else None,
        snooze_until=one.clock + timedelta(hours=1) if action == "snooze" else None,
    )


def _state(warehouse: Warehouse, crowd: list[Sequence]) -> dict[str, list[dict[str, Any]]]:
    """Put what the detectors derive now in place and return the incidents of each network."""
    partition = {"date": FIRST_DAY.isoformat(), "network": "many"}
    alike: dict[View, list[str]] = {}
    for one in crowd:
        alike.setdefault(one.view, []).append(one.name)
    for table in ("incident_events", "incident_days"):
        parts = []
        for view, names in alike.items():
            mine = getattr(derived(*view), table)
            many = mine.drop("network").join(pl.DataFrame({"network": names}), how="cross")
            name = pl.concat_str("network", pl.lit("."), "incident_id")
            parts.append(many.with_columns(incident_id=name).select(mine.columns))
        warehouse.write(f"incidents.{table}", partition, pl.concat(parts))
    found: dict[str, list[dict[str, Any]]] = {}
    query = "SELECT * FROM incidents.all_incidents ORDER BY network, incident_id"
    for row in warehouse.sql(query).iter_rows(named=True):
        found.setdefault(row["network"], []).append(row)
    return found


def _check(one: Sequence, rows: list[dict[str, Any]], step: int) -> int:
    where = f"{one.name} after step {step}"
    events = {f"{one.name}.{name}": told for name, told in told_of(*one.view).items()}
    shown = [row["incident_id"] for row in rows]
    assert len(shown) == len(set(shown)), f"{where}: an incident has two states"
    assert set(shown) == set(events) | set(one.expected), f"{where}: an incident is lost or made up"
    for row in rows:
        name = row["incident_id"]
        own = events.get(name, [])
        assert row["is_supported"] == (name in events), where
        assert row["status"] in STATUSES, where
        assert (row["status"], row["reason"]) == _expected(one, name, own), f"{where}: {row}"
        spoken = sum(transition["incident_id"] == name for transition in one.transitions)
        assert row["people_revision"] == spoken, f"{where}: a transition is lost"
        assert row["volume_lost_m3"] is None or row["volume_lost_m3"] >= 0, where
    return len(rows)


def _expected(one: Sequence, name: str, events: list[str]) -> tuple[str, str | None]:
    """Return status and reason as a person would work them out."""
    is_stopped = bool(events) and events[-1] == "closed"
    if name not in one.expected:
        return ("closed" if is_stopped else "new"), None
    status, reason, seen = one.expected[name]
    if sum(event in ("closed", "reopened") for event in events) <= seen or not events:
        return status, reason
    if events[-1] == "closed" or (events.count("closed") > events.count("reopened")):
        return "closed", reason if status == "closed" else None
    if status == "closed" and reason not in (None, "confirmed_leak"):
        return "closed", reason
    return ("open" if status == "closed" else status), None


def _check_stored(warehouse: Warehouse, crowd: list[Sequence]) -> None:
    """Check that the lake has every transition, each once and unchanged, in unbroken order."""
    wanted = [transition for one in crowd for transition in one.transitions]
    stored = warehouse.read_all(TRANSITIONS.full_name).sort("incident_id", "revision")
    expected = pl.DataFrame(wanted, schema=TRANSITIONS.polars_schema)
    assert stored.equals(expected.sort("incident_id", "revision")), (
        "a transition was lost or changed"
    )
    per = stored.group_by("incident_id").agg(pl.len(), pl.col("revision").max())
    assert (per["len"] == per["revision"]).all(), "revisions have a gap"
