"""Series of LeakDB: element and quantity from the name, values as LeakDB's units say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.readers.leakdb import leakdb_series
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.sources.deliver import deliver

Parse = Callable[..., ParsedFile]
TEXT = "Timestamp,Value\n2019-03-04 00:00:00,30.5\n2019-03-04 00:30:00,\n2019-03-04 01:00:00,x\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Scenario-1_Pressures_Node_12.csv", ("Pressures", "12")),
        ("a_b_Flows_Link_p_1.csv", ("Flows", "p_1")),
        ("Demands_Node_a%2Fb.csv", ("Demands", "a/b")),
        ("Scenario-1_Flows_Node_12.csv", None),
        ("2019_SCADA_Flows.csv", None),
    ],
)
def test_name_of_a_series(name: str, expected: tuple[str, str] | None) -> None:
    """Folder, kind and element stand in the name; an export of BattLeDIM is none."""
    assert leakdb_series(name) == expected


@pytest.mark.parametrize(
    ("name", "quantity", "unit"),
    [
        ("S_Pressures_Node_12.csv", "pressure", "m"),
        ("S_Demands_Node_12.csv", "demand", "m3/h"),
        ("S_Flows_Link_1.csv", "flow", "m3/h"),
    ],
)
def test_series_is_read(parse: Parse, name: str, quantity: str, unit: str) -> None:
    """Its values are of one sensor; an empty one is missing, a bad one in quarantine."""
    parsed = parse(TEXT, name)
    assert (parsed.accepted, parsed.empty, parsed.quarantined) == (1, 1, 1)
    row = parsed.readings.row(0, named=True)
    assert (row["quantity"], row["unit"], row["value"]) == (quantity, unit, 30.5)


def test_scenario_is_delivered(tmp_path: Path, layout: SensorLayout) -> None:
    """Of a scenario's folder the instrumented elements land, each under a name of its own."""
    scenario = tmp_path / "Scenario-3"
    for place, name in (("Pressures", "Node_12"), ("Pressures", "Node_5"), ("Flows", "Link_1")):
        (scenario / place).mkdir(parents=True, exist_ok=True)
        (scenario / place / f"{name}.csv").write_text(TEXT)
    (scenario / "Scenario-3_info.csv").write_text("Description , Value\n")
    landed = deliver([scenario], tmp_path / "landing", "hanoi", layout)
    assert [one.path.name for one in landed] == [
        "Scenario-3_Pressures_Node_12.csv",
        "Scenario-3_Flows_Link_1.csv",
    ]
    with pytest.raises(InputError, match="no series of a sensor of hanoi"):
        deliver([scenario], tmp_path / "landing", "hanoi", SensorLayout("hanoi", ()))


def test_link_out_of_a_scenario_is_refused(tmp_path: Path, layout: SensorLayout) -> None:
    """A link in a scenario that leads elsewhere is not followed."""
    scenario = tmp_path / "Scenario-3"
    (scenario / "Pressures").mkdir(parents=True)
    (scenario / "Scenario-3_info.csv").write_text("")
    (tmp_path / "secret").write_text(TEXT)
    (scenario / "Pressures" / "Node_12.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="leads out of its folder"):
        deliver([scenario], tmp_path / "landing", "hanoi", layout)
