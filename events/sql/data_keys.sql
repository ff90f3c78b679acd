-- Making, rewrapping and destroying data keys, and what a finished migration turns on.

-- name: switch_on
-- Turn something on, once and for all.
INSERT INTO chartwire.switch (name) VALUES ($1) ON CONFLICT DO NOTHING

-- name: practices
-- Every practice that has a head.
SELECT practice FROM chartwire.practice_head ORDER BY practice

-- name: older_owners
-- Practices whose last owner cannot read data keys, which they have not got yet; of those configured ($2) also of a format below $1.
SELECT practice, owner FROM chartwire.practice_head
WHERE owner <> '' AND shredded_at IS NULL
    AND (keys = 0 AND epoch <> reader_epoch OR practice = ANY ($2) AND (format_epoch <> epoch OR format < $1))
ORDER BY practice

-- name: owner
-- Who has the practice.
SELECT owner FROM chartwire.practice_head WHERE practice = $1

-- name: make_head
-- A head for a practice that nobody has taken over yet, to be locked.
INSERT INTO chartwire.practice_head (practice) VALUES ($1) ON CONFLICT DO NOTHING

-- name: lock_keys
-- Whether the practice has data keys; its writer waits until the transaction ends.
SELECT keys, shredded_at FROM chartwire.practice_head WHERE practice = $1 FOR UPDATE

-- name: keys_changed
-- The practice's data keys have changed: its writer reads them again.
UPDATE chartwire.practice_head SET keys = keys + 1 WHERE practice = $1

-- name: keys_used
-- The keys that the practice's events and documents are sealed with; read once, when data keys are made.
SELECT key_id FROM chartwire.event WHERE practice = $1
UNION SELECT key_id FROM chartwire.patient WHERE practice = $1
UNION SELECT key_id FROM chartwire.directory WHERE practice = $1

-- name: insert_keys
-- New data keys, wrapped.
INSERT INTO chartwire.data_key (practice, key_id, purpose, wrapped_by, wrapped)
SELECT $1, key_id, purpose, wrapped_by, wrapped
FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[]) AS new (key_id, purpose, wrapped_by, wrapped)

-- name: rewrap_keys
-- The same data keys, wrapped by another key file.
UPDATE chartwire.data_key AS old SET wrapped_by = new.wrapped_by, wrapped = new.wrapped
FROM unnest($2::text[], $3::text[], $4::bytea[]) AS new (key_id, wrapped_by, wrapped)
WHERE old.practice = $1 AND old.key_id = new.key_id

-- name: delete_keys
-- The practice is shredded: its data keys.
DELETE FROM chartwire.data_key WHERE practice = $1

-- name: mark_shredded
-- The practice is shredded: its owner is fenced, and nobody makes it keys again.
UPDATE chartwire.practice_head
SET shredded_at = coalesce(shredded_at, clock_timestamp()), keys = keys + 1, epoch = epoch + 1
WHERE practice = $1
RETURNING shredded_at

-- name: delete_signing_keys
-- The practice is shredded: what its webhooks are checked by.
DELETE FROM chartwire.subscription WHERE practice = $1

-- name: delete_observed
-- The practice is shredded: what was compared with.
DELETE FROM chartwire.observed WHERE practice = $1

-- name: plain_hashes
-- The next records with their hashes, plain or keyed.
SELECT system, resource, record, content_hash FROM chartwire.observed
WHERE practice = $1 AND (system, resource, record) > ($2, $3, $4)
ORDER BY system, resource, record LIMIT $5

-- name: replace_hashes
-- Keyed hashes in the place of plain ones, unless a worker was faster.
UPDATE chartwire.observed AS old SET content_hash = new.keyed
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS new (system, resource, record, plain, keyed)
WHERE old.practice = $1 AND old.system = new.system AND old.resource = new.resource AND old.record = new.record
    AND old.content_hash = new.plain
