-- The console: its role, its users with their roles and sessions, and the log of who looked at whom and did what.
--
-- `chartwire_console` reads what the pages show, keeps users and sessions, and calls `record_access`. It can neither change a
-- record of the daemon nor write, change or delete a row of the access log by itself.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'chartwire_console') THEN
        CREATE ROLE chartwire_console NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA chartwire_console;

-- `password` is argon2's own text; "" lets nobody in by password.
CREATE TABLE chartwire_console.account (
    name text PRIMARY KEY,
    password text NOT NULL DEFAULT '',
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz
);

-- What a user may in a practice; practice '*' is every practice.
CREATE TABLE chartwire_console.account_role (
    name text NOT NULL REFERENCES chartwire_console.account,
    practice text NOT NULL,
    role text NOT NULL,
    PRIMARY KEY (name, practice, role)
);

-- `id_hash` is the digest of the random id that the browser holds: who reads this table is nobody's session.
CREATE TABLE chartwire_console.session (
    id_hash bytea PRIMARY KEY,
    name text NOT NULL REFERENCES chartwire_console.account,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at timestamptz NOT NULL
);
CREATE INDEX session_of_account ON chartwire_console.session (name);
CREATE INDEX session_by_end ON chartwire_console.session (ends_at);

-- Tries to sign in, by digests of the user's name and of the address they came from.
CREATE TABLE chartwire_console.attempt (
    bucket bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX attempt_by_bucket ON chartwire_console.attempt (bucket, at);
CREATE INDEX attempt_by_time ON chartwire_console.attempt (at);

-- Links that sign somebody in once.
CREATE TABLE chartwire_console.sign_in_link (
    token_hash bytea PRIMARY KEY,
    name text NOT NULL REFERENCES chartwire_console.account,
    ends_at timestamptz NOT NULL
);
CREATE INDEX sign_in_link_of_account ON chartwire_console.sign_in_link (name);

-- Who looked at whom and did what: one sequence and one chain of hashes a practice ('' for what is about none).
CREATE TABLE chartwire_console.access (
    practice text NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    who text NOT NULL,
    address text NOT NULL,
    patient_key text NOT NULL,
    what text NOT NULL,
    detail text NOT NULL,
    chain bytea NOT NULL,
    PRIMARY KEY (practice, sequence)
);
CREATE INDEX access_of_patient ON chartwire_console.access (practice, patient_key, sequence);

CREATE TABLE chartwire_console.access_head (
    practice text PRIMARY KEY,
    sequence bigint NOT NULL,
    chain bytea NOT NULL
);

-- A text with its length before it: no two lists of texts have the same bytes.
CREATE FUNCTION chartwire_console.framed(given text) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog
AS $$ SELECT int4send(octet_length(convert_to(given, 'UTF8'))) || convert_to(given, 'UTF8') $$;

-- Appends one record and returns its sequence. It is the only way into the log; the chain is made here (daemon/tables/access.py reads
-- it again).
CREATE FUNCTION chartwire_console.record_access(
    of_practice text, by_whom text, from_where text, of_patient text, of_what text, in_detail text
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    head chartwire_console.access_head;
    now timestamptz;
    link bytea;
BEGIN
    INSERT INTO chartwire_console.access_head VALUES (of_practice, 0, ''::bytea) ON CONFLICT DO NOTHING;
    SELECT * INTO head FROM chartwire_console.access_head WHERE practice = of_practice FOR UPDATE;
    now := clock_timestamp();
    link := sha256(
        head.chain
        || chartwire_console.framed(of_practice)
        || chartwire_console.framed((head.sequence + 1)::text)
        || chartwire_console.framed((extract(epoch FROM now) * 1000000)::bigint::text)
        || chartwire_console.framed(by_whom)
        || chartwire_console.framed(from_where)
        || chartwire_console.framed(of_patient)
        || chartwire_console.framed(of_what)
        || chartwire_console.framed(in_detail)
    );
    INSERT INTO chartwire_console.access
    VALUES (of_practice, head.sequence + 1, now, by_whom, from_where, of_patient, of_what, in_detail, link);
    UPDATE chartwire_console.access_head SET sequence = head.sequence + 1, chain = link WHERE practice = of_practice;
    RETURN head.sequence + 1;
END
$$;

REVOKE ALL ON FUNCTION chartwire_console.record_access(text, text, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION chartwire_console.framed(text) FROM PUBLIC;

GRANT USAGE ON SCHEMA chartwire, chartwire_console TO chartwire_console;
GRANT SELECT ON
    chartwire.event, chartwire.practice_head, chartwire.patient, chartwire.directory, chartwire.chart, chartwire.link,
    chartwire.open_intent, chartwire.waiting, chartwire.observed, chartwire.checkpoint, chartwire.report, chartwire.match_key,
    chartwire.match_count, chartwire.data_key, chartwire.switch, chartwire.schema_migration
TO chartwire_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    chartwire_console.account, chartwire_console.account_role, chartwire_console.session, chartwire_console.attempt,
    chartwire_console.sign_in_link
TO chartwire_console;
GRANT SELECT ON chartwire_console.access, chartwire_console.access_head TO chartwire_console;
GRANT EXECUTE ON FUNCTION chartwire_console.record_access(text, text, text, text, text, text) TO chartwire_console;
