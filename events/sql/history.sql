-- What events are found by (daemon/tables/history_terms.py), and the searches of the history.

-- name: history_head
-- Up to which event the terms are kept, by which rules.
SELECT sequence, rules FROM chartwire.history_head WHERE practice = $1

-- name: advance_history_head
-- The terms of all events up to this one are kept.
INSERT INTO chartwire.history_head (practice, sequence, rules) VALUES ($1, $2, $3)
ON CONFLICT (practice) DO UPDATE SET sequence = excluded.sequence, rules = excluded.rules
WHERE history_head.sequence < excluded.sequence

-- name: clear_history_head
-- Nothing is kept any more.
DELETE FROM chartwire.history_head WHERE practice = $1

-- name: save_history_terms
-- Terms of events.
INSERT INTO chartwire.history_term (practice, term, sequence)
SELECT $1, * FROM unnest($2::bytea[], $3::bigint[]) ON CONFLICT DO NOTHING

-- name: clear_history_terms
-- All terms.
DELETE FROM chartwire.history_term WHERE practice = $1

-- name: all_history_terms
-- All terms.
SELECT term, sequence FROM chartwire.history_term WHERE practice = $1

-- name: last_of_ehr_charts
-- The last event of a type about each of these charts of the chart side, before an event.
SELECT found.* FROM unnest($2::bigint[]) AS one (id) CROSS JOIN LATERAL (
    SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
        observed_at, modified_at, recorded_at, cause, correlation, key_id, body
    FROM chartwire.event
    WHERE practice = $1 AND elation_chart = one.id AND elation_chart IS NOT NULL AND sequence < $3 AND type = $4
    ORDER BY sequence DESC LIMIT 1
) AS found

-- name: last_of_billing_charts
-- The last event of a type about each of these patients of the billing side, before an event.
SELECT found.* FROM unnest($2::bigint[]) AS one (id) CROSS JOIN LATERAL (
    SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
        observed_at, modified_at, recorded_at, cause, correlation, key_id, body
    FROM chartwire.event
    WHERE practice = $1 AND kareo_patient = one.id AND kareo_patient IS NOT NULL AND sequence < $3 AND type = $4
    ORDER BY sequence DESC LIMIT 1
) AS found

-- name: history_by_term
-- Events with both terms (twice the same for one) between two, the last first.
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event JOIN (
    SELECT one.sequence AS at FROM chartwire.history_term AS one
    WHERE one.practice = $1 AND one.term = $2 AND one.sequence > $4 AND one.sequence < $5
        AND EXISTS (
            SELECT FROM chartwire.history_term AS other
            WHERE other.practice = $1 AND other.term = $3 AND other.sequence = one.sequence
        )
    ORDER BY one.sequence DESC LIMIT $6
) AS found ON practice = $1 AND sequence = found.at
ORDER BY sequence DESC

-- name: history_of_charts
-- Events about either of these charts (or none) between two that have each of these terms, the last first.
SELECT found.* FROM (
    SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
        observed_at, modified_at, recorded_at, cause, correlation, key_id, body
    FROM chartwire.event
    WHERE practice = $1 AND elation_chart = $2 AND elation_chart IS NOT NULL AND sequence > $5 AND sequence < $6
    UNION
    SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
        observed_at, modified_at, recorded_at, cause, correlation, key_id, body
    FROM chartwire.event
    WHERE practice = $1 AND kareo_patient = $3 AND kareo_patient IS NOT NULL AND sequence > $5 AND sequence < $6
) AS found
WHERE (
    SELECT count(*) FROM chartwire.history_term AS one
    WHERE one.practice = $1 AND one.term = ANY($4::bytea[]) AND one.sequence = found.sequence
) = cardinality($4::bytea[])
ORDER BY found.sequence DESC LIMIT $7

-- name: history_between
-- Events between two, the last first.
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event WHERE practice = $1 AND sequence > $2 AND sequence < $3 ORDER BY sequence DESC LIMIT $4

-- name: recorded_at
-- When an event was recorded.
SELECT recorded_at FROM chartwire.event WHERE practice = $1 AND sequence = $2
