"""What people said of incidents changes the next training set, and nothing that is held out."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from leak_assets.incidents.people import record
from leak_assets.models.dataset import stored_windows
from leak_assets.models.judged import TABLE, judged_input, write_judged_windows
from leak_assets.models.training import train
from leak_assets.models.versions import model_version
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import network_site
from leak_assets.warehouse.schemas.features import WINDOWS
from leak_assets_tests.hypotheses import FIRST_DAY, midnight, story
from leak_assets_tests.unit.incidents.lake import NET, lake
from leak_assets_tests.unit.incidents.test_people import transition


def windows_of_day(ctx: StepContext, number: int) -> None:
    """Write eight windows of two channels of a day."""
    rows = [
        {
            "network": NET,
            "window_start": midnight(number) + timedelta(hours=3 * k),
            "window_end": midnight(number) + timedelta(hours=3 * k + 2.9),
            "sensor_id": sensor,
            "quantity": "pressure",
            "points": 36,
        }
        | {c.name: 1.0 for c in WINDOWS.columns[6:]}
        for k in range(8)
        for sensor in ("n1", "n2")
    ]
    day = FIRST_DAY + timedelta(days=number)
    frame = pl.DataFrame(rows, schema=WINDOWS.polars_schema)
    ctx.warehouse.write("features.windows", {"date": f"{day}", "network": NET}, frame)


def test_five_false_alarms_change_the_next_training_set(tmp_path: Path) -> None:
    """Their windows are there as no leak; a confirmed leak has its pipe; a label may be new."""
    stories = story("h0", "rrr", pipes="p1")
    for number in range(1, 6):
        stories += story(f"h{number}", "." * number + "rr", pipes="p4")
    ctx = lake(tmp_path, stories)
    site = network_site(NET, ctx.settings)
    for number in range(8):
        windows_of_day(ctx, number)
    write_judged_windows(ctx, site)
    # Nobody has said anything yet: an input of the training all the same, without a window in it.
    assert judged_input(ctx.warehouse, NET) is not None
    channels = ("pressure/n1", "pressure/n2")
    assert stored_windows(ctx.warehouse, TABLE, NET, ("mean",), channels) is None
    query = "SELECT incident_id FROM incidents.incidents ORDER BY hypothesis_id"
    first, *others = ctx.warehouse.sql(query)["incident_id"]
    for name in others:
        record(ctx, name, transition("close", reason="false_positive"))
    write_judged_windows(ctx, site)
    before = judged_input(ctx.warehouse, NET)
    assert before is not None
    record(ctx, first, transition("close", reason="confirmed_leak", found_link_id="p2"))
    write_judged_windows(ctx, site)
    after = judged_input(ctx.warehouse, NET)
    assert after is not None
    assert after.version != before.version
    found = stored_windows(ctx.warehouse, TABLE, NET, ("mean",), channels)
    assert found is not None
    by_incident = found.index.group_by("scenario_id").agg(
        pl.col("is_leak").first(), pl.col("link_id").first()
    )
    assert by_incident.filter("is_leak").rows() == [(first, True, "p2")]
    assert set(by_incident["scenario_id"]) == {first, *others}
    names = {i.name for i in ctx.warehouse.record(TABLE, {"network": NET}).inputs}  # type: ignore[union-attr]
    assert names == {"incidents.labels", "features.windows"}


def test_judged_windows_are_learned_from_and_never_held_out(
    windows, scenarios, detector, detector_config
) -> None:
    """Other weights; the same scenarios in validation and test."""
    judged = windows.select(np.arange(40))
    index = judged.index.with_columns(
        scenario_id=pl.lit("incident"), batch=pl.lit("operation"), is_leak=pl.lit(value=False)
    )
    judged = type(judged)(judged.channels, judged.statistics, judged.values, index)
    result = train(
        detector_config,
        windows,
        network="line",
        leak_truth=scenarios.leak_truth,
        data_versions={"a": "1", "network=line": "2"},
        contract_sha256="c",
        trained_at=detector.trained_at,
        judged=judged,
    )
    assert result.split == detector.split
    assert all("incident" not in names for names in result.split.sets.values())
    assert result.version != model_version(detector_config, {"a": "1"})
    assert result.history["train_loss"].to_list() != detector.history["train_loss"].to_list()
