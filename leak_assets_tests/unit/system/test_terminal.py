"""What commands print: valid JSON of every type, and text exactly as it is."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.errors import InputError
from leak_assets.system import terminal as output


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def refuse(constant: str) -> None:
    """Fail on what Python's reader takes though it is no JSON."""
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(SELECT sum(i) FROM range(4) t(i))", 6),
        ("1.50::DECIMAL(10,2)", 1.5),
        ("TIME '10:00:01'", "10:00:01"),
        ("'\\xAA'::BLOB", "aa"),
        ("'nan'::DOUBLE", None),
        ("'-inf'::FLOAT", None),
        ("[1.0, 'nan'::DOUBLE]", [1.0, None]),
        ("{'deep': 7::HUGEINT}", {"deep": 7}),
        ("MAP {DATE '2019-01-01': 1}", {"2019-01-01": 1}),
        ("TIMESTAMPTZ '2019-01-01 00:00:00+00'", "2019-01-01T00:00:00+00:00"),
        ("NULL", None),
        ("true", True),
    ],
)
def test_query_results_of_every_type_are_json(expression: str, expected: Any) -> None:
    """Whole sums are whole numbers, NaN and infinity are null."""
    result = CliRunner().invoke(app, ["sql", f"SELECT {expression} AS value", "--json"])
    assert result.exit_code == 0, result.exception
    assert json.loads(result.output, parse_constant=refuse) == [{"value": expected}]


@pytest.mark.parametrize("expression", ["INTERVAL 3 DAY", "union_value(k := 1)"])
def test_a_column_that_cannot_be_shown_names_the_cast(expression: str) -> None:
    """Intervals and unions have no place in a frame."""
    result = CliRunner().invoke(app, ["sql", f"SELECT {expression} AS value"])
    assert isinstance(result.exception, InputError)
    assert "::VARCHAR" in str(result.exception)


def test_python_values_of_documents(capsys: pytest.CaptureFixture[str]) -> None:
    """What no query gives."""
    at = datetime(2019, 1, 1, tzinfo=UTC)
    output.print_json({"took": timedelta(minutes=2), "days": (at.date(),), "n": Decimal(3)})
    document = json.loads(capsys.readouterr().out)
    assert document == {"took": 120.0, "days": [date(2019, 1, 1).isoformat()], "n": 3}


@pytest.mark.parametrize("text", ["pipe [p12]", "[/]", "[bold]x", ":leaves:", "trailing \\"])
def test_cells_names_and_titles_are_printed_as_they_are(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names in a network are the user's; brackets in them are no markup."""
    wide = "a column that leaves room for the title"
    output.print_rows([{text: text, wide: 1}], as_json=False, title=f"title {text}")
    assert capsys.readouterr().out.count(text) == 3
    output.print_rows([], as_json=False, title=text)
    assert f"{text}: no rows" in capsys.readouterr().out
    output.progress(as_json=False)(text)
    assert text in capsys.readouterr().out
