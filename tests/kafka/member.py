"""A consumer of a group as a process of its own, to be killed and suspended: `python -m tests.kafka.member SERVERS GROUP SECONDS KEYS BLOCK`.

It prints a JSON list of its partitions whenever they change.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from events.bus import Bus
from events.codec import Keyring
from events.consumer import ChangeConsumer
from events.ids import PracticeId
from events.topics import Change, Checkpoint, Message

ROOT = Path(__file__).resolve().parents[2]


class Loud:
    """Says what it holds; blocks its whole process for `block` seconds at a message that says so."""

    def __init__(self, block: float) -> None:
        self._mine: set[int] = set()
        self._block = block

    async def record(self, practice: PracticeId, messages: Sequence[Message]) -> bool:
        if self._block and any(isinstance(one, Checkpoint) and one.source == "block" for one in messages):
            block, self._block = self._block, 0.0
            time.sleep(block)
        print(json.dumps({"recorded": [one.value for one in messages if isinstance(one, Checkpoint)]}), flush=True)
        return True

    def adopt(self, unreadable: Change) -> Change:
        return unreadable

    async def gained(self, partitions: Sequence[int]) -> None:
        self._mine.update(partitions)
        print(json.dumps(sorted(self._mine)), flush=True)

    async def lost(self, partitions: Sequence[int]) -> None:
        self._mine.difference_update(partitions)
        print(json.dumps(sorted(self._mine)), flush=True)


async def main(servers: str, group: str, seconds: float, keys: Path, block: float) -> None:
    bus = Bus(servers, {}, Keyring.from_directory(keys))
    await bus.start()
    await bus.ensure_topics(4, 1)
    await ChangeConsumer(bus, group, Loud(block), session_timeout_seconds=seconds).run()


class Member:
    """The process, as the tests see it; `partitions` are those that it said last."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.partitions: list[int] = []
        self.recorded: list[str] = []
        self.logged: list[str] = []

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"["):
                self.partitions = json.loads(line)
            elif line.startswith(b"{"):
                self.recorded += json.loads(line)["recorded"]
            else:
                self.logged.append(line.decode())


@asynccontextmanager
async def member(servers: str, group: str, seconds: float, keys: Path, block: float = 0.0) -> AsyncIterator[Member]:
    """Run one; whatever has become of it, it is killed at the end. `keys` is the folder of the keys that messages are signed with."""
    command = [sys.executable, "-m", "tests.kafka.member", servers, group, str(seconds), str(keys), str(block)]
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
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5])))
