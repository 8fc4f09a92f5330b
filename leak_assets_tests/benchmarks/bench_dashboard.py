"""The dashboard's first view in Chromium: time until it is loaded, bytes with style and script.

The server is `leak-assets serve` in a process of its own, over L-Town with thirty incidents of
sixty candidate pipes each and a fortnight of half-hours. Every look is that of a browser that was
never here; the first of them comes to a server that has just been started.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.incidents.steps import INCIDENTS_STEP
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.network_step import NETWORK_STEP
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.settings import Settings
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.benchmarks.bench_api import server
from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.browser import CHROMIUM, chromium
from leak_assets_tests.hypotheses import FIRST_DAY, NOTHING, ONE_DAY, midnight, story
from leak_assets_tests.unit.serving.served import rows

COMMAND = "python -m leak_assets_tests.benchmarks.bench_dashboard"
SITE = "l-town"
DAYS = 14
HALF_HOUR = timedelta(minutes=30)
_PIPES = 60
_MEASURE = """
    (() => {
        const page = performance.getEntriesByType("navigation")[0];
        const parts = performance.getEntriesByType("resource");
        return [page.loadEventEnd, [page, ...parts].reduce((sum, e) => sum + e.transferSize, 0)];
    })()
"""


def made_home(home: Path, incidents: int) -> Path:
    """Return a home with L-Town's tables, its incidents of a fortnight and what sensors said."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="bench")
    site = ctx.site(SITE)
    run_step(NETWORK_STEP, ctx, site, [{"network": SITE}])
    links = ctx.warehouse.read("network.links", {"network": SITE})
    sensors = ctx.warehouse.read("network.sensors", {"network": SITE})
    assert links is not None
    assert sensors is not None
    pipes = links.filter(pl.col("link_type") == "pipe")["link_id"].to_list()
    told = NOTHING
    for number in range(incidents):
        # Every third has ended; each begins on another day.
        marks = "." * (number % 7) + "r" * (DAYS - 8) + ("e" if number % 3 == 0 else "r" * 8)
        told += story(
            f"leak-{number}", marks[:DAYS], pipes=pipes[number * 25 % len(pipes)], network=SITE
        )
    partitions = day_partitions([FIRST_DAY + n * ONE_DAY for n in range(DAYS)], SITE)
    for number, partition in enumerate(partitions):
        own = (pl.col("at") > midnight(number)) & (pl.col("at") <= midnight(number + 1))
        day = told.filter(own)
        write = ctx.warehouse.write
        write("detection.hypotheses", partition, day.hypotheses)
        write("detection.leak_candidates", partition, _candidates(day.hypotheses, pipes))
        write("detection.evidence", partition, day.evidence)
        write("features.channels_30m", partition, _channels(sensors, number))
        write("telemetry.sensor_quality_daily", partition, _sensor_days(sensors, number))
    run_step(INCIDENTS_STEP, ctx, site, partitions)
    return home


def _candidates(hypotheses: pl.DataFrame, pipes: list[str]) -> pl.DataFrame:
    """Return sixty pipes beside the element of each hypothesis, ever less probable."""
    ranks = pl.DataFrame({"rank": range(1, _PIPES + 1)}, schema={"rank": pl.Int64})
    names = pl.DataFrame({"link_id": pipes}).with_row_index("place")
    count = len(pipes)
    return (
        hypotheses.drop("rank", "probability")
        .join(names.rename({"link_id": "element_id", "place": "center"}), on="element_id")
        .join(ranks, how="cross")
        .with_columns(place=((pl.col("center") + pl.col("rank") - 1) % count).cast(pl.UInt32))
        .join(names, on="place")
        .with_columns(probability=0.1 * 0.95 ** pl.col("rank").cast(pl.Float64))
        .select(TABLES["detection.leak_candidates"].polars_schema.names())
        .cast(dict(TABLES["detection.leak_candidates"].polars_schema))
    )


def _channels(sensors: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return half-hours of every pressure sensor and of the balance of three zones."""
    pressures = sensors.filter(pl.col("quantity") == "pressure")["sensor_id"].to_list()
    names = [f"pressure/{sensor}" for sensor in pressures] + [f"balance/{zone}" for zone in "ABC"]
    pairs = [(midnight(day) + n * HALF_HOUR, name) for n in range(48) for name in names]
    residuals = [(n * 7 + day) % 13 / 20 - 0.3 for n in range(len(pairs))]
    return rows(
        "features.channels_30m", len(pairs), network=SITE, ts_utc=[at for at, _ in pairs],
        channel=[name for _, name in pairs], measured=[40 + r for r in residuals], expected=40.0,
        residual=residuals, mask=1,
    )  # fmt: skip


def _sensor_days(sensors: pl.DataFrame, day: int) -> pl.DataFrame:
    return rows(
        "telemetry.sensor_quality_daily", sensors.height, network=SITE,
        sensor_id=sensors["sensor_id"].to_list(), quantity=sensors["quantity"].to_list(),
        day=FIRST_DAY + day * ONE_DAY, last_reading_at=midnight(day + 1), max_age_s=900.0,
    )  # fmt: skip


def look(browser: Any, url: str) -> tuple[float, float]:
    """Return seconds until a page is loaded in a browser that was never there, and KiB sent."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto(url, wait_until="load")
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    milliseconds, size = page.evaluate(_MEASURE)
    context.close()
    return milliseconds / 1000, size / 1024


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield time and size of the first page, and of one incident's."""
    if CHROMIUM is None:
        sys.stderr.write("no Chromium on this machine: the dashboard is not measured\n")
        return
    incidents, looks = (3, 2) if smoke else (30, 15)
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        home = made_home(Path(name) / "home", incidents)
        topic = f"Dashboard: L-Town, {incidents} incidents, Chromium on the server's machine"
        # The browser's own first page is not the dashboard's matter.
        look(browser, "about:blank")
        with server(home) as port:
            url = f"http://127.0.0.1:{port}"
            first_s, _ = look(browser, f"{url}/")
            seen = [look(browser, f"{url}/") for _ in range(looks)]
            newest = StepContext.local(Settings(LEAK_ASSETS_HOME=home)).warehouse.sql(
                "SELECT incident_id FROM incidents.incidents ORDER BY detected_at DESC LIMIT 1"
            )
            incident = [look(browser, f"{url}/view/incident/{newest.item()}") for _ in range(looks)]
    for what, told in (("first view", seen), ("an incident's page", incident)):
        seconds, sizes = zip(*told, strict=True)
        median, slowest = statistics.median(seconds), max(seconds)
        yield Figure(topic, f"{what}, median", median, "s", "≤ 1", COMMAND)
        yield Figure(topic, f"{what}, slowest of {looks}", slowest, "s", "", COMMAND)
        size = f"{what}, with style and script"
        yield Figure(topic, size, max(sizes), "KiB", "≤ 500", COMMAND)
    yield Figure(topic, "first view of a server just started", first_s, "s", "≤ 1", COMMAND)


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
