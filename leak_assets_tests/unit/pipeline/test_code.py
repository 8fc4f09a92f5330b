"""Code versions on a small package: what makes results stale, and what does not."""

from pathlib import Path

import pytest

from leak_assets.pipeline.code import PACKAGE, SourceTree, code_version

STEPS = '''"""The step."""

import math

from . import helpers
from .rooms.sums import (
    LIMIT,
    add,  # of two
)


def compute(values):
    # The sum, but for what is too large.
    import tiny.late
    return [v for v in add(values) if v < LIMIT]


PROMPT = """First line.

# Heading
"""
'''

FILES = {
    "__init__.py": "",
    "steps.py": STEPS,
    "helpers.py": "HELP = 1\n",
    "late.py": "LATE = 1\n",
    "unused.py": "UNUSED = 1\n",
    "rooms/__init__.py": "",
    "rooms/sums.py": "from ..constants import OFFSET\nfrom tiny.machinery import lake\nLIMIT = 3\n",
    "constants.py": "OFFSET = 1\n",
    "machinery/__init__.py": "",
    "machinery/lake.py": "from ..behind import BEHIND\nLAKE = 1\n",
    "behind.py": "BEHIND = 1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of the package `tiny`."""
    for name, text in FILES.items():
        path = tmp_path / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "tiny"


def tree(root: Path) -> SourceTree:
    """Return the package as a process that starts now reads it."""
    return SourceTree({"tiny": root}, machinery=("tiny.machinery",))


def change(root: Path, name: str, old: str, new: str) -> bool:
    """Change a module; return whether the step's version is another then."""
    before = tree(root).version("tiny.steps")
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return tree(root).version("tiny.steps") != before


def test_a_step_is_made_of_all_that_its_module_leads_to(root: Path) -> None:
    """Imports of every form, also those inside functions; not the machinery, nor what is behind."""
    assert tree(root).own_modules("tiny.steps") == {
        "tiny.steps",
        "tiny",
        "tiny.helpers",
        "tiny.late",
        "tiny.rooms.sums",
        "tiny.constants",
    }


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("steps.py", "v < LIMIT", "v <= LIMIT"),
        ("helpers.py", "HELP = 1", "HELP = 2"),
        ("late.py", "LATE = 1", "LATE = 2"),
        ("rooms/sums.py", "LIMIT = 3", "LIMIT = 4"),
        ("constants.py", "OFFSET = 1", "OFFSET = 2"),
        ("steps.py", "# Heading", "# Title"),
        ("steps.py", "First line.\n\n", "First line.\n"),
    ],
)
def test_code_constants_and_texts_count(root: Path, name: str, old: str, new: str) -> None:
    """In the module itself and in those that it imports; a blank line of a text is content."""
    assert change(root, name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("steps.py", "    # The sum, but for what is too large.\n", '    # The """sum""".\n\n'),
        ("constants.py", "OFFSET", "\n\n# Metres.\nOFFSET"),
        ("unused.py", "UNUSED = 1", "UNUSED = 2"),
        ("machinery/lake.py", "LAKE = 1", "LAKE = 2"),
        ("behind.py", "BEHIND = 1", "BEHIND = 2"),
    ],
)
def test_remarks_machinery_and_other_modules_do_not_count(
    root: Path, name: str, old: str, new: str
) -> None:
    """Nothing is made anew because a comment was mended."""
    assert not change(root, name, old, new)


def test_code_that_moved_is_other_code(root: Path) -> None:
    """The same function in another module: its name is part of the version."""
    (root / "moved.py").write_text(STEPS)
    assert tree(root).version("tiny.moved") != tree(root).version("tiny.steps")


def test_versions_of_several_modules_do_not_depend_on_their_order(root: Path) -> None:
    """They are a set."""
    both = tree(root).version("tiny.steps", "tiny.unused")
    assert both == tree(root).version("tiny.unused", "tiny.steps")
    assert both != tree(root).version("tiny.steps")


def test_the_installed_package_has_versions() -> None:
    """Twelve digits; the lake and this room are machinery."""
    version = code_version("leak_assets.features.steps")
    assert len(version) == 12
    assert int(version, 16)
    machinery = code_version("leak_assets.warehouse.lake")
    assert machinery == code_version("leak_assets.pipeline.runner")


def test_modules_without_a_source_have_none() -> None:
    """Of this package or of no package."""
    for name in (f"{PACKAGE}.nothing", "nowhere.steps"):
        with pytest.raises(ValueError, match=rf"module {name} has no source file"):
            code_version(name)
