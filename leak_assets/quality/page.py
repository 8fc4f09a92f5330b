"""The HTML page of a validation: one file, no script, no asset from elsewhere.

Only rendering belongs here.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leak_assets.telemetry.contract import Contract

TEMPLATE = Path(__file__).parent / "page.html.j2"


def write_page(
    page: Path,
    *,
    title: str,
    results: Sequence[Any],
    statistics: Mapping[str, int],
    contract: Contract,
) -> None:
    """Write the page of evaluated expectations (`GxResult`) in one atomic step."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    html = template.render(title=title, results=results, statistics=statistics, contract=contract)
    page.parent.mkdir(parents=True, exist_ok=True)
    temporary = page.with_name(f".{page.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(html)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(page)
    finally:
        temporary.unlink(missing_ok=True)
