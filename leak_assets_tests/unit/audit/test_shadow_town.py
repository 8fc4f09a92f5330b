"""A challenger on a town of ten days: beside the model in use, in its place, and back again."""

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from leak_assets.audit.shadow_report import write_shadow_reports
from leak_assets.detection.windows.shadow import SHADOW_STEP
from leak_assets.models.artefact import MANIFEST, Artefact, load_artefact
from leak_assets.models.config import DETECTOR
from leak_assets.models.decisions import roll_back, step_to
from leak_assets.models.in_use import champions
from leak_assets.models.registration import register_candidates
from leak_assets.models.registry import CHAMPION, SHADOW, VALIDATION
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import run_step
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings

pytestmark = pytest.mark.slow

EAGER = "8.0.0-eager"


def eager(detector: Artefact) -> Artefact:
    """Return a package like another whose every window with a score alarms."""
    folder = shutil.copytree(detector.folder, detector.folder.with_name(EAGER))
    content = b"anomaly_score: 0.0\n"
    (folder / "thresholds.yaml").write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest["version"] = EAGER
    manifest["files"]["thresholds.yaml"] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return load_artefact(folder)


def rows(ctx: StepContext, table: str) -> pl.DataFrame:
    """Return a table without when it was written."""
    return ctx.warehouse.sql(f"SELECT * FROM {table} ORDER BY ALL")


def test_a_challenger_scores_raises_nothing_takes_over_and_goes_back(
    ten_days: Path, tmp_path: Path
) -> None:
    """MOD9, MOD10: its rows alone in shadow mode; in use its version in every row; back as before.

    It alarms in every window, so the report is known beforehand.
    """
    shutil.copytree(ten_days, tmp_path / "home")
    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "home", SHADOW_MIN_DAYS=3)
    ctx = StepContext.local(settings, run_id="shadow")
    site = ctx.network("hanoi")
    watched = ("detection.hypotheses", "incidents.incident_events", "detection.window_scores")
    before = {table: rows(ctx, table) for table in watched}
    scored = before["detection.window_scores"].filter(pl.col("anomaly_score").is_not_null())

    register_candidates(ctx, [eager(champions(ctx, site)[DETECTOR])])
    for status in (VALIDATION, SHADOW):
        step_to(ctx, "hanoi", DETECTOR, EAGER, status, actor="test", note="test")
    run_step(SHADOW_STEP, ctx, site, ctx.warehouse.partitions("features.windows", network="hanoi"))
    assert {table: rows(ctx, table).equals(frame) for table, frame in before.items()} == (
        dict.fromkeys(watched, True)
    )
    shadow = rows(ctx, "detection.shadow_scores")
    assert set(shadow["method_version"]) == {EAGER}
    assert shadow["is_alarm"].sum() == scored.height

    (report,) = write_shadow_reports(ctx, site).iter_rows(named=True)
    quiet = scored.height - scored["is_alarm"].sum()
    assert (report["only_challenger"], report["only_champion"]) == (quiet, 0)
    assert report["agreement"] == pytest.approx(1 - quiet / report["windows"])
    assert not report["may_be_promoted"]
    assert "are answered differently" in report["reason"]

    days = ctx.warehouse.partitions("detection.window_scores", network="hanoi")
    step_to(ctx, "hanoi", DETECTOR, EAGER, CHAMPION, actor="test", note="test")
    run_step(GRAPH.step("window_scores"), ctx, site, days)
    assert set(rows(ctx, "detection.window_scores")["method_version"]) == {EAGER}
    roll_back(ctx, "hanoi", DETECTOR, actor="test", note="it alarms all the time")
    run_step(GRAPH.step("window_scores"), ctx, site, days)
    assert rows(ctx, "detection.window_scores").equals(before["detection.window_scores"])
