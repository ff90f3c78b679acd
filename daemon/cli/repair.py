"""The commands that put things right: resync, retry, resend, link, unlink, dismiss, seen, redrive.

Each is an event that the practice's owner records and answers (daemon/operator/commands.py): it works from any machine that reaches
Kafka and the database. Exits 0 done, 1 refused, not found, not recorded or not carried out in time, 2 used wrongly, 3 a server is away.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError

from daemon.cli.advice import add_config, advice
from daemon.cli.common import BOTH, EITHER, Asked, KafkaAway, add_shown, asked, run_async
from daemon.cli.ended import Ended
from daemon.cli.printing import say, warn
from daemon.operator import deeds
from daemon.operator.commands import Followed, login, write
from daemon.operator.deeds import Asking, Asks, NotPossible, TwoCharts
from daemon.runtime.surroundings import bus_of
from events.bus import Bus
from events.ids import BillingPatientId, Charts, EhrChartId
from events.store import Store
from projections.terms.names import LARGEST_ID, NAMES
from projections.words.shown import Shown
from projections.words.words import describe

BROKER_SECONDS = 20.0
SILENT_SECONDS = 2.0
NOT_YET = 1
"""Exit code of a command that was recorded, but not carried out in the time that was waited for."""


Ask = Callable[[argparse.Namespace, Store, Asked], Awaitable[Asks]]


def register(commands: Any) -> None:
    def add(name: str, ask: Ask, help_: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=help_)
        parser.add_argument("practice", help="the practice's id")
        parser.add_argument("--wait", type=float, default=20.0, metavar="SECONDS", help="for what follows (default 20)")
        parser.add_argument("--reason", default="", help="kept in the history")
        add_shown(parser)
        add_config(parser)
        parser.set_defaults(handler=lambda arguments: run(arguments, ask))
        return parser

    resync = add("resync", _resync, "read a chart again from both systems and decide anew")
    resync.add_argument("chart", help=EITHER)
    resync.add_argument(
        "--as-new", action="store_true", help="an unlinked chart: search, and create it there if nobody matches"
    )
    retry = add("retry", _retry, "try refused writes again; refused credentials and what pauses, too")
    retry.add_argument("what", nargs="*", metavar="CHART|SLOT", help=f"{EITHER}, then slots (none: all refused)")
    add("resend", _resend, "send a failed bill again, after a fix").add_argument("bill", help=f"{NAMES.ehr.label}'s bill id")
    link = add("link", _link, "link two charts: they are one person")
    link.add_argument("charts", nargs=2, metavar="CHART", help=BOTH)
    link.add_argument("--yes", action="store_true", help="do not ask: for scripts that have looked")
    link.add_argument("--force", action="store_true", help="though birth date, sex or last name differ")
    link.add_argument(
        "--show",
        action="store_true",
        help="compare both persons' identifying fields (with --values --names shown), link nothing",
    )
    unlink = add("unlink", _unlink, "undo a link; with both charts: they are not the same person")
    unlink.add_argument("charts", nargs="+", metavar="CHART", help=f"{EITHER}, or both")
    dismiss = add("dismiss", _dismiss, "accept a waiting item as it is")
    dismiss.add_argument("what", nargs="+", metavar="CHART SLOT", help="the item; the practice's own items have no chart")
    seen = add("seen", _seen, "conflicts have been looked at")
    seen.add_argument("chart", help=EITHER)
    seen.add_argument("fields", nargs="*", help="fields (default: all)")
    add("redrive", _redrive, "try again what is in quarantine").add_argument("slot", nargs="?", help="(default: all of it)")


def run(arguments: argparse.Namespace, ask: Ask) -> int:
    """Check what was typed, ask, and tell what followed."""
    it = asked(arguments)
    return run_async(_run(it, arguments, ask))


async def _run(it: Asked, arguments: argparse.Namespace, ask: Ask) -> int:
    async with it.opened() as store:
        try:
            asks = await ask(arguments, store, it)
        except NotPossible as no:
            raise Ended(str(no), 1 if no.found else 2) from None
        if not asks:
            return 0
        bus = bus_of(it.config, it.beside, store.keyring)
        code = 0
        try:
            await _reach(bus)
            for followed in asks:
                try:
                    await write(bus, store, followed, followed_seconds=arguments.wait, waits=_waits)
                except ConnectionError as error:
                    raise KafkaAway from error
                code = max(code, tell(followed, it.shown, arguments))
        finally:
            await bus.stop()
    return code


def _waits(seconds: float) -> None:
    warn(f"waiting for the practice's owner to record it, at most {seconds:.0f} s ...")


async def _reach(bus: Bus) -> None:
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await bus.start()
            await bus.find_partitions()
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaAway from error


def tell(followed: Followed, shown: Shown, arguments: argparse.Namespace) -> int:
    """Print what came of a command, no more of a person than may be shown; returns the exit code."""
    if not followed.recorded:
        practice, charts = (
            followed.command.practice,
            shown.systems.one_of(Charts(followed.command.ehr, followed.command.billing)),
        )
        looking = f"history {practice} {charts}" if charts else f"status {practice}"
        warn(
            "not recorded yet: the practice's owner is not running or is behind. Kafka has the command and it will be carried "
            f"out; do not repeat it, look at `{advice(looking, arguments)}`"
        )
        return 1
    if followed.refused is not None:
        warn(followed.refused.text)
        return 1
    for recorded in followed.events:
        say(f"#{recorded.sequence:<6} {recorded.event.origin.value:<9} {describe(recorded.event.body, shown)}")
    if not followed.settled:
        what = [f"reading {one.value}" for one in sorted(followed.reading)]
        what += [f"{len(followed.open)} writes"] if followed.open else []
        warn(
            f"recorded; not done within the time to wait (--wait): {', '.join(what)} still under way; it goes on without you"
        )
        return NOT_YET
    return 0


# -- each command -----------------------------------------------------------------------------------------------------------


def _typed(text: str, it: Asked) -> Charts:
    """The chart that was typed. Raises Ended."""
    charts = it.names.charts_in(text)
    if charts is None:
        raise Ended(f"{text}: must be {it.names.either}")
    return charts


def _asking(arguments: argparse.Namespace, store: Store, it: Asked) -> Asking:
    return Asking(store, it.policy, login(), arguments.reason)


async def _resync(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts = _typed(arguments.chart, it)
    return await deeds.resync(_asking(arguments, store, it), charts, as_new=arguments.as_new)


async def _retry(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    first, *more = arguments.what or [""]
    asking = _asking(arguments, store, it)
    if first.partition(":")[0] not in (it.names.ehr.prefix, it.names.billing.prefix):
        return await deeds.retry(asking, None, tuple(arguments.what))
    return await deeds.retry(asking, _typed(first, it), tuple(more))


async def _resend(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    text = arguments.bill
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID):
        raise Ended(f"{text}: must be a bill's id")
    return await deeds.resend(_asking(arguments, store, it), int(text))


def _pair(texts: list[str], it: Asked) -> tuple[EhrChartId, BillingPatientId]:
    charts = [_typed(text, it) for text in texts]
    ehr = next((one for one, _ in charts if one is not None), None)
    billing = next((one for _, one in charts if one is not None), None)
    if ehr is None or billing is None or len(charts) != 2:
        raise Ended(f"give one chart of each system: {it.names.both}")
    return ehr, billing


async def _link(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    """What linking would write is shown before it is asked for; a person confirms it, or a script says --yes."""
    ehr, billing = _pair(arguments.charts, it)
    asking = _asking(arguments, store, it)
    both = await deeds.two_charts(asking, ehr, billing)
    if both.fields:
        say(*_side_by_side(both, it))
    if both.fields and arguments.show:
        return []
    if both.fields:
        say(f"they differ in {', '.join(both.differ)}" if both.differ else "names, birth date and sex are the same")
    if not arguments.yes and not _confirmed(f"Link {it.names.chart(ehr)} and {it.names.patient(billing)}?"):
        raise Ended("nothing was linked: confirm it, or say --yes", 1)
    return await deeds.link(asking, ehr, billing, force=arguments.force)


def _side_by_side(both: TwoCharts, it: Asked) -> list[str]:
    """Both charts field by field, and what linking would write where; no more of a person than may be shown."""
    ehr_label, billing_label = it.names.ehr.label, it.names.billing.label
    lines = []
    for one in both.fields:
        mark = " " if one.ehr == one.billing else "*"
        here_, there_ = (it.shown.value(one.name, value) or "-" for value in (one.ehr, one.billing))
        lines.append(f"{mark} {one.label:<14} {ehr_label} {here_:<30} {billing_label} {there_}")
    for each in both.writes:
        before, after = (it.shown.value(each.name, value) or "nothing" for value in (each.before, each.after))
        lines.append(f"  linking would write {each.label.lower()} to {it.names.label(each.system)}: {before} -> {after}")
    return lines


def _confirmed(question: str) -> bool:
    """Whether a person at the terminal says yes; without a terminal nobody does."""
    return sys.stdin is not None and sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


async def _unlink(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts = _typed(arguments.charts[0], it) if len(arguments.charts) == 1 else Charts(*_pair(arguments.charts, it))
    return await deeds.unlink(_asking(arguments, store, it), charts)


async def _dismiss(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    *chart, slot = arguments.what
    if len(chart) > 1:
        raise Ended("give CHART SLOT, or the SLOT of an item of the practice itself")
    if not arguments.reason.strip():
        raise Ended("--reason: say why it is accepted as it is")
    charts = _typed(chart[0], it) if chart else Charts()
    return await deeds.dismiss(_asking(arguments, store, it), charts, slot)


async def _seen(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    return await deeds.seen(_asking(arguments, store, it), _typed(arguments.chart, it), tuple(arguments.fields))


async def _redrive(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    try:
        asks = await deeds.redrive(_asking(arguments, store, it), arguments.slot)
    except NotPossible as no:
        raise Ended(f"{no} (chartwire waiting {it.id} shows what is)", 1) from None
    if not asks:
        say("nothing is in quarantine")
    return asks
