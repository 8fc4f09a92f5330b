"""The jobs that make what models learn from, and what leaks do to sensors."""

import dagster as dg

_RESPONSES = dg.AssetSelection.assets(
    ["simulation", "leak_signatures"], ["simulation", "sensor_placement"]
)

SCENARIOS = dg.define_asset_job(
    "scenarios",
    selection=(dg.AssetSelection.groups("simulation") - _RESPONSES)
    | dg.AssetSelection.assets(["features", "training_readings"], ["features", "training_windows"]),
    description="Scenario runs and their training features for a range of batches.",
)

# A job of its own: a large network takes minutes.
SIGNATURES = dg.define_asset_job(
    "signatures",
    selection=_RESPONSES,
    description="Leak signatures of a network, and the best places for pressure sensors.",
)
