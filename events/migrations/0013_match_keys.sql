-- Who could be whom: keyed hashes of what charts can be alike in, and how many charts have a value. No patient's data: without the
-- practice's key a hash tells nothing. `system` is the role's stored name; a projection like the others, filled by its owner.

CREATE TABLE chartwire.match_key (
    practice text NOT NULL,
    system text NOT NULL,
    key bytea NOT NULL,
    chart bigint NOT NULL,
    PRIMARY KEY (practice, system, key, chart)
);

CREATE TABLE chartwire.match_count (
    practice text NOT NULL,
    system text NOT NULL,
    value bytea NOT NULL,
    charts integer NOT NULL,
    PRIMARY KEY (practice, system, value)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON chartwire.match_key, chartwire.match_count TO chartwire_daemon;
