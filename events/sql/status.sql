-- What `chartwire status` shows.

-- name: save_reports
-- What owners say of their practices; an older epoch's does not replace a newer one's.
INSERT INTO chartwire.report AS known (practice, epoch, doc)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::jsonb[])
ON CONFLICT (practice) DO UPDATE SET epoch = excluded.epoch, doc = excluded.doc, reported_at = clock_timestamp()
WHERE known.epoch <= excluded.epoch

-- name: status_head
-- The practice's owner, and what it said last.
SELECT sequence, epoch, owner, taken_at, doc, extract(epoch FROM clock_timestamp() - reported_at)::float8 AS report_age
FROM chartwire.practice_head LEFT JOIN chartwire.report USING (practice, epoch) WHERE practice = $1

-- name: heads_at_a_glance
-- What the owners of practices said last.
SELECT practice, doc, extract(epoch FROM clock_timestamp() - reported_at)::float8 AS report_age
FROM chartwire.practice_head LEFT JOIN chartwire.report USING (practice, epoch) WHERE practice = ANY($1::text[])

-- name: waiting_at_a_glance
-- How many items wait in each of these practices.
SELECT practice, count(*) AS count FROM chartwire.waiting WHERE practice = ANY($1::text[]) GROUP BY practice

-- name: status_sources
-- How far each source has come, and how long ago that was said.
SELECT source, value, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS age FROM chartwire.checkpoint
WHERE practice = $1 ORDER BY source

-- name: status_intents
-- Open intents by system and state.
SELECT system, state, count(*) AS count, min(since) AS oldest FROM chartwire.open_intent
WHERE practice = $1 GROUP BY system, state ORDER BY system, state

-- name: status_waiting
-- Waiting items by code.
SELECT code, count(*) AS count FROM chartwire.waiting WHERE practice = $1 GROUP BY code ORDER BY code

-- name: waiting_by_code
-- How many items of each code wait in these practices together.
SELECT code, count(*) AS count FROM chartwire.waiting WHERE practice = ANY($1::text[]) GROUP BY code

-- name: heard_of_sources
-- How many seconds ago each source of these practices said last how far it has come.
SELECT practice, source, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS age
FROM chartwire.checkpoint WHERE practice = ANY($1::text[])
