"""The commands of the audit: three forms, one line for what is wrong."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leak_assets.cli import app, run
from leak_assets_tests.unit.audit.conftest import NETWORK, LittleLake


@pytest.fixture
def lake(little_lake: LittleLake, monkeypatch: pytest.MonkeyPatch) -> LittleLake:
    """The little lake as the environment's home."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(little_lake.settings.home))
    return little_lake


def test_an_incident_is_told_in_three_forms(lake: LittleLake, tmp_path: Path) -> None:
    """Text with the SQL, JSON that parses, a page in a file."""
    ask = ["audit", "incident", lake.incident_id]
    text = CliRunner().invoke(app, [*ask, "--sql"]).output
    assert lake.sha256 in text
    query = f"FROM incidents.incident_events WHERE incident_id = '{lake.incident_id}'"
    assert query in text
    assert "line 4: 2019-01-09 12:00:00;32,5" in text
    document = json.loads(CliRunner().invoke(app, [*ask, "--format", "json"]).output)
    assert document["deliveries"][0]["file_sha256"] == lake.sha256
    out = tmp_path / "audit.html"
    done = CliRunner().invoke(app, [*ask, "--format", "html", "--output", str(out)])
    assert done.exit_code == 0
    assert out.read_text().rstrip().endswith("</html>")


def test_a_reading_is_told_with_its_line(lake: LittleLake) -> None:
    """The file, its hash, the line."""
    ask = ["audit", "reading", "--network", NETWORK, "--sensor", "n1", "--time", "2019-01-09T12:00"]
    assert "line 4: 2019-01-09 12:00:00;32,5" in CliRunner().invoke(app, ask).output
    told = json.loads(CliRunner().invoke(app, [*ask, "--json"]).output)
    assert told["raw"][0]["line"] == 4


@pytest.mark.parametrize(
    "ask",
    [
        ["audit", "incident", "nobody"],
        ["audit", "replay", "nobody"],
        ["report", "incident", "nobody"],
        ["preview", "--network", "net1", "--last", "many"],
        ["preview", "--network", "net1", "--last", "0"],
        ["audit", "replay"],
        ["audit", "replay", "nobody", "--all"],
        ["audit", "replay", "--all", "--threshold", "3"],
        ["audit", "replay", "--all", "--network", "net2"],
        ["audit", "what-if", "no-such-file.csv", "--network", "net1"],
        ["audit", "what-if", "no-such-file.csv"],
        ["audit", "what-if", "--check", "no-such-list.json"],
        ["audit", "what-if", "a.csv", "--check", "list.json"],
    ],
)
def test_what_cannot_be_used_is_one_line(
    ask: list[str], lake: LittleLake, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line with the remedy."""
    assert lake.incident_id
    assert run(ask) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
