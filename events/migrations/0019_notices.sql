-- What people of a practice were told, by whom it is for, and the message that is under way. It holds codes, numbers and times only.
-- It is no event: that a mail went out is nothing of the practice's history, and no projection follows from it. It is written before
-- a message is sent and after, in the epoch of the practice's owner, so a worker that was overtaken tells nobody anything.

CREATE TABLE chartwire.notice (
    practice text NOT NULL,
    audience text NOT NULL,
    epoch bigint NOT NULL,
    doc jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (practice, audience)
);

GRANT SELECT, INSERT, UPDATE ON chartwire.notice TO chartwire_daemon;
