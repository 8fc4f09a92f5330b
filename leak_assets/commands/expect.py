"""The command that says what a sensor layout will find, before anything is trained or delivered."""

from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import network_site
from leak_assets.system.terminal import AsJson, console, print_json, print_rows, progress

from .options import AnyNetwork
from .sensor_options import Flows, Levels, Pressures, with_sensors


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(expect)


def expect(
    network: AnyNetwork,
    out: Annotated[
        Path | None, typer.Option(help="HTML file; by default var/reports/expect-NETWORK.html.")
    ] = None,
    pressures: Pressures = None,
    flows: Flows = None,
    levels: Levels = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say what size of leak the sensors will show how soon and how near: table, words, maps.

    With --pressures, --flows or --levels: what other sensors would; nothing is changed.
    """
    from leak_assets.benchmark.layout_expectation import WEEK, expect_layout
    from leak_assets.reports.expectation_report import expectation_page
    from leak_assets.system.files import publish

    ctx = StepContext.local(command="expect", progress=progress(as_json=as_json))
    site = network_site(network, ctx.settings)
    site = with_sensors(site, {"pressure": pressures, "flow": flows, "level": levels})
    found = expect_layout(ctx, site)
    expected = found.expectation
    rows, sentences = found.rows(), found.sentences()
    # A leak that most layouts find: where it is placed is what tells them apart.
    shown = max(0, len(expected.sizes) - 2)
    page = expectation_page(
        site,
        sentences=sentences,
        rows=rows,
        noise=found.noise,
        smallest_m3_per_h=dict(zip(expected.pipes, expected.smallest_m3_per_h(WEEK), strict=True)),
        sizes_m3_per_h=[one.leak_m3_per_h for one in expected.sizes],
        distance_m=dict(zip(expected.pipes, expected.usual_distance_m(shown), strict=True))
        if expected.sizes
        else {},
        placed_m3_per_h=expected.sizes[shown].leak_m3_per_h if expected.sizes else 0.0,
    )
    path = out or ctx.settings.reports_dir / f"expect-{site.name}.html"
    publish(path, page.encode())
    if as_json:
        about = {"network": site.name, "noise": found.noise, "page": str(path)}
        print_json(about | {"sentences": sentences, "sizes": rows})
        return
    if rows:
        count = len(expected.pipes)
        print_rows(rows, as_json=False, title=f"Leaks at {count} pipes of {site.name}")
    for line in (*sentences, f"Scatter: {found.noise}.", f"map: {path}"):
        console().print(line, soft_wrap=True, highlight=False, markup=False)
