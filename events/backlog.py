"""What has been read of a partition and is not recorded yet, a bounded queue per practice, so that none waits for another.

A practice that does not keep up is skipped once its queue is full: its messages stay in the broker, the partition's offset is not
committed beyond the first of them, and when its queue is empty the partition is read again from there. What the others see
twice is known by its offset. So nothing is dropped, memory is bounded, and nobody waits for anybody.
"""

from __future__ import annotations

from collections import deque

from events.ids import PracticeId
from events.topics import Message

ROOM = 1000
"""Messages that wait for one practice's recorder."""

BATCH = 200
"""Messages recorded in one transaction: a big practice's are short enough for the others on the same processor."""


class Queue:
    """One practice's messages in one partition, in order."""

    def __init__(self) -> None:
        self.busy = False
        self._waiting: deque[tuple[int, Message]] = deque()
        self._doing: int | None = None
        self._behind: int | None = None
        self._wanted = 0

    def offer(self, offset: int, message: Message) -> bool:
        """Queue it, unless it is known already or there is no room; whether it was queued."""
        if offset < self._wanted or (self._behind is not None and offset > self._behind):
            return False
        if len(self._waiting) >= ROOM:
            self._behind = offset
            return False
        self._behind = None
        self._wanted = offset + 1
        self._waiting.append((offset, message))
        return True

    def take(self) -> list[Message]:
        """The next batch, which is unrecorded until `done`; the same one again as long as it is not."""
        batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
        self._doing = batch[0][0] if batch else None
        return [message for _, message in batch]

    def pause(self) -> None:
        """The batch could not be recorded now."""
        self._doing = None

    def done(self, count: int) -> None:
        """The batch of this many messages is recorded."""
        for _ in range(count):
            self._waiting.popleft()
        self._doing = None

    @property
    def size(self) -> int:
        """Messages that are here and not recorded yet."""
        return len(self._waiting)

    @property
    def recording(self) -> bool:
        return self._doing is not None

    @property
    def first(self) -> int | None:
        """The offset of the first message that is not recorded."""
        return self._waiting[0][0] if self._waiting else self._behind

    @property
    def skipped_from(self) -> int | None:
        """Once everything queued is recorded: the first offset that found no room, None when all did."""
        return None if self._waiting else self._behind


class Backlog:
    """One partition's queues. `closed`: the partition is given back, so begin nothing."""

    def __init__(self) -> None:
        self.queues: dict[PracticeId, Queue] = {}
        self.closed = False
        self.committed: int | None = None
        self._next: int | None = None
        self._most = -1

    def seen(self, offset: int) -> bool:
        """Take note that this offset has been read; whether it had been before."""
        self._next = offset + 1
        before, self._most = offset <= self._most, max(offset, self._most)
        return before

    def again(self, practice: PracticeId) -> int | None:
        """Where to read again for a practice whose queue is done; None when nothing of it was skipped, or when reading gets
        there by itself (going forward would pass over what others wait for)."""
        again = self.queue(practice).skipped_from
        if again is None or self._next is None or again >= self._next:
            return None
        self._next = again
        return again

    def queue(self, practice: PracticeId) -> Queue:
        return self.queues.setdefault(practice, Queue())

    @property
    def recording(self) -> bool:
        """Whether a transaction is under way."""
        return any(queue.recording for queue in self.queues.values())

    @property
    def offset(self) -> int | None:
        """Everything before it is recorded; None when nothing has been read. It never goes back."""
        offset = self._next
        if offset is not None:
            for queue in self.queues.values():
                if (first := queue.first) is not None and first < offset:
                    offset = first
        return offset
