"""A daemon that strikes at a chosen point of its own work: `chartwire run` with a kill built around its functions.

`python -m tests.crash.victim` is a nursery: it has everything imported, and forks a daemon for each line on its standard
input (configuration, log, file of the next kill; separated by tabs), answering its process id. An argument names a bug that they shall have. What runs in the daemon is the product's own
`run`; only here, in the test, is it interfered with.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer

from daemon.cli import run
from daemon.runtime.outcomes import Outcomes
from daemon.runtime.sink import Sink
from daemon.runtime.worker import Worker
from daemon.vendors.elation.writer import ElationWriter
from daemon.vendors.kareo.writer import KareoWriter
from events.bus import Bus
from events.records import type_of
from events.schema import IntentRequested, IntentSucceeded
from events.store import Store, Transaction
from events.topics import Change
from tests.crash.kill_points import NextKill

PR_SET_PDEATHSIG = 1
Strike = Callable[..., None]
_carrying: ContextVar[str] = ContextVar("carrying", default="")
_recording: ContextVar[tuple[str, str]] = ContextVar("recording", default=("", ""))


def strike(next_kill: NextKill, point: str, kind: str | None = None, *, committed: bool = False) -> None:
    """Kill whom it is meant for, if this is the point; `kind` None stands for any.

    After a commit whose server is killed, its answer is lost on the way: the client hears of a broken connection.
    """
    kill = next_kill.kill
    if kill is None or kill.point != point or kind not in (None, kill.kind):
        return
    if not kill.pid:
        next_kill.clear()
        os.kill(os.getpid(), signal.SIGKILL)
    children = psutil.Process(kill.pid).children(recursive=True)
    os.kill(kill.pid, signal.SIGKILL)
    for child in children:
        with suppress(psutil.Error):
            child.kill()
    next_kill.clear()
    if committed and kill.victim == "postgres":
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


# -- around the product's functions ---------------------------------------------------------------------------------------


def install(next_kill: NextKill) -> None:
    """Build the kills in."""

    at = partial(strike, next_kill)
    _around_kafka(at)
    _around_recording(at)
    _around_calls(at)


def _observes(messages: Sequence[Any]) -> bool:
    return any(isinstance(message, Change) and message.event is not None for message in messages)


def _around_kafka(at: Strike) -> None:
    publish, record, commit = Bus.publish, Worker.record, AIOKafkaConsumer.commit
    uncommitted = False

    async def publishing(self: Bus, practice: Any, messages: Sequence[Any]) -> None:
        if not _observes(messages):
            return await publish(self, practice, messages)
        at("before publish")
        await publish(self, practice, messages)
        at("after publish")
        return None

    async def recording(self: Worker, practice: Any, messages: Sequence[Any]) -> bool:
        nonlocal uncommitted
        done = await record(self, practice, messages)
        uncommitted = uncommitted or (done and _observes(messages))
        return done

    async def committing(self: Any, offsets: Any = None) -> None:
        nonlocal uncommitted
        if not uncommitted:
            return await commit(self, offsets)
        uncommitted = False
        at("before offsets")
        await commit(self, offsets)
        at("after offsets")
        return None

    Bus.publish = publishing  # type: ignore[method-assign]
    Worker.record = recording  # type: ignore[method-assign]
    AIOKafkaConsumer.commit = committing


def _around_recording(at: Strike) -> None:
    append, writing, begin, record = Transaction.append, Store.writing, Sink._begin, Outcomes.record

    async def appending(self: Any, events: Sequence[Any]) -> Any:
        self.requested = [type_of(one.body.write) for one in events if isinstance(one.body, IntentRequested)]
        for kind in self.requested:
            at("before append", kind)
        self.appended = await append(self, events)
        for kind in self.requested:
            at("after append", kind)
        return self.appended

    @asynccontextmanager
    async def transacting(self: Store, practice: Any, epoch: int, **more: Any) -> AsyncIterator[Transaction]:
        async with writing(self, practice, epoch, **more) as tx:
            yield tx
            for kind in getattr(tx, "requested", ()):
                at("before commit", kind)
        for kind in getattr(tx, "requested", ()):
            at("after commit", kind, committed=True)
        if getattr(tx, "appended", ()):
            at(*_recording.get(), committed=True)

    async def beginning(self: Sink, attempt: Any) -> bool:
        kind = type_of(attempt.job.write)
        at("before attempt", kind)
        with _within("after attempt", kind):
            return await begin(self, attempt)

    async def recording(self: Outcomes, body: Any, attempt: Any, **more: Any) -> bool:
        if not isinstance(body, IntentSucceeded):
            return await record(self, body, attempt, **more)
        with _within("after outcome", type_of(attempt.job.write)):
            return await record(self, body, attempt, **more)

    Transaction.append = appending  # type: ignore[method-assign]
    Store.writing = transacting  # type: ignore[assignment,method-assign]
    Sink._begin = beginning  # type: ignore[method-assign]
    Outcomes.record = recording  # type: ignore[method-assign]


@contextmanager
def _within(point: str, kind: str) -> Iterator[None]:
    """The commits in here are those of this point."""
    token = _recording.set((point, kind))
    try:
        yield
    finally:
        _recording.reset(token)


def _around_calls(at: Strike) -> None:
    request = aiohttp.ClientSession._request

    async def requesting(self: Any, method: str, url: Any, **options: Any) -> Any:
        kind = _carrying.get()
        if not kind or not _changes(method, str(url), options.get("headers") or {}):
            return await request(self, method, url, **options)
        at("before call", kind)
        response = await request(self, method, url, **options)
        at("after call", kind)
        return response

    aiohttp.ClientSession._request = requesting  # type: ignore[method-assign]
    for writer in (ElationWriter, KareoWriter):
        writer.write = _carrying_out(writer.write, at)  # type: ignore[assignment,method-assign]


def _carrying_out(write: Any, at: Strike) -> Any:
    async def carrying_out(self: Any, wanted: Any) -> Any:
        kind = type_of(wanted())
        token = _carrying.set(kind)
        try:
            result = await write(self, wanted)
        finally:
            _carrying.reset(token)
        at("before outcome", kind)
        return result

    return carrying_out


def _changes(method: str, url: str, headers: Any) -> bool:
    """Whether a request changes a record: not a token, not a search, not the registration of the vendor's own name."""
    operation = str(headers.get("SOAPAction", "")).strip('"').rpartition("/")[2]
    if operation:
        return not operation.startswith(("Get", "Search", "RegisterExternalVendor"))
    return method.upper() != "GET" and "/oauth2/" not in url


# -- deliberate bugs: what the matrix has to catch --------------------------------------------------------------------------


async def _without_looking(self: Sink, *given: Any) -> bool:
    """An unsettled attempt is taken for one that was never made."""
    return False


async def _without_record(self: Sink, *given: Any) -> bool:
    """A call is made before anything says that it will be."""
    return True


BUGS: dict[str, dict[str, Any]] = {
    "retry without look-up": {"_resolve_unknown": _without_looking},
    "attempt not recorded": {"_begin": _without_record},
}


# -- the nursery ----------------------------------------------------------------------------------------------------------


def live(config: str, log: str, next_kill: str, bug: str) -> None:
    """One life: the product's `run`, in this process."""
    for name, function in BUGS.get(bug, {}).items():
        setattr(Sink, name, function)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it does not outlive an interrupted test
    null, out = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(number, target)
    install(NextKill(Path(next_kill)))
    os._exit(run.run(argparse.Namespace(config=Path(config), no_check=True)))


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to wait for the children
    children, bug = [], " ".join(sys.argv[1:])
    for line in sys.stdin:
        config, log, next_kill = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            try:
                live(config, log, next_kill, bug)
            finally:
                os._exit(70)
        children.append(child)
        print(child, flush=True)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
