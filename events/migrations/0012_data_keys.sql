-- Data keys: bodies are sealed with them, and they lie here wrapped by a key file of their practice (events/keys.py). Nothing is
-- written this way before `chartwire migrate --finish`, so an older worker goes on as before.

CREATE TABLE chartwire.data_key (
    practice text NOT NULL,
    key_id text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('body', 'hash')),
    wrapped_by text NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (practice, key_id)
);

-- What an operator has turned on, once and for all.
CREATE TABLE chartwire.switch (
    name text PRIMARY KEY,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- `keys` counts the changes of a practice's data keys (0: it has none). The writer reads it with its lock, so it never seals with
-- keys of before. `reader_epoch` is the last epoch whose owner reads the new formats: an older worker raises `epoch` alone.
ALTER TABLE chartwire.practice_head ADD COLUMN keys bigint NOT NULL DEFAULT 0;
ALTER TABLE chartwire.practice_head ADD COLUMN reader_epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE chartwire.practice_head ADD COLUMN shredded_at timestamptz;

GRANT SELECT, INSERT ON chartwire.data_key TO chartwire_daemon;
GRANT SELECT ON chartwire.switch TO chartwire_daemon;
