"""Many seeds on all processors. Each runs in a child process whose hashes are fixed, so that sets are walked alike everywhere."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context

from tests.simulation import bugs
from tests.simulation.booking import booking
from tests.simulation.left_alone import left_alone
from tests.simulation.mapping import mapping
from tests.simulation.plan import Plan, both_ways
from tests.simulation.poison import plan_of
from tests.simulation.restoring import restored
from tests.simulation.run import Verdict, play
from tests.simulation.switching import booking_switched, switching

AT_MOST = 240
"""Seconds that one simulated day may take; most take one. What goes round for ever without virtual time passing ends like this."""


class Endless(SystemExit):
    """A day took too long. A SystemExit, which asyncio hands on from any task."""


def tried(plan: Plan, bug: str = "") -> Verdict:
    """Carry out a plan, with a deliberate bug in the daemon if one is named; a simulation that fails itself is a finding."""
    try:
        with bugs.planted(bug), at_most(AT_MOST):
            return play(plan)
    except (Exception, Endless):  # noqa: BLE001 - told with the seed
        return Verdict(plan, broken={"simulation": [traceback.format_exc()]})


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise Endless after so many seconds, with the stack of where the day was. In a process's main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ended(_number: int, _frame: object) -> None:
        raise Endless(f"the day did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, ended)
    left = signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(left)
        signal.signal(signal.SIGALRM, before)


def of_seed(seed: int, bug: str = "", plans: str = "drawn") -> Verdict:
    kinds = {
        "booking": booking,
        "booking switched": booking_switched,
        "drawn": plan_of,
        "both ways": both_ways,
        "left alone": left_alone,
        "mapping": mapping,
        "restored": restored,
        "switching": switching,
    }
    return tried(kinds[plans](seed), bug)


@contextmanager
def crowd(workers: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes to run seeds in."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "0"
    pool = ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        if before is None:
            del os.environ["PYTHONHASHSEED"]
        else:
            os.environ["PYTHONHASHSEED"] = before


def first_to_fall(pool: ProcessPoolExecutor, seeds: Iterable[int], bug: str, plans: str = "drawn") -> Verdict | None:
    """The verdict of the first seed that finds a bug; None when none does. Few days are begun ahead: each that is under way then is in vain."""
    left = iter(seeds)
    running: deque[Future[Verdict]] = deque()
    try:
        while True:
            ahead = islice(left, (os.cpu_count() or 1) - len(running))
            running += [pool.submit(of_seed, seed, bug, plans) for seed in ahead]
            if not running:
                return None
            if not (verdict := running.popleft().result()).ok:
                return verdict
    finally:
        for future in running:
            future.cancel()
