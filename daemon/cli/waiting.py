"""`chartwire waiting`: everything that waits for a person, with its reason and the command that resolves it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from daemon.cli.advice import add_config, advice
from daemon.cli.common import add_shown, configured, opened, run_async, shown_of
from daemon.cli.printing import say, warn
from daemon.config import policy_of
from daemon.operator.sent_bills import edited_after_sent
from daemon.tables import documents as tables
from daemon.tables import open as still_open
from events.codes import WaitCode
from events.ids import PatientKey, PracticeId, is_billing_key, number_of
from events.slots import parse_slot
from events.store import Store
from projections.rules.sent import BillDifference
from projections.state.open_intents import Dismissed, Waiting
from projections.state.patient import Patient, decode_patient
from projections.terms.names import Names
from projections.terms.policy import Policy
from projections.words.moment import in_zone_to_the_minute
from projections.words.remedy import SHOWN_ELSEWHERE, Audience, chart_of, meaning_of, remedy
from projections.words.shown import MASK, Shown

QUOTED = f"{MASK} (--values --names shows the words of the vendor or the record)"
"""Stands in for a reason that may quote anything of a record."""


class Item(msgspec.Struct, frozen=True, kw_only=True, rename={"audience": "for"}):
    """One waiting item. `patient` are its charts as commands take them, "" for the practice's own; `reason` may quote a record.

    `differs` says in what a sent bill was edited. `audience` is who can do something about it. A person who accepted the item is `dismissed_by`, with `dismissed_because`.
    """

    practice: str
    patient: str
    slot: str
    code: str
    since: datetime | None
    reason: str
    audience: Audience
    command: str
    dismissed_by: str = ""
    dismissed_because: str = ""
    differs: tuple[BillDifference, ...] = ()


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "waiting", help="what waits for a person, why, and what resolves it"
    )
    parser.add_argument("practice", nargs="?", help="only this one (default: all of the configuration)")
    parser.add_argument("--code", help="only items of this code")
    parser.add_argument("--dismissed", action="store_true", help="instead those that a person accepted as they are")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=waiting)


def waiting(arguments: argparse.Namespace) -> int:
    """Exits 0 whatever waits. Reasons that repeat words of a vendor or a record are shown with --values --names only."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practices = [one for one in config.practice if arguments.practice in (None, one.id)]
    if not practices:
        warn(f"practice: {arguments.practice} is not in the configuration")
        return 1

    async def work() -> int:
        async with opened(config, beside) as store:
            for practice in practices:
                shown = shown_of(arguments, practice)
                for item in await items(store, policy_of(practice), code=arguments.code, dismissed=arguments.dismissed):
                    one = complete(item, shown, arguments)
                    say(*([msgspec.json.encode(one).decode()] if arguments.json else lines(one, shown.zone)))
        return 0

    return run_async(work())


async def items(store: Store, policy: Policy, *, code: str | None = None, dismissed: bool = False) -> list[Item]:
    """What waits in a practice, the practice's own items first, then by patient; or what was `dismissed`."""
    practice = policy.practice
    directory = await tables.directory(store.pool, practice, store.keyring)
    found = list(_items(policy, None, directory.dismissed if dismissed else directory.waiting))
    keys = None if dismissed else await still_open.waiting_patients(store.pool, practice, code)
    documents = await (
        tables.read_patients(store.pool, practice, store.keyring)
        if keys is None
        else tables.load_patients(store.pool, practice, keys, store.keyring)
    )
    for key in sorted(documents, key=_order):
        patient = decode_patient(documents[key][1])
        for one in _items(policy, patient, patient.dismissed if dismissed else patient.waiting):
            found.append(await _in_full(store, patient, one))
    return [one for one in found if code in (None, one.code)]


async def _in_full(store: Store, patient: Patient, item: Item) -> Item:
    """An item with what only the events tell."""
    if item.code != WaitCode.DIFFERS_AFTER_SENT:
        return item
    bill = int(parse_slot(item.slot).id)
    differs = await edited_after_sent(store, PracticeId(item.practice), patient, bill)
    return msgspec.structs.replace(item, differs=differs)


def _order(key: PatientKey) -> tuple[bool, int]:
    return is_billing_key(key), number_of(key)


def _items(policy: Policy, patient: Patient | None, entries: Mapping[str, Waiting | Dismissed]) -> Iterable[Item]:
    for slot, one in sorted(entries.items()):
        if one.code in SHOWN_ELSEWHERE:
            continue
        yield Item(
            practice=policy.practice,
            patient="" if patient is None else charts_of(patient, policy.names),
            slot=slot,
            code=one.code,
            since=one.since,
            reason=one.text,
            audience=meaning_of(one.code).audience,
            command="" if isinstance(one, Dismissed) else remedy(policy.practice, patient, slot, one.code, policy.names),
            dismissed_by=one.who if isinstance(one, Dismissed) else "",
            dismissed_because=one.reason if isinstance(one, Dismissed) else "",
        )


def charts_of(patient: Patient, names: Names) -> str:
    """The patient's charts as commands take them, the billing system's first."""
    if patient.link is not None:
        return f"{names.patient(patient.link.billing)} {names.chart(patient.link.ehr)}"
    return chart_of(patient, names)


def complete(item: Item, shown: Shown, arguments: argparse.Namespace) -> Item:
    """The item as it is shown: no more of a person than was asked for, and a command that can be pasted as it is."""
    reason = shown.quoting(item.reason, QUOTED) if meaning_of(item.code).quotes else item.reason
    command = advice(item.command.removeprefix("chartwire "), arguments) if item.command else ""
    differs = tuple(
        msgspec.structs.replace(one, sent=shown.value(one.field, one.sent), now=shown.value(one.field, one.now))
        for one in item.differs
    )
    return msgspec.structs.replace(item, reason=reason, command=command, differs=differs)


def lines(item: Item, zone: ZoneInfo) -> list[str]:
    since = f"since {in_zone_to_the_minute(item.since, zone)}" if item.since else ""
    who = item.patient or "the practice"
    out = [f"{item.practice}  {who}  {item.slot}  ({item.code})  {since}", f"    {item.reason}"]
    out += [f"    {one.field}: sent {one.sent or 'empty'}, now {one.now or 'empty'}" for one in item.differs]
    if item.dismissed_by:
        out.append(f"    accepted by {item.dismissed_by}: {item.dismissed_because}")
    if item.command:
        out.append(f"    {item.command}")
    return out
