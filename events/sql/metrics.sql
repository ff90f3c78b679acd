-- What `chartwire doctor` asks.

-- name: waiting_longest
-- What waits in a practice by code, and since when the first of it does.
SELECT code, count(*) AS count, min(since) AS since FROM chartwire.waiting WHERE practice = $1 GROUP BY code ORDER BY code

-- name: link_of
-- The chain's link of an event.
SELECT chain FROM chartwire.event WHERE practice = $1 AND sequence = $2
