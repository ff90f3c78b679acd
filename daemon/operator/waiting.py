"""What waits for a person, with whom it is for and what resolves it: the list of the command line and of the console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from daemon.operator.sent_bills import edited_after_sent
from daemon.tables import documents as tables
from daemon.tables import holds
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
from projections.words.remedy import SHOWN_ELSEWHERE, Audience, chart_of, meaning_of, remedy
from projections.words.shown import Shown


class Item(msgspec.Struct, frozen=True, kw_only=True, rename={"audience": "for"}):
    """One waiting item. `patient` are its charts as commands take them, "" for the practice's own; `reason` may quote a record.

    `differs` says in what a sent bill was edited, `held` how many writes a hold lets wait. `audience` is who can do something about it. A person who accepted the item is `dismissed_by`, with `dismissed_because`.
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
    held: int | None = None


async def items(store: Store, policy: Policy, *, code: str | None = None, dismissed: bool = False) -> list[Item]:
    """What waits in a practice, the practice's own items first, then by patient; or what was `dismissed`."""
    practice = policy.practice
    directory = await tables.directory(store.pool, practice, store.keyring)
    found = list(items_of(policy, None, directory.dismissed if dismissed else directory.waiting))
    counts = {one.slot: one.writes for one in await holds.held(store.pool, practice)} if directory.holds else {}
    found = [msgspec.structs.replace(one, held=counts[one.slot]) if one.slot in counts else one for one in found]
    keys = None if dismissed else await still_open.waiting_patients(store.pool, practice, code)
    documents = await (
        tables.read_patients(store.pool, practice, store.keyring)
        if keys is None
        else tables.load_patients(store.pool, practice, keys, store.keyring)
    )
    for key in sorted(documents, key=_order):
        patient = decode_patient(documents[key][1])
        for one in items_of(policy, patient, patient.dismissed if dismissed else patient.waiting):
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


def items_of(policy: Policy, patient: Patient | None, entries: Mapping[str, Waiting | Dismissed]) -> Iterable[Item]:
    """The items of a patient, or (None) of the practice."""
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


def reason_of(item: Item, shown: Shown, otherwise: str) -> str:
    """The item's reason, or what stands in for one that may quote a record which is not to be shown."""
    return shown.quoting(item.reason, otherwise) if meaning_of(item.code).quotes else item.reason
