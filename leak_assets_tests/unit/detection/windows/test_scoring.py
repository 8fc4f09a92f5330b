"""Scoring with exported models: tables, states, streaming, masks."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.detection.windows.scoring import CANDIDATES, Scorer
from leak_assets.errors import InputError
from leak_assets.features.grid import WindowSpec
from leak_assets.features.windows import window_features
from leak_assets.models.artefact import load_artefact
from leak_assets.sites.provenance import Provenance
from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES, WINDOW_SCORES
from leak_assets.warehouse.schemas.features import WINDOWS
from leak_assets_tests.line import DAY, line_residuals


@pytest.fixture(scope="module")
def scorer(folders: tuple[Path, Path]) -> Scorer:
    """Both models."""
    return Scorer(*folders)


def test_leak_alarms_with_flow_and_candidates(scorer: Scorer) -> None:
    """Windows after 09:00 alarm; 7.2 m3/h; the twenty likeliest pipes of alarmed windows only."""
    scores, candidates = scorer.score_windows(window_features(line_residuals(100, pipe=10)))
    assert scores.schema == WINDOW_SCORES.polars_schema
    assert candidates.schema == WINDOW_CANDIDATES.polars_schema
    assert scores.height == 43
    late = scores.filter(pl.col("window_start") >= DAY + timedelta(hours=6))
    assert late["is_alarm"].mean() > 0.9
    assert scores.filter(pl.col("window_end") < DAY + timedelta(hours=6))["is_alarm"].mean() < 0.2
    assert late["leak_flow_m3_per_h"].mean() == pytest.approx(7.2, rel=0.1)
    assert set(candidates["window_start"]) == set(scores.filter("is_alarm")["window_start"])
    first = candidates.filter(pl.col("window_start") == late["window_start"][-1])
    assert first["rank"].to_list() == list(range(1, CANDIDATES + 1))
    assert first["probability"].is_sorted(descending=True)
    assert 0 < first["probability"].sum() <= 1 + 1e-6


def test_day_by_day_and_batch_scores_are_the_same(scorer: Scorer) -> None:
    """DET10: streaming and batch to 1e-6, here to the bit."""
    frame = line_residuals(101, days=3, pipe=5)
    batch, batch_candidates = scorer.score_windows(window_features(frame))
    parts = []
    for d in range(3):
        midnight = DAY + timedelta(days=d)
        seen = frame.filter(
            pl.col("ts_utc").is_between(
                midnight - timedelta(days=1), midnight + timedelta(days=1), closed="left"
            )
        )
        parts.append(scorer.score_windows(window_features(seen, day=midnight.date())))
    assert [p[0].height for p in parts] == [43, 48, 48]
    assert pl.concat([p[0] for p in parts]).equals(batch)
    assert pl.concat([p[1] for p in parts]).equals(batch_candidates)


def test_too_many_missing_channels_give_no_score_and_no_alarm(scorer: Scorer) -> None:
    """DET7: 3 of 10 channels missing still scores, 4 do not."""
    frame = line_residuals(102, pipe=10)
    for missing, state in ((3, "scored"), (4, "insufficient_data")):
        silent = [f"n{i}" for i in range(missing)]
        kept = frame.filter(~pl.col("sensor_id").is_in(silent))
        scores, candidates = scorer.score_windows(window_features(kept))
        assert set(scores["state"]) == {state}
        assert set(scores["channels_used"]) == {10 - missing}
        assert scores["anomaly_score"].null_count() == (0 if state == "scored" else 43)
        if state != "scored":
            assert not scores["is_alarm"].any()
            assert candidates.height == 0


def test_masked_values_do_not_change_the_score(scorer: Scorer) -> None:
    """FEA9: shuffling what is masked."""
    frame = line_residuals(103, pipe=20).with_columns(
        (pl.int_range(pl.len()) % 4 != 0).cast(pl.Int8).alias("mask")
    )
    shuffled = frame.with_columns(
        pl.when(pl.col("mask") == 0)
        .then(pl.col(name).shuffle(seed=1) * 100)
        .otherwise(name)
        .alias(name)
        for name in ("residual_z", "residual_si")
    )
    for before, after in zip(
        scorer.score_windows(window_features(frame)),
        scorer.score_windows(window_features(shuffled)),
        strict=True,
    ):
        assert before.equals(after)


def test_missing_inflow_gives_no_leak_flow(scorer: Scorer) -> None:
    """Null, not zero."""
    frame = line_residuals(104).filter(pl.col("sensor_id") != "inflow")
    scores, _ = scorer.score_windows(window_features(frame))
    assert scores["leak_flow_m3_per_h"].null_count() == 43
    assert scores["anomaly_score"].null_count() == 0


def test_empty_input_and_a_detector_alone(scorer: Scorer, folders: tuple[Path, Path]) -> None:
    """No row, no window; without a pinpointer no candidate."""
    scores, candidates = scorer.score_windows(WINDOWS.empty())
    assert (scores.schema, scores.height) == (WINDOW_SCORES.polars_schema, 0)
    assert candidates.schema == WINDOW_CANDIDATES.polars_schema
    scores, candidates = Scorer(folders[0]).score_windows(
        window_features(line_residuals(100, pipe=10))
    )
    assert scores["is_alarm"].any()
    assert candidates.height == 0


def test_wrong_network_and_wrong_model_are_refused(
    scorer: Scorer, folders: tuple[Path, Path]
) -> None:
    """The message names both."""
    other = line_residuals(0).with_columns(pl.lit("hanoi").alias("network"))
    with pytest.raises(InputError, match="windows of hanoi, models of line"):
        scorer.score_windows(window_features(other))
    with pytest.raises(InputError, match="is a leak_pinpointer, not a leak_detector"):
        Scorer(folders[1])


def test_models_of_other_windows_are_refused(folders: tuple[Path, Path]) -> None:
    """Statistics of six hours are not those of three."""
    bare = load_artefact(folders[0])
    with pytest.raises(InputError, match=r"reads windows of WindowSpec\(length_s=21600.*Train"):
        Scorer(replace(bare, window=WindowSpec(length_s=21_600)))


def test_models_of_another_network_model_or_layout_are_refused(folders: tuple[Path, Path]) -> None:
    """The message names what differs and how to mend it; nothing recorded differs too."""
    now = Provenance("line", "line.inp", "model hash", "monday", "layout hash")
    bare = load_artefact(folders[0])
    made = replace(bare, manifest=bare.manifest | now.hashes())
    assert Scorer(made, provenance=now).detector is made
    for change, words in (
        ({"layout_sha256": "fewer sensors"}, "another sensor layout of line"),
        ({"network_sha256": "edited"}, "another network model of line"),
        ({"pattern_first_weekday": "sunday"}, "another first weekday"),
    ):
        with pytest.raises(InputError, match=rf"{words}.*leak-assets train --network line"):
            Scorer(made, provenance=replace(now, **change))
    with pytest.raises(InputError, match=r"network model and first weekday.* and sensor layout"):
        Scorer(bare, provenance=now)


def test_scoring_does_not_import_torch(folders: tuple[Path, Path]) -> None:
    """A fresh process loads the models and knows neither torch nor sklearn."""
    code = (
        "import sys; from pathlib import Path;"
        "from leak_assets.detection.windows.scoring import Scorer;"
        f"Scorer(Path({str(folders[0])!r}), Path({str(folders[1])!r}));"
        "assert not {'torch', 'sklearn', 'dagster'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
