-- What is open and what waits, as lists; and which patients are to be looked at again.

-- name: clear_open
-- What was open, and what waited, of these patients.
WITH intents AS (DELETE FROM chartwire.open_intent WHERE practice = $1 AND patient_key = ANY($2::text[])),
    waits AS (DELETE FROM chartwire.waiting WHERE practice = $1 AND patient_key = ANY($3::text[]))
DELETE FROM chartwire.dependency WHERE practice = $1 AND patient_key = ANY($3::text[])

-- name: list_open_intents
-- All open intents.
SELECT patient_key, slot, intent, system, state, since FROM chartwire.open_intent WHERE practice = $1

-- name: open_in_slot
-- Those of these patients that have an open intent in this slot, or an item that waits.
SELECT patient_key FROM chartwire.open_intent WHERE practice = $1 AND patient_key = ANY($2::text[]) AND slot = $3
UNION
SELECT patient_key FROM chartwire.waiting WHERE practice = $1 AND patient_key = ANY($2::text[]) AND slot = $3

-- name: holder_of_intent
-- The patient that has this open intent.
SELECT patient_key FROM chartwire.open_intent WHERE practice = $1 AND intent = $2

-- name: save_open_intents
-- New open intents.
INSERT INTO chartwire.open_intent (practice, patient_key, slot, intent, system, state, since)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])

-- name: waiting_patients
-- The patients for whom anything waits, or something of this code.
SELECT DISTINCT patient_key FROM chartwire.waiting
WHERE practice = $1 AND patient_key <> '' AND ($2::text IS NULL OR code = $2)

-- name: waiting_of_practice
-- The practice's own items.
SELECT slot, code, since FROM chartwire.waiting WHERE practice = $1 AND patient_key = ''

-- name: save_waiting
-- New waiting items.
INSERT INTO chartwire.waiting (practice, patient_key, slot, code, since)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])

-- name: save_dependencies
-- What would change something about a patient; the same twice is once.
INSERT INTO chartwire.dependency (practice, depends_on, patient_key)
SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING

-- name: patients_to_revisit
-- The patients that are due, the longest due first.
SELECT patient_key FROM chartwire.patient
WHERE practice = $1 AND revisit_on <= $2 ORDER BY revisit_on, patient_key LIMIT $3

-- name: count_to_revisit
-- How many patients are due.
SELECT count(*) FROM chartwire.patient WHERE practice = $1 AND revisit_on <= $2

-- name: mark_for_revisit
-- The patients that wait for any of these are due.
UPDATE chartwire.patient SET revisit_on = $3
WHERE practice = $1 AND patient_key IN (
    SELECT patient_key FROM chartwire.dependency WHERE practice = $1 AND depends_on = ANY($2::text[])
)

-- name: mark_all_for_revisit
-- Every patient is due.
UPDATE chartwire.patient SET revisit_on = $2 WHERE practice = $1
