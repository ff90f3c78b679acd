-- The projection tables and what connectors compare with.

-- name: load_patients
SELECT patient_key, sequence, key_id, doc FROM chartwire.patient WHERE practice = $1 AND patient_key = ANY($2::text[])

-- name: read_patients
SELECT patient_key, sequence, key_id, doc FROM chartwire.patient
WHERE practice = $1 AND patient_key > $2 ORDER BY patient_key LIMIT $3

-- name: save_patients
INSERT INTO chartwire.patient (practice, patient_key, sequence, revisit_on, key_id, doc)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::date[], $5::text[], $6::bytea[])
ON CONFLICT (practice, patient_key) DO UPDATE
SET sequence = excluded.sequence, revisit_on = excluded.revisit_on, key_id = excluded.key_id, doc = excluded.doc

-- name: delete_patients
DELETE FROM chartwire.patient WHERE practice = $1 AND patient_key = ANY($2::text[])

-- name: patients_to_revisit
SELECT patient_key FROM chartwire.patient
WHERE practice = $1 AND revisit_on <= $2 ORDER BY revisit_on, patient_key LIMIT $3

-- name: mark_for_revisit
UPDATE chartwire.patient SET revisit_on = $3
WHERE practice = $1 AND patient_key IN (
    SELECT patient_key FROM chartwire.dependency WHERE practice = $1 AND depends_on = ANY($2::text[])
)

-- name: mark_all_for_revisit
UPDATE chartwire.patient SET revisit_on = $2 WHERE practice = $1

-- name: count_to_revisit
SELECT count(*) FROM chartwire.patient WHERE practice = $1 AND revisit_on <= $2

-- name: resolve_charts
SELECT elation_chart, patient_key FROM chartwire.chart WHERE practice = $1 AND elation_chart = ANY($2::bigint[])

-- name: save_charts
INSERT INTO chartwire.chart (practice, elation_chart, patient_key)
SELECT $1, * FROM unnest($2::bigint[], $3::text[])
ON CONFLICT (practice, elation_chart) DO UPDATE SET patient_key = excluded.patient_key

-- name: delete_links
DELETE FROM chartwire.link WHERE practice = $1 AND kareo_patient = ANY($2::bigint[])

-- name: save_links
INSERT INTO chartwire.link (practice, elation_chart, kareo_patient)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])

-- name: links
SELECT elation_chart, kareo_patient FROM chartwire.link WHERE practice = $1 ORDER BY kareo_patient

-- name: load_directory
SELECT sequence, key_id, doc FROM chartwire.directory WHERE practice = $1

-- name: save_directory
INSERT INTO chartwire.directory (practice, sequence, key_id, doc) VALUES ($1, $2, $3, $4)
ON CONFLICT (practice) DO UPDATE SET sequence = excluded.sequence, key_id = excluded.key_id, doc = excluded.doc

-- name: clear_open
WITH intents AS (DELETE FROM chartwire.open_intent WHERE practice = $1 AND patient_key = ANY($2::text[])),
    waits AS (DELETE FROM chartwire.waiting WHERE practice = $1 AND patient_key = ANY($3::text[]))
DELETE FROM chartwire.dependency WHERE practice = $1 AND patient_key = ANY($3::text[])

-- name: save_open_intents
INSERT INTO chartwire.open_intent (practice, patient_key, slot, intent, system, state, since)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])

-- name: list_open_intents
SELECT patient_key, slot, intent, system, state, since FROM chartwire.open_intent WHERE practice = $1

-- name: save_waiting
INSERT INTO chartwire.waiting (practice, patient_key, slot, code, since)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])

-- name: save_dependencies
INSERT INTO chartwire.dependency (practice, depends_on, patient_key)
SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING

-- name: lookup_observed
SELECT resource, record, content_hash, revision, parent FROM chartwire.observed
WHERE practice = $1 AND system = $2
    AND (resource, record) IN (SELECT * FROM unnest($3::text[], $4::text[]))

-- name: observed_records
SELECT record, content_hash, parent FROM chartwire.observed
WHERE practice = $1 AND system = $2 AND resource = $3 ORDER BY record

-- name: save_observed
INSERT INTO chartwire.observed AS known (practice, system, resource, record, content_hash, revision, parent)
SELECT $1, system, resource, record, content_hash, 1, parent
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS new (system, resource, record, content_hash, parent)
ON CONFLICT (practice, system, resource, record) DO UPDATE
SET content_hash = excluded.content_hash, parent = excluded.parent, seen_at = clock_timestamp(),
    revision = known.revision + (known.content_hash <> excluded.content_hash)::integer

-- name: get_checkpoint
SELECT value FROM chartwire.checkpoint WHERE practice = $1 AND source = $2

-- name: set_checkpoint
INSERT INTO chartwire.checkpoint (practice, source, value) VALUES ($1, $2, $3)
ON CONFLICT (practice, source) DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()

-- name: get_subscriptions
SELECT resource, subscription, signing_key FROM chartwire.subscription WHERE practice = $1

-- name: put_subscription
INSERT INTO chartwire.subscription (practice, resource, subscription, target, signing_key) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (practice, resource) DO UPDATE
SET subscription = excluded.subscription, target = excluded.target, signing_key = excluded.signing_key

-- name: save_reports
INSERT INTO chartwire.report AS known (practice, epoch, doc)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::jsonb[])
ON CONFLICT (practice) DO UPDATE SET epoch = excluded.epoch, doc = excluded.doc, reported_at = clock_timestamp()
WHERE known.epoch <= excluded.epoch

-- name: status_head
SELECT sequence, epoch, owner, taken_at, doc, extract(epoch FROM clock_timestamp() - reported_at)::float8 AS report_age
FROM chartwire.practice_head LEFT JOIN chartwire.report USING (practice, epoch) WHERE practice = $1

-- name: status_sources
SELECT source, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS age FROM chartwire.checkpoint
WHERE practice = $1 ORDER BY source

-- name: status_intents
SELECT system, state, count(*) AS count, min(since) AS oldest FROM chartwire.open_intent
WHERE practice = $1 GROUP BY system, state ORDER BY system, state

-- name: status_waiting
SELECT code, count(*) AS count FROM chartwire.waiting WHERE practice = $1 GROUP BY code ORDER BY code

-- name: waiting_patients
SELECT DISTINCT patient_key FROM chartwire.waiting
WHERE practice = $1 AND patient_key <> '' AND ($2::text IS NULL OR code = $2)
