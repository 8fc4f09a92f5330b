"""Scoring of whole files: the same bytes for any number of processes, from Parquet and CSV."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from leak_assets.detection.windows import batch_score as room
from leak_assets.detection.windows.batch_score import batch_score
from leak_assets.detection.windows.scoring import Scorer
from leak_assets.errors import InputError, MissingInputError
from leak_assets.features.windows import window_features
from leak_assets_tests.line import line_residuals


@pytest.fixture(scope="module")
def detector(folders: tuple[Path, Path]) -> Path:
    """Folder of a detector."""
    return folders[0]


@pytest.fixture(scope="module")
def residuals() -> pl.DataFrame:
    """A day with a leak from six o'clock on."""
    return line_residuals(99, pipe=11)


@pytest.fixture(scope="module")
def features(residuals) -> pl.DataFrame:
    """Windows of a network in operation."""
    return window_features(residuals)


@pytest.fixture
def parquet(features: pl.DataFrame, tmp_path: Path) -> Path:
    """These windows in a file."""
    path = tmp_path / "windows.parquet"
    features.write_parquet(path)
    return path


def test_any_number_of_workers_gives_the_same_bytes(
    detector: Path, parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MOD15: chunks follow from the data, wherever reading it pauses."""
    monkeypatch.setattr(room, "CHUNK", 16)  # several chunks of a small file
    contents = []
    for workers, at_once in ((1, room._KEY_ROWS), (2, room._KEY_ROWS), (1, 7), (1, 1)):
        monkeypatch.setattr(room, "_KEY_ROWS", at_once)
        batch_score(detector, parquet, tmp_path / "out.parquet", workers=workers)
        contents.append((tmp_path / "out.parquet").read_bytes())
    assert len(set(contents)) == 1


def test_csv_parquet_residuals_and_operation_say_the_same(
    detector: Path, parquet: Path, features: pl.DataFrame, residuals: pl.DataFrame, tmp_path: Path
) -> None:
    """ING6, DET10: identical from CSV and Parquet, to 1e-6 what a day's run says."""
    csv, raw = tmp_path / "windows.csv", tmp_path / "residuals.parquet"
    features.sample(fraction=1.0, shuffle=True, seed=1).write_csv(csv)
    residuals.write_parquet(raw)
    found = []
    for path in (parquet, csv, raw):
        batch_score(detector, path, tmp_path / "out.parquet")
        found.append(pl.read_parquet(tmp_path / "out.parquet"))
    assert_frame_equal(found[0], found[1], check_exact=True)
    assert_frame_equal(found[0], found[2], check_exact=True)
    scores, _ = Scorer(detector).score_windows(features)
    columns = ["window_start", "anomaly_score", "is_alarm", "state"]
    assert_frame_equal(
        found[0].select(columns), scores.select(columns), check_exact=False, abs_tol=1e-6, rel_tol=0
    )
    assert set(found[0]["version"]) == {scores["method_version"][0]}


def test_a_pinpointer_names_the_likeliest_pipe(
    folders: tuple[Path, Path], parquet: Path, tmp_path: Path
) -> None:
    """The other kind of package, by the same command."""
    found = batch_score(folders[1], parquet, tmp_path / "out.parquet")
    rows = pl.read_parquet(tmp_path / "out.parquet")
    assert found.windows == rows.height > 0
    assert rows["top_link_id"].null_count() == 0
    assert rows["top_probability"].is_between(0, 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("std"), "column std is missing"),
        (lambda f: f.head(0), "there is no window in it"),
        (lambda f: f.with_columns(sensor_id=pl.lit("x9")), "no channel of leak_detector"),
        (lambda f: f.with_columns(network=pl.lit("other")), "windows of other"),
        (lambda f: f.with_columns(mean=pl.lit(float("inf"))), "column mean holds an infinite"),
        (
            lambda f: f.with_columns(window_start=pl.lit(None, pl.Datetime("us", "UTC"))),
            "column window_start is empty in a row",
        ),
        (
            lambda f: pl.concat(
                [f, f.with_columns(window_end=pl.col("window_end").dt.offset_by("1h"))]
            ),
            "a window has two ends",
        ),
    ],
)
def test_files_that_cannot_be_scored_are_refused_in_one_line(
    detector: Path, features: pl.DataFrame, tmp_path: Path, change, message: str
) -> None:
    """Nothing is written."""
    path = tmp_path / "bad.parquet"
    change(features).write_parquet(path)
    with pytest.raises(InputError, match=message):
        batch_score(detector, path, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_missing_files_and_changed_packages_are_refused(
    detector: Path, parquet: Path, tmp_path: Path
) -> None:
    """Before a window is read."""
    with pytest.raises(MissingInputError, match="no such file"):
        batch_score(detector, tmp_path / "none.parquet", tmp_path / "out.parquet")
    (tmp_path / "x.txt").write_text("a")
    with pytest.raises(InputError, match="no Parquet or CSV"):
        batch_score(detector, tmp_path / "x.txt", tmp_path / "out.parquet")
    changed = shutil.copytree(detector, tmp_path / "model")
    with (changed / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"model\.onnx.*changed after export"):
        batch_score(changed, parquet, tmp_path / "out.parquet")
