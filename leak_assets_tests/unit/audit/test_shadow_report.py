"""Shadow mode: a challenger's rows, that nothing follows from them, and when it may be promoted."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from leak_assets.audit.shadow_report import promotion_failure
from leak_assets.detection.windows.scoring import Scorer
from leak_assets.detection.windows.shadow import SHADOW_STEP, TABLE, shadow_scores
from leak_assets.features.windows import window_features
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.warehouse.schemas.detection import SHADOW_SCORES
from leak_assets_tests.line import line_residuals, write_line_models


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A detector and a pinpointer of a line of pipes."""
    return Scorer(*write_line_models(tmp_path_factory.mktemp("models")))


ROW: dict[str, Any] = {"days": 10, "windows": 480, "agreement": 0.97}


def test_a_challenger_writes_its_scores_beside(scorer: Scorer) -> None:
    """MOD10: its own version in each row; alarmed windows have a place."""
    windows = window_features(line_residuals(7, pipe=20))
    for model, version in (
        ("leak_detector", scorer.detector.version),
        ("leak_pinpointer", scorer.pinpointer.version if scorer.pinpointer else ""),
    ):
        rows = shadow_scores(model, scorer, windows)
        assert rows.schema == SHADOW_SCORES.polars_schema
        assert set(rows["method_version"]) == {version}
        assert rows.filter("is_alarm")["top_link_id"].null_count() == 0
        assert rows.filter(~pl.col("is_alarm"))["top_link_id"].drop_nulls().is_empty()
        assert rows["is_alarm"].any()


def test_nothing_follows_from_shadow_scores() -> None:
    """MOD10: no step reads them, so no hypothesis and no incident can come of them."""
    assert SHADOW_STEP.writes == (TABLE,)
    assert [step.name for step in GRAPH.steps if TABLE in step.upstream_tables] == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"days": 3}, "3 days in shadow mode, SHADOW_MIN_DAYS asks for 7"),
        ({"agreement": 0.9}, "10.0% of 480 windows are answered differently"),
        ({"days": 0, "windows": 0, "agreement": None}, "0 days in shadow mode"),
    ],
)
def test_the_rule_of_the_settings(changes: dict[str, Any], reason: str | None) -> None:
    """Days and disagreement, with the setting named that stands in the way."""
    found = promotion_failure(ROW | changes, Settings())
    if reason is None:
        assert found is None
    else:
        assert found is not None
        assert reason in found


def test_a_rule_without_days_holds_at_once(tmp_path: Path) -> None:
    """SHADOW_MIN_DAYS=0: who wants no shadow mode has none."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path, SHADOW_MIN_DAYS=0)
    row = {"days": 0, "windows": 0, "agreement": None}
    assert promotion_failure(row, settings) is None
