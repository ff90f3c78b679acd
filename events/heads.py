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

    async def last(self, practice: PracticeId) -> Witnessed | None:
        """What is known of the practice now, None where nothing is. Raises ConnectionError where the topic cannot be read."""
        async with self._reading:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await self._catch_up()
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
        """Read to the end of the topic as it is now."""
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap_servers,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                **self._security,
            )
            self._consumer = consumer
            await consumer.start()
            consumer.assign([PARTITION])
        end = (await self._consumer.end_offsets([PARTITION])).get(PARTITION, 0)
        if await self._consumer.position(PARTITION) > end:  # the topic was made anew
            await self._consumer.seek_to_beginning(PARTITION)
        while await self._consumer.position(PARTITION) < end:
            for records in (await self._consumer.getmany(PARTITION, timeout_ms=FETCH_MS)).values():
                for record in records:
                    self._take(record.value, record.offset)

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
