"""Dagster's pages in a real browser: the graph is drawn, a materialization starts from the UI."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets_tests.browser import CHROMIUM, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


def test_graph_is_drawn_and_a_materialization_starts(
    dagster_url: str, home: Path, graphql: Callable[[str, str], dict[str, Any]]
) -> None:
    """The lineage page shows every group; the launch dialog starts a run that writes tables."""
    from playwright.sync_api import expect

    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    for path in (ctx.warehouse.lake / "network" / "nodes").glob("network=*.parquet"):
        path.unlink()
    graphql(
        dagster_url,
        'mutation { addDynamicPartition(partitionsDefName: "site", partitionKey: "hanoi",'
        ' repositorySelector: {repositoryName: "__repository__",'
        ' repositoryLocationName: "leak_assets.definitions"}) { __typename } }',
    )
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.set_default_timeout(60_000)
        page.goto(f"{dagster_url}/asset-groups")
        for group in ("telemetry", "features", "models", "detection", "incidents"):
            expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=60_000)
        page.goto(f"{dagster_url}/assets/network/nodes")
        page.get_by_role("button", name="Materialize").first.click()
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("button", name="All", exact=True).click()
        page.get_by_role("button", name="Launch").first.click()
        deadline = time.monotonic() + 90
        while ctx.warehouse.record("network.nodes", {"network": "hanoi"}) is None:
            assert time.monotonic() < deadline, "the run started from the page wrote nothing"
            time.sleep(0.5)
