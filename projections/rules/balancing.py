"""Accounts that balance: every signed visit note is sent, ready, deferred, in error or kept out, and what is not billed says why.

Signed visit notes = sent + ready + deferred + in error + kept out, for any days of the practice (guide: Bills).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

from events.calendar import local_day
from events.codes import WaitCode
from events.ids import EhrChartId, PatientKey
from events.records import Value
from events.slots import SlotKind, slot_of
from events.writes import Resource, System
from projections.rules.holds import kept_out, on_hold
from projections.state.directory import Directory
from projections.state.patient import BillState, Patient
from projections.terms.policy import Policy, allows
from projections.words.period import Period


class BillStanding(StrEnum):
    """Where the bill of a signed visit note stands; each stands in one place."""

    SENT = "sent"
    READY = "ready"
    DEFERRED = "deferred"
    IN_ERROR = "in error"
    KEPT_OUT = "kept out"


class Unbilled(StrEnum):
    """Why a bill does not balance where nothing waits in its place; the others are codes of waiting items."""

    ON_ITS_WAY = "on-its-way"
    HELD = "held"
    ACCEPTED = "accepted-unbilled"
    NOT_SYNCHRONIZED = "bills-not-synchronized"
    NOTE_DELETED = "note-deleted-after-sent"
    REMOVED_THERE = "encounter-removed"
    DIFFERS_THERE = "encounter-differs"


IN_ERROR = frozenset({WaitCode.BILL_ERROR, WaitCode.REFUSED, WaitCode.CHART_ABSORBED, WaitCode.NO_PRIMARY_CASE})
"""Codes of bills that nobody sends before a person has corrected something; what waits under another code goes out by itself."""


class SignedNote(Value, frozen=True, kw_only=True):
    """A signed visit note by its bill. `code` says why it does not balance, "" where it does; `text` is the sentence for people."""

    bill: int
    visit_note: int | None = None
    patient: PatientKey
    chart: EhrChartId
    day: date
    standing: BillStanding
    encounter: int | None = None
    code: str = ""
    text: str = ""


class UnreadBill(Value, frozen=True, kw_only=True):
    """A bill that came while its patient was kept out. Its id is all that is known: neither the day nor whether the note is signed."""

    bill: int
    patient: PatientKey
    chart: EhrChartId


@dataclass(frozen=True)
class BalanceSheet:
    """The signed visit notes of a period: how many there are, and each with where it stands, by day."""

    period: Period
    signed: int
    notes: tuple[SignedNote, ...]

    @property
    def counts(self) -> dict[BillStanding, int]:
        """How many stand where; together as many as were signed."""
        found = Counter(one.standing for one in self.notes)
        return {one: found[one] for one in BillStanding}

    @property
    def of_kept_out(self) -> int:
        """Notes that balance because their patient is kept out, or somebody else has billed them."""
        return sum(one.standing is BillStanding.KEPT_OUT and not one.code for one in self.notes)

    @property
    def listed(self) -> tuple[SignedNote, ...]:
        """What does not balance. None of it: nothing signed is unbilled, but of patients who are kept out."""
        return tuple(one for one in self.notes if one.code)


def is_signed(entry: BillState) -> bool:
    """Whether the visit note is signed, or was when its bill was sent."""
    return _is_sent(entry) or (entry.bill.signed and not entry.bill.note_deleted)


def _is_sent(entry: BillState) -> bool:
    return entry.encounter is not None or entry.billed_to is not None


def day_of(entry: BillState, zone: ZoneInfo) -> date:
    """The practice's day that a bill is of: that of the service, else the day on which it was first seen."""
    return entry.bill.service_day or local_day(entry.first_seen, zone)


def balance_sheet(patients: Iterable[Patient], directory: Directory, policy: Policy, period: Period) -> BalanceSheet:
    """What was signed in the period, from the projections of these patients. A bill that moved with a merge counts once."""
    zone = ZoneInfo(policy.time_zone)
    latest: dict[int, tuple[BillState, Patient]] = {}
    for patient in patients:
        for entry in patient.bills.values():
            known = latest.get(entry.bill.id)
            if known is None or _order(entry) > _order(known[0]):
                latest[entry.bill.id] = (entry, patient)
    wanted = [one for one in latest.values() if day_of(one[0], zone) in period]
    notes = [note for entry, patient in wanted for note in _notes(entry, patient, directory, policy)]
    return BalanceSheet(
        period=period,
        signed=sum(is_signed(entry) for entry, _ in wanted),
        notes=tuple(sorted(notes, key=lambda one: (one.day, one.bill))),
    )


def unread_bills(patients: Iterable[Patient]) -> tuple[UnreadBill, ...]:
    """Bills of patients kept out that no sheet can count: those that were signed when they were last read are counted.

    Who is let in again has none, once the records are read anew.
    """
    found = {
        int(one.record): UnreadBill(bill=int(one.record), patient=patient.key, chart=EhrChartId(one.chart))
        for patient in patients
        for one in patient.unread
        if one.system is System.EHR and one.resource == "bills"
        if (known := patient.bills.get(one.record)) is None or not is_signed(known)
    }
    return tuple(found[bill] for bill in sorted(found))


def _order(entry: BillState) -> tuple[bool, float]:
    """Of two charts that show one bill: the one that it was sent from, else the one that was read last."""
    return _is_sent(entry), entry.read_at.timestamp()


def _notes(entry: BillState, patient: Patient, directory: Directory, policy: Policy) -> Iterator[SignedNote]:
    if not is_signed(entry):
        return
    standing, code, text = _standing(entry, patient, directory, policy)
    yield SignedNote(
        bill=entry.bill.id,
        visit_note=entry.bill.visit_note,
        patient=patient.key,
        chart=entry.bill.patient,
        day=day_of(entry, ZoneInfo(policy.time_zone)),
        standing=standing,
        encounter=entry.encounter,
        code=code,
        text=text,
    )


def _standing(entry: BillState, patient: Patient, directory: Directory, policy: Policy) -> tuple[BillStanding, str, str]:
    """Where a signed bill stands, and why it does not balance."""
    slot, names = slot_of(SlotKind.BILL, entry.bill.id), policy.names
    waits, accepted = patient.waiting.get(slot), patient.dismissed.get(slot)
    code, text = (waits.code, waits.text) if waits is not None else ("", "")
    if _is_sent(entry):
        if entry.bill.note_deleted:
            gone = f"the visit note was deleted after its bill was sent; void encounter {entry.encounter} in {names.billing.label}"
            return BillStanding.SENT, Unbilled.NOTE_DELETED, gone
        return BillStanding.SENT, code, text
    if entry.bill.status == "Billed" or entry.bill.ref_number:
        return BillStanding.KEPT_OUT, "", f"marked as billed in {names.ehr.label} by somebody else"
    if not allows(policy, Resource.BILL, System.BILLING):
        text = f"bills do not go to {names.billing.label} in this practice; enter it there"
        return BillStanding.KEPT_OUT, Unbilled.NOT_SYNCHRONIZED, text
    if (out := kept_out(directory, patient)) is not None:
        why = f"by {out.who}: {out.reason}" if out.who else f"by the rule {out.rule}"
        return BillStanding.KEPT_OUT, "", f"the patient is kept out, {why}"
    if waits is None and accepted is not None:
        text = f"accepted as it is by {accepted.who}: {accepted.reason}; send it again if it is to be billed"
        return BillStanding.KEPT_OUT, Unbilled.ACCEPTED, text
    open_ = patient.intents.get(slot)
    if waits is None and open_ is not None and (hold := on_hold(directory, patient, open_)) is not None:
        return BillStanding.READY, Unbilled.HELD, f"it is held by {hold.who}: {hold.reason}; it goes out once it is released"
    return _unsent(entry, code, text, names.billing.label)


def _unsent(entry: BillState, code: str, text: str, there: str) -> tuple[BillStanding, str, str]:
    """Of a bill that is to be sent: by what waits in its place, else by the bill itself."""
    if code in IN_ERROR:
        return BillStanding.IN_ERROR, code, text
    if entry.deferred:
        return (
            BillStanding.DEFERRED,
            code or WaitCode.DEFERRED.value,
            text or f"it is deferred; it goes to {there} once it is released",
        )
    if not code and entry.answered == entry.bill and entry.error:
        return BillStanding.IN_ERROR, WaitCode.BILL_ERROR.value, f"Bill Error: {entry.error}"
    if code:
        return BillStanding.READY, code, text
    return BillStanding.READY, Unbilled.ON_ITS_WAY, f"it is on its way to {there}; look again in some minutes"
