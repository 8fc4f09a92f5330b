"""Views to begin with, by short names and without a schema: what people ask for most.

Each is made of tables and views of the other schemas; nothing is defined here that is not there.
"""

from .table import View

INCIDENTS = View(
    "main",
    "v_incidents",
    "Current state of each incident, with what it costs if nobody mends it.",
    """
    SELECT i.*, f.m3_per_day, f.eur_per_day, f.eur_per_month, f.eur_per_year
    FROM incidents.incidents AS i LEFT JOIN incidents.forecast AS f USING (network, incident_id)
    """,
    {"m3_per_day": "loss of an incident that is not closed; null once it is"},
)

SCORES = View(
    "main",
    "v_scores",
    "One window of a network with its score, threshold and alarm.",
    """
    SELECT network, window_start, window_end, anomaly_score, threshold, is_alarm, state,
        leak_flow_m3_per_h, method, method_version
    FROM detection.window_scores
    """,
)

DMA_BALANCE = View(
    "main",
    "v_dma_balance",
    "One local day of a district metered area: balance, losses, and its night beside the band.",
    """
    SELECT b.*, n.usual_m3_per_h AS usual_mnf_m3_per_h, n.upper_m3_per_h AS upper_mnf_m3_per_h,
        coalesce(n.is_indication, false) AS is_indication
    FROM water.dma_balance_daily AS b LEFT JOIN water.night_flow_bands AS n
        ON n.network = b.network AND n.zone_id = b.zone_id AND n.night = b.local_date
    """,
    {"is_indication": "three nights in a row or more above the band"},
)

SENSOR_QUALITY = View(
    "main",
    "v_sensor_quality",
    "One day of a sensor: health, what is wrong, how much of it is usable.",
    """
    SELECT network, sensor_id, quantity, day, health, reason_names, evidence, is_silent,
        last_reading_at, steps, usable, usable / nullif(steps, 0) AS usable_share, good, suspect,
        bad, estimated, missing
    FROM telemetry.sensor_quality_daily
    """,
    {"usable_share": "0 to 1"},
)

LINEAGE = View(
    "main",
    "v_lineage",
    "One input of one version of one partition, as `audit.lineage` has it.",
    "SELECT * FROM audit.lineage",
)

VIEWS = (INCIDENTS, SCORES, DMA_BALANCE, SENSOR_QUALITY, LINEAGE)
