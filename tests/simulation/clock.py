"""The event loop of the simulation: time jumps to the next timer, and processes can be killed and suspended at any await.

There are no threads, no sockets and no waiting. What runs on behalf of a worker carries its `Process` in a context variable;
the loop drops the steps of a dead process and keeps back those of a suspended one, so that neither gets to clean anything up.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import heapq
import inspect
import sys
import types
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

T = TypeVar("T")

BEGINNING = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
"""A Monday, 6 o'clock in Denver: when virtual time is 0."""


MANY = 100
RESOLUTION = 1e-9
"""Seconds."""


class Stalled(Exception):
    """Nothing is ready and nothing is planned: everybody waits for somebody else."""


class Process:
    """A worker's process. `watchers` hear when it is killed, suspended or resumed; `stirred` counts that."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.alive = True
        self.suspended = False
        self._loop = loop
        self._held: list[_Handle] = []
        self._dropped: list[asyncio.Task[Any]] = []
        self.stirred = 0
        self.watchers: list[Callable[[], None]] = []

    @property
    def still(self) -> bool:
        """Killed or suspended."""
        return not self.alive or self.suspended

    def _stir(self) -> None:
        self.stirred += 1
        for tell in self.watchers:
            tell()

    def kill(self) -> None:
        """SIGKILL: no step is made any more, no cleanup runs; what others see of it (connections) breaks."""
        self.alive = False
        self._dropped = [task for task in asyncio.all_tasks(self._loop) if getattr(task, "process", None) is self]
        for task in self._dropped:
            _close_unbegun(task)
        self._held.clear()
        self._stir()

    def suspend(self) -> None:
        """SIGSTOP, or a machine that swaps: time goes on without it."""
        self.suspended = True
        self._stir()

    def resume(self) -> None:
        self.suspended = False
        self._stir()
        held, self._held = self._held, []
        self._loop.again(held)

    def forget(self) -> None:
        """Let go of what was kept back and dropped."""
        self._held.clear()
        self._dropped.clear()

    def takes(self, handle: _Handle) -> bool:
        """Whether a step may be made now."""
        if self.alive:
            if not self.suspended:
                return True
            self._held.append(handle)
        return False


def _close_unbegun(task: asyncio.Task[Any]) -> None:
    """A coroutine that has not made its first step has nothing to clean up; never awaited, Python would complain of it."""
    work = task.get_coro()
    if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
        work.close()


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def process_now() -> Process | None:
    """On whose behalf this runs; None for the world outside the workers."""
    return PROCESS.get()


class _Handle:
    """As `asyncio.Handle`, with what the loop needs and nothing else: a simulated day makes some hundred thousand of them."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context")

    def __init__(self, callback: Any, args: Any, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._callback = callback
        self._args = args
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None

    def cancelled(self) -> bool:
        return self._cancelled


class _TimerHandle(_Handle):
    __slots__ = ("_loop", "_scheduled", "_when")

    def __init__(self, when: float, callback: Any, args: Any, loop: VirtualLoop, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._loop = loop
        self._when = when
        self._scheduled = True

    def cancel(self) -> None:
        if not self._cancelled:
            self._loop._cancelled += self._scheduled
            self._cancelled = True
            self._callback = self._args = None

    def when(self) -> float:
        return self._when

    def __lt__(self, _other: object) -> bool:
        """Of two at one time neither comes first: the heap leaves them as they are."""
        return False


class _Task(asyncio.Task[Any]):
    """Hashed by its number, so that sets of tasks are walked in the same order every time."""

    _numbers = count()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._number = next(self._numbers)
        context = options.get("context")
        self.process = context.get(PROCESS) if context is not None else PROCESS.get()
        super().__init__(*arguments, **options)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self._now = self._told_at = 0.0
        self._told = BEGINNING
        self._timers: list[tuple[float, _TimerHandle]] = []
        self._cancelled = 0
        self.set_task_factory(lambda loop, coroutine, **options: _Task(coroutine, loop=loop, **options))
        self.set_exception_handler(self._remember)
        self.errors: list[str] = []

    def time(self) -> float:
        return self._now

    def now(self) -> datetime:
        """The virtual time of day."""
        if self._told_at != self._now:
            self._told_at, self._told = self._now, BEGINNING + timedelta(seconds=self._now)
        return self._told

    def forget(self) -> None:
        """Let go of whatever was still to be done."""
        self._ready.clear()
        self._timers.clear()

    def again(self, handles: list[_Handle]) -> None:
        """Make steps that were kept back."""
        self._ready.extend(handles)

    def _remember(self, _loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, Stalled | ConnectionError | KafkaError):
            self.errors.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    # -- what BaseEventLoop does for real time and sockets --------------------------------------------------------------------

    def _run_once(self) -> None:
        """Until somebody stops it: everything that is ready; where nothing is, time is put forward to the next timer."""
        ready, take = self._ready, self._ready.popleft
        while True:
            self._make_ready()
            for _ in range(len(ready)):
                handle = take()
                if handle._cancelled:
                    continue
                context = handle._context
                process = context.get(PROCESS)
                if process is None or process.takes(handle):
                    try:
                        context.run(handle._callback, *handle._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # noqa: BLE001 - as asyncio does
                        self.call_exception_handler({"message": "in a callback", "exception": error, "handle": handle})
            if self._stopping:
                return

    def _make_ready(self) -> None:
        """The timers that are due now, or next where nothing else is ready."""
        timers, ready = self._timers, self._ready
        if len(timers) > MANY and self._cancelled > len(timers) / 2:
            self._timers = timers = [one for one in timers if not one[1]._cancelled]
            heapq.heapify(timers)
            self._cancelled = 0
        while timers and timers[0][1]._cancelled:
            heapq.heappop(timers)
            self._cancelled -= 1
        if not ready and not self._stopping:
            if not timers:
                raise Stalled
            self._now = max(self._now, timers[0][0])
        due = self._now + RESOLUTION
        while timers and timers[0][0] < due:
            timer = heapq.heappop(timers)[1]
            timer._scheduled = False
            ready.append(timer)

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = _Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self._at(self._now + delay, callback, args, context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self._at(when, callback, args, context)

    def _at(self, when: float, callback: Any, args: Any, context: Context | None) -> _TimerHandle:
        timer = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, timer))
        return timer

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, _executor: object, function: Callable[..., Any], *args: Any) -> Any:
        """Threads would bring their own order: the work is done here and now."""
        future = self.create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future


async def _sleep(delay: float, result: Any = None) -> Any:
    """As `asyncio.sleep`, which asks again what is known here: most steps of a day are the ends of pauses."""
    if delay <= 0:
        await _next_step()
        return result
    loop: Any = asyncio.get_running_loop()
    future: asyncio.Future[None] = asyncio.Future(loop=loop)
    timer = loop._at(loop._now + delay, _wake, (future,), None)
    try:
        await future
    except BaseException:
        timer.cancel()
        raise
    return result


class Waking:
    """As an `asyncio.Event` that one task waits for within an `asyncio.timeout`, at half the price: polls are half of all timers."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._late = False

    def set(self) -> None:
        """Wake who waits now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """Until `set` is called: True; False where it is not within `seconds`."""
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        self._late = False
        timer = loop.call_later(seconds, self._give_up)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None
        return not self._late

    def _give_up(self) -> None:
        self._late = True
        self.set()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.set_result(None)


@types.coroutine
def _next_step() -> Generator[None, None, None]:
    yield


async def outside(work: Awaitable[T]) -> T:
    """Do `work` in the world outside: it goes on when the process that asked for it is gone."""
    return await asyncio.get_running_loop().create_task(_awaited(work), context=Context())


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def within(process: Process, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start `work` as a task of `process`."""
    context = Context()
    context.run(PROCESS.set, process)
    return asyncio.get_running_loop().create_task(work, context=context)


def simulate(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `main` on a loop of its own; nothing of its world is left afterwards that could reach into the next one's."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    complain, sleep = sys.unraisablehook, asyncio.sleep
    asyncio.sleep = _sleep
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.set_exception_handler(lambda _loop, _context: None)
        sys.unraisablehook = lambda _unraisable: None  # dead processes' tasks may end as they like
        with warnings.catch_warnings(action="ignore"):
            _sweep(loop)
            asyncio.set_event_loop(None)
            loop.close()
            loop.forget()
            gc.collect()
            gc.collect()  # a coroutine that was collected has begun cleaning up: what it began goes, too
            if not gc.get_freeze_count():
                gc.freeze()  # modules and the WSDL need not be walked through after every world
        sys.unraisablehook, asyncio.sleep = complain, sleep


def _sweep(loop: VirtualLoop) -> None:
    """End what is left, dead processes' tasks included: they may clean up now, since nobody looks any more."""
    for task in asyncio.all_tasks(loop):
        process = getattr(task, "process", None)
        if process is not None:
            process.alive, process.suspended = True, False
            process.forget()
    for _ in range(20):
        left = asyncio.all_tasks(loop)
        if not left:
            return
        for task in left:
            task.cancel()
        with contextlib.suppress(Stalled, TimeoutError):
            loop.run_until_complete(asyncio.wait(left, timeout=3600))
