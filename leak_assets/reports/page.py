"""What all pages share, reports and dashboard: the templates' environment and the look.

Pages load nothing from anywhere, and everything that comes from data is escaped.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent


def templates(folder: Path) -> "Environment":
    """Return the environment of the templates of a folder and of the shared ones."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([folder, FOLDER / "look", FOLDER / "paper"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def shared_css() -> str:
    """Return the style of pages for screen and paper."""
    return look("look.css") + (FOLDER / "paper" / "paper.css").read_text(encoding="utf-8")


def look(name: str) -> str:
    """Return a file of the look that reports and dashboard share: `look.css`, `explore.js`."""
    return (FOLDER / "look" / name).read_text(encoding="utf-8")
