"""A real chat-completions server on the loopback interface, and facts to tell."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import polars as pl
import pytest

from leak_assets.settings import Settings
from leak_assets.summaries.facts import anomaly_facts, incident_facts
from leak_assets.warehouse.schemas.incidents import CANDIDATES, EVIDENCE

SECRET = "sk-very-secret-0123456789"  # noqa: S105 - made up, must never be seen in a log


@dataclass
class ChatServer:
    """What the server answers, and what it was asked.

    `failures` are statuses with headers and bodies that come before the answers; `chunks` are the
    lines of a stream, `cut_after` says after how many the connection breaks; with `drip_s` every
    byte of an answer takes so long.
    """

    base_url: str = ""
    answers: list[str] = field(default_factory=lambda: ["A leak."])
    status: int = 200
    body: str | None = None
    content_type: str = "application/json"
    finish_reason: str = "stop"
    delay_s: float = 0.0
    drip_s: float = 0.0
    failures: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    cut_after: int | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)

    def reply(self) -> str:
        """Body of the next answer."""
        if self.body is not None:
            return self.body
        return json.dumps(
            self._object("chat.completion", "message", self._text(), self.finish_reason)
            | {"usage": USAGE}
        )

    def stream(self) -> list[str]:
        """Lines of the next answer as a stream of server-sent events: a word each."""
        if self.body is not None:
            return [self.body]
        parts = [f"{word} " for word in self._text().split(" ")]
        chunks = [self._object("chat.completion.chunk", "delta", part, None) for part in parts]
        chunks.append(self._object("chat.completion.chunk", "delta", "", self.finish_reason))
        if self.requests[-1]["body"].get("stream_options", {}).get("include_usage"):
            chunks.append(chunks[-1] | {"choices": [], "usage": USAGE})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
        return lines[: self.cut_after]

    def _text(self) -> str:
        return self.answers[min(len(self.requests), len(self.answers)) - 1]

    def _object(self, kind: str, part: str, text: str, finish_reason: str | None) -> dict[str, Any]:
        said = {"role": "assistant", "content": text}
        choice = {"index": 0, part: said, "finish_reason": finish_reason}
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "any",
                "choices": [choice]}  # fmt: skip


USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """Serve the chat-completions protocol from a thread."""
    state = ChatServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(
                {
                    "path": self.path,
                    "authorization": self.headers["Authorization"],
                    "host": self.headers["Host"],
                    "body": body,
                    "at": time.monotonic(),
                }
            )
            time.sleep(state.delay_s)
            # A client that has gone away is none of the server's business.
            with suppress(ConnectionError):
                if state.failures:
                    self._send(*state.failures.pop(0))
                elif body.get("stream"):
                    self._send_stream(state.stream())
                else:
                    kind = {"Content-Type": state.content_type}
                    self._send(state.status, kind, state.reply())
            self.close_connection = True

        def _send(self, status: int, headers: dict[str, str], text: str) -> None:
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            for number in range(len(text.encode()) if state.drip_s else 1):
                part = text.encode()[number : number + 1] if state.drip_s else text.encode()
                self.wfile.write(part)
                time.sleep(state.drip_s)

        def _send_stream(self, lines: list[str]) -> None:
            # Chunked: that it breaks off is seen by the client.
            self.protocol_version = "HTTP/1.1"
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in lines:
                self.wfile.write(f"{len(line.encode()):x}\r\n{line}\r\n".encode())
                time.sleep(state.drip_s)
            if state.cut_after is None:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Say nothing: the test asserts what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    # Not `server_close`: it waits for an answer that drips.
    server.socket.close()
    thread.join()


@pytest.fixture
def llm_settings(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Settings]:
    """Build settings, from the environment, that point at the server."""

    def build(**overrides: str) -> Settings:
        environment = {
            "OPENAI_API_BASE": chat_server.base_url,
            "OPENAI_API_KEY": SECRET,
            "MODEL_NAME": "llama-3.2-1b",
            "TEMPERATURE": "0.3",
            "MAX_TOKENS": "512",
            "LLM_TIMEOUT_S": "5",
        } | overrides
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Settings(_env_file=None)

    return build


@pytest.fixture
def leak_facts() -> Callable[..., dict[str, Any]]:
    """Facts of one incident revision; the first sensor's name can be chosen."""

    def build(sensor_id: str = "n105", **event: Any) -> dict[str, Any]:
        name = {"network": "l-town", "incident_id": "l-town-20190107T0530-1db1", "revision": 2}
        row = name | {
            "event_at": datetime(2019, 1, 7, 12, 0, tzinfo=UTC),
            "event": "updated",
            "incident_type": "leak",
            "status": "open",
            "severity": "medium",
            "leak_start": datetime(2019, 1, 7, 4, 15, tzinfo=UTC),
            "detected_at": datetime(2019, 1, 7, 6, 30, tzinfo=UTC),
            "last_seen_at": datetime(2019, 1, 7, 12, 0, tzinfo=UTC),
            "leak_end": None,
            "confidence": 0.931,
            "estimated_flow_m3_per_h": 12.345,
            "volume_lost_m3": 95.72,
            "value_eur": 76.576,
            "method": "likelihood",
            "method_version": "2.1",
        }
        candidates = pl.DataFrame(
            [
                name
                | {
                    "rank": 1,
                    "link_id": "p227",
                    "probability": 0.42,
                    "cumulative_probability": 0.42,
                    "length_m": 45.6,
                },
                name
                | {
                    "rank": 2,
                    "link_id": "p228",
                    "probability": 0.21,
                    "cumulative_probability": 0.63,
                    "length_m": 31.0,
                },
            ],
            schema=CANDIDATES.polars_schema,
        )
        evidence = pl.DataFrame(
            [
                name
                | {
                    "rank": rank,
                    "sensor_id": sensor,
                    "quantity": quantity,
                    "contribution": z,
                    "residual_si": si,
                }
                for rank, sensor, quantity, z, si in (
                    (1, sensor_id, "pressure", -5.12, -1.324),
                    (2, "inflow", "flow", 4.2, 0.00345),
                    (3, "n296", "pressure", -3.3, -0.71),
                )
            ],
            schema=EVIDENCE.polars_schema,
        )
        return incident_facts(
            event=row | event, candidates=candidates, evidence=evidence, price_eur_per_m3=0.8
        )

    return build


@pytest.fixture
def plant_anomalies() -> list[dict[str, Any]]:
    """Return the two anomalies that operators of a treatment plant gave as an example."""
    return [
        {
            "type": "spike",
            "timestamp": "2025-05-28T00:01:23Z",
            "sensor_id": "wtf-pipe-1",
            "parameter": "temperature",
            "value": 45.2,
            "message": "Temperature spike detected: 45.2",
        },
        {
            "type": "drift",
            "timestamp": "2025-05-28T00:01:46Z",
            "sensor_id": "wtf-pipe-1",
            "parameter": "pressure",
            "value": 0.8,
            "message": "Pressure drift detected: 0.8 for 16.3 s",
            "started_at": "2025-05-28T00:01:30Z",
            "duration_s": 16.3,
        },
    ]


@pytest.fixture
def plant_facts(plant_anomalies: list[dict[str, Any]]) -> dict[str, Any]:
    """Facts of those two."""
    return anomaly_facts(plant_anomalies)
