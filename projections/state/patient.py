"""One patient as a value: both charts, their link, the base of the last agreement, and everything under way.

A patient known in Kareo has the key `K:<patient>` for good; one known in Elation only has `E:<chart>` and is absorbed into
the Kareo patient's when the two are linked. `projections.state.folding` folds events into it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from events.bookings import BookingTerms, EhrAppointment
from events.holds import RecordLeftUnread
from events.ids import BillingPatientId, EhrChartId, PatientKey, billing_key, content_hash, ehr_key, is_billing_key
from events.records import BillingAppointment, BillingChart, ChartPolicy, EhrBill, EhrChart, Value
from events.schema import (
    FieldConflict,
)
from events.terms import AppointmentTerms, PolicyTerms
from events.writes import Candidate, MarkBillError, SearchBilling, SearchEhr
from projections.state.open_intents import Dismissed, OpenIntent, Waiting


class EhrSide(Value, frozen=True, kw_only=True):
    """The Elation chart as last read; `modified` is Elation's own time of it."""

    chart: EhrChart
    modified: datetime | None = None
    read_at: datetime


class BillingSide(Value, frozen=True, kw_only=True):
    """The Kareo patient as last read. Kareo is only ever polled, so the time of reading orders its observations."""

    chart: BillingChart
    read_at: datetime
    vanished: bool = False


class Link(Value, frozen=True, kw_only=True):
    ehr: EhrChartId
    billing: BillingPatientId
    suspended: bool = False


class Search(Value, frozen=True, kw_only=True):
    """What was looked for on the other side, and found."""

    wanted: SearchEhr | SearchBilling | None = None
    candidates: tuple[Candidate, ...] = ()
    refused: bool = False

    def anew(self, wanted: SearchEhr | SearchBilling | None = None, found: tuple[Candidate, ...] = ()) -> Search:
        """The next search and what it found, and who looked alike before it: a person was asked, and they are compared anew."""
        alike = {one.id: replace(one.likeness, certain=False) for one in self.candidates if one.likeness is not None}
        new = {one.id for one in found}
        kept = (one for one in self.candidates if one.id in alike and one.id not in new)
        return Search(wanted=wanted, candidates=tuple(replace(one, likeness=alike.get(one.id)) for one in (*found, *kept)))


class AppointmentState(Value, frozen=True, kw_only=True):
    """A Kareo appointment and the Elation one that follows it; `written` is what Elation was last told."""

    seen: BillingAppointment
    read_at: datetime
    vanished: bool = False
    ehr: int | None = None
    written: AppointmentTerms | None = None
    cancelled: bool = False
    deleted: bool = False


class EnteredByHand(Value, frozen=True, kw_only=True):
    """The billing side's appointment that a person entered there, too: where it stood, and when that was read."""

    id: int
    start: datetime
    read_at: datetime


class Booking(Value, frozen=True, kw_only=True):
    """An appointment of the chart side's calendar and the billing side's that follows it; `written` is what that was told last.

    `others` were created along with it by a mistake. `by_hand` stands there in its place: nothing is created beside it.
    """

    seen: EhrAppointment
    modified: datetime | None = None
    read_at: datetime
    gone: bool = False
    moved: bool = False
    billing: int | None = None
    written: BookingTerms | None = None
    deleted: bool = False
    others: tuple[int, ...] = ()
    by_hand: EnteredByHand | None = None


class BillState(Value, frozen=True, kw_only=True):
    """An Elation bill and the Kareo encounter it became.

    `sent` is the digest of the content that went out. `answered` is the bill as it stood after a Bill Error was written:
    while it stands so, nobody has corrected anything; `depends_on` is what makes it good all the same (MarkBillError). `billed_to` is
    whose the encounter is, after the charts were unlinked. `release` is what became of a release that somebody asked for here.
    """

    bill: EhrBill
    modified: datetime | None = None
    read_at: datetime
    first_seen: datetime
    encounter: int | None = None
    encounter_at: datetime | None = None
    sent: str = ""
    billed: bool = False
    answered: EhrBill | None = None
    error: str = ""
    billed_to: BillingPatientId | None = None
    depends_on: tuple[str, ...] = ()
    release: Literal["", "asked", "done"] = ""

    @property
    def deferred(self) -> bool:
        """Whether it waits in the chart side's Billing Home. Released here it does not, whatever its flag says afterwards."""
        return self.bill.deferred and self.release != "done"


class WrittenPolicy(Value, frozen=True, kw_only=True):
    ehr: int
    terms: PolicyTerms


class Coverage(Value, frozen=True, kw_only=True):
    """The chart side's policies as last read, None before; and what is known where insurance goes both ways.

    `agreed`: `Patient.policies` is the base of the merge. `unsettled`, `apart`, `apart_there` and `displaced`: see PoliciesAgreed.
    `put_away` are policies of the billing side that were deactivated because they were removed on the chart side.

    Where insurance goes to the chart side only, `beyond` are the chart's policies in force that are not ours, as of our last write of them.
    `to_remove` are those of them that a person wants removed. `look_again`: somebody wants the policies read again.
    """

    policies: tuple[ChartPolicy, ...] | None = None
    read_at: datetime | None = None
    agreed: bool = False
    unsettled: dict[str, tuple[str, ...]] = {}
    apart: tuple[int, ...] = ()
    apart_there: tuple[int, ...] = ()
    displaced: tuple[int, ...] = ()
    put_away: tuple[int, ...] = ()
    beyond: tuple[ChartPolicy, ...] = ()
    to_remove: tuple[int, ...] = ()
    look_again: bool = False


class Former(Value, frozen=True, kw_only=True):
    """What was written to an Elation chart while it was linked: nothing is made twice when the two are linked again.

    `bookings` are what was booked for it on the billing side.
    """

    appointments: dict[str, AppointmentState] = {}
    bookings: dict[str, Booking] = {}
    policies: dict[str, WrittenPolicy] = {}
    base: dict[str, str] = {}


class Patient(Value, frozen=True, kw_only=True):
    """The projection; see the module's docstring. Dicts are by slot, by Kareo id or by bill id, all as text.

    `held` is the chart that it was unlinked from: nothing is searched or created until a person says so. `barred` are pairs (chart side,
    billing side) that are not the same person. `former` is what was written to charts unlinked from it. `beside` are, by field, numbers
    that are not ours: they stayed in the chart when ours of the same kind was written or removed. `out` is a patient kept out, who is in
    no list. `unread` are the records that were seen of such a patient; nothing else is known of them.
    """

    key: PatientKey
    ehr: EhrSide | None = None
    billing: BillingSide | None = None
    link: Link | None = None
    base: dict[str, str] = {}
    search: Search | None = None
    created: int | None = None
    policies: dict[str, WrittenPolicy] = {}
    appointments: dict[str, AppointmentState] = {}
    bookings: dict[str, Booking] = {}
    bills: dict[str, BillState] = {}
    conflicts: dict[str, FieldConflict] = {}
    conflicts_seen: dict[str, FieldConflict] = {}
    intents: dict[str, OpenIntent] = {}
    waiting: dict[str, Waiting] = {}
    dismissed: dict[str, Dismissed] = {}
    held: int | None = None
    barred: tuple[tuple[EhrChartId, BillingPatientId], ...] = ()
    former: dict[str, Former] = {}
    beside: dict[str, tuple[str, ...]] = {}
    coverage: Coverage | None = None
    out: bool = False
    unread: tuple[RecordLeftUnread, ...] = ()

    @property
    def in_billing(self) -> bool:
        """True when this is the projection of a Kareo patient, linked or not."""
        return is_billing_key(self.key)


_PATIENT = msgspec.msgpack.Decoder(Patient)
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


def encode_patient(patient: Patient) -> bytes:
    """The stored form: the same patient always gives the same bytes (I7)."""
    return _ENCODER.encode(patient)


def decode_patient(encoded: bytes) -> Patient:
    return _PATIENT.decode(encoded)


def bill_content(bill: EhrBill) -> str:
    """Digest of what of a bill travels: lines, codes, place, day, providers and notes (guide: Bills)."""
    travels = replace(
        bill, status="", ref_number="", error="", deferred=False, signed=True, note_deleted=False, location_name=""
    )
    return content_hash(_ENCODER.encode(travels))


def is_about(write: MarkBillError, bill: EhrBill) -> bool:
    """Whether a Bill Error is about the bill as it is; one of an older version does not say what it is about."""
    return write.content in ("", bill_content(bill))


def is_of(patient: Patient, chart: BillingPatientId) -> bool:
    """False for another Kareo patient's chart: a creation may end after its chart was linked or merged elsewhere."""
    return not patient.in_billing or billing_key(chart) == patient.key


def bar(patient: Patient, ehr: EhrChartId, billing: BillingPatientId) -> Patient:
    """These two are not the same person."""
    return replace(patient, barred=tuple(sorted({*patient.barred, (ehr, billing)})))


def with_bill(patient: Patient, bill: int, **changes: object) -> Patient:
    """The patient with something else known of a bill."""
    entry = patient.bills.get(str(bill))
    return patient if entry is None else replace(patient, bills={**patient.bills, str(bill): replace(entry, **changes)})


def is_barred(patient: Patient, id_: int, ehr: bool) -> bool:
    """Whether a person said that this chart of the other system is somebody else."""
    if ehr:
        return any(pair[0] == id_ for pair in patient.barred if billing_key(pair[1]) == patient.key)
    return any(pair[1] == id_ for pair in patient.barred if ehr_key(pair[0]) == patient.key)
