-- How often a practice's projections were rebuilt beside its running owner, which has to forget what it keeps of them.
ALTER TABLE chartwire.practice_head ADD COLUMN rebuilt bigint NOT NULL DEFAULT 0;

-- The practice's own events, which no chart leads to: directories, carriers and plans.
CREATE INDEX event_of_practice ON chartwire.event (practice, sequence) WHERE patient_key = '';
