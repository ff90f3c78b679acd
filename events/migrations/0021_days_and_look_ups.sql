-- On which days a patient has appointments or bills: keyed hashes of a kind and a day, so that the pages of a day open the bodies of
-- that day's patients alone. Without the practice's key a hash tells nothing. A projection like the others, filled by its owner.

CREATE TABLE chartwire.patient_day (
    practice text NOT NULL,
    day bytea NOT NULL,
    patient_key text NOT NULL,
    PRIMARY KEY (practice, day, patient_key)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON chartwire.patient_day TO chartwire_daemon;
GRANT SELECT ON chartwire.patient_day TO chartwire_console;

-- Up to which event a patient's days are known to be kept. Older workers leave them alone, and do not tell: such a patient is opened
-- for every day until the practice's owner has filled the table.
ALTER TABLE chartwire.patient ADD COLUMN dayed bigint NOT NULL DEFAULT 0;
CREATE INDEX patient_not_dayed ON chartwire.patient (practice, patient_key) WHERE dayed <> sequence;

-- Writes by when they were carried out, for the plots of the overview: a row in five is one.
CREATE INDEX event_written ON chartwire.event (practice, recorded_at) WHERE type = 'IntentSucceeded';

-- What the last look-up of a period's encounters found (`chartwire balance`), sealed: the web pages show it and look up nothing.
-- Operational, not history: another look-up replaces it.
CREATE TABLE chartwire.look_up (
    practice text NOT NULL,
    period text NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    key_id text NOT NULL,
    doc bytea NOT NULL,
    PRIMARY KEY (practice, period)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON chartwire.look_up TO chartwire_daemon;
GRANT SELECT ON chartwire.look_up TO chartwire_console;
