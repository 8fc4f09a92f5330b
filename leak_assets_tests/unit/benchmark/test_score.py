"""The economic score: the organizers' reports, the rules, unusable input."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.benchmark.score import ScoreResult, score
from leak_assets.errors import InputError
from leak_assets_tests.towns import shared_folder

INP = """[JUNCTIONS]
 a 0 1
 b 0 1
 c 0 1
 d 0 1
[RESERVOIRS]
 r 50
[PIPES]
 feed r a 100 300 100 0 Open
 near a b 200 300 100 0 Open
 next b c 200 300 100 0 Open
 far c d 900 300 100 0 Open
[OPTIONS]
 Units CMH
 Headloss H-W
[END]
"""
DAYS = 10
STEPS = DAYS * 288


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Write a truth folder: 12 m3/h on `near` from day 2, 6 m3/h on `next` from day 3 to 5."""
    folder = tmp_path / "truth"
    folder.mkdir()
    (tmp_path / "toy.inp").write_text(INP)
    meta = {"start": "2019-01-01 00:00", "end": "2019-01-10 23:55", "network": "../toy.inp"}
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "leaks.csv").write_text(
        "linkID,startTime,endTime,diameter_m,type,peakTime\n"
        "near,2019-01-02 00:00,2019-01-10 23:55,0.01,abrupt,2019-01-02 00:00\n"
        "next,2019-01-03 00:00,2019-01-05 23:55,0.01,abrupt,2019-01-03 00:00\n"
    )
    near, after = np.zeros(STEPS), np.zeros(STEPS, dtype=np.int32)
    near[288:] = 12.0
    after[2 * 288 : 5 * 288] = 600
    pl.DataFrame({"0_near": near, "next": after}).write_parquet(folder / "leak_flows.parquet")
    return folder


def result(truth: Path, *lines: str) -> ScoreResult:
    """Score the lines of a submission."""
    file = truth.parent / "submission.txt"
    file.write_text("\n".join(lines))
    return score(truth, file)


@pytest.mark.parametrize(
    ("name", "euro", "hits", "false_alarms"),
    [
        ("test_team", 523153.82, 23, 0),
        ("PERFECT_TEAM", 523153.82, 23, 0),
        ("test_team_multiple", 9547.81, 1, 1),
    ],
)
def test_official_reports(name: str, euro: float, hits: int, false_alarms: int) -> None:
    """The score agrees to the cent with what the organizers' program gave."""
    folder = shared_folder() / "data" / "battledim-official"
    if not folder.is_dir():
        pytest.skip(f"the official BattLeDIM data are not in {folder}")
    found = score(folder / "truth", folder / "submissions" / f"{name}.txt")
    assert round(found.score_eur, 2) == euro
    assert (found.true_positives, found.false_positives) == (hits, false_alarms)
    report = (folder / "reports" / f"{name}_report.txt").read_text("latin-1")
    official = [line.split(":")[1] for line in report.splitlines() if line.startswith("Score:")]
    ours = found.detections["value_eur"].to_list()
    assert [round(v, 2) for v in ours] == [round(float(v), 2) for v in official]


def test_water_saved_less_the_way_of_the_crew(truth: Path) -> None:
    """A hit is worth the water to the end of the period less the crew's share for distance."""
    found = result(truth, "next, 2019-01-02 12:00")
    row = found.detections.row(0, named=True)
    # 8.5 days and one step (the organizers count samples from 1) at 12 m3/h; the middles of the
    # pipes are 200 m apart.
    assert row["saved_m3"] == pytest.approx(8.5 * 24 * 12 + 1)
    assert row["distance_m"] == pytest.approx(200)
    assert found.score_eur == pytest.approx((8.5 * 24 * 12 + 1) * 0.8 - 200 / 300 * 500)
    assert row["delay_h"] == pytest.approx(12)


def test_each_leak_counts_once(truth: Path) -> None:
    """A second detection of a found leak is worth nothing and costs nothing."""
    found = result(truth, "near, 2019-01-02 12:00", "near, 2019-01-02 18:00")
    assert found.detections["outcome"].to_list() == ["TP", "repeated"]
    assert found.detections["value_eur"][1] == 0


def test_the_nearest_leak_not_found_before_is_credited(truth: Path) -> None:
    """With two leaks in reach the nearer one counts first, then the other."""
    found = result(truth, "next, 2019-01-04", "next, 2019-01-04 01:00")
    assert found.detections["leak_link_id"].to_list() == ["next", "near"]
    assert found.recall == 1.0


def test_detections_count_in_order_of_time(truth: Path) -> None:
    """The order of the lines does not matter."""
    lines = ("next, 2019-01-04 01:00", "next, 2019-01-04")
    forward, backward = result(truth, *lines), result(truth, *lines[::-1])
    assert forward.score_eur == backward.score_eur


@pytest.mark.parametrize("line", ["far, 2019-01-04", "near, 2019-01-01 12:00", "near, 2019-02-01"])
def test_a_false_alarm_costs_a_crew(truth: Path, line: str) -> None:
    """Too far away, before the leak and after the end: each costs 500 euro."""
    found = result(truth, line)
    assert found.score_eur == -500
    assert found.precision == 0


def test_before_the_period_is_ignored(truth: Path) -> None:
    """A detection before the evaluation period neither costs nor counts."""
    found = result(truth, "near, 2018-12-31 23:50")
    assert (found.score_eur, found.before_period, found.precision) == (0, 1, None)
    assert found.missed == ("near", "next")


def test_nothing_reported(truth: Path) -> None:
    """An empty submission scores 0 and misses all."""
    found = result(truth, "# linkID, startTime", "", "linkID, startTime")
    assert found.summary()["score_eur"] == 0
    assert found.false_negatives == 2


@pytest.mark.parametrize(
    ("line", "row", "says"),
    [
        ("near", 2, "fewer than 2 fields"),
        ("near; 2019-01-04", 2, "fewer than 2 fields"),
        ("near, soon", 2, "'soon' is not a time"),
        ("nowhere, 2019-01-04", 2, "no link 'nowhere'"),
    ],
)
def test_unusable_lines_are_named(truth: Path, line: str, row: int, says: str) -> None:
    """A bad line of the submission is told with file, row and value."""
    with pytest.raises(InputError, match=says) as error:
        result(truth, "near, 2019-01-04", line)
    assert error.value.row == row
    assert str(error.value.file).endswith("submission.txt")


@pytest.mark.parametrize("name", ["meta.json", "leaks.csv", "leak_flows.parquet"])
def test_missing_truth_is_named(truth: Path, name: str) -> None:
    """Each file of the truth that is missing is named."""
    (truth / name).unlink()
    with pytest.raises(InputError, match="no such file") as error:
        result(truth, "near, 2019-01-04")
    assert str(error.value.file).endswith(name)


def test_missing_submission_is_named(truth: Path) -> None:
    """A submission that is not there is named."""
    with pytest.raises(InputError, match="no such file"):
        score(truth, truth / "nothing.txt")


def test_damaged_truth_is_named(truth: Path) -> None:
    """A time, a number, a network and a length that do not fit are each told."""
    original = {f.name: f.read_bytes() for f in truth.iterdir()}
    cases = {
        "leaks.csv": original["leaks.csv"].replace(b"0.01,abrupt", b"wide,abrupt", 1),
        "meta.json": original["meta.json"].replace(b"toy.inp", b"other.inp"),
        "leak_flows.parquet": b"PAR1 cut",
    }
    for name, content in cases.items():
        (truth / name).write_bytes(content)
        with pytest.raises(InputError):
            result(truth, "near, 2019-01-04")
        (truth / name).write_bytes(original[name])
    pl.read_parquet(truth / "leak_flows.parquet").head(5).write_parquet(
        truth / "leak_flows.parquet"
    )
    with pytest.raises(InputError, match="5 rows where the period has 2880 steps"):
        result(truth, "near, 2019-01-04")
