-- The projections as a whole: what a comparison reads and a rebuild removes (daemon/tables/rows.py: LISTS).

-- name: clear_patients
-- All documents of patients.
DELETE FROM chartwire.patient WHERE practice = $1

-- name: clear_directory
-- The directory.
DELETE FROM chartwire.directory WHERE practice = $1

-- name: all_charts
-- Which patient each chart belongs to.
SELECT elation_chart AS ehr, patient_key FROM chartwire.chart WHERE practice = $1

-- name: clear_charts
-- All charts.
DELETE FROM chartwire.chart WHERE practice = $1

-- name: clear_links
-- All links.
DELETE FROM chartwire.link WHERE practice = $1

-- name: clear_open_intents
-- All open intents.
DELETE FROM chartwire.open_intent WHERE practice = $1

-- name: all_waiting
-- All waiting items.
SELECT patient_key, slot, code, since FROM chartwire.waiting WHERE practice = $1

-- name: clear_waiting
-- All waiting items.
DELETE FROM chartwire.waiting WHERE practice = $1

-- name: all_dependencies
-- All that would change something about somebody.
SELECT depends_on, patient_key FROM chartwire.dependency WHERE practice = $1

-- name: clear_dependencies
-- All dependencies.
DELETE FROM chartwire.dependency WHERE practice = $1
