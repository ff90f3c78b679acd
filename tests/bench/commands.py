"""How long a person waits for the command line: the whole process, beside one of Python that does nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from daemon.demo.rehearsal import prepare, servers
from daemon.sandbox.clinic import Clinic
from events.bus import Bus
from events.codec import Keyring
from tests.bench.rounds import interleaved, repeated
from tests.bench.table import Clock, Line

ROOT = Path(__file__).resolve().parents[2]
CALLS = {"help": ("-m", "daemon", "--help"), "status": ("-m", "daemon", "status", "--config")}


def environment(folder: Path) -> dict[str, str]:
    """An installed chartwire is compiled, and so is this one, in a folder of its own: also where the machine's environment forbids it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


async def took(folder: Path, *arguments: str) -> float:
    clock = Clock()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=environment(folder), stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    return clock.lap()


async def commands(folder: Path, rounds: int) -> list[Line]:
    clinic = Clinic()
    folder.mkdir(exist_ok=True)
    async with servers() as (postgres, broker):
        await clinic.start()
        try:
            file = await prepare(clinic, folder, postgres, broker)
            await Bus(broker.bootstrap_servers, {}, Keyring({})).ensure_topics(4, 1)  # as a worker does that began once
            await took(folder, *CALLS["status"], str(file))  # what is compiled once

            async def work(number: int) -> list[Line]:
                sides = {
                    "nothing": lambda: took(folder, "-c", "pass"),
                    "help": lambda: took(folder, *CALLS["help"]),
                    "status": lambda: took(folder, *CALLS["status"], str(file)),
                }
                seconds = await interleaved(number, sides)
                return [
                    Line(subject="commands", what="python -c pass", unit="s", rounds=(seconds["nothing"],)),
                    Line(
                        subject="commands",
                        what="chartwire --help",
                        unit="s",
                        rounds=(seconds["help"],),
                        aim=0.15,
                        more=False,
                    ),
                    Line(
                        subject="commands",
                        what="chartwire status",
                        unit="s",
                        rounds=(seconds["status"],),
                        aim=0.4,
                        more=False,
                    ),
                ]

            return await repeated("commands", rounds, work)
        finally:
            await clinic.stop()
