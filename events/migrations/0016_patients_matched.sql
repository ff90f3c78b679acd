-- Up to which event a patient's match keys and counts are known to be kept. Older workers save patients and leave those alone, and
-- they do not tell: where this is not the patient's own sequence, the practice's owner fills both tables anew before it needs them.

ALTER TABLE chartwire.patient ADD COLUMN matched bigint NOT NULL DEFAULT 0;
