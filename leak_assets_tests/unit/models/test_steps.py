"""The models room's steps on a trained home: what training again leaves in use."""

import hashlib
import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.models.artefact import MANIFEST, METRICS, Artefact, load_artefact
from leak_assets.models.decisions import registry_events, step_to
from leak_assets.models.in_use import champions, newest_artefacts
from leak_assets.models.registration import register_models
from leak_assets.models.registry import RETIRED, current
from leak_assets.models.steps import gate_failures, train_models
from leak_assets.models.versions import training_code_version
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.schemas.detection import BACKTESTS

pytestmark = pytest.mark.slow


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_model_says_which_network_and_sensors_it_is_of(ctx: StepContext) -> None:
    """The manifest has the hashes that scoring compares."""
    site = ctx.network("hanoi")
    for artefact in champions(ctx, site).values():
        assert site.provenance.differences(artefact.manifest) == []
        assert artefact.manifest["code_version"] == training_code_version()


def test_no_scenario_and_no_town_stands_in_two_sets(ctx: StepContext) -> None:
    """MOD3, as somebody asks who trusts nothing but the tables; and nothing is left out."""
    for group in ("scenario_id", "batch"):
        twice = ctx.warehouse.sql(
            f"SELECT network, model, version, {group} FROM models.splits"
            f" GROUP BY ALL HAVING count(DISTINCT split) > 1 OR count(DISTINCT fold) > 1"
        )
        assert twice.height == 0
    sizes = ctx.warehouse.sql(
        "SELECT model, grouped_by, count(*) AS n, count(DISTINCT split) AS splits,"
        " count(DISTINCT fold) AS folds, count(*) FILTER (is_frozen AND split <> 'test') AS leaked"
        " FROM models.splits GROUP BY ALL ORDER BY model"
    )
    assert sizes["model"].to_list() == ["leak_detector", "leak_pinpointer"]
    rows = ctx.warehouse.sql("SELECT count(DISTINCT scenario_id) FROM features.training_windows")
    scenarios = rows.item()
    for row in sizes.iter_rows(named=True):
        assert row == row | {"grouped_by": "batch", "n": scenarios, "splits": 3, "leaked": 0}


def test_training_again_from_the_same_keeps_everything(ctx: StepContext) -> None:
    """Nothing is trained, nothing is written."""
    assert not any(written.changed for written in train_models(ctx, ctx.network("hanoi")))


def test_the_detector_goes_alone_where_only_places_fail(ctx: StepContext) -> None:
    """A pinpointer that misses its gate is rejected; the detector is used without it."""
    site = ctx.network("hanoi")
    before = champions(ctx, site)["leak_pinpointer"]
    fail(ctx, before, "distance_vs_fixed_guess")
    retire_all(ctx, site)
    register_models(ctx, site, newest_artefacts(ctx, site), gate_failures(ctx, site))
    assert set(champions(ctx, site)) == {"leak_detector"}
    latest = current(registry_events(ctx.warehouse, "hanoi"), "hanoi", "leak_pinpointer")
    assert latest["status"][0] == "rejected"
    assert "gate distance_vs_fixed_guess failed" in latest["note"][0]


def test_nothing_goes_where_the_detector_fails(ctx: StepContext) -> None:
    """A pinpointer alone is of no use."""
    site = ctx.network("hanoi")
    fail(ctx, champions(ctx, site)["leak_detector"], "recall")
    retire_all(ctx, site)
    register_models(ctx, site, newest_artefacts(ctx, site), gate_failures(ctx, site))
    assert champions(ctx, site) == {}


def fail(ctx: StepContext, artefact: Artefact, metric: str) -> None:
    """Write an evaluation in which a model misses a gate."""
    partition = {"version": f"{artefact.model}-{artefact.version}", "network": "hanoi"}
    frame = ctx.warehouse.require("models.evaluations", partition, remedy="Evaluate")
    missed = pl.when(pl.col("metric") == metric).then(None).otherwise("value").alias("value")
    ctx.warehouse.write("models.evaluations", partition, frame.with_columns(missed))


def value(ctx: StepContext, version: str, net_eur: float) -> None:
    """Write what a detector is worth on the generated town of the gate."""
    row = dict.fromkeys(BACKTESTS.polars_schema) | {
        column.name: 0 for column in BACKTESTS.columns if not column.nullable
    }
    row |= dict.fromkeys(("method_version", "variant", "source", "truth_sha256"), "town 9001")
    row |= dict.fromkeys(("first_day", "last_day"), date(2019, 1, 1))
    row |= {"network": "hanoi", "backtest_id": version, "method": "windows"}
    row |= {"model_version": version, "net_eur": net_eur, "created_at": datetime.now(UTC)}
    frame = pl.DataFrame([row], schema=BACKTESTS.polars_schema)
    ctx.warehouse.write(BACKTESTS.full_name, {"backtest": version, "network": "hanoi"}, frame)


@pytest.mark.parametrize(("worth", "status"), [(999.0, "rejected"), (1000.0, "shadow")])
def test_a_better_f1_does_not_outweigh_euros(ctx: StepContext, worth: float, status: str) -> None:
    """MOD17: rejected with both sums, however good its metrics; the one in use stays."""
    site = ctx.network("hanoi")
    old = champions(ctx, site)["leak_detector"]
    folder = shutil.copytree(old.folder, old.folder.with_name("4.0.0-better"))
    metrics = json.loads((folder / METRICS).read_text("utf-8"))
    metrics["test"]["f1"] = 1.0
    content = json.dumps(metrics).encode()
    (folder / METRICS).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text("utf-8")) | {"version": "4.0.0-better"}
    manifest["files"][METRICS] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    candidate = load_artefact(folder)
    assert candidate.metrics["test"]["f1"] > old.metrics["test"]["f1"]
    value(ctx, old.version, 1000.0)
    value(ctx, candidate.version, worth)
    register_models(ctx, site, [candidate], {})
    rows = current(registry_events(ctx.warehouse, "hanoi"), "hanoi", "leak_detector")
    mine = rows.filter(version=candidate.version).row(0, named=True)
    assert mine["status"] == status
    assert f"{worth:,.0f} EUR net on 1 generated towns" in mine["note"]
    assert f"{old.version} 1,000 EUR" in mine["note"]
    assert champions(ctx, site)["leak_detector"].version == old.version


def retire_all(ctx: StepContext, site: NetworkSite) -> None:
    """Take the models in use out of use, as if none had been there."""
    for name, one in champions(ctx, site).items():
        step_to(ctx, site.name, name, one.version, RETIRED, actor="test", note="test")


def test_folder_of_a_registered_version_is_never_replaced(ctx: StepContext) -> None:
    """What is in use stays as the registry has it, until another version's gates have held."""
    detector = champions(ctx, ctx.network("hanoi"))["leak_detector"]
    before = files(detector.folder)
    partition = {"version": f"leak_detector-{detector.version}", "network": "hanoi"}
    ctx.warehouse.path("models.training_runs", partition).unlink()
    with pytest.raises(InputError, match=r"is registered but has no row.*--seed"):
        train_models(ctx, ctx.network("hanoi"))
    assert files(detector.folder) == before
    assert champions(ctx, ctx.network("hanoi"))["leak_detector"].version == detector.version
