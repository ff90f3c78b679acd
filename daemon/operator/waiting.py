"""What waits for a person, with whom it is for and what resolves it: the list of the command line and of the console."""

from __future__ import annotations

from datetime import datetime

import msgspec

from daemon.operator.sent_bills import edited_after_sent
from daemon.operator.worklist import entry, opened, work_of
from daemon.tables import documents as tables
from daemon.tables import holds
from events.codes import WaitCode
from events.ids import PatientKey, PracticeId, is_billing_key, number_of
from events.slots import parse_slot
from events.store import Store
from projections.rules.sent import BillDifference
from projections.state.open_intents import Dismissed, Waiting
from projections.state.patient import Patient, decode_patient
from projections.terms.names import Names
from projections.terms.policy import Policy
from projections.words.kept_aside import waiting_in_words
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
    found = await (_dismissed(store, policy) if dismissed else _waiting(store, policy, code))
    return [one for one in found if code in (None, one.code)]


async def _waiting(store: Store, policy: Policy, code: str | None) -> list[Item]:
    """The work list with what only the documents tell."""
    practice = policy.practice
    work = await work_of(store.pool, practice, codes=None if code is None else [code])
    patients, directory = await opened(store, practice, work)
    counts = {one.slot: one.writes for one in await holds.held(store.pool, practice)} if directory.holds else {}
    found = []
    for one in sorted(work, key=lambda each: (*_order(each.key), each.slot)):
        if (known := entry(one, patients, directory)) is None:
            continue
        patient = patients[one.key] if one.key else None
        item = item_of(policy, patient, one.slot, known)
        found.append(
            msgspec.structs.replace(item, held=counts.get(one.slot))
            if patient is None
            else await _in_full(store, patient, item)
        )
    return found


async def _dismissed(store: Store, policy: Policy) -> list[Item]:
    directory = await tables.directory(store.pool, policy.practice, store.keyring)
    documents = await tables.read_patients(store.pool, policy.practice, store.keyring)
    found = [item_of(policy, None, slot, one) for slot, one in sorted(directory.dismissed.items())]
    for key in sorted(documents, key=_order):
        patient = decode_patient(documents[key][1])
        found += [
            await _in_full(store, patient, item_of(policy, patient, *one)) for one in sorted(patient.dismissed.items())
        ]
    return [one for one in found if one.code not in SHOWN_ELSEWHERE]


async def _in_full(store: Store, patient: Patient, item: Item) -> Item:
    """An item with what only the events tell."""
    if item.code != WaitCode.DIFFERS_AFTER_SENT:
        return item
    bill = int(parse_slot(item.slot).id)
    differs = await edited_after_sent(store, PracticeId(item.practice), patient, bill)
    return msgspec.structs.replace(item, differs=differs)


def _order(key: PatientKey) -> tuple[bool, bool, int]:
    return (True, is_billing_key(key), number_of(key)) if key else (False, False, 0)


def item_of(policy: Policy, patient: Patient | None, slot: str, one: Waiting | Dismissed) -> Item:
    """An item of a patient, or (None) of the practice."""
    accepted = isinstance(one, Dismissed)
    return Item(
        practice=policy.practice,
        patient="" if patient is None else charts_of(patient, policy.names),
        slot=slot,
        code=one.code,
        since=one.since,
        reason=waiting_in_words(slot, one.text, policy.names),
        audience=meaning_of(one.code).audience,
        command="" if accepted else remedy(policy.practice, patient, slot, one.code, policy.names),
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
