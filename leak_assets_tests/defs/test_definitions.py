"""The definitions as a whole: what loading costs, and the policy that holds for every asset."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from leak_assets.definitions import defs
from leak_assets.defs.partitions import ALL_EARLIER_DAYS
from leak_assets.defs.telemetry.schedules import daily
from leak_assets.runs.graph import GRAPH
from leak_assets.warehouse.schemas import TABLES

REPOSITORY = Path(__file__).parents[2]
# Assets that somebody asks for, or a schedule: no day waits for them.
BESIDE_THE_GRAPH = {
    "detection.backtests",
    "incidents.daily_digests",
    "incidents.weekly_digests",
    "models.shadow_report",
}
HEAVY = ("torch", "sklearn", "wntr", "great_expectations", "langchain", "matplotlib", "epyt")

_LOAD = """
import json, pathlib, sys, time
import leak_assets.definitions
print(json.dumps({
    "cpu_s": time.process_time(),
    "kib": pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0],
    "modules": sorted({name.split(".")[0] for name in sys.modules}),
}))
"""

# What no definitions do without.
_LIBRARIES = """
import time
import dagster, duckdb, numpy, polars, pydantic_settings
print(time.process_time())
"""


def test_definitions_load_lightly() -> None:
    """No heavy library comes in; processor time stays below 1.5 s, memory below 200 MiB.

    A machine that does more at once takes more processor time for the same: there they stay below
    twice what their libraries take.
    """
    run = json.loads(_printed(_LOAD))
    assert not set(HEAVY) & set(run["modules"])
    assert int(run["kib"]) < 200 * 1024
    if run["cpu_s"] >= 1.5:
        again = min(json.loads(_printed(_LOAD))["cpu_s"] for _ in range(2))
        libraries = min(float(_printed(_LIBRARIES)) for _ in range(2))
        assert min(run["cpu_s"], again) < max(1.5, 2 * libraries)


def _printed(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_no_deprecated_api_is_used() -> None:
    """Loading raises none of Dagster's deprecation warnings."""
    subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", "import leak_assets.definitions"],
        check=True,
        capture_output=True,
    )


def test_every_asset_is_a_table_with_the_policy_of_the_root() -> None:
    """Key = SQL name; group, kinds, owner, description, code version and columns are there."""
    specs = defs.resolve_all_asset_specs()
    names = {".".join(spec.key.path) for spec in specs}
    # What people say, what was told to them, and what a command writes is of no step.
    assert names - BESIDE_THE_GRAPH == set(GRAPH.writer) <= set(TABLES)
    for spec in specs:
        table = TABLES[".".join(spec.key.path)]
        assert spec.group_name == table.schema
        assert spec.owners == ["team:leak-engineering"]
        assert {"duckdb", "parquet"} < spec.kinds
        assert spec.description.startswith(table.row)
        assert spec.code_version
        columns = spec.metadata["dagster/column_schema"].columns
        assert [c.name for c in columns] == [c.name for c in table.columns]


def test_what_must_not_grow_old_has_a_freshness_policy() -> None:
    """ORC9: readings, hypotheses and incidents warn after 26 hours, fail after 36."""
    policies = {
        ".".join(spec.key.path): spec.freshness_policy
        for spec in defs.resolve_all_asset_specs()
        if spec.freshness_policy
    }
    expected = dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=36), warn_window=timedelta(hours=26)
    )
    assert policies == dict.fromkeys(
        ("telemetry.readings", "detection.hypotheses", "incidents.incident_events"), expected
    )


def test_the_chain_is_one_graph_without_orphans() -> None:
    """Everything from scenario to summary hangs together."""
    graph = defs.resolve_asset_graph()
    summaries = dg.AssetKey(["incidents", "summaries"])
    upstream = graph.get_ancestor_asset_keys(summaries)
    for name in (
        "simulation/telemetry",
        "telemetry/raw_readings",
        "telemetry/readings",
        "features/residuals",
        "models/registry_events",
        "detection/window_scores",
        "incidents/incident_events",
    ):
        assert dg.AssetKey(name.split("/")) in upstream, name
    orphans = [
        key
        for key in graph.get_all_asset_keys()
        if not graph.get(key).parent_keys and not graph.get(key).child_keys
    ]
    made_for_people = {
        "telemetry/ingest_ledger",
        "telemetry/quarantine",
        "network/nodes",
        "network/sensors",
        "network/pipe_distance",
        "simulation/event_truth",
        "simulation/sensor_fault_labels",
        "simulation/sensor_placement",
    }
    assert {"/".join(key.path) for key in orphans} <= made_for_people


@pytest.mark.slow
def test_dg_finds_the_definitions_of_the_repository(tmp_path: Path) -> None:
    """`[tool.dg]` of `pyproject.toml` leads to them; `dev` names the module itself."""
    program = Path(sys.executable).with_name("dg")
    result = subprocess.run(
        [str(program), "check", "defs"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(program.parent), "DAGSTER_HOME": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_dependencies_are_those_that_steps_read() -> None:
    """Models read windows; incidents go on from their own days before."""
    graph = defs.resolve_asset_graph()
    scores = dg.AssetKey(["detection", "window_scores"])
    assert dg.AssetKey(["features", "windows"]) in graph.get(scores).parent_keys
    specs = {spec.key.path[-1]: spec for spec in defs.resolve_all_asset_specs()}

    def lookback(table: str) -> dict[str, int]:
        return {
            dep.asset_key.path[-1]: dep.partition_mapping.downstream_mappings_by_upstream_dimension[
                "date"
            ].partition_mapping.start_offset
            for dep in specs[table].deps
            if dep.partition_mapping is not None
        }

    assert {dep.asset_key.path[-1] for dep in specs["incident_events"].deps} == {
        "hypotheses",
        "leak_candidates",
        "evidence",
        "links",
        "zones",
    }
    assert lookback("incident_events") == {}
    assert lookback("incident_days") == {"incident_days": -ALL_EARLIER_DAYS}


def test_great_expectations_runs_for_whole_days_only() -> None:
    """The micro-batch leaves the suite out; the daily batch has it, and it blocks there."""
    graph = defs.resolve_asset_graph()
    suite = dg.AssetCheckKey(dg.AssetKey(["telemetry", "readings"]), "expectations")
    assert graph.get_check_spec(suite).blocking

    def checks(job: str) -> set[str]:
        return {
            key.name for key in defs.resolve_job_def(job).asset_layer.asset_graph.asset_check_keys
        }

    of_incidents = {
        "amounts_are_possible",
        "incidents_rest_on_detection",
        "losses_match_known_leaks",
    }
    of_days = {"data_contract", "every_day_made"}
    assert checks("micro_batch") == {*of_days, *of_incidents}
    of_plants = {"readings_keep_to_the_rules"}
    assert checks("plant_batch") == {"every_day_made", *of_plants}
    assert checks("daily_batch") == {*of_days, "expectations", *of_incidents, *of_plants}
    assert daily.job_name == "daily_batch"


def test_only_the_wiring_knows_dagster() -> None:
    """Rooms compute without Dagster: importing their steps does not import it."""
    code = "import sys, leak_assets.runs.daemonless\nassert 'dagster' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_scores_are_made_before_what_people_look_at_beside() -> None:
    """Of steps that could go next, those on the way to scores and incidents go first."""
    graph = defs.resolve_job_def("micro_batch").graph
    urgency = {
        name: int(graph.node_named(name).definition.tags["dagster/priority"])
        for name in ("residuals", "window_scores", "channels_30m", "incidents", "water_balance")
    }
    assert urgency["residuals"] == urgency["window_scores"] > urgency["incidents"]
    assert urgency["channels_30m"] == urgency["incidents"] > urgency["water_balance"]
