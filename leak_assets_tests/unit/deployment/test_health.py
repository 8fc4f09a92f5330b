"""The checks of containers: a server, a lock, a file."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from leak_assets.deployment.health import problem
from leak_assets.system.locks import exclusive


def test_a_url_that_answers_is_healthy() -> None:
    """200 is; another status, and nobody, are not."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert problem(["url", f"{url}/health"]) == ""
        assert problem(["url", f"{url}/other"]).endswith("answers 503")
        server.shutdown()
    assert "does not answer" in problem(["url", f"{url}/health"])


def test_a_lock_that_is_held_is_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the process lives that holds it."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    assert "No such file" in problem(["held", "spool/.lock"])
    with exclusive(tmp_path / "spool" / ".lock"):
        assert problem(["held", "spool/.lock"]) == ""
    assert "nobody holds" in problem(["held", "spool/.lock"])


def test_a_file_that_is_written_is_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not older than it may be."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    assert "No such file" in problem(["fresh", "state", "30"])
    (tmp_path / "state").touch()
    assert problem(["fresh", "state", "30"]) == ""
    os.utime(tmp_path / "state", (0, 0))
    assert "s ago" in problem(["fresh", "state", "30"])


@pytest.mark.parametrize("arguments", [[], ["url", "file:///etc/passwd"], ["fresh", "x", "soon"]])
def test_anything_else_is_told(arguments: list[str]) -> None:
    """Also addresses of files."""
    assert problem(arguments).startswith("usage")


def test_a_check_costs_next_to_nothing() -> None:
    """No library comes along."""
    program = (
        "import sys, leak_assets.deployment.health;"
        "print(sorted({'polars', 'pydantic', 'dagster', 'duckdb'} & sys.modules.keys()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
