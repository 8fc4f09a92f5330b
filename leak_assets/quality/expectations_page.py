"""The HTML page of a validation: one file, no script, no asset from elsewhere.

Only rendering belongs here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leak_assets.system.files import publish
from leak_assets.warehouse.contract import TableContract

TEMPLATE = Path(__file__).parent / "expectations_page.html.j2"


def write_page(
    page: Path,
    *,
    title: str,
    results: Sequence[Any],
    statistics: Mapping[str, int],
    contract: TableContract,
) -> None:
    """Write the page of evaluated expectations (`GxResult`) in one atomic step."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    html = template.render(title=title, results=results, statistics=statistics, contract=contract)
    publish(page, html.encode())
