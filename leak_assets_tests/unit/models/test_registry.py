"""Gates, evaluations and the registry."""

from datetime import UTC, datetime

import polars as pl
import pytest

from leak_assets.errors import InputError, MissingInputError
from leak_assets.models.config import GateLimit
from leak_assets.models.evaluation import evaluations_frame
from leak_assets.models.gates import check_gates
from leak_assets.models.registry import (
    CANDIDATE,
    CHAMPION,
    LEGAL,
    REJECTED,
    RETIRED,
    SHADOW,
    STATUSES,
    VALIDATION,
    IllegalStepError,
    advance,
    champion,
    current,
    find,
    former_champion,
    register,
    revision,
)
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


class Registry:
    """Events of one model, version by version."""

    def __init__(self) -> None:
        self.events = REGISTRY_EVENTS.empty()

    def add(self, version: str) -> None:
        """Register a version as a candidate, as an export does."""
        row = {
            "network": "line",
            "event_id": f"{version}{self.events.height}",
            "model": "leak_detector",
            "version": version,
            "status": CANDIDATE,
            "artefact_path": f"leak_detector/{version}",
            "manifest_sha256": version,
            "event_at": NOW,
            "actor": "t",
            "note": "exported",
            "revision": revision(self.events, "line", "leak_detector") + 1,
        }
        new = pl.DataFrame([row], schema=REGISTRY_EVENTS.polars_schema)
        self.events = pl.concat([self.events, new])

    def step(self, version: str, *statuses: str) -> None:
        """Take a version from status to status."""
        for status in statuses:
            row = find(self.events, "line", "leak_detector", version)
            new = advance(self.events, row, status, at=NOW, actor="t", note=status)
            self.events = pl.concat([self.events, new])

    @property
    def statuses(self) -> dict[str, str]:
        """Status of each version."""
        rows = current(self.events, "line", "leak_detector")
        return dict(zip(rows["version"], rows["status"], strict=True))


@pytest.fixture
def registry() -> Registry:
    """A registry with one version in use."""
    made = Registry()
    made.add("1.0.0-a")
    made.step("1.0.0-a", VALIDATION, CHAMPION)
    return made


def test_life_of_a_version_from_candidate_to_retired(registry: Registry) -> None:
    """MOD9: beside the one in use through shadow mode; the old one retires in the same decision."""
    registry.add("2.0.0-b")
    registry.step("2.0.0-b", VALIDATION, SHADOW, CHAMPION)
    assert registry.statuses == {"2.0.0-b": CHAMPION, "1.0.0-a": RETIRED}
    last = registry.events.filter(revision=registry.events["revision"].max())
    assert last["status"].to_list() == [RETIRED, CHAMPION]
    assert registry.events["event_id"].n_unique() == registry.events.height
    assert champion(registry.events, "line", "leak_detector")["version"] == "2.0.0-b"
    assert champion(registry.events, "line", "leak_pinpointer") is None
    assert champion(registry.events, "hanoi", "leak_detector") is None
    assert former_champion(registry.events, "line", "leak_detector")["version"] == "1.0.0-a"


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_every_other_step_is_refused(registry: Registry, before: str, after: str) -> None:
    """All pairs: what is not in the table of legal steps names what is."""
    registry.add("2.0.0-b")
    row = find(registry.events, "line", "leak_detector", "2.0.0-b") | {"status": before}
    if after in LEGAL[before]:
        assert advance(registry.events, row, after, at=NOW, actor="t", note="").height >= 1
    else:
        with pytest.raises(IllegalStepError, match=f"is {before}.*cannot become {after}.*next:"):
            advance(registry.events, row, after, at=NOW, actor="t", note="")


def test_a_validated_version_skips_shadow_only_where_none_is_in_use(registry: Registry) -> None:
    """There is nothing to be compared with."""
    registry.add("2.0.0-b")
    registry.step("2.0.0-b", VALIDATION)
    with pytest.raises(IllegalStepError, match="is validation, it cannot become champion"):
        registry.step("2.0.0-b", CHAMPION)
    registry.step("1.0.0-a", RETIRED)
    registry.step("2.0.0-b", CHAMPION)
    assert registry.statuses == {"2.0.0-b": CHAMPION, "1.0.0-a": RETIRED}


def test_a_rejected_version_says_why(registry: Registry) -> None:
    """The gate that failed is in the message."""
    registry.add("2.0.0-b")
    registry.step("2.0.0-b", REJECTED)
    with pytest.raises(IllegalStepError, match="is rejected: rejected, it cannot become shadow"):
        registry.step("2.0.0-b", SHADOW)


def test_versions_are_found_by_their_beginning_where_it_is_unique(registry: Registry) -> None:
    """`1.0.0` stands for `1.0.0-a`, not where two begin so that were not rejected."""
    assert find(registry.events, "line", "leak_detector", "1.0.0")["version"] == "1.0.0-a"
    registry.add("1.0.0-b")
    registry.step("1.0.0-b", REJECTED)
    assert find(registry.events, "line", "leak_detector", "1.0.0")["version"] == "1.0.0-a"
    assert find(registry.events, "line", "leak_detector", "1.0.0-b")["status"] == REJECTED
    registry.add("1.0.0-c")
    with pytest.raises(MissingInputError, match=r"may be 1\.0\.0-\w or 1\.0\.0-\w\."):
        find(registry.events, "line", "leak_detector", "1.0.0")
    with pytest.raises(MissingInputError, match=r"9\.9\.9 of line is not registered.*1\.0\.0-a"):
        find(registry.events, "line", "leak_detector", "9.9.9")


def test_registering_again_changes_nothing_and_another_package_is_refused(artefacts) -> None:
    """The same package twice; one that was given up may come back; other content may not."""
    what = {"path": "p", "at": NOW, "actor": "t"}
    events = register(REGISTRY_EVENTS.empty(), artefacts[0], **what)
    assert events.schema == REGISTRY_EVENTS.polars_schema
    assert register(events, artefacts[0], **what).is_empty()
    rejected = events.with_columns(status=pl.lit(REJECTED))
    assert register(rejected, artefacts[0], **what)["status"].to_list() == [CANDIDATE]
    other = events.with_columns(manifest_sha256=pl.lit("x"))
    with pytest.raises(InputError, match="is registered with another package"):
        register(other, artefacts[0], **what)
