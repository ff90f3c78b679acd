-- On which days patients have appointments or bills (daemon/tables/days.py), by keyed hash.

-- name: patients_of_days
-- Patients with any of these days, and those of whom an older worker has left it unsaid; all where the hashes are of another secret.
SELECT patient_key FROM chartwire.patient_day WHERE practice = $1 AND day = ANY($2::bytea[])
UNION
SELECT patient_key FROM chartwire.patient WHERE practice = $1 AND dayed <> sequence
UNION
SELECT patient_key FROM chartwire.patient WHERE practice = $1
AND NOT EXISTS (SELECT FROM chartwire.patient_day WHERE practice = $1 AND day = $3 AND patient_key = '')

-- name: save_days
-- New days of patients.
INSERT INTO chartwire.patient_day (practice, day, patient_key)
SELECT $1, * FROM unnest($2::bytea[], $3::text[]) ON CONFLICT DO NOTHING

-- name: delete_days
-- Days that patients have no longer.
DELETE FROM chartwire.patient_day AS one USING unnest($2::bytea[], $3::text[]) AS gone (day, patient_key)
WHERE one.practice = $1 AND one.day = gone.day AND one.patient_key = gone.patient_key

-- name: all_days
-- All days, without the mark.
SELECT day, patient_key FROM chartwire.patient_day WHERE practice = $1 AND patient_key <> ''

-- name: clear_days
-- All days, and the mark.
DELETE FROM chartwire.patient_day WHERE practice = $1

-- name: any_not_dayed
-- Whether an older worker has saved a patient and left the days alone, or the mark of these hashes is not there.
SELECT EXISTS (SELECT FROM chartwire.patient WHERE practice = $1 AND dayed <> sequence)
OR NOT EXISTS (SELECT FROM chartwire.patient_day WHERE practice = $1 AND day = $2 AND patient_key = '') AS found

-- name: mark_dayed
-- The days of all patients are kept.
UPDATE chartwire.patient SET dayed = sequence WHERE practice = $1 AND dayed <> sequence
