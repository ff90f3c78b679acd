-- What each event is found by when somebody searches the history: keyed hashes of a field, or of the name of who asked for it. Without the
-- practice's key a hash tells nothing. A projection of the events alone, filled beside the recording: `history_head` says up to which event,
-- by which rules.

CREATE TABLE chartwire.history_term (
    practice text NOT NULL,
    term bytea NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (practice, term, sequence)
);

CREATE TABLE chartwire.history_head (
    practice text PRIMARY KEY,
    sequence bigint NOT NULL,
    rules text NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON chartwire.history_term, chartwire.history_head TO chartwire_daemon;
GRANT SELECT ON chartwire.history_term, chartwire.history_head TO chartwire_console;

-- Who looked and did what, by person.
CREATE INDEX access_of_who ON chartwire_console.access (practice, who, sequence);
