-- What people were told (daemon/runtime/notifier.py).

-- name: notices
-- What was told of these practices.
SELECT practice, audience, doc FROM chartwire.notice WHERE practice = ANY($1::text[])

-- name: save_notice
-- What is told now, by the practice's owner of this epoch; nothing is saved for any other.
INSERT INTO chartwire.notice AS known (practice, audience, epoch, doc)
SELECT $1, $2, $3, $4::jsonb FROM chartwire.practice_head WHERE practice = $1 AND epoch = $3
ON CONFLICT (practice, audience) DO UPDATE SET epoch = excluded.epoch, doc = excluded.doc, updated_at = clock_timestamp()
WHERE known.epoch <= excluded.epoch
RETURNING practice

-- name: waiting_of_each
-- What waits in each of these practices by code, and since when the first of it does.
SELECT practice, code, count(*) AS count, min(since) AS since FROM chartwire.waiting
WHERE practice = ANY($1::text[]) GROUP BY practice, code
