-- Who has the daemon's role, but not the schema, appends and moves heads only as an owner does: each event follows on the head, under
-- its epoch, and a head names the last event and its link of the chain. The schema's owner (migrations, rotate-key, shred) is not held.

CREATE FUNCTION chartwire.owns_schema() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = 'chartwire.practice_head'::regclass
$$;

CREATE FUNCTION chartwire.guard_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused text;
BEGIN
    SELECT added.practice INTO refused
    FROM (
        SELECT practice, min(sequence) AS first, max(sequence) AS last, count(*) AS events, min(epoch) AS oldest, max(epoch) AS newest
        FROM appended GROUP BY practice
    ) AS added LEFT JOIN chartwire.practice_head AS head USING (practice)
    WHERE (added.first = head.sequence + 1 AND added.last = head.sequence + added.events AND added.oldest = head.epoch AND added.newest = head.epoch)
        IS NOT TRUE
    LIMIT 1;
    IF FOUND AND NOT chartwire.owns_schema() THEN
        RAISE EXCEPTION 'events of practice % do not follow on its head', refused USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER guard_events AFTER INSERT ON chartwire.event REFERENCING NEW TABLE AS appended
FOR EACH STATEMENT EXECUTE FUNCTION chartwire.guard_events();

CREATE FUNCTION chartwire.guard_heads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.sequence = 0 AND NEW.epoch IN (0, 1) AND NEW.reader_epoch IN (0, NEW.epoch) AND NEW.rebuilt = 0 AND NEW.keys = 0
            AND NEW.chain IS NULL AND NEW.shredded_at IS NULL OR chartwire.owns_schema()
        THEN
            RETURN NEW;
        END IF;
    ELSIF NEW.practice = OLD.practice AND NEW.epoch IN (OLD.epoch, OLD.epoch + 1) AND NEW.reader_epoch IN (OLD.reader_epoch, NEW.epoch)
        AND NEW.rebuilt IN (OLD.rebuilt, OLD.rebuilt + 1) AND NEW.keys IN (OLD.keys, OLD.keys + 1)
        AND NEW.shredded_at IS NOT DISTINCT FROM OLD.shredded_at
        AND (
            NEW.sequence = OLD.sequence AND NEW.chain IS NOT DISTINCT FROM OLD.chain
            OR NEW.sequence > OLD.sequence AND EXISTS (
                SELECT FROM chartwire.event
                WHERE practice = NEW.practice AND sequence = NEW.sequence AND epoch = NEW.epoch AND chain IS NOT DISTINCT FROM NEW.chain
            )
        )
        OR chartwire.owns_schema()
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the head of practice % is not moved like this', NEW.practice USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER guard_heads BEFORE INSERT OR UPDATE ON chartwire.practice_head
FOR EACH ROW EXECUTE FUNCTION chartwire.guard_heads();
