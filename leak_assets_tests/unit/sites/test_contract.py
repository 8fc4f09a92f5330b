"""The contract: in step with the table, strict about keys, its hash, its violations."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from leak_assets.errors import InputError
from leak_assets.sites.contract import DEFAULT_CONTRACT, Contract, load_contract
from leak_assets.warehouse.contract import check_frame
from leak_assets.warehouse.schemas.telemetry import READINGS


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of contract files that differ from the packaged one."""

    def write(change: Callable[[dict], None]) -> Path:
        content = yaml.safe_load(DEFAULT_CONTRACT.read_text())
        change(content)
        path = tmp_path / "readings.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def test_changed_type_is_a_violation(contract: Contract) -> None:
    """Columns are those of the schema: value_si as integers breaks the contract."""
    assert check_frame(READINGS.empty(), contract) == []
    whole = READINGS.empty().cast({"value_si": pl.Int64})
    violations = check_frame(whole, contract)
    assert [str(v) for v in violations] == ["column `value_si`: expected Float64, found Int64"]


def test_missing_and_additional_columns_are_violations(contract: Contract) -> None:
    """A column too few and one too many are both told."""
    frame = READINGS.empty().drop("mask").with_columns(pl.lit(1).alias("extra"))
    assert {v.column for v in check_frame(frame, contract)} == {"mask", "extra"}


def test_hash_follows_content_not_layout(changed: Callable[..., Path], contract: Contract) -> None:
    """Rewriting the file keeps the hash, changing a limit changes it."""
    assert load_contract(changed(lambda _: None)).sha256 == contract.sha256
    path = changed(lambda content: content.update(outlier_sigma=4.0))
    assert load_contract(path).sha256 != contract.sha256


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(cadense_s=300), "key `cadense_s` is unknown"),
        (lambda c: c["quantities"]["flow"].update(mx=1), "key `quantities.flow.mx` is unknown"),
        (lambda c: c.pop("cadence_s"), "key `cadence_s` is missing"),
        (lambda c: c.update(cadence_s="often"), "key `cadence_s`: "),
        (lambda c: c.update(cadence_s=7), "cadence_s 7 does not divide a day"),
        (lambda c: c["columns"].update(colour={}), "telemetry.readings has no column `colour`"),
        (lambda c: c["columns"]["flags"].update(max=-1), "min 0 must be below max -1"),
        (lambda c: c.update(table="telemetry.reading"), "no table `telemetry.reading`"),
        (lambda c: c["columns"]["value_si"].update(nulls="maybe"), "key `columns.value_si.nulls`"),
        (lambda c: c["quantities"]["flow"].update(unit="L/s"), "quantities.flow.unit must be"),
        (lambda c: c.update(source_timezone="Mars"), "`Mars` is no IANA time zone"),
    ],
)
def test_wrong_keys_are_named(
    changed: Callable[..., Path], change: Callable[[dict], None], told: str
) -> None:
    """A wrong key gives one line with the key and the file."""
    path = changed(change)
    with pytest.raises(InputError) as error:
        load_contract(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_unreadable_contracts(tmp_path: Path) -> None:
    """A missing file and broken YAML are told with file and row."""
    with pytest.raises(InputError, match="cannot be read"):
        load_contract(tmp_path / "none.yaml")
    path = tmp_path / "broken.yaml"
    path.write_text("version: 1\ncolumns: [\n")
    with pytest.raises(InputError, match=r"broken\.yaml, row 3: the contract is no valid YAML"):
        load_contract(path)
    path.write_text("- 1\n")
    with pytest.raises(InputError, match="no mapping"):
        load_contract(path)
