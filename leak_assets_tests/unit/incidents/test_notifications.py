"""Notifications against a real server: at least once, never twice for a state, nothing lost."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from leak_assets.errors import InputError
from leak_assets.incidents.notifications import Passed, notify, tell_failed_run
from leak_assets.incidents.people import incident, record
from leak_assets.incidents.sinks import FolderSink, WebhookSink, sinks
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets_tests.hypotheses import NOTHING, story
from leak_assets_tests.unit.incidents.lake import derive, lake, only_id
from leak_assets_tests.unit.incidents.test_people import transition

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECRET = "s3cr3t-hook"  # noqa: S105 - made up, must never be seen


@dataclass
class Hook:
    """What the server answers, and what it was sent."""

    url: str = ""
    status: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    got: list[tuple[str, dict[str, object], str | None]] = field(default_factory=list)

    @property
    def sink(self) -> WebhookSink:
        """The sink that posts to it."""
        return WebhookSink(f"{self.url}/{SECRET}", SECRET, timeout_s=0.5)


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Take webhooks in a thread."""
    state = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            key = self.headers["Idempotency-Key"]
            state.got.append((key, body, self.headers["Authorization"]))
            time.sleep(state.delay_s)
            status = state.status.pop(0) if len(state.status) > 1 else state.status[0]
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """A lake with one new incident."""
    return lake(tmp_path, story("h1", "rrrr"))


def counts(passed: Passed) -> tuple[int, int, int, int]:
    """Return queued, sent, failed and waiting."""
    return passed.queued, passed.sent, passed.failed, passed.waiting


def test_each_state_arrives_once_with_its_key(ctx: StepContext, hook: Hook) -> None:
    """A second pass sends nothing; a new state is another key."""
    assert counts(notify(ctx, [hook.sink], at=NOW)) == (1, 1, 0, 0)
    assert counts(notify(ctx, [hook.sink], at=NOW)) == (0, 0, 0, 0)
    derive(ctx, story("h1", "rrrr"))
    record(ctx, only_id(ctx), transition("acknowledge"))
    assert counts(notify(ctx, [hook.sink], at=NOW)) == (1, 1, 0, 0)
    record(ctx, only_id(ctx), transition("note"))
    assert counts(notify(ctx, [hook.sink], at=NOW)) == (0, 0, 0, 0)
    (first, body, authorization), (second, _, _) = hook.got
    assert first != second
    assert body["idempotency_key"] == first
    assert authorization == f"Bearer {SECRET}"
    told = body["incident"]
    assert isinstance(told, dict)
    assert (told["status"], told["top_link_id"]) == ("new", "p2")


@pytest.mark.parametrize("status", [429, 500, 503, 302, 404])
def test_a_sink_that_is_down_gets_everything_later(
    ctx: StepContext, hook: Hook, status: int
) -> None:
    """Not before its time; under the same key; the row says the status and no address."""
    hook.status = [status, 200]
    assert counts(notify(ctx, [hook.sink], at=NOW)) == (1, 0, 1, 1)
    assert counts(notify(ctx, [hook.sink], at=NOW + timedelta(seconds=5))) == (0, 0, 0, 1)
    assert counts(notify(ctx, [hook.sink], at=NOW + timedelta(seconds=31))) == (0, 1, 0, 0)
    assert hook.got[0][0] == hook.got[1][0]
    rows = ctx.warehouse.sql("SELECT * FROM incidents.notification_events ORDER BY revision")
    assert rows["event"].to_list() == ["queued", "failed", "sent"]
    assert rows["problem"][1] == f"HTTP {status}"
    assert SECRET not in str(rows.to_dicts())


def test_a_sink_may_ask_for_more_time(ctx: StepContext, hook: Hook) -> None:
    """`Retry-After` is kept, up to the longest wait."""
    hook.status, hook.headers = [429, 200], {"Retry-After": "600"}
    notify(ctx, [hook.sink], at=NOW)
    assert notify(ctx, [hook.sink], at=NOW + timedelta(seconds=599)).sent == 0
    assert notify(ctx, [hook.sink], at=NOW + timedelta(seconds=601)).sent == 1


def test_no_answer_and_nobody_there_are_told_without_the_address(
    ctx: StepContext, hook: Hook
) -> None:
    """A time-out may have arrived: it is sent again under the same key."""
    hook.delay_s = 1.0
    passed = notify(ctx, [hook.sink], at=NOW)
    assert passed.problems == ("webhook: no answer in time",)
    nobody = WebhookSink(f"http://127.0.0.1:9/{SECRET}", SECRET, timeout_s=1)
    passed = notify(ctx, [nobody], at=NOW + timedelta(minutes=1))
    assert passed.problems == ("webhook: connection refused",)
    assert SECRET not in repr(nobody)
    hook.delay_s = 0.0
    assert notify(ctx, [hook.sink], at=NOW + timedelta(hours=1)).sent == 1
    assert len({key for key, _, _ in hook.got}) == 1


def test_a_refused_message_does_not_hold_up_the_others(tmp_path: Path, hook: Hook) -> None:
    """It is tried again later; the sink is not taken for dead."""
    ctx = lake(tmp_path, story("h1", "rrrr", pipes="p1") + story("h2", "rrrr", pipes="p4"))
    hook.status = [422, 200]
    assert counts(notify(ctx, [hook.sink], at=NOW)) == (2, 1, 1, 1)
    assert notify(ctx, [hook.sink], at=NOW + timedelta(minutes=1)).sent == 1


def test_a_dead_sink_costs_one_row_and_the_other_sink_nothing(tmp_path: Path, hook: Hook) -> None:
    """Two incidents, one attempt; the folder has both."""
    ctx = lake(tmp_path, story("h1", "rrrr", pipes="p1") + story("h2", "rrrr", pipes="p4"))
    hook.status = [500]
    folder = FolderSink(tmp_path / "told")
    assert counts(notify(ctx, [hook.sink, folder], at=NOW)) == (4, 2, 1, 2)
    assert len(list((tmp_path / "told").glob("*.json"))) == 2
    assert len(hook.got) == 1


def test_a_clock_set_back_does_not_silence(ctx: StepContext, hook: Hook) -> None:
    """The next attempt lies a year ahead; nobody waits longer than an hour."""
    hook.status = [500, 200]
    notify(ctx, [hook.sink], at=NOW + timedelta(days=365))
    assert notify(ctx, [hook.sink], at=NOW).sent == 1


def test_snoozed_is_quiet_and_told_after(ctx: StepContext, hook: Hook) -> None:
    """A snooze postpones, it does not swallow."""
    record(ctx, only_id(ctx), transition("snooze", at=NOW))
    assert notify(ctx, [hook.sink], at=NOW + timedelta(minutes=59)).queued == 0
    assert notify(ctx, [hook.sink], at=NOW + timedelta(minutes=61)).sent == 1


def test_what_nobody_acknowledges_is_escalated_once(ctx: StepContext, hook: Hook) -> None:
    """24 hours after it was told, by the rule, as a row of its own; not once acknowledged."""
    notify(ctx, [hook.sink], at=NOW)
    assert notify(ctx, [hook.sink], at=NOW + timedelta(hours=23)).escalated == 0
    passed = notify(ctx, [hook.sink], at=NOW + timedelta(hours=25))
    assert (passed.escalated, passed.sent) == (1, 1)
    assert notify(ctx, [hook.sink], at=NOW + timedelta(hours=50)).escalated == 0
    told = hook.got[-1][1]["incident"]
    assert isinstance(told, dict)
    assert told["is_escalated"] is True
    row = incident(ctx.warehouse, only_id(ctx))
    assert (row["status"], row["people_revision"]) == ("new", 1)
    record(ctx, only_id(ctx), transition("acknowledge"))
    assert incident(ctx.warehouse, only_id(ctx))["status"] == "open"


def test_a_failed_run_waits_for_a_dead_sink_like_an_incident(tmp_path: Path, hook: Hook) -> None:
    """Queued once for each sink by the run's id; the next pass of the outbox brings it."""
    ctx = lake(tmp_path, NOTHING)
    folder = FolderSink(tmp_path / "told")
    hook.status = [503, 200]

    def tell() -> Passed:
        return tell_failed_run(
            ctx,
            "run-7",
            job="micro_batch",
            site=None,
            partition=None,
            problem="x" * 600,
            targets=[hook.sink, folder],
            at=NOW,
        )

    assert counts(tell()) == (2, 1, 1, 1)
    assert counts(tell()) == (0, 0, 0, 1)
    soon = NOW + timedelta(minutes=2)
    assert counts(notify(ctx, [hook.sink, folder], at=soon)) == (0, 1, 0, 0)
    (first, body, _), (second, _, _) = hook.got
    assert first == second
    told = body["failed_run"]
    assert isinstance(told, dict)
    assert (told["run_id"], told["site"], len(told["problem"])) == ("run-7", None, 500)
    assert len(list((tmp_path / "told").glob("*.json"))) == 1


def test_the_end_of_what_was_never_told_is_not_told(tmp_path: Path, hook: Hook) -> None:
    """Whoever names a sink in an old warehouse does not get its whole history."""
    ctx = lake(tmp_path, story("h1", "rre"))
    assert notify(ctx, [hook.sink], at=NOW).queued == 0


def test_the_loss_of_support_is_told(ctx: StepContext, hook: Hook) -> None:
    """A crew may be on its way."""
    record(ctx, only_id(ctx), transition("dispatch"))
    notify(ctx, [hook.sink], at=NOW)
    derive(ctx, NOTHING)
    assert notify(ctx, [hook.sink], at=NOW).sent == 1
    told = hook.got[-1][1]["incident"]
    assert isinstance(told, dict)
    assert told["is_supported"] is False


def test_the_settings_name_the_sinks_and_let_http_pass_only(tmp_path: Path) -> None:
    """A refused address is not quoted."""
    given = Settings(
        NOTIFY_WEBHOOK_URL=SecretStr(f"https://h.example/{SECRET}"), NOTIFY_FOLDER=tmp_path
    )
    assert [sink.name for sink in sinks(given)] == ["webhook", "file"]
    assert SECRET not in repr(given) + repr(sinks(given))
    assert sinks(Settings()) == []


@pytest.mark.parametrize("url", [f"file:///etc/{SECRET}", f"ftp://{SECRET}", "https://", "hook"])
def test_another_address_is_refused_in_one_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable and without the value."""
    monkeypatch.setenv("NOTIFY_WEBHOOK_URL", url)
    with pytest.raises(InputError, match=r"NOTIFY_WEBHOOK_URL.*http or https") as error:
        Settings.from_environment()
    assert SECRET not in str(error.value)
