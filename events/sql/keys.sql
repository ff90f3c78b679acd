-- Data keys as workers read them (events/data_keys.py).

-- name: keys_in_force
-- A practice's data keys, or all practices', as they lie there, wrapped, in the order they were made.
SELECT head.practice, head.keys, head.shredded_at, one.key_id, one.purpose, one.wrapped_by, one.wrapped
FROM chartwire.practice_head AS head LEFT JOIN chartwire.data_key AS one USING (practice)
WHERE head.keys > 0 AND ($1::text IS NULL OR head.practice = $1)
ORDER BY head.practice, one.made_at, one.key_id

-- name: key_counts
-- How often each practice's data keys have changed: whoever has read fewer changes reads them again.
SELECT practice, keys FROM chartwire.practice_head WHERE keys > 0

-- name: switched
-- Whether something was turned on.
SELECT EXISTS (SELECT FROM chartwire.switch WHERE name = $1)
