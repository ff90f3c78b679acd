"""The commands that put things right: resync, retry, resend, link, unlink, dismiss, seen, redrive.

Each is an event that the practice's owner records and answers (daemon/operator/commands.py): it works from any machine that reaches
Kafka and the database. Exits 0 done, 1 refused, not found or not recorded in time, 2 used wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

from daemon.cli.common import KafkaAway, add_config, away, configured, opened, run_async
from daemon.config import Config, policy_of
from daemon.operator.commands import Charts, Followed, command, login, write
from daemon.operator.find import Looked, look
from daemon.runtime.worker import bus_of
from daemon.tables import documents as tables
from daemon.telemetry import configure_logging
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
from events.ids import BillingPatientId, EhrChartId, PracticeId
from events.schema import Origin
from events.store import Store
from events.writes import System
from projections.deciding.repair import COMPARED, differing
from projections.rules.fields import BY_NAME, billing_view, ehr_view
from projections.terms.policy import Policy
from projections.words.words import describe

BROKER_SECONDS = 20.0


class Used(Exception):
    """The command was used wrongly."""


class NotFound(Exception):
    """There is nothing of this name."""


Asks = list[Followed]
Ask = Callable[[argparse.Namespace, Store, Policy], Awaitable[Asks]]


def register(commands: Any) -> None:
    def add(name: str, ask: Ask, help_: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=help_)
        parser.add_argument("practice", help="the practice's id")
        parser.add_argument("--wait", type=float, default=20.0, metavar="SECONDS", help="for what follows (default 20)")
        parser.add_argument("--reason", default="", help="kept in the history")
        add_config(parser)
        parser.set_defaults(handler=lambda arguments: run(arguments, ask))
        return parser

    resync = add("resync", _resync, "read a chart again from both systems and decide anew")
    resync.add_argument("chart", help="elation:ID or kareo:ID")
    resync.add_argument(
        "--as-new", action="store_true", help="an unlinked chart: search, and create it there if nobody matches"
    )
    retry = add("retry", _retry, "try refused writes again")
    retry.add_argument(
        "what", nargs="+", metavar="CHART|SLOT", help="elation:ID or kareo:ID, then slots (none: all refused)"
    )
    add("resend", _resend, "send a failed bill again, after a fix").add_argument("bill", type=int, help="Elation's bill id")
    link = add("link", _link, "link two charts: they are one person")
    link.add_argument("charts", nargs=2, metavar="CHART", help="elation:ID kareo:ID")
    link.add_argument("--force", action="store_true", help="though birth date, sex or last name differ")
    link.add_argument(
        "--show", action="store_true", help="show both persons' identifying fields (patients' data!), link nothing"
    )
    unlink = add("unlink", _unlink, "undo a link; with both charts: they are not the same person")
    unlink.add_argument("charts", nargs="+", metavar="CHART", help="elation:ID or kareo:ID, or both")
    dismiss = add("dismiss", _dismiss, "accept a waiting item as it is")
    dismiss.add_argument("what", nargs="+", metavar="CHART SLOT", help="the item; the practice's own items have no chart")
    seen = add("seen", _seen, "conflicts have been looked at")
    seen.add_argument("chart", help="elation:ID or kareo:ID")
    seen.add_argument("fields", nargs="*", help="fields (default: all)")
    add("redrive", _redrive, "try again what is in quarantine").add_argument("slot", nargs="?", help="(default: all of it)")


def run(arguments: argparse.Namespace, ask: Ask) -> int:
    """Check what was typed, ask, and tell what followed."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    configure_logging(json=False, level="CRITICAL")
    practice = next((one for one in config.practice if one.id == arguments.practice), None)
    if practice is None:
        print(f"practice: {arguments.practice} is not in the configuration", file=sys.stderr)
        return 1
    try:
        with away() as problem:
            problem.code = run_async(_run(config, beside, arguments, ask, policy_of(practice)))
        return problem.code
    except Used as error:
        print(error, file=sys.stderr)
        return 2
    except NotFound as error:
        print(error, file=sys.stderr)
        return 1


async def _run(config: Config, beside: Path, arguments: argparse.Namespace, ask: Ask, policy: Policy) -> int:
    async with opened(config, beside) as store:
        asks = await ask(arguments, store, policy)
        if not asks:
            return 0
        bus = bus_of(config, beside, store.keyring)
        code = 0
        try:
            await _reach(bus)
            for followed in asks:
                try:
                    await write(bus, store, followed, followed_seconds=arguments.wait)
                except ConnectionError as error:
                    raise KafkaAway from error
                code = max(code, tell(followed))
        finally:
            await bus.stop()
    return code


async def _reach(bus: Bus) -> None:
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await bus.start()
            await bus.find_partitions()
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaAway from error


def tell(followed: Followed) -> int:
    """Print what came of a command; returns the exit code."""
    if not followed.recorded:
        print(
            "not recorded yet: the practice's owner is not running or is behind. Kafka has the command and it will be carried "
            "out; do not repeat it, look at `chartwire history`",
            file=sys.stderr,
        )
        return 1
    if followed.refused is not None:
        print(followed.refused.text, file=sys.stderr)
        return 1
    for recorded in followed.events:
        print(f"#{recorded.sequence:<6} {recorded.event.origin.value:<9} {describe(recorded.event.body)}")
    if not followed.settled:
        what = [f"reading {one.value}" for one in sorted(followed.reading)]
        what += [f"{len(followed.open)} writes"] if followed.open else []
        print(f"recorded; still under way: {', '.join(what)}")
    return 0


# -- each command -----------------------------------------------------------------------------------------------------------


def _chart(text: str) -> Charts:
    system, _, number = text.partition(":")
    if system not in ("elation", "kareo") or not (number.isascii() and number.isdigit()):
        raise Used(f"{text}: must be elation:ID or kareo:ID")
    return (EhrChartId(int(number)), None) if system == "elation" else (None, BillingPatientId(int(number)))


def _is_chart(text: str) -> bool:
    system, _, number = text.partition(":")
    return system in ("elation", "kareo") and number.isdigit()


def _ask(arguments: argparse.Namespace, body: Command, charts: Charts) -> Followed:
    return Followed(command(PracticeId(arguments.practice), body, charts))


async def _looked(store: Store, arguments: argparse.Namespace, charts: Charts) -> Looked:
    found = await look(store, PracticeId(arguments.practice), *charts)
    if found is None:
        name = f"elation:{charts[0]}" if charts[0] is not None else f"kareo:{charts[1]}"
        raise NotFound(f"{name} has never been seen in {arguments.practice}")
    return found


async def _resync(arguments: argparse.Namespace, store: Store, _policy: Policy) -> Asks:
    charts = _chart(arguments.chart)
    patient = (await _looked(store, arguments, charts)).patient
    followed = _ask(arguments, ResyncRequested(who=login(), reason=arguments.reason, as_new=arguments.as_new), charts)
    sides = ((Origin.EHR, patient.link or patient.ehr), (Origin.BILLING, patient.billing))
    followed.reading = {origin for origin, side in sides if side is not None}
    return [followed]


async def _retry(arguments: argparse.Namespace, store: Store, _policy: Policy) -> Asks:
    first, *more = arguments.what
    if not _is_chart(first):
        body = RetryRequested(slots=tuple(arguments.what), who=login(), reason=arguments.reason)
        return [Followed(command(PracticeId(arguments.practice), body, (None, None)), slots=frozenset(arguments.what))]
    charts = _chart(first)
    patient = (await _looked(store, arguments, charts)).patient
    followed = _ask(arguments, RetryRequested(slots=tuple(more), who=login(), reason=arguments.reason), charts)
    refused = {slot: one.intent for slot, one in patient.intents.items() if one.state == "refused"}
    again = {intent for slot, intent in refused.items() if not more or slot in more}
    return [Followed(followed.command, open=again)]


async def _resend(arguments: argparse.Namespace, store: Store, _policy: Policy) -> Asks:
    record = ("bills", str(arguments.bill))
    rows = await tables.lookup_observed(store.pool, PracticeId(arguments.practice), System.EHR, [record])
    if record not in rows or not rows[record].parent:
        raise NotFound(f"bill {arguments.bill} has never been seen in {arguments.practice}")
    chart = EhrChartId(int(rows[record].parent))
    return [_ask(arguments, BillResendRequested(bill=arguments.bill, who=login(), reason=arguments.reason), (chart, None))]


def _pair(texts: list[str]) -> tuple[EhrChartId, BillingPatientId]:
    charts = [_chart(text) for text in texts]
    ehr = next((one for one, _ in charts if one is not None), None)
    billing = next((one for _, one in charts if one is not None), None)
    if ehr is None or billing is None or len(charts) != 2:
        raise Used("give one chart of each system: elation:ID kareo:ID")
    return ehr, billing


async def _link(arguments: argparse.Namespace, store: Store, policy: Policy) -> Asks:
    ehr, billing = _pair(arguments.charts)
    here = await _looked(store, arguments, (ehr, None))
    there = await _looked(store, arguments, (None, billing))
    if here.patient.ehr is not None and there.patient.billing is not None:
        if arguments.show:
            ours = ehr_view(here.patient.ehr.chart, here.directory, policy)
            theirs = billing_view(there.patient.billing.chart)
            for name in COMPARED:
                mark = " " if ours[name] == theirs[name] else "*"
                print(f"{mark} {BY_NAME[name].label:<14} Elation {ours[name] or '-':<30} Kareo {theirs[name] or '-'}")
            return []
        state = here.state()
        names = [BY_NAME[name].label.lower() for name in differing(here.patient, there.patient, state, policy)]
        print(f"they differ in {', '.join(names)}" if names else "names, birth date and sex are the same")
    body = LinkRequested(ehr=ehr, billing=billing, who=login(), reason=arguments.reason, force=arguments.force)
    return [_ask(arguments, body, (ehr, billing))]


async def _unlink(arguments: argparse.Namespace, store: Store, _policy: Policy) -> Asks:
    charts = _chart(arguments.charts[0]) if len(arguments.charts) == 1 else _pair(arguments.charts)
    await _looked(store, arguments, charts)
    body = UnlinkRequested(ehr=charts[0], billing=charts[1], who=login(), reason=arguments.reason)
    return [_ask(arguments, body, charts)]


async def _dismiss(arguments: argparse.Namespace, _store: Store, _policy: Policy) -> Asks:
    *chart, slot = arguments.what
    if len(chart) > 1:
        raise Used("give CHART SLOT, or the SLOT of an item of the practice itself")
    if not arguments.reason.strip():
        raise Used("--reason: say why it is accepted as it is")
    charts = _chart(chart[0]) if chart else (None, None)
    return [_ask(arguments, DismissRequested(slot=slot, who=login(), reason=arguments.reason), charts)]


async def _seen(arguments: argparse.Namespace, _store: Store, _policy: Policy) -> Asks:
    return [_ask(arguments, ConflictSeen(fields=tuple(arguments.fields), who=login()), _chart(arguments.chart))]


async def _redrive(arguments: argparse.Namespace, store: Store, _policy: Policy) -> Asks:
    found = await look(store, PracticeId(arguments.practice), None, None)
    slots = [arguments.slot] if arguments.slot else sorted(found.directory.quarantined) if found else []
    if not slots:
        print("nothing is in quarantine")
    asks = []
    for slot in slots:
        followed = _ask(arguments, RedriveRequested(slot=slot, who=login(), reason=arguments.reason), (None, None))
        system = slot.split(":")[1] if slot.count(":") >= 3 else ""
        if system in ("elation", "kareo") and slot.split(":")[2].islower():
            followed.reading = {Origin(system)}
        asks.append(followed)
    return asks
