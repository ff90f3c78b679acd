"""How far a long run is, on stderr: nothing for short ones, a line that is overwritten in a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from daemon.cli.printing import visible

TERMINAL_SECONDS = 0.5
FILE_SECONDS = 10.0


class Progress:
    """Call it with the count so far; `what` is a verb in the past, `total` the count at the end (0: not known), `of` what is counted. Use as `with`."""

    def __init__(self, what: str, total: int, of: str = "events") -> None:
        self._what = visible(what)
        self._total = total
        self._of = of
        self._terminal = sys.stderr.isatty()
        self._every = TERMINAL_SECONDS if self._terminal else FILE_SECONDS
        self._next = time.monotonic() + self._every
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown and self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        self._shown = True
        share = f" of {self._total:,} {self._of} ({done / self._total:.0%})" if self._total else f" {self._of}"
        start, end = ("\r\x1b[K", "") if self._terminal else ("", "\n")
        print(f"{start}{self._what} {done:,}{share}", end=end, file=sys.stderr, flush=True)
