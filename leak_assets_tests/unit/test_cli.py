"""The command line: help everywhere, exit codes, one-line errors, JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.cli import run as run_here
from leak_assets.commands.leak_options import parse_leak
from leak_assets.errors import InputError

PROGRAM = Path(sys.executable).with_name("leak-assets")
RUN_UNTIL_STOPPED = {"dev", "serve", "household watch"}
"""They answer by running; what they say on the way is for people."""

TAKES_ANYTHING = {"simulate-plant", "simulate-household", "benchmark towns", "models history"}
"""Any word is a folder to write to; a network that is gone has a history."""


def commands(found: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command there is, and what it takes."""
    command = typer.main.get_command(app) if found is None else found
    yield " ".join(words), command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*words, name))


COMMANDS = dict(commands())
LEAVES = {name: one for name, one in COMMANDS.items() if not hasattr(one, "commands")}


def thoughtless(command: Any) -> list[str]:
    """Return words for whatever a command must be given: names of nothing."""
    given: list[str] = []
    for one in command.params:
        if not one.required:
            continue
        kind = one.type_descriptor.annotation
        word = "2019-01-01" if kind is datetime else "1" if kind in (int, float) else "nothing"
        given += [word] if one.param_type_name == "argument" else [one.opts[0], word]
    return given


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run `leak-assets` as a user would."""
    return subprocess.run(
        [str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LEAK_ASSETS_HOME": str(home), "COLUMNS": "200"},
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """API12: `--help` says what it does and what each option is, and ends with 0."""
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output
    command = COMMANDS[name]
    assert command.help
    # An argument's own name says what it is where there is nothing to add.
    options = [one for one in command.params if one.param_type_name == "option"]
    assert [one.opts for one in options if not one.help] == []


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - RUN_UNTIL_STOPPED))
def test_every_command_answers_in_json_on_demand(name: str) -> None:
    """API12: whatever a person can ask, a program can."""
    assert any("--json" in one.opts for one in LEAVES[name].params)


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_refuses_what_it_cannot_use(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """API12: exit code 2 for an unknown option and for names of nothing, told on stderr."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run_here([*name.split(), "--no-such-option"]) == 2
    capsys.readouterr()
    given = thoughtless(LEAVES[name])
    if not given or name in TAKES_ANYTHING:
        return
    assert run_here([*name.split(), *given]) == 2
    told = capsys.readouterr()
    assert "error" in told.err.lower()
    assert "Traceback" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest", "no.csv", "--network", "hanoi"], ["no.csv", "no such file"]),
        (["networks", "register", "no.inp"], ["no.inp"]),
        (["evaluate", "--network", "hanoi"], ["no training features", "leak-assets train"]),
        (["train", "--network", "hanoy"], ["'hanoy'", "Did you mean hanoi"]),
        (["preprocess", "--network", "hanoi"], ["no scenario", "leak-assets scenarios"]),
        (["models", "promote", "9.9.9", "--network", "hanoi"], ["9.9.9", "is not registered"]),
        (["models", "rollback", "--network", "hanoi"], ["cannot go back", "not in use"]),
        (["models", "rollback", "--network", "hanoi", "--model", "x"], ["no model 'x'"]),
        (["realtime", "--config", "none.yaml"], ["none.yaml", "no such file"]),
        (["batch-score", "--model", "none", "--data", "x"], ["no model here"]),
        (["sql", "SELEC 1"], ["syntax error"]),
        (["incidents", "show", "nothing"], ["no incident 'nothing'"]),
        (["score", "--truth", "nowhere", "--submission", "none.txt"], ["nowhere"]),
        (["detect", "--network", "l-town", "--scada", "nowhere", "--out", "x"], ["nowhere"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_unusable_input_is_one_line_and_exit_code_2(
    arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    """The error names the thing and the remedy; no traceback."""
    result = run(*arguments, home=tmp_path)
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert all(word in line for word in words), line


def test_bad_rows_are_told_and_good_rows_arrive(tmp_path: Path) -> None:
    """ING7 by hand: 10 bad of 100 values, 90 accepted, 10 in quarantine; again changes nothing."""
    rows = [
        f"2019-03-04 {i // 12:02d}:{5 * (i % 12):02d}:00;{'x' if i % 10 == 3 else '30,25'}"
        for i in range(100)
    ]
    file = tmp_path / "2019_SCADA_Pressures.csv"
    file.write_text("\n".join(["Timestamp;4", *rows, ""]))
    home = tmp_path / "home"
    home.mkdir()
    first = run("ingest", str(file), "--network", "hanoi", "--json", home=home)
    assert first.returncode == 0, first.stderr
    (told,) = json.loads(first.stdout)["files"]
    assert (told["accepted"], told["quarantined"], told["status"]) == (90, 10, "ingested")
    query = "SELECT count(*) AS n, min(reason) AS reason FROM telemetry.quarantine"
    (counted,) = json.loads(run("sql", query, "--json", home=home).stdout)
    assert counted == {"n": 10, "reason": "not_a_number"}
    versions = "SELECT * FROM audit.data_versions ORDER BY ALL"
    before = run("sql", versions, "--json", home=home).stdout
    second = run("ingest", str(file), "--network", "hanoi", "--json", home=home)
    (told,) = json.loads(second.stdout)["files"]
    assert (told["accepted"], told["duplicates"]) == (90, 90), "ING3"
    assert run("sql", versions, "--json", home=home).stdout == before


def test_same_content_under_another_name_counts_as_duplicates(tmp_path: Path) -> None:
    """ING3: nothing is doubled, the ledger counts the duplicates; a dropped file is told, too."""
    lines = [f"2019-03-04 00:{5 * i:02d}:00;30,2{i}" for i in range(9)]
    for name in ("a_Pressures.csv", "b_Pressures.csv"):
        (tmp_path / name).write_text("\n".join(["Timestamp;4", *lines, ""]))
    home = tmp_path / "home"
    home.mkdir()
    run("ingest", str(tmp_path / "a_Pressures.csv"), "--network", "hanoi", "--json", home=home)
    # As another program would: `b` lies in the landing folder and is not named.
    (tmp_path / "b_Pressures.csv").rename(home / "var/landing/hanoi/b_Pressures.csv")
    result = run("ingest", "--network", "hanoi", "--json", home=home)
    (second,) = json.loads(result.stdout)["files"]
    assert second["duplicates"] == 9
    (raw,) = json.loads(
        run("sql", "SELECT count(*) AS n FROM telemetry.raw_readings", "--json", home=home).stdout
    )
    assert raw["n"] == 9


def test_leaks_on_the_command_line() -> None:
    """PIPE,START,DIAMETER_MM[,incipient,PEAK[,END]] in all its lengths."""
    abrupt = parse_leak("p523,2019-01-15T23:00,20.246")
    assert (abrupt.link_id, abrupt.diameter_m, abrupt.kind) == ("p523", 0.020246, "abrupt")
    growing = parse_leak("p1,2019-01-01,8,incipient,2019-01-02,2019-01-03 12:00")
    assert growing.kind == "incipient"
    assert growing.end_at is not None
    for text in ("p1", "p1,2019-01-01", "p1,yesterday,8", "p1,2019-01-01,wide", "p,2019-01-01,8,x"):
        with pytest.raises(InputError, match="PIPE,START,DIAMETER_MM"):
            parse_leak(text)
