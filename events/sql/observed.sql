-- What connectors compare with, how far their passes have come, and their webhook subscriptions.

-- name: lookup_observed
-- What was recorded last of these records.
SELECT resource, record, content_hash, revision, parent, seen_at FROM chartwire.observed
WHERE practice = $1 AND system = $2
    AND (resource, record) IN (SELECT * FROM unnest($3::text[], $4::text[]))

-- name: observed_records
-- All records of a resource.
SELECT record, content_hash, parent FROM chartwire.observed
WHERE practice = $1 AND system = $2 AND resource = $3 ORDER BY record

-- name: save_observed
-- Notes of records; a new content raises the revision.
INSERT INTO chartwire.observed AS known (practice, system, resource, record, content_hash, revision, parent)
SELECT $1, system, resource, record, content_hash, 1, parent
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS new (system, resource, record, content_hash, parent)
ON CONFLICT (practice, system, resource, record) DO UPDATE
SET content_hash = excluded.content_hash, parent = excluded.parent, seen_at = clock_timestamp(),
    revision = known.revision + (known.content_hash <> excluded.content_hash)::integer

-- name: get_checkpoint
-- How far a source has come.
SELECT value FROM chartwire.checkpoint WHERE practice = $1 AND source = $2

-- name: set_checkpoint
-- A source has come this far.
INSERT INTO chartwire.checkpoint (practice, source, value) VALUES ($1, $2, $3)
ON CONFLICT (practice, source) DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()

-- name: get_subscriptions
-- All webhook subscriptions.
SELECT resource, subscription, target, signing_key FROM chartwire.subscription WHERE practice = $1

-- name: put_subscription
-- Insert or replace the subscription of a resource.
INSERT INTO chartwire.subscription (practice, resource, subscription, target, signing_key) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (practice, resource) DO UPDATE
SET subscription = excluded.subscription, target = excluded.target, signing_key = excluded.signing_key
