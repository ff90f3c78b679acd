-- What audits, replays and rebuilds read and write.

-- name: by_id
SELECT * FROM chartwire.event WHERE practice = $1 AND event_id = $2

-- name: by_type
SELECT * FROM chartwire.event WHERE practice = $1 AND sequence > $2 AND type = ANY($3::text[]) ORDER BY sequence LIMIT $4

-- name: practice_events
SELECT * FROM chartwire.event WHERE practice = $1 AND patient_key = '' AND sequence > $2 AND sequence <= $3
ORDER BY sequence LIMIT $4

-- name: heads
SELECT practice, sequence, chain FROM chartwire.practice_head ORDER BY practice

-- name: head
SELECT sequence, epoch, chain FROM chartwire.practice_head WHERE practice = $1

-- name: beyond
SELECT min(event.sequence) FROM chartwire.event JOIN chartwire.practice_head AS head USING (practice)
WHERE practice = $1 AND event.sequence > head.sequence

-- name: lock_head
SELECT sequence FROM chartwire.practice_head WHERE practice = $1 FOR UPDATE

-- name: mark_rebuilt
UPDATE chartwire.practice_head SET rebuilt = rebuilt + 1 WHERE practice = $1

-- name: patients
SELECT patient_key, sequence, revisit_on, key_id, doc FROM chartwire.patient WHERE practice = $1 ORDER BY patient_key

-- name: directory
SELECT '' AS patient_key, sequence, key_id, doc FROM chartwire.directory WHERE practice = $1

-- name: chart
SELECT elation_chart, patient_key FROM chartwire.chart WHERE practice = $1

-- name: link
SELECT elation_chart, kareo_patient FROM chartwire.link WHERE practice = $1 ORDER BY kareo_patient

-- name: open_intent
SELECT patient_key, slot, intent, system, state, since FROM chartwire.open_intent WHERE practice = $1

-- name: waiting
SELECT patient_key, slot, code, since FROM chartwire.waiting WHERE practice = $1

-- name: dependency
SELECT depends_on, patient_key FROM chartwire.dependency WHERE practice = $1
