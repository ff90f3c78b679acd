"""What a kill is: on whom, at which point of the work, on the way of which kind of write."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from events.records import stored_type
from events.writes import AnyWrite

Victim = Literal["daemon", "postgres", "broker"]
VICTIMS: tuple[Victim, ...] = get_args(Victim)
POINTS = (
    "before publish", "after publish", "before append", "after append", "before commit", "after commit", "before offsets",
    "after offsets", "before attempt", "after attempt", "before call", "after call", "before outcome", "after outcome",
)  # fmt: skip
"""In the order of the work. publish: of the change to Kafka. append, commit: of the transaction in which the write is
requested. offsets: the commit of the batch with the change. attempt: its recording. call: the request that changes something;
"after" means that it was applied and its answer has not been read. outcome: its recording; "before" means that the answer was
understood. Where PostgreSQL is killed after a commit (of the request, the attempt or the outcome), the commit's answer is lost."""
POINTS_OF: dict[Victim, tuple[str, ...]] = {
    "daemon": POINTS,
    "postgres": POINTS,
    "broker": tuple(point for point in POINTS if point.split()[1] in ("publish", "append", "commit", "offsets", "call")),
}
KINDS = tuple(stored_type(one.__name__) for one in get_args(AnyWrite) if not one.__name__.startswith("Search"))
SIZE = 256


@dataclass(frozen=True)
class Kill:
    """`pid` is the server's, 0 when the daemon itself is the victim."""

    victim: Victim
    point: str
    kind: str
    pid: int = 0


class NextKill:
    """The kill that comes next, in a file that the test and the processes of its daemon share. It comes once."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(SIZE))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), SIZE)

    @property
    def kill(self) -> Kill | None:
        if not self._map[0]:
            return None
        victim, point, kind, pid = bytes(self._map).rstrip(b"\0").decode().split("|")
        return Kill(victim, point, kind, int(pid))  # type: ignore[arg-type]

    def order(self, kill: Kill) -> None:
        text = f"{kill.victim}|{kill.point}|{kill.kind}|{kill.pid}".encode()
        self._map[1:SIZE] = text[1:].ljust(SIZE - 1, b"\0")
        self._map[0] = text[0]

    def clear(self) -> None:
        self._map[0] = 0
