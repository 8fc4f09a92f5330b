"""Pictures: PNG, small, drawn from the real frames, also where there is little to draw."""

from datetime import UTC, datetime
from io import BytesIO

import polars as pl
import pytest

from leak_assets.reports.figures import (
    current_state,
    map_figure,
    signal_figure,
    training_figure,
)
from leak_assets.warehouse.schemas.detection import WINDOW_SCORES
from leak_assets.warehouse.schemas.incidents import CANDIDATES, INCIDENT_EVENTS
from leak_assets.warehouse.schemas.models import TRAINING_RUNS
from leak_assets.warehouse.schemas.network import NODES, SENSORS

LIMIT_BYTES = 80_000


def assert_picture(png: bytes) -> None:
    """Assert that this is a PNG that can be read, not too large and not blank."""
    from PIL import Image

    assert png.startswith(b"\x89PNG")
    assert len(png) <= LIMIT_BYTES
    picture = Image.open(BytesIO(png)).convert("L")
    assert picture.width >= 800
    low, high = picture.getextrema()
    assert low < 140 < high


def test_the_signal_is_drawn_with_its_incidents(small_town):
    """Score, threshold, alarms, incident spans and true starts."""
    assert_picture(
        signal_figure(
            scores=small_town["scores"],
            residuals=small_town["residuals"],
            events=small_town["events"],
            truth=pl.DataFrame(
                {
                    "leak_start": [datetime(2019, 1, 7, 6, tzinfo=UTC)],
                    "leak_end": [datetime(2019, 1, 8, tzinfo=UTC)],
                }
            ),
        )
    )


def test_the_map_is_drawn_with_candidates_and_truth(small_town):
    """Also for a leak that the network does not know, which is left out."""
    assert_picture(
        map_figure(
            nodes=small_town["nodes"],
            links=small_town["links"],
            sensors=small_town["sensors"],
            candidates=small_town["candidates"],
            truth_links=["p2", "p999"],
        )
    )


def test_a_map_of_l_town_stays_small():
    """900 pipes and 118 sensors fit into the metadata of a materialization."""
    from leak_assets.settings import Settings
    from leak_assets.sites import links_frame, load_layout, nodes_frame, resolve, sensors_frame

    network = resolve("l-town", Settings(_env_file=None))
    assert_picture(
        map_figure(
            nodes=nodes_frame(network),
            links=links_frame(network),
            sensors=sensors_frame(network, load_layout(network)),
            candidates=pl.DataFrame({"link_id": ["p227", "p228"], "probability": [0.6, 0.4]}),
        )
    )


def test_training_curves_have_a_panel_per_model():
    """Two models, the kept epoch marked."""
    rows = [
        {
            "network": "net1",
            "model": model,
            "version": "1.0.0-abc",
            "epoch": epoch,
            "train_loss": 1.0 / (epoch + 1),
            "validation_loss": 1.2 / (epoch + 1),
            "is_best": epoch == 4,
            "seed": 1,
            "config_sha256": "",
            "contract_sha256": "",
            "data_sha256": "",
            "trained_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        for model in ("leak_detector", "leak_pinpointer")
        for epoch in range(6)
    ]
    assert_picture(training_figure(pl.DataFrame(rows, schema=TRAINING_RUNS.polars_schema)))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: signal_figure(
            scores=WINDOW_SCORES.empty(),
            residuals=empty_residuals(),
            events=INCIDENT_EVENTS.empty(),
        ),
        lambda: training_figure(TRAINING_RUNS.empty()),
    ],
)
def test_without_data_the_picture_says_so(draw):
    """No exception on a day without rows."""
    assert_picture(draw())


def test_a_map_needs_neither_sensors_nor_candidates(small_town):
    """The bare network is a picture too."""
    png = map_figure(
        nodes=small_town["nodes"].cast(dict(NODES.polars_schema)),
        links=small_town["links"],
        sensors=SENSORS.empty(),
        candidates=CANDIDATES.empty(),
    )
    assert png.startswith(b"\x89PNG")


def test_the_current_state_is_the_newest_row_of_each_incident(small_town):
    """One row per incident, in the order of detection."""
    state = current_state(small_town["events"])
    assert state["incident_id"].is_unique().all()
    assert state["status"].to_list() == ["closed", "open"]
    assert state["detected_at"].is_sorted()


def empty_residuals() -> pl.DataFrame:
    """No residual at all."""
    from leak_assets.warehouse.schemas.features import RESIDUALS

    return RESIDUALS.empty()
