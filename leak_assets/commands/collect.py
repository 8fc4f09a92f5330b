"""`leak-assets collect`: a stream of messages into the platform, until it is stopped."""

import signal
from dataclasses import asdict
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.locks import exclusive_or_none
from leak_assets.system.terminal import AsJson, console, print_json


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(collect)


def collect(
    source: Annotated[
        str,
        typer.Option(
            help="YAML file of the source, or a URL: redis://HOST?topics=KEY&site=NAME,"
            " mqtt://HOST?topics=FILTER&site=NAME."
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Take messages of Redis or MQTT into the spool, from where runs take them as they do files.

    A message is acknowledged after it is durable here. Ends with Ctrl-C or SIGTERM, when what it
    holds is written.
    """
    from leak_assets.telemetry.sources.collect import Collector
    from leak_assets.telemetry.sources.drivers import open_stream
    from leak_assets.telemetry.sources.stream_config import load_stream

    ctx = StepContext.local(command="collect")
    config = load_stream(source, ctx.settings)
    stream = open_stream(config)

    def say(line: str) -> None:
        typer.echo(line, err=True)

    with exclusive_or_none(ctx.settings.spool_dir / config.name / ".lock") as is_alone:
        if not is_alone:
            raise InputError(
                f"{config.name} is collected by another process already",
                remedy="Stop that one, or give this source another name",
            )
        collector = Collector(config, stream, ctx.settings, ctx.warehouse, say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: collector.stop())
        say(f"{config.name}: collecting {', '.join(config.topics)} of {config.url}")
        if not stream.replays:
            say(f"{config.name}: this kind of source keeps nothing; what nobody hears is lost")
        counts = collector.run()
    if as_json:
        print_json(asdict(counts))
    else:
        console().print(
            f"{counts.readings:,} readings of {counts.messages:,} messages in {counts.batches:,}"
            f" batches, {counts.problems:,} in quarantine",
            highlight=False,
            soft_wrap=True,
        )
