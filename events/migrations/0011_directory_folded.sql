-- Up to which event the directory is known to be folded as it should be. Older workers left in it what was cleared from
-- quarantine, and they do not tell: where this is not the directory's own sequence, its owner folds it anew from the events.

ALTER TABLE chartwire.directory ADD COLUMN folded bigint NOT NULL DEFAULT 0;
