"""What end-to-end tests share: a running daemon and webserver, questions to it."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leak_assets_tests.dev_server import running_dev


@pytest.fixture
def dagster_url(home: Path) -> Iterator[str]:
    """`leak-assets dev` on a free port; stopped with all its processes afterwards."""
    with running_dev(home, os.environ | {"LEAK_ASSETS_HOME": str(home)}) as url:
        yield url


@pytest.fixture
def graphql() -> Callable[[str, str], dict[str, Any]]:
    """Return a function `(url, query) -> data` of the webserver's GraphQL."""

    def ask(url: str, query: str) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310
            f"{url}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return dict(json.load(answer)["data"])

    return ask
