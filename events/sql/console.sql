-- The console's users, sessions and access log (daemon/tables/accounts.py, daemon/tables/access.py).

-- name: add_account
-- A new user; nothing where the name is taken.
INSERT INTO chartwire_console.account (name, password) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name

-- name: account
-- A user.
SELECT name, password, disabled_at FROM chartwire_console.account WHERE name = $1

-- name: accounts
-- All users.
SELECT name, made_at, disabled_at FROM chartwire_console.account ORDER BY name

-- name: set_password
-- Another password.
UPDATE chartwire_console.account SET password = $2 WHERE name = $1 RETURNING name

-- name: set_disabled
-- Whether the user may sign in.
UPDATE chartwire_console.account SET disabled_at = CASE WHEN $2::boolean THEN clock_timestamp() END
WHERE name = $1 RETURNING name

-- name: roles_of_account
-- What a user may, by practice.
SELECT practice, role FROM chartwire_console.account_role WHERE name = $1 ORDER BY practice, role

-- name: add_role
-- One role more.
INSERT INTO chartwire_console.account_role (name, practice, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING name

-- name: remove_role
-- One role less.
DELETE FROM chartwire_console.account_role WHERE name = $1 AND practice = $2 AND role = $3 RETURNING name

-- name: add_session
-- A session that ends after so many seconds whatever happens.
INSERT INTO chartwire_console.session (id_hash, name, ends_at, how)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3), $4)

-- name: session
-- Whose session it is, and whether it still holds.
SELECT one.name, account.disabled_at IS NOT NULL AS disabled, one.ends_at <= clock_timestamp() AS over,
    extract(epoch FROM clock_timestamp() - one.seen_at)::float8 AS idle, one.how,
    coalesce(
        (SELECT factor.confirmed_at IS NOT NULL FROM chartwire_console.second_factor AS factor WHERE factor.name = one.name), false
    ) AS factor
FROM chartwire_console.session AS one JOIN chartwire_console.account USING (name) WHERE one.id_hash = $1

-- name: touch_session
-- The session was used.
UPDATE chartwire_console.session SET seen_at = clock_timestamp() WHERE id_hash = $1

-- name: end_session
-- One session.
DELETE FROM chartwire_console.session WHERE id_hash = $1

-- name: end_sessions_of
-- All sessions of a user.
DELETE FROM chartwire_console.session WHERE name = $1

-- name: end_links_of
-- All links that would sign a user in.
DELETE FROM chartwire_console.sign_in_link WHERE name = $1

-- name: forget_sessions
-- Sessions that are over.
DELETE FROM chartwire_console.session WHERE ends_at < now()

-- name: add_attempt
-- One try.
INSERT INTO chartwire_console.attempt (bucket) VALUES ($1) RETURNING at

-- name: count_attempts
-- Tries of the last so many seconds.
SELECT count(*) FROM chartwire_console.attempt WHERE bucket = $1 AND at > now() - make_interval(secs => $2)

-- name: forgive_attempt
-- One try that was no guess.
DELETE FROM chartwire_console.attempt WHERE bucket = $1 AND at = $2

-- name: clear_attempts
-- The user has signed in.
DELETE FROM chartwire_console.attempt WHERE bucket = $1

-- name: forget_attempts
-- Tries from before so many seconds.
DELETE FROM chartwire_console.attempt WHERE at < now() - make_interval(secs => $1)

-- name: add_link
-- A link that holds for so many seconds.
INSERT INTO chartwire_console.sign_in_link (token_hash, name, ends_at)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))

-- name: use_link
-- Whose link it was, and whether it held; it is gone.
DELETE FROM chartwire_console.sign_in_link WHERE token_hash = $1 RETURNING name, ends_at > clock_timestamp() AS holds

-- name: record_access
-- One record more; its sequence.
SELECT chartwire_console.record_access($1, $2, $3, $4, $5, $6)

-- name: record_views
-- One record for each of these patients; how many.
SELECT count(chartwire_console.record_access($1, $2, $3, seen.patient_key, $4, $5))
FROM unnest($6::text[]) AS seen (patient_key)

-- name: access_before
-- The records of a practice before one, the last first.
SELECT sequence, at, who, address, patient_key, what, detail FROM chartwire_console.access
WHERE practice = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3

-- name: access_of_patient
-- Who looked at a patient, by any of its keys, the last first.
SELECT one.* FROM unnest($2::text[]) AS named (patient_key) CROSS JOIN LATERAL (
    SELECT sequence, at, who, address, patient_key, what, detail FROM chartwire_console.access
    WHERE practice = $1 AND patient_key = named.patient_key AND sequence < $3 ORDER BY sequence DESC LIMIT $4
) AS one ORDER BY one.sequence DESC LIMIT $4

-- name: access_of_who
-- What somebody looked at and did, the last first.
SELECT sequence, at, who, address, patient_key, what, detail FROM chartwire_console.access
WHERE practice = $1 AND who = $2 AND sequence < $3 ORDER BY sequence DESC LIMIT $4

-- name: access_page
-- The records of a practice after one, with the chain.
SELECT sequence, at, who, address, patient_key, what, detail, chain FROM chartwire_console.access
WHERE practice = $1 AND sequence > $2 ORDER BY sequence LIMIT $3

-- name: access_head
-- How far the log is, and its last link.
SELECT sequence, chain FROM chartwire_console.access_head WHERE practice = $1

-- name: reports_of
-- What the owners of practices said last.
SELECT practice, doc FROM chartwire.report WHERE practice = ANY($1::text[])

-- name: linked_patients
-- How many links a practice has.
SELECT count(*) FROM chartwire.link WHERE practice = $1

-- name: written_by_hour
-- How many writes were carried out, by hour, since a moment.
SELECT date_trunc('hour', recorded_at, 'UTC') AS hour, count(*) AS count FROM chartwire.event
WHERE practice = $1 AND type = 'IntentSucceeded' AND recorded_at >= $2 GROUP BY 1

-- name: waiting_by_hour
-- Since which hour how much of what waits now has waited.
SELECT date_trunc('hour', since, 'UTC') AS hour, count(*) AS count FROM chartwire.waiting WHERE practice = $1 GROUP BY 1

-- name: waiting_kinds
-- What waits by code, the most frequent first, and since when the first of it does.
SELECT code, count(*) AS count, min(since) AS since FROM chartwire.waiting WHERE practice = $1
GROUP BY code ORDER BY count(*) DESC, code

-- name: waiting_some
-- What waits under these codes, in slots of this beginning, without these patients' items of one code: the oldest first, a part of it.
SELECT patient_key, slot, code, since FROM chartwire.waiting
WHERE practice = $1 AND (code = ANY($2::text[]) OR $2 IS NULL) AND starts_with(slot, $3)
AND NOT (code = $4 AND patient_key = ANY($5::text[]))
ORDER BY since, patient_key COLLATE "C", slot COLLATE "C" OFFSET $6 LIMIT $7

-- name: waiting_one
-- One item, where it waits.
SELECT patient_key, slot, code, since FROM chartwire.waiting WHERE practice = $1 AND patient_key = $2 AND slot = $3

-- name: patient_sequences
-- How far these patients are folded.
SELECT patient_key, sequence FROM chartwire.patient WHERE practice = $1 AND patient_key = ANY($2::text[])

-- name: waiting_in
-- How much waits in slots of this beginning.
SELECT count(*) FROM chartwire.waiting WHERE practice = $1 AND starts_with(slot, $2)

-- name: patients_who_wait
-- How many patients something waits for.
SELECT count(DISTINCT patient_key) FROM chartwire.waiting WHERE practice = $1 AND patient_key > ''

-- name: sessions_that_hold
-- Which of these sessions hold, being idle for less than so many seconds.
SELECT one.id_hash FROM chartwire_console.session AS one WHERE one.id_hash = ANY ($1::bytea[])
AND one.ends_at > clock_timestamp() AND one.seen_at > clock_timestamp() - make_interval(secs => $2)

-- name: heads_of
-- How far these practices have come.
SELECT practice, sequence FROM chartwire.practice_head WHERE practice = ANY ($1::text[])
