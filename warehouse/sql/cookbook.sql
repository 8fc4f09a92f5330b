-- Queries to start from: duckdb -readonly warehouse/leak.duckdb < warehouse/sql/cookbook.sql

-- The short names: incidents with their cost, scores, balance of areas, health of sensors, lineage.
SELECT incident_id, status, severity, top_link_id, eur_per_month FROM v_incidents ORDER BY ALL;
SELECT network, window_end, anomaly_score FROM v_scores WHERE is_alarm ORDER BY ALL;
SELECT network, zone_id, local_date, net_inflow_m3, losses_m3, ili, is_indication
FROM v_dma_balance ORDER BY ALL;
SELECT network, sensor_id, quantity, day, health, reason_names FROM v_sensor_quality
WHERE health < 0.9 ORDER BY ALL;
SELECT table_name, partition, input_kind, input_name, input_version FROM v_lineage
WHERE table_name = 'incidents.incident_events' ORDER BY ALL;

-- What to act on, most expensive first.
SELECT incident_id, status, severity, leak_start, detected_at,
    round(estimated_flow_m3_per_h, 1) AS m3_per_h, round(value_eur) AS eur, top_link_id
FROM incidents.incidents
ORDER BY value_eur DESC;

-- Where to dig: candidate pipes of each incident's newest state, with the metres up to there.
SELECT c.incident_id, c.rank, c.link_id, c.probability, c.cumulative_probability,
    sum(c.length_m) OVER (PARTITION BY c.incident_id ORDER BY c.rank) AS metres_so_far
FROM incidents.candidates AS c
JOIN incidents.incidents AS i USING (incident_id, revision)
ORDER BY c.incident_id, c.rank;

-- How an incident came to be what it is, state by state.
SELECT incident_id, revision, event, event_at, severity, estimated_flow_m3_per_h, top_link_id
FROM incidents.incident_events
ORDER BY incident_id, revision;

-- The flow and the loss of each incident, day by day.
SELECT incident_id, day, round(flow_m3_per_h, 1) AS m3_per_h, round(volume_lost_m3) AS m3_lost,
    round(value_eur) AS eur, top_link_id, status
FROM incidents.incident_days
ORDER BY incident_id, day;

-- What the detection methods believe now, beside the incidents that one of them raised.
SELECT h.network, h.method, h.kind, h.status, h.element_id, h.onset_at,
    round(h.flow_m3_per_h, 1) AS m3_per_h, round(h.probability, 2) AS probability, i.incident_id
FROM detection.hypotheses AS h
LEFT JOIN incidents.incidents AS i USING (network, method, hypothesis_id)
QUALIFY row_number() OVER (PARTITION BY network, method, hypothesis_id ORDER BY h.at DESC) = 1
ORDER BY h.network, h.method, h.probability DESC;

-- From the readings of a day back to the files that they came in.
SELECT DISTINCT l.file_path AS file, l.file_sha256 AS sha256, l.received_at
FROM telemetry.readings AS r
JOIN telemetry.ingest_ledger AS l
    ON l.source = r.source AND l.file_sha256 = split_part(r.message_id, ':', 1)
WHERE r.ts_utc::DATE = DATE '2019-03-08'
ORDER BY file;

-- Labels of training windows from the leak truth alone (at least half of the window's steps).
SELECT w.scenario_id, w.window_start, w.is_leak, count(*) AS active_steps
FROM (SELECT DISTINCT scenario_id, window_start, window_end, is_leak
      FROM features.training_windows) AS w
JOIN simulation.leak_truth AS t USING (scenario_id)
CROSS JOIN generate_series(0, 35) AS s(step)
WHERE w.window_start + s.step * INTERVAL 5 MINUTE >= t.leak_start
    AND w.window_start + s.step * INTERVAL 5 MINUTE < t.leak_end
GROUP BY ALL
HAVING w.is_leak <> (count(*) >= 18);

-- No scenario stands in two towns, so none can stand in two splits: no row.
SELECT scenario_id FROM simulation.scenarios GROUP BY scenario_id HAVING count(DISTINCT batch) > 1;

-- What could not be used, by reason.
SELECT file_path, reason, count(*) AS rows, any_value(message) AS example
FROM telemetry.quarantine GROUP BY ALL ORDER BY rows DESC;

-- Which models are in use, and how good they were on towns they had never seen.
SELECT r.network, r.model, r.version, e.metric, e.value, e.gate
FROM models.registry AS r
JOIN models.evaluations AS e USING (network, model, version)
WHERE r.status = 'champion' AND e.split = 'test'
ORDER BY ALL;

-- Which three sensors see a leak at a pipe best, by day and by night.
SELECT link_id, hour, quantity, sensor_id, round(residual_si, 4) AS residual_si
FROM simulation.leak_signatures
WHERE network = 'l-town' AND link_id = 'p523' AND hour IN (3, 12)
QUALIFY row_number() OVER (
    PARTITION BY hour, leak_m3_per_s ORDER BY abs(residual_si) DESC
) <= 3
ORDER BY hour, leak_m3_per_s, abs(residual_si) DESC;

-- What happened in simulated towns besides leaks: events and sensor faults, by kind.
SELECT 'event' AS what, kind, count(*) AS times, round(avg(volume_m3), 1) AS mean_m3
FROM simulation.event_truth GROUP BY ALL
UNION ALL
SELECT 'sensor fault', kind, count(*), NULL FROM simulation.sensor_fault_labels GROUP BY ALL
ORDER BY ALL;

-- Telemetry of a scenario while one of its sensors was wrong.
SELECT t.ts_utc, t.value_si, f.kind
FROM simulation.sensor_fault_labels AS f
JOIN simulation.telemetry AS t
    ON t.scenario_id = f.scenario_id AND t.element_id = f.sensor_id AND t.quantity = f.quantity
    AND t.ts_utc >= f.fault_start AND t.ts_utc < f.fault_end
ORDER BY t.scenario_id, t.ts_utc LIMIT 20;

-- Nights that are unusual for their area, worst first: what to look at, not incidents.
SELECT network, zone_id, night, round(mnf_m3_per_h, 1) AS m3_per_h,
    round(excess_m3_per_h, 1) AS above_usual, nights_above
FROM water.night_flow_bands WHERE is_indication
ORDER BY excess_m3_per_h DESC;

-- Water balance of each area by month: input, night flow, losses, index.
SELECT network, zone_id, date_trunc('month', local_date) AS month,
    round(avg(net_inflow_m3)) AS m3_per_day, round(median(mnf_m3_per_h), 1) AS mnf_m3_per_h,
    round(avg(losses_m3)) AS lost_m3_per_day, round(avg(ili), 1) AS ili,
    round(100 * sum(non_revenue_m3) / sum(net_inflow_m3) FILTER (used_m3 IS NOT NULL), 1) AS nrw_pct
FROM water.dma_balance_daily
GROUP BY ALL ORDER BY network, zone_id, month;

-- System input volume of each site by day: areas hand on to each other, so net inflows add up.
SELECT network, local_date, round(sum(net_inflow_m3)) AS m3, count(net_inflow_m3) = count(*) AS is_whole
FROM water.dma_balance_daily GROUP BY ALL ORDER BY network, local_date;

-- How often each method was right, as people closed its incidents.
SELECT method, method_version, month, incidents, confirmed, false_alarms, round(precision, 2) AS precision
FROM incidents.precision ORDER BY ALL;

-- Leaks that took longer than they should, and which of the three times did.
SELECT incident_id, severity, round(awareness_h) AS awareness_h, round(location_h) AS location_h,
    round(repair_h) AS repair_h
FROM incidents.alr_times
WHERE NOT (awareness_met AND location_met AND repair_met)
ORDER BY incident_id;

-- Where crews found leaks, beside what had been said.
SELECT incident_id, found_link_id, top_link_id, candidate_rank, round(distance_m) AS distance_m
FROM incidents.confirmed_leaks ORDER BY incident_id;

-- The raw row of every reading: one for what was delivered, none for what was estimated. A file
-- that came twice with another clock has its messages twice, which the time of receipt tells apart.
SELECT r.network, r.sensor_id, r.quantity, r.ts_utc, r.source, r.message_id,
       count(w.message_id) AS raw_rows, any_value(w.raw_text) AS raw_text,
       any_value(w.unit) AS unit, any_value(w.ts_utc) AS device_ts_utc
FROM telemetry.readings r
LEFT JOIN telemetry.raw_readings w
  USING (network, sensor_id, quantity, source, message_id, received_at)
GROUP BY ALL;
