"""A consumer of a group as a process of its own, to be killed and suspended: `python -m tests.kafka.member SERVERS GROUP SECONDS`.

It prints a JSON list of its partitions whenever they change.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from events.bus import Bus, ChangeConsumer
from events.codec import Keyring
from events.ids import PracticeId
from events.topics import Message

ROOT = Path(__file__).resolve().parents[2]


async def main(servers: str, group: str, seconds: float) -> None:
    bus = Bus(servers, {}, Keyring({}))
    await bus.start()
    await bus.ensure_topics(4, 1)
    mine: set[int] = set()

    async def handle(_messages: Sequence[Message]) -> set[PracticeId]:
        return set()

    async def on_assigned(partitions: Sequence[int]) -> None:
        mine.update(partitions)
        print(json.dumps(sorted(mine)), flush=True)

    async def on_revoked(partitions: Sequence[int]) -> None:
        mine.difference_update(partitions)
        print(json.dumps(sorted(mine)), flush=True)

    await ChangeConsumer(bus, group, session_timeout_seconds=seconds).run(
        handle, on_assigned=on_assigned, on_revoked=on_revoked
    )


class Member:
    """The process, as the tests see it; `partitions` are those that it said last."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.partitions: list[int] = []

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"["):
                self.partitions = json.loads(line)


@asynccontextmanager
async def member(servers: str, group: str, seconds: float) -> AsyncIterator[Member]:
    """Run one; whatever has become of it, it is killed at the end."""
    command = [sys.executable, "-m", "tests.kafka.member", servers, group, str(seconds)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    one = Member(process)
    listening = asyncio.create_task(one.listen())
    try:
        yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
