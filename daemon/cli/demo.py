"""`chartwire demo`: everything on one machine, a scripted clinic day, and what came of it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from daemon.cli.common import console_of
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.config import load
from daemon.demo.embedded import NotInstalled
from daemon.demo.rehearsal import Rehearsal, RehearsalReport
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from daemon.tables import accounts
from daemon.telemetry import configure_logging
from daemon.vendors.sections import SECTIONS
from projections.terms.names import NAMES

LEAST = 3
"""The smallest day that can be played to its end."""

USER = "demo"
"""Who looks at the rehearsal's web pages: an operator and auditor of all its practices, without a password."""


def register(commands: Commands) -> None:
    parser = commands.add_parser("demo", help="see it work: a clinic day on sandboxes of both systems")
    parser.add_argument("--headless", action="store_true", help="nothing but the result")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end and print the addresses")
    parser.add_argument("--seed", type=int, default=1, help="another day")
    parser.add_argument("--size", type=_size, default=8, help="how busy a day (patients per scene and practice, 3 or more)")
    parser.add_argument("--log-level", default="ERROR", help="the daemon's own log, on stderr (default ERROR)")
    parser.set_defaults(handler=demo)


def _size(text: str) -> int:
    """The script's scenes need a few patients whom both systems know."""
    if not text.isdecimal() or int(text) < LEAST:
        raise argparse.ArgumentTypeError(f"must be {LEAST} or more")
    return int(text)


def demo(arguments: argparse.Namespace) -> int:
    """Exits 0 when every invariant holds, 1 otherwise."""
    configure_logging(json=not sys.stderr.isatty(), level=arguments.log_level.upper())
    clinic = Clinic(both_ways=1)
    day = Day(clinic, seed=arguments.seed, size=arguments.size)
    started = time.monotonic()

    def tell(line: str) -> None:
        if not arguments.headless:
            say(f"{time.monotonic() - started:6.1f} s  {line}", flush=True)

    ending = Ending()

    async def hold(config: str) -> None:
        say(f"configuration: {config}")
        say(f"{NAMES.ehr.label} sandbox: {clinic.ehr.url}", f"{NAMES.billing.label} sandbox: {clinic.billing.url}")
        async with _pages(Path(config)) as lines:
            say(*lines, "everything keeps running; press Ctrl-C to end", flush=True)
            await ending.asked()

    try:
        report = asyncio.run(ending.heeding(Rehearsal(clinic, day, tell).run(hold=hold if arguments.keep else None)))
    except NotInstalled as error:
        warn(error)
        return 1
    except asyncio.CancelledError:
        if not ending.number:
            raise
        return 128 + ending.number
    report["seconds"] = round(time.monotonic() - started, 1)
    if arguments.json:
        say(*json.dumps(report, indent=None if arguments.headless else 2).rstrip("\n").split("\n"))
    else:
        say(*summary(report))
    return 0 if report["ok"] else 1


class Ending:
    """Ctrl-C, SIGTERM and a closed terminal: the first ends the day, or the keeping after it; whatever runs is put down in order.

    Further ones change nothing, since nobody else would stop the servers.
    """

    def __init__(self) -> None:
        self.number = 0
        self._asked = asyncio.Event()
        self._holding = False

    async def asked(self) -> None:
        """Wait for one of them; it ends this waiting only."""
        self._holding = True
        await self._asked.wait()
        self._holding = False

    async def heeding(self, work: Coroutine[Any, Any, RehearsalReport]) -> RehearsalReport:
        """The result of `work`. Raises CancelledError where a signal ended it, whose number is then in `number`."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def heard(number: signal.Signals) -> None:
            if self._asked.is_set():
                return
            self._asked.set()
            if not self._holding:
                self.number = number
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, heard, number)
        return await work


@contextlib.asynccontextmanager
async def _pages(file: Path) -> AsyncIterator[list[str]]:
    """The web pages, served while everything runs: where they are, with a link that signs in once."""
    config = load(file, SECTIONS)
    try:
        console_of(config)
    except Ended as missing:
        yield [str(missing)]
        return
    from daemon.console.app import serving
    from daemon.console.roles import Role
    from daemon.console.sessions import make_link

    async with serving(config, file) as console:
        pool = console.store.pool
        await accounts.add(pool, USER, "")
        for role in (Role.OPERATOR, Role.AUDITOR):
            await accounts.set_role(pool, USER, accounts.EVERYWHERE, role, held=True)
        token = await make_link(pool, USER, USER)
        yield [
            f"console: {console_of(config).url}/enter/{token}",
            "  signs you in once, within a quarter of an hour; for another such link: "
            f"chartwire user link {USER} --config {file}",
        ]


def summary(report: RehearsalReport) -> list[str]:
    """The result in words."""
    lines = [
        "",
        f"{report['actions']} actions of people, {report['changes_seen']} changes seen, {report['events_recorded']} events",
        f"{report['linked_patients']} patients are linked and agree in every mapped field but those that wait",
        f"echoes suppressed: {report['echoes_suppressed']}, conflicts: {report['conflicts']}, refusals: {report['refusals']}",
    ]
    for system, each in report["writes"].items():
        lines.append(f"writes to {system}: " + ", ".join(f"{number} {resource}" for resource, number in each.items()))
    for direction, times in report["seconds_from_change_to_write"].items():
        if times:
            lines.append(f"from change to write, {direction}: p50 {times['p50']} s, p99 {times['p99']} s")
    lines.append(f"calls too fast for {NAMES.billing.label}: {report['limiter_violations']}")
    waiting = Counter((one["code"], one["reason"]) for one in report["waiting"])
    lines += ["", f"{len(report['waiting'])} items wait for a person:"]
    lines += [f"  {count:3} x {code}: {reason}" for (code, reason), count in sorted(waiting.items())]
    broken = {name: problems for name, problems in report["invariants"].items() if problems}
    lines += ["", "every invariant holds" if not broken else "BROKEN:"]
    return [*lines, *(f"  {name}: {problem}" for name, problems in broken.items() for problem in problems)]
