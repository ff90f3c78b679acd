"""Accounts that balance, for the command line and the console alike: from our own records, and from what the billing side holds now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from daemon.config import PracticeConfig, policy_of
from daemon.history.events_of import events_of
from daemon.operator.find import patients_of
from daemon.runtime.memory import RecordedMemory, seen_records
from daemon.runtime.surroundings import Surroundings
from daemon.tables import days
from daemon.tables import documents as tables
from daemon.tables.look_ups import LookUp, last_look_up, save_look_up
from daemon.vendors.ports.intake import Intake
from daemon.vendors.ports.vendor import Edits, HeldEncounters, Side
from events.ids import PatientKey, PracticeId, billing_key
from events.schema import IntentRequested, IntentSucceeded
from events.store import Store
from events.writes import CreateEncounter, RecordCreated, System
from projections.rules.balancing import (
    BalanceSheet,
    BillStanding,
    SignedNote,
    Unbilled,
    UnreadBill,
    balance_sheet,
    unread_bills,
)
from projections.rules.holds import is_observed
from projections.state.directory import Directory
from projections.state.patient import Patient
from projections.terms.policy import Policy
from projections.words.period import Period
from projections.words.remedy import meaning_of

QUOTING = frozenset({Unbilled.ACCEPTED.value, Unbilled.HELD.value, Unbilled.DIFFERS_THERE.value})
"""Reasons that repeat what a person has typed or a record holds; those of waiting items say so of themselves."""


@dataclass(frozen=True)
class Accounts:
    """A balance sheet, and the patients whose bills are on it; `observed`: the practice is only looked at, so none is sent.

    `unread` are bills of patients kept out of whom no more than the id is known: they are of no period and in no sum.
    """

    sheet: BalanceSheet
    patients: Mapping[PatientKey, Patient]
    directory: Directory
    observed: bool = False
    unread: tuple[UnreadBill, ...] = ()


def quotes(note: SignedNote) -> bool:
    """Whether the reason may repeat anything of a record, or what a person has typed."""
    return (
        note.standing is BillStanding.KEPT_OUT
        or note.code in QUOTING
        or (note.code not in set(Unbilled) and bool(note.code) and meaning_of(note.code).quotes)
    )


async def accounts_of(store: Store, policy: Policy, period: Period) -> Accounts:
    """The balance sheet of a period; only patients who have a bill around it are opened. Raises KeyMissing."""
    keys = await days.patients_of_days(store.pool, policy.practice, store.keyring, days.BILLS, period.first, period.last)
    patients = {one.key: one for one in await patients_of(store, policy.practice, keys)}
    directory = await tables.directory(store.pool, policy.practice, store.keyring)
    sheet = balance_sheet(patients.values(), directory, policy, period)
    wanted = {one.patient for one in sheet.notes}
    on_it = {key: one for key, one in patients.items() if key in wanted}
    out = await patients_of(store, policy.practice, await _kept_out(store, policy.practice, directory))
    return Accounts(sheet, on_it, directory, is_observed(directory, policy), unread_bills(out))


async def _kept_out(store: Store, practice: PracticeId, directory: Directory) -> list[PatientKey]:
    """The patients of whom it was ever said that they are kept out, or are not any more."""
    said = directory.kept_out.values()
    resolved = await tables.resolve_charts(store.pool, practice, [one.ehr for one in said if one.ehr is not None])
    return sorted({*resolved.values(), *(billing_key(one.billing) for one in said if one.billing is not None)})


# -- what the billing side holds ------------------------------------------------------------------------------------------


async def held_encounters(config: PracticeConfig, around: Surroundings) -> HeldEncounters | None:
    """What looks encounters up, within the vendor's limits; None where the vendor keeps none. Raises VendorError and as `reader`."""
    section, practice = config.section(System.BILLING), PracticeId(config.id)
    pool = around.store.pool

    async def unkept(*_given: object) -> None:
        raise AssertionError("a look-up publishes nothing")

    side = Side(
        time_zone=config.time_zone,
        intake=Intake(practice, System.BILLING, unkept, seen_records(pool, practice, System.BILLING, hashes=False)),
        memory=RecordedMemory(pool, practice, System.BILLING, around.store.keyring, linked=False),
    )
    return (await around.vendors.of(section).reader(section, around.means, side)).encounters


async def look_up(held: HeldEncounters, store: Store, config: PracticeConfig, found: Accounts) -> LookUp:
    """Every encounter of the sheet that was sent is looked for, and what was found is kept for who may not look it up.

    Raises VendorError.
    """
    policy = policy_of(config)
    sent = {one.encounter: one for one in found.sheet.notes if one.standing is BillStanding.SENT and one.encounter}
    written: dict[int, CreateEncounter] = {}
    for key in sorted({one.patient for one in sent.values()}):
        of_patient = {id_: one for id_, one in (await _written(store, policy.practice, key)).items() if id_ in sent}
        written |= {id_: _of_now(one, found.patients[key]) for id_, one in of_patient.items()}
    edits = await held.encounter_edits(written)
    looked = LookUp(encounters=len(written), differs={sent[id_].bill: dict(one) for id_, one in edits.items() if one})
    await save_look_up(store.pool, policy.practice, _period(found.sheet.period), looked, store.keyring)
    return looked


async def last_look(store: Store, practice: PracticeId, period: Period) -> LookUp | None:
    """What the last look-up of just this period found; None where there was none."""
    return await last_look_up(store.pool, practice, _period(period), store.keyring)


def _period(period: Period) -> str:
    return f"{period.kind} {period.text}"


def judged(sheet: BalanceSheet, looked: LookUp | None, policy: Policy) -> BalanceSheet:
    """The sheet with what a look-up found: an encounter that is gone, or is not as it was sent, does not balance."""
    differs = {} if looked is None else looked.differs
    return BalanceSheet(
        sheet.period, sheet.signed, tuple(_judged(one, differs.get(one.bill), policy) for one in sheet.notes)
    )


def _of_now(write: CreateEncounter, patient: Patient) -> CreateEncounter:
    """What was sent, of whom the patient is now: patients merged on the billing side take their encounters along."""
    entry, link = patient.bills.get(str(write.bill)), patient.link
    if link is None or entry is None or entry.billed_to is not None:
        return write
    return replace(write, patient=link.billing)


async def _written(store: Store, practice: PracticeId, key: PatientKey) -> dict[int, CreateEncounter]:
    """What was sent of a patient's bills, by the encounter that it became."""
    wanted: dict[str, CreateEncounter] = {}
    written: dict[int, CreateEncounter] = {}
    for recorded in await events_of(store, practice, key):
        match recorded.event.body:
            case IntentRequested(intent=intent, write=CreateEncounter() as write):
                wanted[intent] = write
            case IntentSucceeded(intent=intent, result=RecordCreated(id=id_)) if intent in wanted:
                written[id_] = wanted[intent]
    return written


def _judged(note: SignedNote, edits: Edits | None, policy: Policy) -> SignedNote:
    if not edits or note.standing is not BillStanding.SENT:
        return note
    there = policy.names.billing.label
    batch = f" with batch number {note.bill}" if policy.batch_numbers else ""
    if "removed" in edits:
        text = (
            f"encounter {note.encounter} is not in {there} any more; enter it there again{batch}, or find out who removed it"
        )
        return replace(note, code=Unbilled.REMOVED_THERE.value, text=text)
    said = "; ".join(f"{field} is {holds or 'empty'}, sent was {was or 'nothing'}" for field, (holds, was) in edits.items())
    text = f"encounter {note.encounter} in {there} is not as it was sent: {said}"
    return replace(note, code=Unbilled.DIFFERS_THERE.value, text=text)
