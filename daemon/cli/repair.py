"""The commands that put things right: resync, retry, resend, release-bill, unlink, dismiss, remove-policy, seen, redrive (link is daemon/cli/link.py).

Each is an event that the practice's owner records and answers (daemon/operator/commands.py): it works from any machine that reaches
Kafka and the database. With --code or --older it is about every such waiting item (daemon/cli/bulk.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from daemon.cli.asking import AskingCommand, add_asking, asking, pair, typed
from daemon.cli.bulk import add_query, by_patient, charts_in, or_by_query
from daemon.cli.common import EITHER, Asked
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.operator import deeds
from daemon.operator.deeds import Asking, Asks, NotPossible
from daemon.operator.waiting import Item
from events.codes import WaitCode
from events.ids import Charts
from events.slots import SlotKind, is_slot, parse_slot
from events.store import Store
from projections.terms.names import LARGEST_ID, NAMES


def register(commands: Commands) -> None:
    def add(name: str, ask: AskingCommand, help_: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=help_)
        add_asking(parser, ask)
        return parser

    def bulk(name: str, ask: AskingCommand, help_: str) -> argparse.ArgumentParser:
        parser = add(name, ask, help_)
        add_query(parser)
        return parser

    resync = bulk("resync", RESYNC, "read a chart again from both systems and decide anew")
    resync.add_argument("chart", nargs="?", help=EITHER)
    resync.add_argument(
        "--as-new", action="store_true", help="an unlinked chart: search, and create it there if nobody matches"
    )
    retry = bulk("retry", RETRY, "try refused writes again; refused credentials and what pauses, too")
    retry.add_argument("what", nargs="*", metavar="CHART|SLOT", help=f"{EITHER}, then slots (none: all refused)")
    resend = bulk("resend", RESEND, "send a failed bill again, after a fix")
    resend.add_argument("bill", nargs="?", help=f"{NAMES.ehr.label}'s bill id")
    release = bulk("release-bill", RELEASE_BILL, "release a deferred bill, so that it is sent")
    release.add_argument("bill", nargs="?", help=f"{NAMES.ehr.label}'s bill id")
    unlink = add("unlink", _unlink, "undo a link; with both charts: they are not the same person")
    unlink.add_argument("charts", nargs="+", metavar="CHART", help=f"{EITHER}, or both")
    unlink.add_argument("--undecided", action="store_true", help="with both: not where somebody has linked the two")
    dismiss = bulk("dismiss", DISMISS, "accept a waiting item as it is")
    dismiss.add_argument("what", nargs="*", metavar="CHART SLOT", help="the item; the practice's own items have no chart")
    remove = add(
        "remove-policy",
        _remove_policy,
        "remove a policy of a chart that the primary case does not have",
    )
    remove.add_argument("chart", help=EITHER)
    remove.add_argument("policy", help=f"{NAMES.ehr.label}'s policy id, as `chartwire waiting` shows it")
    seen = bulk("seen", SEEN, "conflicts have been looked at")
    seen.add_argument("chart", nargs="?", help=EITHER)
    seen.add_argument("fields", nargs="*", help="fields (default: all)")
    redrive = bulk("redrive", REDRIVE, "try again what is in quarantine")
    redrive.add_argument("slot", nargs="?", help="(default: all of it)")


# -- each command -----------------------------------------------------------------------------------------------------------


async def _resync(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts = typed(arguments.chart, it)
    return await deeds.resync(asking(arguments, store, it), charts, as_new=arguments.as_new)


async def _retry(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    first, *more = arguments.what or [""]
    asks = asking(arguments, store, it)
    if first.partition(":")[0] not in (it.names.ehr.prefix, it.names.billing.prefix):
        return await deeds.retry(asks, None, tuple(arguments.what))
    return await deeds.retry(asks, typed(first, it), tuple(more))


def _id(text: str, what: str) -> int:
    """The id that was typed. Raises Ended."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID):
        raise Ended(f"{text}: must be {what}")
    return int(text)


async def _unlink(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts = typed(arguments.charts[0], it) if len(arguments.charts) == 1 else Charts(*pair(arguments.charts, it))
    return await deeds.unlink(asking(arguments, store, it), charts, undecided=arguments.undecided)


async def _dismiss(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    *chart, slot = arguments.what
    if len(chart) > 1:
        raise Ended("give CHART SLOT, or the SLOT of an item of the practice itself")
    _give_reason(arguments)
    charts = typed(chart[0], it) if chart else Charts()
    return await deeds.dismiss(asking(arguments, store, it), charts, slot)


async def _remove_policy(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    policy = _id(arguments.policy, "a policy's id")
    return await deeds.remove_policy(asking(arguments, store, it), typed(arguments.chart, it), policy)


def _give_reason(arguments: argparse.Namespace) -> None:
    if not arguments.reason.strip():
        raise Ended("--reason: say why it is accepted as it is")


async def _seen(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    return await deeds.seen(asking(arguments, store, it), typed(arguments.chart, it), tuple(arguments.fields))


async def _redrive(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    try:
        asks = await deeds.redrive(asking(arguments, store, it), arguments.slot)
    except NotPossible as no:
        raise Ended(f"{no} (chartwire waiting {it.id} shows what is)", 1) from None
    if not asks:
        say("nothing is in quarantine")
    return asks


# -- each command about many ------------------------------------------------------------------------------------------------


async def _resync_all(arguments: argparse.Namespace, it: Asking, found: list[Item]) -> Asks:
    groups = by_patient(found).values()
    return [ask for one in groups for ask in await deeds.resync(it, charts_in(one[0], it), as_new=arguments.as_new)]


async def _retry_all(_arguments: argparse.Namespace, it: Asking, found: list[Item]) -> Asks:
    asks: Asks = []
    for patient, items in by_patient(found).items():
        charts = charts_in(items[0], it) if patient else None
        asks += await deeds.retry(it, charts, tuple(one.slot for one in items))
    return asks


async def _dismiss_all(arguments: argparse.Namespace, it: Asking, found: list[Item]) -> Asks:
    _give_reason(arguments)
    return [ask for one in found for ask in await deeds.dismiss(it, charts_in(one, it), one.slot)]


async def _seen_all(_arguments: argparse.Namespace, it: Asking, found: list[Item]) -> Asks:
    asks: Asks = []
    for items in by_patient(found).values():
        asks += await deeds.seen(it, charts_in(items[0], it), tuple(parse_slot(one.slot).id for one in items))
    return asks


async def _redrive_all(_arguments: argparse.Namespace, it: Asking, found: list[Item]) -> Asks:
    return [ask for one in found for ask in await deeds.redrive(it, one.slot)]


def _of_bill(deed: Callable[[Asking, int], Awaitable[Asks]], code: WaitCode) -> AskingCommand:
    """A deed of one bill, or of every one that waits under the code."""

    async def typed_one(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
        return await deed(asking(arguments, store, it), _id(arguments.bill, "a bill's id"))

    async def all_(_arguments: argparse.Namespace, it: Asking, found: list[Item]) -> Asks:
        return [ask for one in found for ask in await deed(it, int(parse_slot(one.slot).id))]

    return or_by_query(typed_one, all_, lambda one: one.code == code, "bill")


def _is_refused(one: Item) -> bool:
    return one.code in (WaitCode.REFUSED, WaitCode.CARRIER_REFUSED, WaitCode.PLAN_REFUSED)


RESYNC = or_by_query(_resync, _resync_all, lambda one: bool(one.patient), "chart")
RETRY = or_by_query(_retry, _retry_all, _is_refused, "what", needed=False)
RESEND = _of_bill(deeds.resend, WaitCode.BILL_ERROR)
RELEASE_BILL = _of_bill(deeds.release_bill, WaitCode.DEFERRED)
DISMISS = or_by_query(_dismiss, _dismiss_all, lambda one: not is_slot(one.slot, SlotKind.SYSTEM), "what")
SEEN = or_by_query(_seen, _seen_all, lambda one: is_slot(one.slot, SlotKind.CONFLICT), "chart")
REDRIVE = or_by_query(_redrive, _redrive_all, lambda one: is_slot(one.slot, SlotKind.QUARANTINE), "slot", needed=False)
