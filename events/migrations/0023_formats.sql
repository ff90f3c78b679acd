-- Which format the last owner of a practice reads and writes (events/formats.py). A worker says it in the statement that takes the
-- practice over; one that says none, since it is of before formats, leaves `format_epoch` behind `epoch`.
ALTER TABLE chartwire.practice_head ADD COLUMN format integer NOT NULL DEFAULT 1;
ALTER TABLE chartwire.practice_head ADD COLUMN format_epoch bigint NOT NULL DEFAULT 0;

-- The format that all projections of the practice are known to be of: an older owner leaves out of them what it does not know.
ALTER TABLE chartwire.practice_head ADD COLUMN projected integer NOT NULL DEFAULT 1;

-- The least that the database takes, since `chartwire migrate --finish`: one row, or none before it.
CREATE TABLE chartwire.least_format (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    format integer NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

GRANT SELECT ON chartwire.least_format TO chartwire_daemon;
GRANT SELECT ON chartwire.least_format TO chartwire_console;

-- An older worker knows nothing of this, so the database itself refuses it a practice, with the sentence that its operator needs.
CREATE FUNCTION chartwire.guard_formats() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said integer := CASE WHEN NEW.format_epoch = NEW.epoch THEN NEW.format ELSE 1 END;
    needed integer := coalesce((SELECT format FROM chartwire.least_format), 1);
BEGIN
    IF NEW.epoch = 0 OR TG_OP = 'UPDATE' AND NEW.epoch = OLD.epoch OR said >= needed OR chartwire.owns_schema() THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'since chartwire migrate --finish this database takes workers of format % or newer, and this one has format %',
        needed, said USING ERRCODE = 'insufficient_privilege', HINT = 'Start the version that finished it, or a newer one.';
END
$$;

CREATE TRIGGER guard_formats BEFORE INSERT OR UPDATE OF epoch ON chartwire.practice_head
FOR EACH ROW EXECUTE FUNCTION chartwire.guard_formats();
