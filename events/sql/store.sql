-- The event store.

-- name: take_over
INSERT INTO chartwire.practice_head AS head (practice, epoch, reader_epoch, owner, taken_at)
VALUES ($1, 1, 1, $2, clock_timestamp())
ON CONFLICT (practice) DO UPDATE
SET epoch = head.epoch + 1, reader_epoch = head.epoch + 1, owner = excluded.owner, taken_at = excluded.taken_at
RETURNING epoch

-- name: lock_head
SELECT sequence, epoch, chain, rebuilt, keys FROM chartwire.practice_head WHERE practice = $1 FOR UPDATE

-- name: epoch
SELECT epoch FROM chartwire.practice_head WHERE practice = $1

-- name: head
SELECT sequence FROM chartwire.practice_head WHERE practice = $1

-- name: advance_head
WITH advanced AS (UPDATE chartwire.practice_head SET sequence = $2, chain = $3 WHERE practice = $1 RETURNING practice)
SELECT pg_notify($4, practice) FROM advanced

-- name: stamp
SELECT clock_timestamp() AS now,
    ARRAY(SELECT event_id FROM chartwire.event WHERE practice = $1 AND event_id = ANY($2::uuid[])) AS known

-- name: known
SELECT event_id FROM chartwire.event WHERE practice = $1 AND event_id = ANY($2::uuid[])

-- name: read_one
SELECT * FROM chartwire.event WHERE practice = $1 AND event_id = $2

-- name: read
SELECT * FROM chartwire.event
WHERE practice = $1 AND sequence > $2 AND sequence <= $3
ORDER BY sequence LIMIT $4

-- name: read_sealed
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event
WHERE practice = $1 AND sequence > $2 AND sequence <= $3
ORDER BY sequence LIMIT $4

-- name: read_ehr
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event
WHERE practice = $1 AND elation_chart = $2 AND elation_chart IS NOT NULL AND sequence > $3
ORDER BY sequence LIMIT $4

-- name: read_billing
SELECT practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
    observed_at, modified_at, recorded_at, cause, correlation, key_id, body
FROM chartwire.event
WHERE practice = $1 AND kareo_patient = $2 AND kareo_patient IS NOT NULL AND sequence > $3
ORDER BY sequence LIMIT $4
