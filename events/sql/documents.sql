-- The projections as sealed documents: one a patient, and the practice's directory.

-- name: load_patients
-- These patients.
SELECT patient_key, sequence, key_id, doc FROM chartwire.patient WHERE practice = $1 AND patient_key = ANY($2::text[])

-- name: read_patients
-- The next patients in the order of their keys.
SELECT patient_key, sequence, revisit_on, key_id, doc FROM chartwire.patient
WHERE practice = $1 AND patient_key > $2 ORDER BY patient_key LIMIT $3

-- name: save_patients
-- Insert or replace patients; one that an older worker has saved stays to be matched, and its days to be kept, anew.
INSERT INTO chartwire.patient AS known (practice, patient_key, sequence, revisit_on, key_id, doc, matched, dayed)
SELECT $1, one.*, one.sequence, one.sequence FROM unnest($2::text[], $3::bigint[], $4::date[], $5::text[], $6::bytea[])
    AS one (patient_key, sequence, revisit_on, key_id, doc)
ON CONFLICT (practice, patient_key) DO UPDATE
SET sequence = excluded.sequence, revisit_on = excluded.revisit_on, key_id = excluded.key_id, doc = excluded.doc,
    matched = CASE WHEN known.matched = known.sequence THEN excluded.sequence ELSE known.matched END,
    dayed = CASE WHEN known.dayed = known.sequence THEN excluded.sequence ELSE known.dayed END

-- name: delete_patients
-- Patients that were absorbed by others.
DELETE FROM chartwire.patient WHERE practice = $1 AND patient_key = ANY($2::text[])

-- name: load_directory
-- The directory.
SELECT sequence, key_id, doc, folded <> sequence AS outdated FROM chartwire.directory WHERE practice = $1

-- name: save_directory
-- Insert or replace the directory.
INSERT INTO chartwire.directory (practice, sequence, key_id, doc, folded) VALUES ($1, $2, $3, $4, $2)
ON CONFLICT (practice) DO UPDATE
SET sequence = excluded.sequence, key_id = excluded.key_id, doc = excluded.doc, folded = excluded.folded
