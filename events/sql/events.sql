-- The events: appended once, never changed, read in the order of their sequence.

-- name: stamp
-- The time of recording, and which of these events are stored already, in one journey.
SELECT clock_timestamp() AS now,
    ARRAY(SELECT event_id FROM chartwire.event WHERE practice = $1 AND event_id = ANY($2::uuid[])) AS known

-- name: known
-- Which of these events are stored already.
SELECT event_id FROM chartwire.event WHERE practice = $1 AND event_id = ANY($2::uuid[])

-- name: read_one
-- An event by its id.
SELECT * FROM chartwire.event WHERE practice = $1 AND event_id = $2

-- name: read
-- The next events, with epoch and chain: to be checked, exported or published.
SELECT * FROM chartwire.event
WHERE practice = $1 AND sequence > $2 AND sequence <= $3
ORDER BY sequence LIMIT $4

-- name: read_sealed
-- The next events without epoch and chain: to be folded.
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event
WHERE practice = $1 AND sequence > $2 AND sequence <= $3
ORDER BY sequence LIMIT $4

-- name: read_ehr
-- The events about a chart of the chart side.
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event
WHERE practice = $1 AND elation_chart = $2 AND elation_chart IS NOT NULL AND sequence > $3
ORDER BY sequence LIMIT $4

-- name: read_billing
-- The events about a patient of the billing side.
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event
WHERE practice = $1 AND kareo_patient = $2 AND kareo_patient IS NOT NULL AND sequence > $3
ORDER BY sequence LIMIT $4

-- name: read_types
-- The next events of these types. It looks through all of a practice's: an index would cost every recording.
SELECT * FROM chartwire.event WHERE practice = $1 AND sequence > $2 AND sequence <= $3 AND type = ANY($5::text[])
ORDER BY sequence LIMIT $4

-- name: read_practice
-- The next of the practice's own events, which no chart leads to.
SELECT * FROM chartwire.event WHERE practice = $1 AND patient_key = '' AND sequence > $2 AND sequence <= $3
ORDER BY sequence LIMIT $4
