-- Tamper evidence: each event carries the hash of itself and of its predecessor's (events/chain.py); the head keeps the last.
-- Events of before have none: an older worker may go on appending until its practices are taken over.

ALTER TABLE chartwire.event ADD COLUMN chain bytea;
ALTER TABLE chartwire.practice_head ADD COLUMN chain bytea;
