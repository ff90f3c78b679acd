-- What events mean, kept for reading: can be thrown away and rebuilt. Documents are encrypted with the practice's key.

CREATE TABLE chartwire.patient (
    practice text NOT NULL,
    patient_key text NOT NULL,
    sequence bigint NOT NULL,
    revisit_on date,
    key_id text NOT NULL,
    doc bytea NOT NULL,
    PRIMARY KEY (practice, patient_key)
);
CREATE INDEX patient_to_revisit ON chartwire.patient (practice, revisit_on) WHERE revisit_on IS NOT NULL;

CREATE TABLE chartwire.directory (
    practice text PRIMARY KEY,
    sequence bigint NOT NULL,
    key_id text NOT NULL,
    doc bytea NOT NULL
);

CREATE TABLE chartwire.chart (
    practice text NOT NULL,
    elation_chart bigint NOT NULL,
    patient_key text NOT NULL,
    PRIMARY KEY (practice, elation_chart)
);

-- One link per chart, on either side (I1): enforced here, whatever the code thinks.
CREATE TABLE chartwire.link (
    practice text NOT NULL,
    elation_chart bigint NOT NULL,
    kareo_patient bigint NOT NULL,
    PRIMARY KEY (practice, kareo_patient),
    UNIQUE (practice, elation_chart)
);

CREATE TABLE chartwire.open_intent (
    practice text NOT NULL,
    patient_key text NOT NULL,
    slot text NOT NULL,
    intent text NOT NULL,
    system text NOT NULL,
    state text NOT NULL,
    since timestamptz,
    PRIMARY KEY (practice, patient_key, slot)
);

CREATE TABLE chartwire.waiting (
    practice text NOT NULL,
    patient_key text NOT NULL,
    slot text NOT NULL,
    code text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (practice, patient_key, slot)
);

CREATE TABLE chartwire.dependency (
    practice text NOT NULL,
    depends_on text NOT NULL,
    patient_key text NOT NULL,
    PRIMARY KEY (practice, depends_on, patient_key)
);
CREATE INDEX dependency_by_patient ON chartwire.dependency (practice, patient_key);

-- What connectors compare with: operational, not history.
CREATE TABLE chartwire.observed (
    practice text NOT NULL,
    system text NOT NULL,
    resource text NOT NULL,
    record text NOT NULL,
    content_hash text NOT NULL,
    revision integer NOT NULL,
    parent text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (practice, system, resource, record)
);

CREATE TABLE chartwire.checkpoint (
    practice text NOT NULL,
    source text NOT NULL,
    value text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (practice, source)
);

CREATE TABLE chartwire.subscription (
    practice text NOT NULL,
    resource text NOT NULL,
    subscription bigint NOT NULL,
    target text NOT NULL,
    signing_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (practice, resource)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    chartwire.patient, chartwire.directory, chartwire.chart, chartwire.link, chartwire.open_intent, chartwire.waiting,
    chartwire.dependency, chartwire.observed, chartwire.checkpoint, chartwire.subscription
TO chartwire_daemon;
