-- Charts of one system that are likely of one person (daemon/tables/duplicates.py).

-- name: match_pairs
-- Pairs of charts of a system that share so many keys, of keys that no more than so many have.
WITH usable AS MATERIALIZED (
    SELECT key FROM chartwire.match_key WHERE practice = $1 AND system = $2 GROUP BY key HAVING count(*) BETWEEN 2 AND $4
)
SELECT one.chart AS one, other.chart AS other
FROM usable
JOIN chartwire.match_key AS one ON one.practice = $1 AND one.system = $2 AND one.key = usable.key
JOIN chartwire.match_key AS other
    ON other.practice = $1 AND other.system = $2 AND other.key = usable.key AND other.chart > one.chart
GROUP BY one.chart, other.chart HAVING count(*) >= $3

-- name: duplicate_head
-- Up to which event duplicates were looked for, among how many charts, by which rules.
SELECT sequence, charts, rules FROM chartwire.duplicate_head WHERE practice = $1

-- name: save_duplicate_head
-- The same, once they were.
INSERT INTO chartwire.duplicate_head AS known (practice, sequence, charts, rules) VALUES ($1, $2, $3, $4)
ON CONFLICT (practice) DO UPDATE SET sequence = excluded.sequence, charts = excluded.charts, rules = excluded.rules

-- name: charts_since
-- The charts that events after this one are about.
SELECT DISTINCT elation_chart AS ehr, kareo_patient AS billing FROM chartwire.event WHERE practice = $1 AND sequence > $2

-- name: duplicates
-- All that were found.
SELECT system, one, other, likeness FROM chartwire.duplicate WHERE practice = $1

-- name: clear_duplicates
-- All that were found.
DELETE FROM chartwire.duplicate WHERE practice = $1

-- name: delete_duplicates
-- Those of these charts.
DELETE FROM chartwire.duplicate AS known USING unnest($2::text[], $3::bigint[], $4::bigint[]) AS gone (system, one, other)
WHERE known.practice = $1 AND known.system = gone.system AND known.one = gone.one AND known.other = gone.other

-- name: save_duplicates
-- Those found.
INSERT INTO chartwire.duplicate AS known (practice, system, one, other, likeness)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bytea[])
ON CONFLICT (practice, system, one, other) DO UPDATE SET likeness = excluded.likeness
