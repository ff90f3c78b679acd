-- What a worker tells Prometheus of its practices together (daemon/runtime/metrics.py), and what `chartwire doctor` asks.

-- name: waiting_by_code
-- How many items of each code wait in these practices together.
SELECT code, count(*) AS count FROM chartwire.waiting WHERE practice = ANY($1::text[]) GROUP BY code

-- name: heard_of_sources
-- How many seconds ago each source of these practices said last how far it has come.
SELECT practice, source, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS age
FROM chartwire.checkpoint WHERE practice = ANY($1::text[])

-- name: waiting_longest
-- What waits in a practice by code, and since when the first of it does.
SELECT code, count(*) AS count, min(since) AS since FROM chartwire.waiting WHERE practice = $1 GROUP BY code ORDER BY code

-- name: link_of
-- The chain's link of an event.
SELECT chain FROM chartwire.event WHERE practice = $1 AND sequence = $2
