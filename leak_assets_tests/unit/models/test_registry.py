"""Gates, evaluations and the registry."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from leak_assets.errors import InputError, MissingInputError
from leak_assets.models.config import GateLimit
from leak_assets.models.evaluation import evaluations_frame
from leak_assets.models.gates import check_gates
from leak_assets.models.registry import champion, current, promote, register, retire
from leak_assets.warehouse.schemas.models import EVALUATIONS, REGISTRY_EVENTS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GATES = {"auc": GateLimit(min=0.9), "far": GateLimit(max=0.05)}


def failures(metrics):
    """Return the messages of failed gates."""
    return [result.message for result in check_gates(metrics, GATES) if not result.passed]


def test_a_failing_gate_names_itself_its_value_and_its_limit() -> None:
    """MOD6."""
    assert failures({"auc": 0.95, "far": 0.0812}) == [
        "gate far failed: 0.0812, must be at most 0.05"
    ]


def test_limits_themselves_pass_and_missing_metrics_fail() -> None:
    """At the limit is good enough; not measured is not."""
    assert failures({"auc": 0.9, "far": 0.05}) == []
    assert failures({"auc": None}) == [
        "gate auc failed: missing, must be at least 0.9",
        "gate far failed: missing, must be at most 0.05",
    ]


def test_evaluations_frame_gates_the_test_split_only() -> None:
    """One row per split and metric, a row also for a gate that was not measured."""
    metrics = {"validation": {"auc": 0.5}, "test": {"auc": 0.95, "f1": None}}
    frame = evaluations_frame(metrics, GATES, network="line", model="leak_detector", version="1")
    assert frame.schema == EVALUATIONS.polars_schema
    found = {(r["split"], r["metric"]): r["passed"] for r in frame.iter_rows(named=True)}
    assert found == {
        ("validation", "auc"): None,
        ("test", "auc"): True,
        ("test", "f1"): None,
        ("test", "far"): False,
    }


def _registered(artefact, *, failed: tuple[str, ...] = ()) -> pl.DataFrame:
    events = REGISTRY_EVENTS.empty()
    return pl.concat([events, register(events, artefact, failures=failed, at=NOW, actor="t")])


def _promote(events: pl.DataFrame, artefact, *, at: datetime = NOW) -> pl.DataFrame:
    rows = promote(
        events,
        network=artefact.network,
        model=artefact.model,
        version=artefact.version,
        at=at,
        actor="t",
        note="better",
    )
    return pl.concat([events, rows])


def test_promoted_candidate_is_champion_and_rejected_ones_are_refused(artefacts) -> None:
    """A failed gate leaves nothing to promote, and the message names it."""
    artefact = artefacts[0]
    events = _registered(artefact)
    assert events.schema == REGISTRY_EVENTS.polars_schema
    assert events["artefact_path"][0] == f"leak_detector/line/{artefact.version}"
    assert champion(events, "line", "leak_detector") is None
    events = _promote(events, artefact)
    assert champion(events, "line", "leak_detector")["version"] == artefact.version
    assert champion(events, "line", "leak_pinpointer") is None
    assert champion(events, "hanoi", "leak_detector") is None

    rejected = _registered(artefact, failed=("gate auc failed: 0.5, must be at least 0.9",))
    with pytest.raises(InputError, match="may not be promoted: gate auc failed"):
        _promote(rejected, artefact)
    with pytest.raises(MissingInputError, match="Registered: none"):
        _promote(REGISTRY_EVENTS.empty(), artefact)


def test_promotion_retires_the_champion_and_back_again(artefacts) -> None:
    """One champion at a time; a retired version comes back as rollback."""
    artefact = artefacts[0]
    events = _promote(_registered(artefact), artefact)
    other = events.head(1).with_columns(
        pl.lit("1.0.0-other").alias("version"), pl.lit("x").alias("event_id")
    )
    events = pl.concat([events, other])
    rows = promote(
        events,
        network="line",
        model="leak_detector",
        version="1.0.0-other",
        at=NOW,
        actor="t",
        note="new",
    )
    assert rows["status"].to_list() == ["retired", "champion"]
    events = pl.concat([events, rows])
    assert champion(events, "line", "leak_detector")["version"] == "1.0.0-other"
    events = _promote(events, artefact, at=NOW - timedelta(days=1))
    assert champion(events, "line", "leak_detector")["version"] == artefact.version
    statuses = current(events, "line", "leak_detector")["status"].to_list()
    assert sorted(statuses) == ["champion", "retired"]
    assert events["event_id"].n_unique() == events.height


def test_repeating_changes_nothing(artefacts) -> None:
    """The same artefact twice, the champion twice: no new row."""
    artefact = artefacts[0]
    events = _registered(artefact)
    assert register(events, artefact, failures=(), at=NOW, actor="t").height == 0
    events = _promote(events, artefact)
    assert register(events, artefact, failures=(), at=NOW, actor="t").height == 0
    assert _promote(events, artefact).height == events.height
    assert register(events, artefact, failures=("far",), at=NOW, actor="t").height == 1


def test_a_retired_model_leaves_nothing_in_use(artefacts) -> None:
    """Where there is none in use there is no row."""
    events = _promote(_registered(artefacts[1]), artefacts[1])
    what = {"network": "line", "model": "leak_pinpointer", "at": NOW, "actor": "t", "note": "old"}
    rows = retire(events, **what)
    assert champion(pl.concat([events, rows]), "line", "leak_pinpointer") is None
    assert retire(REGISTRY_EVENTS.empty(), **what).height == 0
