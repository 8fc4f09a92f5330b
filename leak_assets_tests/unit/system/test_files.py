"""Files and folders appear whole or not at all."""

from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.system.files import publish, publishing, publishing_folder


def test_failed_file_leaves_the_old_one(tmp_path: Path) -> None:
    """An error while writing keeps what was there, and no draft stays."""
    path = tmp_path / "sub" / "a.txt"
    publish(path, b"old")

    def write_half() -> None:
        with publishing(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    """A folder is replaced as a whole; an error keeps the old one."""
    folder = tmp_path / "set"

    def write(text: str, *, fails: bool) -> None:
        with publishing_folder(folder, "info") as draft:
            (draft / "info").write_text(text)
            if fails:
                raise RuntimeError

    write("1", fails=False)
    with pytest.raises(RuntimeError):
        write("2", fails=True)
    assert (folder / "info").read_text() == "1"
    write("3", fails=False)
    assert (folder / "info").read_text() == "3"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """Only an empty folder or an earlier export is replaced."""
    (tmp_path / "file").write_text("")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("")
    (tmp_path / "empty").mkdir()
    for name, words in (("file", "this is a file"), ("home", "holds other files")):
        with pytest.raises(InputError, match=words), publishing_folder(tmp_path / name, "info"):
            pass
    with publishing_folder(tmp_path / "empty", "info") as draft:
        (draft / "info").write_text("")
    assert (tmp_path / "empty" / "info").is_file()
