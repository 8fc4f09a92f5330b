"""One HTML file that tells a period's incidents: numbers, map, signals, texts, model, audit.

Self-contained: style, script and data are inside, nothing is loaded from anywhere. Rendering and
publishing; what the page shows is in `report_view`.
"""

from pathlib import Path

from leak_assets.system.files import publish

from .page import look, templates
from .report_data import ReportData
from .report_view import report_view


def render_report(data: ReportData) -> str:
    """Return the report as one HTML document; everything that comes from data is escaped."""
    folder = Path(__file__).parent / "report_page"
    return (
        templates(folder)
        .get_template("page.html.j2")
        .render(
            css=look("look.css") + (folder / "page.css").read_text(encoding="utf-8"),
            scripts=[look("explore.js"), (folder / "page.js").read_text(encoding="utf-8")],
            **report_view(data),
        )
    )


def write_report(path: Path, data: ReportData) -> None:
    """Write the report; it appears whole or not at all.

    Parameters
    ----------
    path
        HTML file; its folder is made where it is missing.
    data
        What to report.
    """
    publish(path, render_report(data).encode())
