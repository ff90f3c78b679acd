-- Who waits for the practice's maps, for looking at what a row of them would lead to.

-- name: patients_waiting_for
-- The patients that wait for this, so many at most.
SELECT patient_key FROM chartwire.dependency WHERE practice = $1 AND depends_on = $2 ORDER BY patient_key LIMIT $3

-- name: first_patients
-- The first patients in the order of their keys.
SELECT patient_key FROM chartwire.patient WHERE practice = $1 ORDER BY patient_key LIMIT $2
