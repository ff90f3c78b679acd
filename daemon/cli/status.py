"""`chartwire status`: per practice, from any machine: its owner, how far it is, what is open, what waits, what a vendor bears.

Exits 0, or 1 when a practice passes one of the limits given (for monitoring; each is named on stderr).
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from aiokafka.errors import KafkaError

from daemon.cli.advice import add_config, advice
from daemon.cli.common import add_utc, configured, keys_of, opened, shown_of
from daemon.cli.parsers import Commands
from daemon.cli.printing import HEADING, say, warn
from daemon.cli.similar import not_configured
from daemon.config import Config, names_of
from daemon.runtime.kafka import bus_of
from daemon.tables.status import PracticeStatus, practice_status
from events.codes import WaitCode
from events.holds import scope_in
from events.ids import PracticeId
from projections.terms.names import Names
from projections.words.moment import in_zone
from projections.words.scope import scope_options

BROKER_SECONDS = 10.0


def register(commands: Commands) -> None:
    parser = commands.add_parser("status", help="owner, lag, what is open and what waits, by practice")
    parser.add_argument("practice", nargs="*", help="only these (default: all of the configuration)")
    parser.add_argument("--json", action="store_true")
    add_utc(parser)
    parser.add_argument(
        "--fail-lag", type=int, metavar="MESSAGES", help="exit 1 when more are not recorded yet, or nobody knows how many"
    )
    parser.add_argument(
        "--fail-silent", type=float, metavar="SECONDS", help="exit 1 when an owner was not heard of for longer"
    )
    parser.add_argument("--fail-waiting", type=int, metavar="ITEMS", help="exit 1 when more items wait for a person")
    add_config(parser)
    parser.set_defaults(handler=status)


def status(arguments: argparse.Namespace) -> int:
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    known = [one.id for one in config.practice]
    if strangers := sorted(set(arguments.practice) - set(known)):
        warn(not_configured(strangers, known))
        return 1
    rows = asyncio.run(_rows(config, beside, arguments.practice or known))
    practices = {one.id: one for one in config.practice}
    if arguments.json:
        told = [document(row, names_of(practices[row.practice])) for row in rows]
        say(*msgspec.json.format(msgspec.json.encode(told), indent=2).decode().rstrip("\n").split("\n"))
    else:
        for row in rows:
            practice = practices[row.practice]
            shown = shown_of(arguments, practice)
            heading, *more = lines(row, shown.zone, shown.systems)
            say(heading, look=HEADING)
            say(*more)
            if row.observed(practice.mode):
                say(
                    f"  only observed: nothing is decided or written; `{advice(f'onboard {row.practice}', arguments)}` tells more"
                )
    found_wrong = [
        text for row in rows for text in passed(row, arguments.fail_lag, arguments.fail_silent, arguments.fail_waiting)
    ]
    for text in found_wrong:
        warn(text)
    return 1 if found_wrong else 0


def passed(row: PracticeStatus, lag: int | None, silent: float | None, waiting: int | None) -> list[str]:
    """Which of the limits (None: not asked) a practice passes. What is not known counts as passed."""
    out = []
    if lag is not None and (row.lag is None or row.lag > lag):
        behind = "an unknown number of" if row.lag is None else f"{row.lag}"
        out.append(f"{row.practice}: {behind} messages behind (--fail-lag {lag})")
    if silent is not None and (row.report_age is None or row.report_age > silent):
        heard = "never heard of" if row.report_age is None else f"not heard of for {_ago(row.report_age)}"
        out.append(f"{row.practice}: its owner was {heard} (--fail-silent {silent:g})")
    if waiting is not None and (count := sum(number for _, number in row.waiting)) > waiting:
        out.append(f"{row.practice}: {count} items wait for a person (--fail-waiting {waiting})")
    return out


async def _rows(config: Config, beside: Path, wanted: list[str]) -> list[PracticeStatus]:
    async with opened(config, beside) as store:
        rows = [await practice_status(store.pool, PracticeId(one)) for one in wanted]
    bus = bus_of(config, beside, keys_of(config, beside))
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            lag = await bus.lag(config.kafka.group)
    except (KafkaError, OSError) as error:
        warn(f"kafka: the lag is not known ({type(error).__name__})")
        return rows
    bus.partitions = len(lag)
    return [msgspec.structs.replace(row, lag=lag[bus.partition_of(PracticeId(row.practice))]) for row in rows]


def lines(row: PracticeStatus, zone: ZoneInfo, names: Names) -> list[str]:
    """One practice in words, with times in `zone`."""
    owner = f", owner {row.owner} since {in_zone(row.taken_at, zone)}" if row.owner and row.taken_at else ", no owner yet"
    out = [f"{row.practice}: {row.events} events, epoch {row.epoch}{owner}"]
    lag = "" if row.lag is None else f"{row.lag} messages behind in its partition"
    unfed = f"{row.unfed} events not published outward yet" if row.unfed else ""
    if behind := ", ".join(filter(None, (lag, unfed))):
        out.append(f"  {behind}")
    if row.sources:
        out.append("  last complete pass: " + ", ".join(f"{name} {_ago(age)} ago" for name, age in row.sources.items()))
    if row.report is not None and row.report_age is not None:
        out += _reported(row, row.report_age, names)
    for system, state, count, oldest in row.open_intents:
        since = "" if oldest is None else f", oldest since {in_zone(oldest, zone)}"
        out.append(f"  {count} writes to {names.label(system)} {state}{since}")
    if any(code == WaitCode.HISTORY_RESTARTED for code, _ in row.waiting):
        out.append(
            "  the database was restored: both systems are read again, and each creation is looked for before it is made"
        )
    for one in row.held:
        out.append(f"  held since {in_zone(one.since, zone)}: {held_in_words(one.slot, names)}, {one.writes} writes wait")
    for code, count in row.waiting:
        out.append(f"  {count} waiting: {code}")
    if not row.open_intents and not row.waiting:
        out.append("  nothing open, nothing waits")
    return out


def document(row: PracticeStatus, names: Names) -> dict[str, object]:
    """One practice for a program; a system is called by its prefix."""
    whole: dict[str, Any] = msgspec.to_builtins(row, builtin_types=(datetime,))
    whole["open_intents"] = [(names.of(system).prefix, *more) for system, *more in row.open_intents]
    if row.report is not None:
        whole["report"]["queued"] = {names.of(system).prefix: count for system, count in row.report.queued.items()}
    return whole


def held_in_words(slot: str, names: Names) -> str:
    """What a hold holds, as far as its slot says it."""
    scope = scope_in(slot)
    if scope is None:
        return slot
    options = scope_options(scope, names).split(" --")
    return ", ".join(options[1:]) or "everything"


def _reported(row: PracticeStatus, age: float, names: Names) -> list[str]:
    report = row.report
    assert report is not None
    out = [f"  its owner was heard of {_ago(age)} ago"]
    if report.standing:
        out.append(f"  not at work: {report.standing}")
    if report.budget:
        most = sorted(report.budget.items(), key=lambda item: -item[1])[:3]
        out.append(
            f"  {names.billing.label}'s limits used: " + ", ".join(f"{operation} {share:.0%}" for operation, share in most)
        )
    if any(report.queued.values()):
        out.append(
            "  in hand: "
            + ", ".join(f"{count} writes to {names.label(system)}" for system, count in report.queued.items() if count)
        )
    out += [f"  failing: {name}: {why}" for name, why in sorted(report.failing.items())]
    return out


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
