-- Which patient a chart belongs to, and which charts are linked.

-- name: resolve_charts
-- The patients of these charts.
SELECT elation_chart AS ehr, patient_key FROM chartwire.chart WHERE practice = $1 AND elation_chart = ANY($2::bigint[])

-- name: save_charts
-- These charts belong to these patients now.
INSERT INTO chartwire.chart (practice, elation_chart, patient_key)
SELECT $1, * FROM unnest($2::bigint[], $3::text[])
ON CONFLICT (practice, elation_chart) DO UPDATE SET patient_key = excluded.patient_key

-- name: links
-- All links.
SELECT elation_chart AS ehr, kareo_patient AS billing FROM chartwire.link WHERE practice = $1 ORDER BY kareo_patient

-- name: delete_links
-- These billing patients have no link.
DELETE FROM chartwire.link WHERE practice = $1 AND kareo_patient = ANY($2::bigint[])

-- name: save_links
-- New links; the database refuses a second one of a chart (I1).
INSERT INTO chartwire.link (practice, elation_chart, kareo_patient)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])
