"""A worker of the product as a process of its own, to be stopped, killed and suspended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.runtime.supervision import IN_GROUP

RUN = ("-m", "daemon")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """A version of the product as a worker runs it: its Python, and the folder in which that is started, which is its code or has none."""

    python: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """This process's, without the way to this checkout."""
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


HERE = Installed(Path(sys.executable), ROOT)
"""This checkout."""


def pid_of(owner: str) -> str:
    """The process id in the name of a practice's owner: `HOST:PID in group GROUP`."""
    return owner.partition(IN_GROUP)[0].rpartition(":")[2]


class Process:
    """`chartwire run` with a configuration folder and log of its own; `port` is where it takes webhooks,
    `entrances` the sandboxes' ports that only it uses."""

    def __init__(self, config: Path, port: int = 0) -> None:
        self.log = config.parent / "log"
        self.port = port
        self.entrances: set[int] = set()
        self.launcher: Sequence[str] = RUN
        self.version = HERE
        self.config = config
        self._process: asyncio.subprocess.Process | None = None
        self._read = 0
        self._said: list[dict[str, Any]] = []
        self.log.touch()

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self.version.python,
                *self.launcher,
                "run",
                "--no-check",
                "--config",
                str(self.config),
                cwd=self.version.folder,
                env=self.version.environment,
                stdout=log,
                stderr=log,
            )

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def ended(self, seconds: float = 120.0) -> int:
        """Wait until it is gone; its exit code. Fails after `seconds` with what it logged last."""
        assert self._process is not None
        try:
            async with asyncio.timeout(seconds):
                return await self._process.wait()
        except TimeoutError:
            last = [one.get("event") for one in self.lines[-5:]]
            raise AssertionError(f"worker {self.pid} has not ended within {seconds:.0f} s; it logged last: {last}") from None

    async def end(self) -> None:
        """Kill it, whatever state it is in."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far, in order; lines that are not of its log (tracebacks) left out."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._said += self._decoded(whole)
        return self._said

    @staticmethod
    def _decoded(text: bytes) -> Iterator[dict[str, Any]]:
        for line in text.splitlines():
            if line.startswith(b"{"):
                with contextlib.suppress(json.JSONDecodeError):
                    yield json.loads(line)

    def said(self, event: str) -> list[dict[str, Any]]:
        """What it logged of this kind, in order."""
        return [one for one in self.lines if one.get("event") == event]
