"""An export as a folder: which files belong to which period."""

from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.exchange.battledim.export import open_export
from leak_assets.exchange.battledim.names import repair_report, scada_file, scada_files


def _fill(folder: Path, *labels: str) -> Path:
    folder.mkdir(exist_ok=True)
    for label in labels:
        for quantity, ids in (("pressure", "10;11"), ("flow", "9")):
            (folder / scada_file(label, quantity)).write_text(f"Timestamp;{ids}\n")
    return folder


def test_files_are_found_by_period_and_quantity(tmp_path: Path) -> None:
    """Plain and gzipped files, any label; other files are none of it."""
    folder = _fill(tmp_path, "2019-07-01")
    (folder / scada_file("2018", "level", compressed=True)).write_bytes(b"")
    (folder / "notes.csv").write_text("")
    assert list(scada_files(folder)) == [
        ("2018", "level"),
        ("2019-07-01", "pressure"),
        ("2019-07-01", "flow"),
    ]


def test_the_folders_two_periods_are_taken(net1, tmp_path: Path) -> None:
    """History is the earlier one; the report of its repairs belongs to it."""
    folder = _fill(tmp_path, "2024-07-01", "2024-01-01")
    (folder / repair_report("2024-01-01")).write_text("# linkID\n21, 2024-03-01 10:00\n")
    export = open_export(net1, folder)
    assert (export.history, export.evaluated) == ("2024-01-01", "2024-07-01")
    assert export.layout.ids("pressure") == ("10", "11")
    assert [(r.link_id, r.at.month) for r in export.repairs] == [("21", 3)]


@pytest.mark.parametrize("labels", [(), ("2018",), ("2017", "2018", "2019")])
def test_other_numbers_of_periods_must_be_named(net1, tmp_path: Path, labels) -> None:
    """The message says which ones are there."""
    with pytest.raises(InputError, match="not of two periods") as caught:
        open_export(net1, _fill(tmp_path, *labels))
    assert all(label in str(caught.value) for label in labels)
    if len(labels) == 3:
        assert open_export(net1, tmp_path, "2017", "2019").evaluated == "2019"


def test_pressures_or_flows_are_enough(net1, tmp_path: Path) -> None:
    """Five pressure sensors and no meter are an export; neither of the two is none."""
    folder = _fill(tmp_path, "2018", "2019")
    for label in ("2018", "2019"):
        (folder / scada_file(label, "flow")).unlink()
    export = open_export(net1, folder)
    assert (export.layout.ids("pressure"), export.layout.ids("flow")) == (("10", "11"), ())
    (folder / scada_file("2018", "pressure")).unlink()
    with pytest.raises(InputError, match=r"2018_SCADA_Pressures.*other period has it"):
        open_export(net1, folder, "2018", "2019")
    for label in ("2018", "2019"):
        (folder / scada_file(label, "pressure")).unlink(missing_ok=True)
        (folder / scada_file(label, "level")).write_text("Timestamp;2\n")
    with pytest.raises(InputError, match="neither 2018_SCADA_Pressures"):
        open_export(net1, folder)
