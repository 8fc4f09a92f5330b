"""Detection judged on generated towns: where euros go, and that a town is made once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from leak_assets.benchmark.baselines.every import BASELINES
from leak_assets.benchmark.losses import CAUSES, delays, losses
from leak_assets.benchmark.score import score
from leak_assets.benchmark.town_plan import TownPlan
from leak_assets.benchmark.trial import trials
from leak_assets.benchmark.trials import chosen_methods, own_methods
from leak_assets.cli import app
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.submission import write_submission
from leak_assets.exchange.battledim.truth import Truth, read_truth, write_truth
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.sites import Network

START = datetime(2019, 1, 1, tzinfo=UTC)
END = datetime(2019, 1, 10, 23, 55, tzinfo=UTC)


def test_what_is_lost_adds_up(hanoi: Network, tmp_path: Path) -> None:
    """Score and losses are the perfect score; each leak counts where it was lost."""
    leaks = [
        Leak("1", START - timedelta(days=5), 0.02),
        Leak("5", START + timedelta(days=1), 0.02),
        Leak("10", START + timedelta(days=2), 0.02, "incipient", START + timedelta(days=6)),
        Leak("20", START + timedelta(days=3), 0.02),
    ]
    steps = 10 * 288
    flow = np.zeros((steps, 4))
    for i, leak in enumerate(leaks):
        first = max(0, round((leak.start_at - START) / timedelta(minutes=5)))
        flow[first:, i] = 10.0
    flow[2 * 288 : 6 * 288, 2] = np.linspace(0, 10, 4 * 288)
    truth = Truth.of_run("made", hanoi.inp_path, START, END, leaks, flow)
    write_truth(truth, tmp_path, {})
    path = tmp_path / "submission.txt"
    write_submission(
        path,
        [
            ("5", START + timedelta(days=1, hours=6)),
            ("10", START + timedelta(days=4)),
            ("30", START + timedelta(days=5)),
        ],
    )
    truth, result = read_truth(tmp_path), score(tmp_path, path)
    lost = losses(truth, result, price_eur_per_m3=0.8, crew_eur=500.0)
    assert set(lost) == set(CAUSES)
    assert result.score_pct is not None
    assert sum(lost.values()) + result.score_pct == pytest.approx(100)
    assert lost["old_missed"] > lost["new_missed"] > 0
    assert lost["abrupt_late"] == pytest.approx(100 * 6 * 10 * 0.8 / result.max_score_eur, rel=0.02)
    found = delays(truth, result)
    assert found["abrupt_h"] == pytest.approx(6.0)
    assert found["incipient_d"] == pytest.approx(2.0)
    assert found["visible_d"] == pytest.approx(2.0 - 0.15 * 4, abs=0.01)


def test_each_town_is_plain_with_faults_and_with_events() -> None:
    """Leaky seeds and clean ones, three kinds each; a kind has nothing of the others."""
    found = trials(TownPlan(), [1, 2], [7])
    assert [one.name for one in found[:3]] == ["1", "1 faults", "1 events"]
    assert [one.name for one in found[6:]] == ["7 clean", "7 clean faults", "7 clean events"]
    assert [(o.plan.event_share > 0, o.plan.fault_share > 0) for o in found[:3]] == [
        (False, False),
        (False, True),
        (True, False),
    ]


def test_a_town_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table says what detection is worth; a second run takes the town from the cache."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    arguments = ["benchmark", "detection", "--network", "hanoi", "--towns", "1", "--clean", "0"]
    arguments += ["--variant", "plain", "--history-days", "14", "--days", "7", "--workers", "1"]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output
    for words in ("% of perfect", "By kind of town", "Lost, % of the perfect score"):
        assert words in first.output
    (made,) = tmp_path.rglob("READY")
    made_ns = made.stat().st_mtime_ns
    assert pl.read_csv(made.parent / "truth" / "leaks.csv").height >= 3
    again = CliRunner().invoke(app, [*arguments, "--json"])
    assert again.exit_code == 0, again.output
    assert '"lost_percent"' in again.output
    (kept,) = tmp_path.rglob("READY")
    assert kept.stat().st_mtime_ns == made_ns
    board = CliRunner().invoke(app, [*arguments, "--json", "--methods", "all"])
    assert board.exit_code == 0, board.output
    rows = json.loads(board.output)["leaderboard"]
    assert {row["method"] for row in rows} == {*own_methods(), *BASELINES}
    assert next(row for row in rows if row["method"] == "null")["% of perfect"] == 0
    silent = CliRunner().invoke(app, [*arguments, "--methods", "null"])
    assert "`leak-assets expect --network hanoi`" in silent.output
    wrong = CliRunner().invoke(app, [*arguments, "--variant", "noise"])
    assert isinstance(wrong.exception, InputError)


def test_leakdbs_scores_stand_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A LeakDB-like scenario by half-hours: both scores of each method, and all pooled."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    arguments = ["benchmark", "detection", "--network", "hanoi", "--variant", "leakdb"]
    arguments += ["--towns", "1", "--clean", "1", "--days", "7", "--workers", "1", "--json"]
    done = CliRunner().invoke(app, [*arguments, "--methods", "likelihood,null"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert {row["town"] for row in found["towns"]} == {"101 leakdb", "102 clean leakdb"}
    rows = {(row["town"], row["method"]): row for row in found["leakdb"]}
    assert len(rows) == 6
    silent = rows["all", "null"]
    assert (silent["true positive rate"], silent["specificity"], silent["F1"]) == (0, 1, 0)
    assert silent["early detection"] == 0
    assert silent["faults"] >= 1
    assert rows["102 clean leakdb", "null"]["true positive rate"] is None
    channels = pl.scan_parquet(tmp_path / "**" / "channels_30m" / "**" / "*.parquet")
    usable = channels.select(pl.col("mask").mean()).collect().item()
    assert usable > 0.9, "half-hour readings are enough for the channels"


def test_methods_are_named_with_commas() -> None:
    """`all` has everything once; what asks trained models, or is unknown, is refused."""
    assert chosen_methods(["likelihood", "null", "likelihood"]) == ("likelihood", "null")
    assert chosen_methods(["null", "all"])[0] == "null"
    assert set(BASELINES) < set(chosen_methods(["all"]))
    for name in ("windows", "guess"):
        with pytest.raises(InputError):
            chosen_methods([name])
