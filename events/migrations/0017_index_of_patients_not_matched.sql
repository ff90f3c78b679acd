-- Patients whose match keys are not kept: none, where no older worker was at work.
CREATE INDEX patient_not_matched ON chartwire.patient (practice) WHERE matched <> sequence;
