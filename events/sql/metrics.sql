-- What a worker tells Prometheus of its practices together (daemon/runtime/metrics.py).

-- name: waiting_by_code
-- How many items of each code wait in these practices together.
SELECT code, count(*) AS count FROM chartwire.waiting WHERE practice = ANY($1::text[]) GROUP BY code

-- name: heard_of_sources
-- How many seconds ago each source of these practices said last how far it has come.
SELECT practice, source, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS age
FROM chartwire.checkpoint WHERE practice = ANY($1::text[])
