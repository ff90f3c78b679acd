-- The event store: append-only, per practice a gap-free sequence, one writer per practice fenced by an epoch.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'chartwire_daemon') THEN
        CREATE ROLE chartwire_daemon NOLOGIN;
    END IF;
END
$$;

CREATE TABLE chartwire.practice_head (
    practice text PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0
);

CREATE TABLE chartwire.event (
    practice text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    version smallint NOT NULL,
    origin text NOT NULL,
    patient_key text NOT NULL,
    elation_chart bigint,
    kareo_patient bigint,
    observed_at timestamptz NOT NULL,
    modified_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cause uuid,
    correlation uuid,
    key_id text NOT NULL,
    body bytea NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (practice, sequence),
    UNIQUE (practice, event_id)
);

CREATE INDEX event_by_elation_chart ON chartwire.event (practice, elation_chart, sequence) WHERE elation_chart IS NOT NULL;
CREATE INDEX event_by_kareo_patient ON chartwire.event (practice, kareo_patient, sequence) WHERE kareo_patient IS NOT NULL;

GRANT USAGE ON SCHEMA chartwire TO chartwire_daemon;
GRANT SELECT, INSERT ON chartwire.event TO chartwire_daemon;
GRANT SELECT, INSERT, UPDATE ON chartwire.practice_head TO chartwire_daemon;
GRANT SELECT ON chartwire.schema_migration TO chartwire_daemon;
