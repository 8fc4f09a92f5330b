"""Benchmark towns: what is drawn, what is written, and that both scorers and readers take it."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from leak_assets.benchmark.score import score
from leak_assets.benchmark.town_plan import REFERENCE_DAYS, TownPlan, draw_leaks, draw_town
from leak_assets.cli import app
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.export import half_hour_means, open_export
from leak_assets.exchange.battledim.leaks import read_leak_list
from leak_assets.exchange.battledim.submission import write_submission
from leak_assets.exchange.battledim.truth import read_truth
from leak_assets.hydraulics.towns.town import Town
from leak_assets.sites import Network, load_layout
from leak_assets_tests.towns import shared_folder

SHORT = TownPlan(date(2018, 12, 8), 24, 14, event_share=0.3, fault_share=0.3)


def hours(leak) -> float:
    """Hours that a repaired leak ran."""
    return (leak.end_at - leak.start_at) / timedelta(hours=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_years_of_l_town_are_like_battledims(ltown: Network, seed: int) -> None:
    """Repaired and running leaks in the history, new ones all year, sizes of 4 to 28 m3/h."""
    plan = TownPlan()
    leaks = draw_leaks(ltown, Town.nominal(ltown), plan, seed)
    before = [leak for leak in leaks if leak.start_at < plan.evaluated_at]
    after = [leak for leak in leaks if leak.start_at >= plan.evaluated_at]
    running_on = sum(leak.end_at is None for leak in before)
    assert len(before) - running_on == 8
    assert 16 <= running_on + len(after) <= 23
    assert running_on / (running_on + len(after)) == pytest.approx(1 / 3, abs=0.05)
    assert 3 <= sum(leak.end_at is not None for leak in after) <= 6
    assert {leak.kind for leak in after} == {"abrupt", "incipient"}
    assert len({leak.link_id for leak in leaks}) == len(leaks)
    assert min(leak.start_at for leak in leaks) >= plan.start_at + timedelta(days=REFERENCE_DAYS)
    # Torricelli at 45 m.
    flows = [0.75 * leak.area_m2 * (2 * 9.81 * 45) ** 0.5 * 3600 for leak in leaks]
    assert min(flows) >= 4.0
    assert max(flows) <= 28.5
    assert max(f for f, leak in zip(flows, leaks, strict=True) if leak.end_at is None) <= 16
    fixed = [leak for leak in leaks if leak.end_at is not None]
    assert all(12 < hours(leak) <= 70 * 24 for leak in fixed)
    at_the_end = [k for k in leaks if k.end_at is None or k.end_at > plan.end_at]
    assert len(at_the_end) >= 11, "many run at once"


def test_leaks_stay_where_events_and_faults_change(hanoi: Network) -> None:
    """Each has a stream of its own; another seed is another town."""
    layout = load_layout(hanoi)
    some = draw_town(hanoi, layout, SHORT, 1)
    none = draw_town(hanoi, layout, replace(SHORT, event_share=0.0, fault_share=0.0), 1)
    assert some.leaks == none.leaks
    assert some.events
    assert some.faults
    assert not none.events
    assert not none.faults
    first = min(t.start_at for t in (*some.events, *some.faults))
    assert first >= SHORT.start_at + timedelta(days=REFERENCE_DAYS)
    assert draw_town(hanoi, layout, SHORT, 1) == some
    assert draw_town(hanoi, layout, SHORT, 2).leaks != some.leaks


@pytest.mark.parametrize(
    ("plan", "labels"),
    [
        (TownPlan(), ("2018", "2019")),
        (SHORT, ("2018-12-08", "2019-01-01")),
        (TownPlan(date(2018, 12, 1), 31, 31), ("2018", "2019")),
        (TownPlan(date(2024, 1, 1), 100, 50), ("2024-01-01", "2024-04-10")),
    ],
)
def test_files_are_named_by_year_where_that_tells_the_periods_apart(plan, labels) -> None:
    """Official names for two years, first days for other periods."""
    if plan is SHORT:
        plan = replace(plan, evaluated_days=370)
    assert plan.labels == labels
    assert sorted(labels) == list(labels)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw a short town by the command line."""
    out = tmp_path_factory.mktemp("towns")
    result = invoke(out)
    assert result.exit_code == 0, result.output
    for words in ("hanoi-4", "leak-assets detect --network hanoi --scada", "&& leak-assets score"):
        assert words in result.output
    return out / "hanoi-4"


def invoke(out: Path, *more: str):
    """Run `benchmark towns` for Hanoi, 24 and 14 days around New Year."""
    arguments = ["benchmark", "towns", "--network", "hanoi", "--seed", "4", "--out", str(out)]
    arguments += ["--first-day", "2018-12-08", "--history-days", "24", "--days", "14"]
    return CliRunner().invoke(app, [*arguments, "--events", "0.3", "--faults", "0.3", *more])


def test_the_export_is_read_as_any_other(hanoi: Network, town: Path) -> None:
    """Two periods, gapless, with the report of what was repaired in the first."""
    export = open_export(hanoi, town)
    assert (export.history, export.evaluated) == ("2018", "2019")
    history = read_leak_list(town / "truth" / "leaks_2018.csv")
    assert [(r.link_id, r.at) for r in export.repairs] == [
        (leak.link_id, leak.end_at) for leak in sorted(history, key=lambda k: k.end_at)
    ]
    lines: list[str] = []
    wide = half_hour_means(hanoi, export, lines.append)
    assert wide.height == 38 * 48
    assert wide["ts_utc"][0] == datetime.fromisoformat("2018-12-08T00:00Z")
    faults = pl.read_csv(town / "truth" / "sensor_faults.csv")
    assert faults.height > 3
    assert pl.read_csv(town / "truth" / "events.csv").height > 3


def test_the_truth_holds_what_runs_in_the_evaluated_period(town: Path) -> None:
    """Leaks of the history that run on are in it, repaired ones are not; flows fit their times."""
    truth = read_truth(town / "truth")
    assert truth.inp_path == town / "Hanoi.inp"
    assert any(leak.start_at < truth.start_at for leak in truth.leaks)
    for leak in truth.leaks:
        runs = leak.flow_m3_per_h > 0
        first = max(truth.step(leak.start_at), 0)
        assert not runs[:first].any()
        assert runs[min(max(truth.step(leak.leak.peak), first), truth.steps - 1)]
        assert not runs[truth.step(leak.end_at) + 1 :].any()
    meta = json.loads((town / "truth" / "meta.json").read_text())
    assert meta["seeds"]["schedule"] == 4
    assert meta["town"]["closed_pipes"]


def test_the_true_leaks_score_all_with_both_scorers(town: Path, tmp_path: Path) -> None:
    """Reported at their start they are worth all; the independent scorer says the same."""
    truth = read_truth(town / "truth")
    submission = tmp_path / "submission.txt"
    lines = [(leak.link_id, max(leak.start_at, truth.start_at)) for leak in truth.leaks]
    write_submission(submission, lines)
    ours = score(town / "truth", submission)
    assert ours.score_pct == pytest.approx(100, abs=1)
    assert (ours.false_positives, ours.recall) == (0, 1.0)
    script = shared_folder() / "bench" / "score.py"
    if not script.is_file():
        pytest.skip(f"the independent scorer is not in {script.parent}")
    printed = subprocess.run(
        [sys.executable, str(script), "--truth", str(town / "truth"), "--submission",
         str(submission)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(printed.stdout)["score_eur"] == pytest.approx(ours.score_eur, abs=0.01)


def test_again_it_is_the_same_and_other_files_are_never_replaced(
    town: Path, tmp_path: Path
) -> None:
    """The same seed gives the same bytes; a folder with other files is refused at once."""
    files = {p.relative_to(town): p.read_bytes() for p in town.rglob("*") if p.is_file()}
    assert invoke(town.parent, "--json").exit_code == 0
    again = {p.relative_to(town): p.read_bytes() for p in town.rglob("*") if p.is_file()}
    assert again == files
    (tmp_path / "other" / "hanoi-4").mkdir(parents=True)
    (tmp_path / "other" / "hanoi-4" / "mine.txt").write_text("stay")
    result = invoke(tmp_path / "other")
    assert isinstance(result.exception, InputError)
    assert "other files" in str(result.exception)


def test_a_clean_town_has_no_leak(tmp_path: Path) -> None:
    """Its truth is empty, an empty submission is worth nothing and misses nothing."""
    result = invoke(tmp_path, "--clean", "--count", "2", "--workers", "1", "--json")
    assert [t["seed"] for t in json.loads(result.output)] == [4, 5]
    for name in ("hanoi-4", "hanoi-5"):
        folder = tmp_path / name
        assert read_truth(folder / "truth").leaks == ()
        (tmp_path / "none.txt").write_text("")
        assert score(folder / "truth", tmp_path / "none.txt").false_negatives == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--history-days", "13"), "a history of 13 days"),
        (("--days", "3"), "an evaluated period of 3 days"),
        (("--events", "1.5"), "event_share = 1.5"),
        (("--network", "nowhere"), "unknown network"),
        (("--network", "net1", "--history-days", "2000", "--days", "2000"), "pipes that can leak"),
    ],
)
def test_unusable_options_are_told(tmp_path: Path, more, words: str) -> None:
    """One line, and nothing is written."""
    result = invoke(tmp_path / "out", *more)
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert not (tmp_path / "out").exists()
