-- The format of what is stored, and the least that the database takes.

-- name: least_format
-- The least format that workers need.
SELECT format FROM chartwire.least_format WHERE sole

-- name: projected
-- The format that all projections of a practice are of.
SELECT projected FROM chartwire.practice_head WHERE practice = $1

-- name: require_format
-- No older worker takes a practice any more; this is never taken back.
INSERT INTO chartwire.least_format AS least (format) VALUES ($1)
ON CONFLICT (sole) DO UPDATE SET format = greatest(least.format, excluded.format), set_at = clock_timestamp()
