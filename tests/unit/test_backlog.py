"""A partition's backlog: order and offsets per practice, whatever is skipped and read again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from events import backlog
from events.backlog import BATCH, ROOM, Backlog
from events.ids import PracticeId
from events.topics import Checkpoint

ELM, OAK = PracticeId("elm"), PracticeId("oak")


def message(practice: PracticeId, number: int) -> Checkpoint:
    return Checkpoint(practice=practice, source="test", value=str(number))


def test_the_offset_stays_before_what_is_not_recorded() -> None:
    one = Backlog()
    assert one.offset is None
    for offset, practice in enumerate((ELM, OAK, ELM)):
        assert not one.seen(offset)
        assert one.queue(practice).offer(offset, message(practice, offset))
    assert one.offset == 0
    assert len(one.queue(ELM).take()) == 2
    assert one.recording
    one.queue(ELM).done(2)
    assert one.offset == 1, "oak's is still to do"
    assert len(one.queue(OAK).take()) == 1
    one.queue(OAK).done(1)
    assert one.offset == 3
    assert not one.recording


def test_a_full_queue_is_skipped_and_read_again_from_there() -> None:
    one = Backlog()
    queue = one.queue(ELM)
    for offset in range(ROOM + 3):
        assert not one.seen(offset)
        assert queue.offer(offset, message(ELM, offset)) is (offset < ROOM)
    taken = 0
    while batch := queue.take():
        assert len(batch) <= BATCH
        assert one.again(ELM) is None
        queue.done(len(batch))
        taken += len(batch)
    assert taken == ROOM
    assert one.again(ELM) == one.offset == ROOM
    assert not queue.offer(ROOM - 1, message(ELM, 0)), "it had that one"
    assert not queue.offer(ROOM + 1, message(ELM, 0)), "not before the one that it missed"
    assert queue.offer(ROOM, message(ELM, 0))
    assert queue.offer(ROOM + 1, message(ELM, 0))


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.lists(st.integers(0, 2), max_size=400), st.integers(1, 4))
def test_each_practice_gets_each_message_once_and_in_order(log: list[bool], steps: list[int], room: int) -> None:
    """However reading, recording and room interleave."""
    whole, backlog.ROOM = backlog.ROOM, room
    try:
        _play(log, steps)
    finally:
        backlog.ROOM = whole


def _play(log: list[bool], steps: list[int]) -> None:
    published = [(OAK if other else ELM, offset) for offset, other in enumerate(log)]
    one, position, before = Backlog(), 0, 0
    got: dict[PracticeId, list[int]] = {ELM: [], OAK: []}
    for step in [*steps, *[0, 1, 2] * 400]:
        if step == 0 and position < len(published):
            practice, offset = published[position]
            one.seen(offset)
            one.queue(practice).offer(offset, message(practice, offset))
            position += 1
        elif step and (queue := one.queue((ELM, OAK)[step - 1])):
            batch = queue.take()
            got[(ELM, OAK)[step - 1]] += [int(each.value) for each in batch if isinstance(each, Checkpoint)]
            queue.done(len(batch))
            if (again := one.again((ELM, OAK)[step - 1])) is not None:
                position = again
        assert (one.offset or 0) >= before, "a committed offset goes back"
        before = one.offset or 0
        recorded = {number for each in got.values() for number in each}
        assert one.offset is None or all(number in recorded for number in range(one.offset))
    assert {practice: [offset for who, offset in published if who == practice] for practice in got} == got
    assert one.offset in (None, len(published))
