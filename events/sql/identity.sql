-- Second factors, and who a user is at an identity provider (daemon/tables/identity.py).

-- name: second_factor
-- A user's second factor, confirmed or not.
SELECT secret, confirmed_at IS NOT NULL AS confirmed FROM chartwire_console.second_factor WHERE name = $1

-- name: offer_factor
-- A secret that its user has to confirm; nothing where one is confirmed already.
INSERT INTO chartwire_console.second_factor AS kept (name, secret) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET secret = excluded.secret, last_step = 0 WHERE kept.confirmed_at IS NULL
RETURNING name

-- name: confirm_factor
-- The first code was right: from now on it is asked for. Nothing where that is so already.
UPDATE chartwire_console.second_factor SET confirmed_at = clock_timestamp(), last_step = $2
WHERE name = $1 AND confirmed_at IS NULL RETURNING name

-- name: use_step
-- A code is used up; nothing where it was used before.
UPDATE chartwire_console.second_factor SET last_step = $2
WHERE name = $1 AND confirmed_at IS NOT NULL AND last_step < $2 RETURNING name

-- name: remove_factor
-- The second factor is gone.
DELETE FROM chartwire_console.second_factor WHERE name = $1 RETURNING name

-- name: add_recovery_codes
-- Codes for when the device is gone.
INSERT INTO chartwire_console.recovery_code (name, code_hash) SELECT $1, unnest($2::bytea[])

-- name: use_recovery_code
-- A recovery code is used up; nothing where there is none such.
DELETE FROM chartwire_console.recovery_code WHERE name = $1 AND code_hash = $2 RETURNING name

-- name: remove_recovery_codes
-- All recovery codes of a user.
DELETE FROM chartwire_console.recovery_code WHERE name = $1

-- name: count_recovery_codes
-- How many are left.
SELECT count(*) FROM chartwire_console.recovery_code WHERE name = $1

-- name: end_other_sessions
-- All sessions of a user but one.
DELETE FROM chartwire_console.session WHERE name = $1 AND id_hash <> $2

-- name: known_as
-- Whom a subject signs in as.
SELECT name FROM chartwire_console.identity WHERE issuer = $1 AND subject = $2

-- name: add_identity
-- A subject signs in as a user; nothing where it signs in as somebody already.
INSERT INTO chartwire_console.identity (issuer, subject, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING name

-- name: clear_roles
-- All roles of a user.
DELETE FROM chartwire_console.account_role WHERE name = $1

-- name: add_sign_in_request
-- A sign-in goes to the provider; it has to come back within so many seconds.
INSERT INTO chartwire_console.sign_in_request (state_hash, kept, ends_at)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))

-- name: take_sign_in_request
-- A sign-in comes back; what was kept for it is gone.
DELETE FROM chartwire_console.sign_in_request WHERE state_hash = $1 RETURNING kept, ends_at > clock_timestamp() AS holds

-- name: forget_sign_in_requests
-- Sign-ins that never came back.
DELETE FROM chartwire_console.sign_in_request WHERE ends_at < now()
