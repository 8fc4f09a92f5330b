"""Mapping files: what is wrong in them is told with line and remedy, whatever it is."""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leak_assets.errors import InputError
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.readers.mapping import load_mapping

GOOD = """\
files:
  - match: "export_*.csv"
    layout: wide
    time: [Datum, Uhrzeit]
    time_format: "%d.%m.%Y %H:%M"
    timezone: Europe/Berlin
    delimiter: ";"
    decimal: ","
  - layout: long
    time: ts
    tag: Tag
    value: Wert
    unit: Einheit
tags:
  PT-12: {sensor: "12", quantity: pressure, unit: PSI}
  FT-1:
    sensor: "1"
    quantity: flow
    unit: m³/h
    factor: 0.1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(text)
    return path


def test_mapping_of_a_site(tmp_path: Path, layout: SensorLayout) -> None:
    """The first kind of file whose pattern fits a name counts, upper and lower case alike."""
    mapping = load_mapping(written(tmp_path, GOOD), layout)
    wide, long = mapping.file("EXPORT_1.CSV"), mapping.file("other.parquet")
    assert wide is not None
    assert long is not None
    assert (wide.layout, wide.time, long.layout) == ("wide", ("Datum", "Uhrzeit"), "long")
    assert mapping.tags["FT-1"].factor == 0.1
    assert load_mapping(tmp_path / "mapping.yaml", layout) is mapping


@pytest.mark.parametrize(
    ("old", "new", "row", "told"),
    [
        ("decimal:", "dezimal:", 8, "key `files.0.dezimal` is unknown"),
        ("    factor: 0.1", "    faktor: 0.1", 20, "key `tags.FT-1.faktor` is unknown"),
        ("files:\n", "extra: 1\nfiles:\n", 1, "key `extra` is unknown"),
        ("    time: ts\n", "", 9, "key `files.1.time` is missing"),
        ("Europe/Berlin", "Berlin", 2, "timezone `Berlin` is no IANA time zone"),
        ("m³/h", "bar", 16, "unit `bar` of flow is none of"),
        ("quantity: flow", "quantity: heat", 16, "quantity `heat` is none of"),
        ("    tag: Tag\n", "", 9, "the long layout needs `tag` and `value`"),
        ('sensor: "1"\n', 'sensor: "9"\n', 16, "`9` is no flow sensor of hanoi"),
        ("  FT-1:", "  PT-12:", 16, "the key `PT-12` twice"),
        ("factor: 0.1", "factor: inf", 20, "finite"),
        ("%d.%m.%Y %H:%M", "%H:%M", 2, "has no year, month and day"),
        ('delimiter: ";"', 'delimiter: ","', 2, "are the same sign"),
        ("layout: wide", "layout: square", 3, "wide"),
        ("files:\n", "files: [\n", 2, "no valid YAML"),
    ],
)
def test_mistake_is_told_with_its_line(
    tmp_path: Path, layout: SensorLayout, old: str, new: str, row: int, told: str
) -> None:
    """Every mistake is one line that names the file, the line and a remedy."""
    assert GOOD.count(old) == 1
    with pytest.raises(InputError) as error:
        load_mapping(written(tmp_path, GOOD.replace(old, new)), layout)
    text = str(error.value)
    assert told in text
    assert error.value.remedy
    assert "mapping.yaml" in text
    assert "\n" not in text
    assert error.value.row == row


def test_one_sensor_has_one_tag(tmp_path: Path, layout: SensorLayout) -> None:
    """Two tags of one sensor cannot be told apart in one line of a file."""
    text = GOOD + '  PT-12b: {sensor: "12", quantity: pressure}\n'
    with pytest.raises(InputError, match="`PT-12` and `PT-12b` stand for the same sensor"):
        load_mapping(written(tmp_path, text), layout)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1\n",
        "a: &a [*a]\n",
        "x: !!python/object/apply:os.system [ls]\n",
        "\x00",
        "? [a]\n: 1",
    ],
)
def test_other_yaml_is_refused(tmp_path: Path, layout: SensorLayout, text: str) -> None:
    """What is no mapping of keys, however odd, is an error of the user."""
    with pytest.raises(InputError):
        load_mapping(written(tmp_path, text), layout)


def test_bomb_of_aliases_is_refused(tmp_path: Path, layout: SensorLayout) -> None:
    """Nine aliases of nine aliases … are a billion values: they are not unfolded."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(InputError):
        load_mapping(written(tmp_path, "\n".join(lines)), layout)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(["files", "tags", "layout", "time", "sensor", "quantity", "match", "12"])
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.one_of(TREES.map(yaml.safe_dump), st.text(max_size=200), TREES.map(
    lambda tree: yaml.safe_dump({"files": [tree], "tags": {"A": tree}}))))  # fmt: skip
def test_any_text_is_read_or_refused(tmp_path: Path, layout: SensorLayout, text: str) -> None:
    """Nothing but an error of the user comes of any content."""
    path = tmp_path / "mapping.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(InputError):
        load_mapping(path, layout)
