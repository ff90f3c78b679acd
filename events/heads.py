"""Reading and publishing the heads by which a restored store is told (events/witnessed.py): one partition, compacted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from events.ids import PracticeId
from events.keys import Keyring, UnreadableEvent
from events.witnessed import HEADS, Witnessed, decode_witnessed, encode_witnessed

log = structlog.get_logger()

PARTITION = TopicPartition(HEADS, 0)
READ_SECONDS = 20.0
FETCH_MS = 200
FETCH_WAIT_MS = 30
"""How long the broker may hold an empty answer back: what is asked next waits behind it."""

SETTINGS = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": "3600000",
}
"""So that what was superseded is soon gone, and a worker that begins reads little."""

Send = Callable[[PracticeId, Sequence[bytes]], Awaitable[None]]


class Heads:
    """The newest head of each practice. What was read once is kept: it stays true of the store, whatever becomes of the topic."""

    def __init__(self, bootstrap_servers: str, security: Mapping[str, object], keyring: Keyring, send: Send) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._security = dict(security)
        self._keyring = keyring
        self._send = send
        self._consumer: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()
        self._known: dict[PracticeId, Witnessed] = {}
        self._newest: tuple[int, bytes | None] | None = None
        """Offset and value of the last message read: whether it still lies there tells a topic that was made anew."""
        self._read_at = -1.0

    async def last(self, practice: PracticeId) -> Witnessed | None:
        """What is known of the practice now, None where nothing is. Raises ConnectionError where the topic cannot be read."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._reading:
            if self._read_at > asked:  # somebody has read on behalf of all who were waiting
                return self._known.get(practice)
            began = loop.time()
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await self._catch_up()
                self._read_at = began
            except (KafkaError, OSError, TimeoutError) as error:
                await self._leave()
                raise ConnectionError(f"the heads cannot be read ({type(error).__name__})") from None
        return self._known.get(practice)

    async def tell(self, head: Witnessed) -> None:
        """Publish; returns when the broker has it. Raises ConnectionError, KeyMissing."""
        await self._send(head.practice, [encode_witnessed(head, self._keyring)])

    async def close(self) -> None:
        async with self._reading:
            await self._leave()

    async def _catch_up(self) -> None:
        """Read to the end of the topic as it is now. Between two readings nothing is fetched."""
        consumer = self._consumer or await self._begin()
        end = (await consumer.end_offsets([PARTITION])).get(PARTITION, 0)
        consumer.resume(PARTITION)
        if self._newest is not None and self._newest[0] < end:
            consumer.seek(PARTITION, self._newest[0])
        else:
            await consumer.seek_to_beginning(PARTITION)
        known = self._newest
        while await consumer.position(PARTITION) < end:
            for record in (await consumer.getmany(PARTITION, timeout_ms=FETCH_MS)).get(PARTITION, ()):
                if known not in (None, (record.offset, record.value)):  # the topic was made anew
                    known = self._newest = None
                    await consumer.seek_to_beginning(PARTITION)
                    break
                known, self._newest = None, (record.offset, record.value)
                self._take(record.value, record.offset)
        consumer.pause(PARTITION)

    async def _begin(self) -> AIOKafkaConsumer:
        consumer = self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            **self._security,
        )
        await consumer.start()
        consumer.assign([PARTITION])
        return consumer

    def _take(self, value: bytes | None, offset: int) -> None:
        try:
            witnessed = decode_witnessed(value, self._keyring)
        except UnreadableEvent as error:
            log.warning("head_unreadable", topic=HEADS, offset=offset, error_type=type(error).__name__)
            return
        known = self._known.get(witnessed.practice)
        if known is None or (known.epoch, known.sequence) <= (witnessed.epoch, witnessed.sequence):
            self._known[witnessed.practice] = witnessed  # an owner that was overtaken may have been late

    async def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
