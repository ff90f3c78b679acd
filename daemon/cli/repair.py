"""The commands that put things right: resync, retry, resend, link, unlink, dismiss, seen, redrive.

Each is an event that the practice's owner records and answers (daemon/operator/commands.py): it works from any machine that reaches
Kafka and the database. Exits 0 done, 1 refused, not found, not recorded or not carried out in time, 2 used wrongly, 3 a server is away.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError

from daemon.cli.advice import add_config, advice
from daemon.cli.common import BOTH, EITHER, Asked, KafkaAway, add_shown, asked, run_async
from daemon.cli.ended import Ended
from daemon.cli.printing import say, warn
from daemon.operator.commands import Followed, command, login, write
from daemon.operator.find import Looked, find_patient
from daemon.runtime.surroundings import bus_of
from daemon.tables import observed
from events.bus import Bus
from events.commands import (
    BillResendRequested,
    Command,
    ConflictSeen,
    DismissRequested,
    LinkRequested,
    RedriveRequested,
    ResyncRequested,
    RetryRequested,
    UnlinkRequested,
)
from events.ids import BillingPatientId, Charts, EhrChartId
from events.schema import Origin
from events.slots import set_aside_in
from events.store import Store
from events.writes import System
from projections.deciding.repair import COMPARED, differing
from projections.rules.fields import BY_NAME, billing_view, ehr_view
from projections.terms.names import LARGEST_ID, NAMES
from projections.words.shown import Shown
from projections.words.words import describe

BROKER_SECONDS = 20.0
SILENT_SECONDS = 2.0
NOT_YET = 1
"""Exit code of a command that was recorded, but not carried out in the time that was waited for."""


Asks = list[Followed]
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
        asks = await ask(arguments, store, it)
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


def _ask(it: Asked, body: Command, charts: Charts) -> Followed:
    return Followed(command(it.id, body, charts))


async def _looked(store: Store, it: Asked, charts: Charts) -> Looked:
    found = await find_patient(store, it.id, charts)
    if found is None:
        raise Ended(f"{it.names.one_of(charts)} has never been seen in {it.id}", 1)
    return found


async def _resync(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts = _typed(arguments.chart, it)
    patient = (await _looked(store, it, charts)).patient
    followed = _ask(it, ResyncRequested(who=login(), reason=arguments.reason, as_new=arguments.as_new), charts)
    sides = ((Origin.EHR, patient.link or patient.ehr), (Origin.BILLING, patient.billing))
    followed.reading = {origin for origin, side in sides if side is not None}
    return [followed]


async def _retry(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    first, *more = arguments.what or [""]
    if first.partition(":")[0] not in (it.names.ehr.prefix, it.names.billing.prefix):
        body = RetryRequested(slots=tuple(arguments.what), who=login(), reason=arguments.reason)
        return [Followed(command(it.id, body, Charts()), slots=frozenset(arguments.what))]
    charts = _typed(first, it)
    patient = (await _looked(store, it, charts)).patient
    followed = _ask(it, RetryRequested(slots=tuple(more), who=login(), reason=arguments.reason), charts)
    refused = {slot: one.intent for slot, one in patient.intents.items() if one.state == "refused"}
    again = {intent for slot, intent in refused.items() if not more or slot in more}
    return [Followed(followed.command, open=again)]


async def _resend(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    text = arguments.bill
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID):
        raise Ended(f"{text}: must be a bill's id")
    bill = int(text)
    record = ("bills", str(bill))
    rows = await observed.lookup_observed(store.pool, it.id, System.EHR, [record])
    if record not in rows or not rows[record].parent:
        raise Ended(f"bill {bill} has never been seen in {it.id}", 1)
    chart = EhrChartId(int(rows[record].parent))
    return [_ask(it, BillResendRequested(bill=bill, who=login(), reason=arguments.reason), Charts(ehr=chart))]


def _pair(texts: list[str], it: Asked) -> tuple[EhrChartId, BillingPatientId]:
    charts = [_typed(text, it) for text in texts]
    ehr = next((one for one, _ in charts if one is not None), None)
    billing = next((one for _, one in charts if one is not None), None)
    if ehr is None or billing is None or len(charts) != 2:
        raise Ended(f"give one chart of each system: {it.names.both}")
    return ehr, billing


async def _link(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    ehr, billing = _pair(arguments.charts, it)
    here = await _looked(store, it, Charts(ehr=ehr))
    there = await _looked(store, it, Charts(billing=billing))
    if here.patient.ehr is not None and there.patient.billing is not None:
        if arguments.show:
            ours = ehr_view(here.patient.ehr.chart, here.directory, it.policy)
            theirs = billing_view(there.patient.billing.chart)
            ehr_label, billing_label = it.names.ehr.label, it.names.billing.label
            for name in COMPARED:
                mark = " " if ours[name] == theirs[name] else "*"
                here_, there_ = (it.shown.value(name, view[name]) or "-" for view in (ours, theirs))
                say(f"{mark} {BY_NAME[name].label:<14} {ehr_label} {here_:<30} {billing_label} {there_}")
            return []
        state = here.state()
        names = [BY_NAME[name].label.lower() for name in differing(here.patient, there.patient, state, it.policy)]
        say(f"they differ in {', '.join(names)}" if names else "names, birth date and sex are the same")
    body = LinkRequested(ehr=ehr, billing=billing, who=login(), reason=arguments.reason, force=arguments.force)
    return [_ask(it, body, Charts(ehr, billing))]


async def _unlink(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts = _typed(arguments.charts[0], it) if len(arguments.charts) == 1 else Charts(*_pair(arguments.charts, it))
    await _looked(store, it, charts)
    body = UnlinkRequested(ehr=charts.ehr, billing=charts.billing, who=login(), reason=arguments.reason)
    return [_ask(it, body, charts)]


async def _dismiss(arguments: argparse.Namespace, _store: Store, it: Asked) -> Asks:
    *chart, slot = arguments.what
    if len(chart) > 1:
        raise Ended("give CHART SLOT, or the SLOT of an item of the practice itself")
    if not arguments.reason.strip():
        raise Ended("--reason: say why it is accepted as it is")
    charts = _typed(chart[0], it) if chart else Charts()
    return [_ask(it, DismissRequested(slot=slot, who=login(), reason=arguments.reason), charts)]


async def _seen(arguments: argparse.Namespace, _store: Store, it: Asked) -> Asks:
    return [_ask(it, ConflictSeen(fields=tuple(arguments.fields), who=login()), _typed(arguments.chart, it))]


async def _redrive(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    found = await find_patient(store, it.id, Charts())
    slots = [arguments.slot] if arguments.slot else sorted(found.directory.quarantined) if found else []
    if not slots:
        say("nothing is in quarantine")
    if arguments.slot and arguments.slot not in (found.directory.quarantined if found else {}):
        raise Ended(
            f"{arguments.slot!r}: nothing of this name is in quarantine (chartwire waiting {it.id} shows what is)", 1
        )
    asks = []
    for slot in slots:
        followed = _ask(it, RedriveRequested(slot=slot, who=login(), reason=arguments.reason), Charts())
        kept = set_aside_in(slot)
        if kept is not None and kept.system in set(System) and kept.resource.islower():
            followed.reading = {Origin(kept.system)}
        asks.append(followed)
    return asks
