-- Who owns each practice, how far its events have come, and the last link of their chain.

-- name: take_over
-- Raise the practice's epoch: whoever had it before is fenced. $3 is the new owner's format.
INSERT INTO chartwire.practice_head AS head (practice, epoch, reader_epoch, owner, taken_at, format, format_epoch, projected)
VALUES ($1, 1, 1, $2, clock_timestamp(), $3, 1, $3)
ON CONFLICT (practice) DO UPDATE
SET epoch = head.epoch + 1, reader_epoch = head.epoch + 1, owner = excluded.owner, taken_at = excluded.taken_at,
    format = excluded.format, format_epoch = head.epoch + 1,
    projected = CASE
        WHEN head.sequence = 0 THEN excluded.projected
        WHEN head.format_epoch <> head.epoch THEN 1
        ELSE least(head.projected, head.format)
    END
RETURNING epoch

-- name: lock_head
-- What the next event follows on; nobody else records until the transaction ends.
SELECT sequence, epoch, chain, rebuilt, keys FROM chartwire.practice_head WHERE practice = $1 FOR UPDATE

-- name: epoch
-- Whose the practice is, asked before each call to a vendor.
SELECT epoch FROM chartwire.practice_head WHERE practice = $1

-- name: head
-- How far a practice has come, and the last link of its chain.
SELECT sequence, epoch, chain FROM chartwire.practice_head WHERE practice = $1

-- name: heads
-- Every practice that was ever taken over.
SELECT practice, sequence FROM chartwire.practice_head ORDER BY practice

-- name: beyond
-- The first event after the head: somebody else put it there.
SELECT min(event.sequence) FROM chartwire.event JOIN chartwire.practice_head AS head USING (practice)
WHERE practice = $1 AND event.sequence > head.sequence

-- name: advance_head
-- Events were appended: move the head, and wake whoever follows.
WITH advanced AS (UPDATE chartwire.practice_head SET sequence = $2, chain = $3 WHERE practice = $1 RETURNING practice)
SELECT pg_notify($4, practice) FROM advanced

-- name: mark_rebuilt
-- The projections were replaced beside their owner, which has to forget what it keeps of them.
UPDATE chartwire.practice_head SET rebuilt = rebuilt + 1, projected = $2 WHERE practice = $1
