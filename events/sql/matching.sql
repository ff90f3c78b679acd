-- Who could be whom (daemon/tables/matching.py): charts by keyed hash, and how many charts have a value.

-- name: match_alike
-- The charts of a system that have each of these keys, at most so many of each key.
SELECT wanted.key, ARRAY(
    SELECT chart FROM chartwire.match_key AS one
    WHERE one.practice = $1 AND one.system = $2 AND one.key = wanted.key LIMIT $4
) AS charts
FROM unnest($3::bytea[]) AS wanted (key)

-- name: match_counts
-- How many charts of each system have these values.
SELECT system, value, charts FROM chartwire.match_count
WHERE practice = $1 AND system = ANY($2::text[]) AND value = ANY($3::bytea[])

-- name: match_search
-- `match_alike` and `match_counts` in one answer, for who searches for one person.
SELECT wanted.key AS hash, ARRAY(
    SELECT chart FROM chartwire.match_key AS one
    WHERE one.practice = $1 AND one.system = $2 AND one.key = wanted.key LIMIT $4
) AS charts, 0 AS number
FROM unnest($3::bytea[]) AS wanted (key)
UNION ALL
SELECT value, NULL, charts FROM chartwire.match_count
WHERE practice = $1 AND system = ANY($5::text[]) AND value = ANY($6::bytea[])

-- name: save_match_keys
-- New keys of charts.
INSERT INTO chartwire.match_key (practice, system, key, chart)
SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::bigint[]) ON CONFLICT DO NOTHING

-- name: delete_match_keys
-- Keys that charts have no longer.
DELETE FROM chartwire.match_key AS one USING unnest($2::text[], $3::bytea[], $4::bigint[]) AS gone (system, key, chart)
WHERE one.practice = $1 AND one.system = gone.system AND one.key = gone.key AND one.chart = gone.chart

-- name: add_match_counts
-- So many charts more, or less, have these values.
INSERT INTO chartwire.match_count AS known (practice, system, value, charts)
SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::integer[])
ON CONFLICT (practice, system, value) DO UPDATE SET charts = known.charts + excluded.charts

-- name: all_match_keys
-- All keys.
SELECT system, key, chart FROM chartwire.match_key WHERE practice = $1

-- name: all_match_counts
-- All values that a chart has.
SELECT system, value, charts FROM chartwire.match_count WHERE practice = $1 AND charts <> 0

-- name: clear_match_keys
-- All keys.
DELETE FROM chartwire.match_key WHERE practice = $1

-- name: clear_match_counts
-- All counts.
DELETE FROM chartwire.match_count WHERE practice = $1

-- name: any_not_matched
-- Whether an older worker has saved a patient and left its keys and counts alone.
SELECT EXISTS (SELECT FROM chartwire.patient WHERE practice = $1 AND matched <> sequence) AS found

-- name: mark_matched
-- The keys and counts of all patients are kept.
UPDATE chartwire.patient SET matched = sequence WHERE practice = $1 AND matched <> sequence
