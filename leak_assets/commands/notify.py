"""The command that tells others of incidents: one pass of the outbox."""

from dataclasses import asdict

import typer

from leak_assets.errors import InputError
from leak_assets.incidents.notifications import notify as run
from leak_assets.incidents.sinks import sinks
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_json


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(notify)


def notify(*, as_json: AsJson = False) -> None:
    """Send what is news of incidents to webhook and folder; exit code 1 if a sink failed."""
    ctx = StepContext.local(command="notify")
    if not sinks(ctx.settings):
        raise InputError(
            "no sink is named", remedy="Set NOTIFY_WEBHOOK_URL or NOTIFY_FOLDER in the environment"
        )
    passed = run(ctx)
    if as_json:
        print_json(asdict(passed))
    else:
        console().print(
            f"{passed.queued} queued, {passed.sent} sent, {passed.failed} failed,"
            f" {passed.waiting} waiting, {passed.escalated} escalated",
            highlight=False,
        )
        for problem in passed.problems:
            console().print(problem, style="red", soft_wrap=True, markup=False)
    if passed.problems:
        raise typer.Exit(1)
