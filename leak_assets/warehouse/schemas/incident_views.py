"""Views of the incidents: what the detectors derive and what people say, as one state.

A word of a person stands until the detectors close or reopen the incident after it: each word
keeps how often they had done so (`seen_turns`), so neither a clock nor a re-run decides. Numbers
of views are in the views' columns; nothing is stored here.
"""

from .table import View

FLOW_AT_LEAST, FLOW_AT_MOST = 0.8, 1.45
"""Range of a flow in parts of its estimate, where its days differ less. In three L-Town towns
(`leak-assets backtest --network l-town --days 40 --history-days 14 --seed 1`, and 2, and 3) the
median of estimate to truth was 0.85 to 1.06, of the days eight in ten lay between 0.68 and 1.17.
Leaks that starve customers are larger: the inflow does not show what these go without."""

DAYS_AFTER_WORK = 1
"""A method that looks at whole days still sees the day on which work ended."""

ALR_TARGETS_H = {"high": (24, 24, 24), "medium": (72, 72, 72), "low": (336, 336, 720)}
"""Hours for awareness, location and repair, by severity. Choices: the IWA names the three times
and no target; a mains burst is a matter of a day, a dripping joint of weeks."""

_ALL = View(
    "incidents",
    "all_incidents",
    "Current state of each incident, also of those that planned work explains: what the detectors "
    "derive now, with people's words.",
    f"""
    WITH derived AS (
        SELECT * FROM incidents.incident_events
        QUALIFY row_number() OVER (PARTITION BY incident_id ORDER BY revision DESC) = 1
    ), turned AS (
        SELECT incident_id, count(*) FILTER (event IN ('closed', 'reopened')) AS turns,
            max(event_at) FILTER (event = 'closed') AS symptoms_stopped_at
        FROM incidents.incident_events GROUP BY incident_id
    ), flows AS (
        SELECT incident_id, max(flow_m3_per_h) AS peak_flow_m3_per_h,
            max(last_seen_at) AS followed_until,
            quantile_cont(flow_m3_per_h, 0.1) FILTER (day > newest - 7) AS low,
            quantile_cont(flow_m3_per_h, 0.9) FILTER (day > newest - 7) AS high
        FROM (SELECT *, max(day) OVER (PARTITION BY incident_id) AS newest
              FROM incidents.incident_days)
        GROUP BY incident_id
    ), said AS (
        SELECT * FROM incidents.transitions
        QUALIFY row_number() OVER (PARTITION BY incident_id ORDER BY revision DESC) = 1
    ), spoken AS (
        SELECT incident_id,
            min(happened_at) FILTER (action IN ('acknowledge', 'investigate', 'dispatch', 'close'))
                AS acknowledged_at,
            max(happened_at) FILTER (action = 'close') AS closed_by_people_at,
            max(recorded_at) FILTER (action = 'escalate') AS escalated_at,
            min(happened_at) FILTER (to_status = 'field_work') AS field_work_at,
            count(*) FILTER (from_status <> to_status) AS status_changes,
            count(*) FILTER (action <> 'escalate') AS words_of_people
        FROM incidents.transitions GROUP BY incident_id
    ), both_said AS (
        SELECT coalesce(d.network, s.network) AS network,
            coalesce(d.incident_id, s.incident_id) AS incident_id,
            coalesce(d.revision, s.seen_revision) AS revision,
            d.event_at, d.event, coalesce(d.incident_type, 'leak') AS incident_type,
            CASE
                WHEN s.incident_id IS NULL
                    THEN CASE WHEN d.status = 'closed' THEN 'closed' ELSE 'new' END
                WHEN d.incident_id IS NULL OR t.turns <= s.seen_turns THEN s.to_status
                WHEN t.turns % 2 = 1 THEN 'closed'
                WHEN s.to_status <> 'closed' THEN s.to_status
                WHEN s.reason IS NULL OR s.reason = 'confirmed_leak' THEN 'open'
                ELSE 'closed'
            END AS status,
            s.to_status AS said_status, s.reason AS said_reason,
            coalesce(d.severity, s.seen_severity) AS severity,
            coalesce(d.zone, s.seen_zone) AS zone,
            coalesce(d.leak_start, s.seen_leak_start) AS leak_start,
            coalesce(d.detected_at, s.seen_detected_at) AS detected_at,
            coalesce(d.last_seen_at, s.seen_last_seen_at) AS last_seen_at,
            d.leak_end, d.confidence, d.score,
            coalesce(d.estimated_flow_m3_per_h, s.seen_flow_m3_per_h) AS estimated_flow_m3_per_h,
            coalesce(d.volume_lost_m3, s.seen_volume_m3) AS volume_lost_m3,
            coalesce(d.value_eur, s.seen_value_eur) AS value_eur,
            coalesce(d.top_link_id, s.seen_top_link_id) AS top_link_id,
            coalesce(d.hypothesis_id, s.seen_hypothesis_id) AS hypothesis_id,
            coalesce(d.method, s.seen_method) AS method,
            coalesce(d.method_version, s.seen_method_version) AS method_version,
            d.contract_sha256, d.run_id,
            coalesce(s.revision, 0) AS people_revision,
            s.assignee, s.snoozed_until, s.duplicate_of,
            coalesce(p.status_changes, 0) AS status_changes,
            coalesce(p.words_of_people, 0) AS words_of_people,
            p.acknowledged_at, p.escalated_at, p.field_work_at, p.closed_by_people_at,
            t.symptoms_stopped_at, coalesce(t.turns, s.seen_turns, 0) AS turns,
            d.incident_id IS NOT NULL AS is_supported
        FROM derived AS d
        FULL JOIN said AS s ON s.incident_id = d.incident_id
        LEFT JOIN turned AS t ON t.incident_id = d.incident_id
        LEFT JOIN spoken AS p ON p.incident_id = s.incident_id
    ), explained AS (
        SELECT i.incident_id, min(c.entry_id) AS suppressed_by
        FROM both_said AS i LEFT JOIN flows AS f USING (incident_id)
        JOIN incidents.calendar AS c
            ON c.network = i.network AND (c.zone IS NULL OR c.zone = i.zone)
            AND c.sensor_id IS NULL
            AND (i.leak_start BETWEEN c.begin_at AND c.end_at
                OR i.detected_at BETWEEN c.begin_at AND c.end_at)
            AND coalesce(i.leak_end, f.followed_until, i.last_seen_at)
                <= c.end_at + INTERVAL {DAYS_AFTER_WORK} DAY
        WHERE i.words_of_people = 0
        GROUP BY i.incident_id
    )
    SELECT b.* EXCLUDE (said_status, said_reason, symptoms_stopped_at, closed_by_people_at,
            words_of_people),
        CASE WHEN b.status = 'closed' AND b.said_status = 'closed' THEN b.said_reason END
            AS reason,
        CASE WHEN b.status <> 'closed' THEN NULL WHEN b.said_status = 'closed' AND
            b.said_reason IS NOT NULL THEN b.closed_by_people_at ELSE b.symptoms_stopped_at
            END AS closed_at,
        f.peak_flow_m3_per_h,
        greatest(0, least(f.low, b.estimated_flow_m3_per_h * {FLOW_AT_LEAST}))
            AS flow_low_m3_per_h,
        greatest(f.high, b.estimated_flow_m3_per_h * {FLOW_AT_MOST}) AS flow_high_m3_per_h,
        e.suppressed_by, m.summary, m.generated_by
    FROM both_said AS b
    LEFT JOIN flows AS f USING (incident_id)
    LEFT JOIN explained AS e USING (incident_id)
    LEFT JOIN (
        SELECT incident_id, summary, generated_by FROM incidents.summaries
        QUALIFY row_number() OVER (PARTITION BY incident_id ORDER BY revision DESC) = 1
    ) AS m USING (incident_id)
    """,
    {
        "revision": "the detectors' newest revision; candidates and evidence are keyed with it",
        "status": "`new` (nobody spoke), `open`, `under_investigation`, `field_work` or `closed`",
        "reason": "why a person closed it; null where the symptoms stopped by themselves",
        "people_revision": "number of people's newest word; 0: nobody has spoken",
        "is_supported": "whether the detectors still derive it; false: corrected data removed it",
        "status_changes": "how often people changed its status",
        "turns": "how often the detectors have closed or reopened it",
        "flow_low_m3_per_h": "low end of the flow: 10 % of the last week's days, at most 0.8 of it",
        "flow_high_m3_per_h": "high end: 90 % of the last week's days, at least 1.45 of the flow",
        "suppressed_by": "entry of the maintenance calendar that explains it",
    },
)

CALENDAR = View(
    "incidents",
    "calendar",
    "The maintenance calendar: work during which a detection is no incident.",
    """
    SELECT * EXCLUDE (revision, event) FROM incidents.calendar_events
    WHERE event = 'added' AND entry_id NOT IN (
        SELECT entry_id FROM incidents.calendar_events WHERE event = 'removed'
    )
    """,
)

INCIDENTS = View(
    "incidents",
    "incidents",
    "Current state of each incident, with people's words and its newest summary; without those "
    "that planned work explains.",
    "SELECT * EXCLUDE (suppressed_by) FROM incidents.all_incidents WHERE suppressed_by IS NULL",
    {name: text for name, text in _ALL.columns.items() if name != "suppressed_by"},
)

SUPPRESSED = View(
    "incidents",
    "suppressed",
    "Detections that planned work explains: recorded, and no incident unless they outlast it.",
    """
    SELECT i.network, i.incident_id, i.suppressed_by AS entry_id, 'planned_work' AS reason,
        c.kind, c.begin_at, c.end_at, c.note, i.leak_start, i.detected_at, i.last_seen_at,
        i.estimated_flow_m3_per_h, i.volume_lost_m3, i.zone, i.top_link_id, i.hypothesis_id
    FROM incidents.all_incidents AS i
    JOIN incidents.calendar AS c ON c.entry_id = i.suppressed_by
    """,
)

FORECAST = View(
    "incidents",
    "forecast",
    "What an incident that is not closed loses if nobody mends it: rate x price x time.",
    """
    WITH rates AS (
        SELECT network, incident_id, estimated_flow_m3_per_h * 24 AS m3_per_day,
            value_eur / nullif(volume_lost_m3, 0) AS eur_per_m3
        FROM incidents.incidents WHERE status <> 'closed'
    )
    SELECT *, m3_per_day * eur_per_m3 AS eur_per_day,
        m3_per_day * eur_per_m3 * 365.25 / 12 AS eur_per_month,
        m3_per_day * eur_per_m3 * 365.25 AS eur_per_year
    FROM rates
    """,
    {"eur_per_m3": "price that the incident's loss was valued at"},
)

_CLOSING = """
        SELECT incident_id, actor, happened_at, found_link_id, found_x, found_y, repaired_at,
            seen_revision
        FROM incidents.transitions WHERE action = 'close'
        QUALIFY row_number() OVER (PARTITION BY incident_id ORDER BY revision DESC) = 1
"""

LABELS = View(
    "incidents",
    "labels",
    "What people's closing reasons say of the time of an incident: labels of the next training.",
    f"""
    WITH closing AS ({_CLOSING})
    SELECT i.network, i.incident_id, i.reason,
        CASE i.reason WHEN 'confirmed_leak' THEN 'leak' WHEN 'sensor_fault' THEN 'sensor_fault'
            ELSE 'no_leak' END AS label,
        i.leak_start AS begin_at, coalesce(i.leak_end, i.last_seen_at) AS end_at,
        c.found_link_id AS link_id, i.estimated_flow_m3_per_h,
        i.method, i.method_version, i.is_supported, c.actor, c.happened_at AS closed_at
    FROM incidents.all_incidents AS i JOIN closing AS c USING (incident_id)
    WHERE i.status = 'closed' AND i.reason IS NOT NULL AND i.reason <> 'duplicate'
    """,
    {"label": "`leak`, `no_leak` or `sensor_fault`", "link_id": "pipe on which it was found"},
)

PRECISION = View(
    "incidents",
    "precision",
    "How often a method was right, by version and month of detection, as people closed.",
    """
    WITH counted AS (
        SELECT network, method, method_version, date_trunc('month', detected_at) AS month,
            count(*) AS incidents,
            count(*) FILTER (reason = 'confirmed_leak') AS confirmed,
            count(*) FILTER (reason IN ('false_positive', 'planned_work', 'sensor_fault',
                'demand_change', 'fire_flow')) AS false_alarms,
            count(*) FILTER (reason = 'duplicate') AS duplicates,
            count(*) FILTER (status <> 'closed') AS not_closed,
            count(*) FILTER (status = 'closed' AND reason IS NULL) AS without_reason
        FROM incidents.incidents GROUP BY ALL
    )
    SELECT *, confirmed / nullif(confirmed + false_alarms, 0) AS precision FROM counted
    """,
    {
        "precision": "confirmed / (confirmed + false alarms); null before the first reason",
        "without_reason": "closed because symptoms stopped; nobody said what it was",
    },
)

CONFIRMED_LEAKS = View(
    "incidents",
    "confirmed_leaks",
    "One leak that a crew found, beside what had been said of its place.",
    f"""
    WITH closing AS ({_CLOSING})
    SELECT i.network, i.incident_id, c.found_link_id, c.found_x, c.found_y, i.top_link_id,
        k.rank AS candidate_rank, k.probability AS candidate_probability, d.distance_m,
        i.method, i.method_version, c.actor, c.happened_at AS closed_at
    FROM incidents.all_incidents AS i JOIN closing AS c USING (incident_id)
    LEFT JOIN (
        SELECT k.* FROM incidents.candidates AS k
        JOIN (SELECT incident_id, max(seen_revision) AS seen FROM incidents.transitions
              WHERE action = 'close' GROUP BY incident_id) AS s
            ON s.incident_id = k.incident_id AND k.revision <= s.seen
        QUALIFY k.revision = max(k.revision) OVER (PARTITION BY k.incident_id)
    ) AS k ON k.incident_id = i.incident_id AND k.link_id = c.found_link_id
    LEFT JOIN network.pipe_distance AS d ON d.network = i.network
        AND d.link_a = least(c.found_link_id, i.top_link_id)
        AND d.link_b = greatest(c.found_link_id, i.top_link_id)
    WHERE i.reason = 'confirmed_leak' AND c.found_link_id IS NOT NULL
    """,
    {
        "candidate_rank": "rank of the right pipe; null where it was not among the candidates",
        "distance_m": "along pipes from the best candidate to the right pipe",
    },
)

LOCALIZATION = View(
    "incidents",
    "localization",
    "How sure the place of an incident was at each revision.",
    """
    SELECT network, incident_id, revision, count(*) AS pipes, sum(length_m) AS length_m,
        sum(probability) AS probability,
        -sum(CASE WHEN probability > 0 THEN probability / total * ln(probability / total) END)
            AS entropy_nats,
        count(*) FILTER (cumulative_probability - probability < 0.9) AS pipes_to_90_percent
    FROM (SELECT *, sum(probability) OVER (PARTITION BY incident_id, revision) AS total
          FROM incidents.candidates)
    GROUP BY ALL
    """,
    {"entropy_nats": "of the shares of the listed pipes; 0: one pipe alone"},
)

_TARGETS = ", ".join(f"('{s}', {a}, {b}, {c})" for s, (a, b, c) in ALR_TARGETS_H.items())

ALR_TIMES = View(
    "incidents",
    "alr_times",
    "Awareness, location and repair time of each incident, in hours, beside the targets.",
    f"""
    WITH closing AS ({_CLOSING}), targets(severity, awareness, location, repair) AS (
        VALUES {_TARGETS}
    ), times AS (
        SELECT i.network, i.incident_id, i.severity, i.status, i.leak_start, i.detected_at,
            coalesce(i.field_work_at, i.closed_at) AS located_at,
            CASE WHEN i.status = 'closed'
                THEN coalesce(c.repaired_at, i.leak_end, i.closed_at) END AS repaired_at
        FROM incidents.incidents AS i LEFT JOIN closing AS c USING (incident_id)
    ), hours AS (
        -- `greatest` passes over nulls: what has not happened yet must stay null.
        SELECT *, greatest(0, epoch(detected_at) - epoch(leak_start)) / 3600 AS awareness_h,
            CASE WHEN located_at IS NOT NULL
                THEN greatest(0, epoch(located_at) - epoch(detected_at)) / 3600 END AS location_h,
            CASE WHEN repaired_at IS NOT NULL
                THEN greatest(0, epoch(repaired_at) - epoch(greatest(located_at, detected_at)))
                    / 3600 END AS repair_h
        FROM times
    )
    SELECT h.*, t.awareness AS awareness_target_h, t.location AS location_target_h,
        t.repair AS repair_target_h, awareness_h <= t.awareness AS awareness_met,
        location_h <= t.location AS location_met, repair_h <= t.repair AS repair_met
    FROM hours AS h LEFT JOIN targets AS t USING (severity)
    """,
    {
        "located_at": "when field work began; of one closed without it, when it was closed",
        "repaired_at": "as the crew said, else the estimated end, else when it was closed",
    },
)

NOTIFICATIONS = View(
    "incidents",
    "notifications",
    "Current state of each notification: queued, failed (tried again) or sent.",
    """
    SELECT * FROM incidents.notification_events
    QUALIFY row_number() OVER (PARTITION BY notification_id ORDER BY revision DESC) = 1
    """,
)

VIEWS = (
    CALENDAR,
    _ALL,
    INCIDENTS,
    SUPPRESSED,
    FORECAST,
    LABELS,
    PRECISION,
    CONFIRMED_LEAKS,
    LOCALIZATION,
    ALR_TIMES,
    NOTIFICATIONS,
)
