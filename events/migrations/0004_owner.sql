-- Who has a practice, since when, and what its owner says of it now and then (no patient's data).

ALTER TABLE chartwire.practice_head ADD COLUMN owner text NOT NULL DEFAULT '';
ALTER TABLE chartwire.practice_head ADD COLUMN taken_at timestamptz;

CREATE TABLE chartwire.report (
    practice text PRIMARY KEY,
    epoch bigint NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    doc jsonb NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON chartwire.report TO chartwire_daemon;
