"""A command's work in a process of its own, which kills itself after a step: nothing is cleaned up, as when the machine stops."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg

from daemon.operator.key_rotation import rotate
from daemon.operator.shredding import Places, shred
from events.ids import PracticeId


async def main(what: str, dsn: str, practice: str, folder: str, receipt: str, last: str) -> None:
    def after_step(step: str) -> None:
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    connection = await asyncpg.connect(dsn)
    if what == "rotate":
        await rotate(connection, PracticeId(practice), Path(folder), after_step=after_step)
    else:
        await shred(
            connection, PracticeId(practice), Places(keys=Path(folder), receipt=Path(receipt)), after_step=after_step
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
