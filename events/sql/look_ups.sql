-- What the last look-up of a period's encounters found (daemon/tables/look_ups.py).

-- name: save_look_up
-- Insert or replace what was found of a period.
INSERT INTO chartwire.look_up (practice, period, key_id, doc) VALUES ($1, $2, $3, $4)
ON CONFLICT (practice, period) DO UPDATE SET key_id = excluded.key_id, doc = excluded.doc, looked_at = clock_timestamp()

-- name: look_up
-- What was found of a period, and when.
SELECT looked_at, key_id, doc FROM chartwire.look_up WHERE practice = $1 AND period = $2
