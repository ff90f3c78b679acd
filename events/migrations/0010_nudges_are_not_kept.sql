-- A nudge is a message of its own now. Older workers keep each as a checkpoint, a row per patient and for ever: those rows go,
-- and what such a worker still writes is dropped.

CREATE FUNCTION chartwire.drop_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER checkpoint_of_no_pass BEFORE INSERT ON chartwire.checkpoint
    FOR EACH ROW WHEN (NEW.source LIKE 'nudge.%') EXECUTE FUNCTION chartwire.drop_row();

DELETE FROM chartwire.checkpoint WHERE source LIKE 'nudge.%';
