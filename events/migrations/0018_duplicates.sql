-- Charts of one system that are likely of one person, so that looking again compares only what changed: by ids, with how alike they
-- are in words that name no value. Found anew wherever it is missing; `rules` tells by which weights it was found.

CREATE TABLE chartwire.duplicate (
    practice text NOT NULL,
    system text NOT NULL,
    one bigint NOT NULL,
    other bigint NOT NULL,
    likeness bytea NOT NULL,
    PRIMARY KEY (practice, system, one, other)
);

CREATE TABLE chartwire.duplicate_head (
    practice text PRIMARY KEY,
    sequence bigint NOT NULL,
    charts bigint NOT NULL,
    rules text NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON chartwire.duplicate, chartwire.duplicate_head TO chartwire_daemon;
GRANT SELECT ON chartwire.duplicate, chartwire.duplicate_head TO chartwire_console;
