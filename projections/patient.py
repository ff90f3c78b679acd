"""One patient: both charts, their link, the base of the last agreement, and everything under way. A pure fold of events.

A patient known in Kareo has the key `K:<patient>` for good; one known in Elation only has `E:<chart>` and is absorbed into
the Kareo patient's when the two are linked. Observations may arrive late or twice: an older one never replaces a newer one.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from events.ids import ElationChartId, KareoPatientId, PatientKey, content_hash, kareo_key
from events.records import ElationBill, ElationChart, KareoAppointment, KareoChart, Value
from events.schema import (
    BillObserved,
    BillResendRequested,
    ConflictRecorded,
    ConflictSeen,
    CounterpartsFound,
    ElationChartDeleted,
    ElationChartMerged,
    ElationChartObserved,
    Event,
    FieldConflict,
    FieldsAgreed,
    IntentSucceeded,
    KareoAppointmentObserved,
    KareoAppointmentVanished,
    KareoChartObserved,
    KareoChartVanished,
    LinkResumed,
    LinkSuspended,
    ResyncRequested,
    RetryRequested,
    WaitingCleared,
    WaitingDismissed,
    WaitingRaised,
)
from events.writes import (
    AnyWrite,
    AppointmentTerms,
    BillWritten,
    CancelElationAppointment,
    Candidate,
    CreateElationAppointment,
    CreateElationChart,
    CreateEncounter,
    CreateKareoChart,
    DeleteElationAppointment,
    ElationChartWritten,
    KareoChartWritten,
    MarkBillError,
    PoliciesWritten,
    PolicyTerms,
    RecordCreated,
    Searched,
    SearchElation,
    SearchKareo,
    SyncPolicies,
    UpdateElationAppointment,
    UpdateElationChart,
    UpdateKareoChart,
)
from projections.open_intents import Dismissed, OpenIntent, Waiting, again, dismiss, follow_intent, put, without


class ElationSide(Value, frozen=True, kw_only=True):
    """The Elation chart as last read; `modified` is Elation's own time of it."""

    chart: ElationChart
    modified: datetime | None = None
    read_at: datetime


class KareoSide(Value, frozen=True, kw_only=True):
    """The Kareo patient as last read. Kareo is only ever polled, so the time of reading orders its observations."""

    chart: KareoChart
    read_at: datetime
    vanished: bool = False


class Link(Value, frozen=True, kw_only=True):
    elation: ElationChartId
    kareo: KareoPatientId
    suspended: bool = False


class Search(Value, frozen=True, kw_only=True):
    """What was looked for on the other side, and found."""

    wanted: SearchElation | SearchKareo | None = None
    candidates: tuple[Candidate, ...] = ()
    refused: bool = False


class Appointment(Value, frozen=True, kw_only=True):
    """A Kareo appointment and the Elation one that follows it; `written` is what Elation was last told."""

    seen: KareoAppointment
    read_at: datetime
    vanished: bool = False
    elation: int | None = None
    written: AppointmentTerms | None = None
    cancelled: bool = False
    deleted: bool = False


class Bill(Value, frozen=True, kw_only=True):
    """An Elation bill and the Kareo encounter it became.

    `sent` is the digest of the content that went out. `answered` is the bill as it stood after a Bill Error was written:
    while it stands so, nobody has corrected anything. `billed_to` is whose the encounter is, after the charts were unlinked.
    """

    bill: ElationBill
    modified: datetime | None = None
    read_at: datetime
    first_seen: datetime
    encounter: int | None = None
    encounter_at: datetime | None = None
    sent: str = ""
    billed: bool = False
    answered: ElationBill | None = None
    error: str = ""
    billed_to: KareoPatientId | None = None


class WrittenPolicy(Value, frozen=True, kw_only=True):
    elation: int
    terms: PolicyTerms


class Former(Value, frozen=True, kw_only=True):
    """What was written to an Elation chart while it was linked: nothing is made twice when the two are linked again."""

    appointments: dict[str, Appointment] = {}
    policies: dict[str, WrittenPolicy] = {}
    base: dict[str, str] = {}


class Patient(Value, frozen=True, kw_only=True):
    """The projection; see the module's docstring. Dicts are by slot, by Kareo id or by bill id, all as text.

    `held` is the chart it was unlinked from (nothing is searched or created until a person says so), `barred` are pairs
    (Elation, Kareo) that are not the same person, `former` what was written to charts unlinked from it.
    """

    key: PatientKey
    elation: ElationSide | None = None
    kareo: KareoSide | None = None
    link: Link | None = None
    base: dict[str, str] = {}
    search: Search | None = None
    created: int | None = None
    policies: dict[str, WrittenPolicy] = {}
    appointments: dict[str, Appointment] = {}
    bills: dict[str, Bill] = {}
    conflicts: dict[str, FieldConflict] = {}
    conflicts_seen: dict[str, FieldConflict] = {}
    intents: dict[str, OpenIntent] = {}
    waiting: dict[str, Waiting] = {}
    dismissed: dict[str, Dismissed] = {}
    held: int | None = None
    barred: tuple[tuple[ElationChartId, KareoPatientId], ...] = ()
    former: dict[str, Former] = {}

    @property
    def in_kareo(self) -> bool:
        """True when this is the projection of a Kareo patient, linked or not."""
        return self.key.startswith("K:")


_PATIENT = msgspec.msgpack.Decoder(Patient)
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


def encode_patient(patient: Patient) -> bytes:
    """The stored form: the same patient always gives the same bytes (I7)."""
    return _ENCODER.encode(patient)


def decode_patient(encoded: bytes) -> Patient:
    return _PATIENT.decode(encoded)


def bill_content(bill: ElationBill) -> str:
    """Digest of what of a bill travels: lines, codes, place, day, providers and notes (DESIGN: Bills)."""
    travels = put(
        bill, status="", ref_number="", error="", deferred=False, signed=True, note_deleted=False, location_name=""
    )
    return content_hash(_ENCODER.encode(travels))


def fold_patient(patient: Patient, event: Event) -> Patient:
    """`patient` after `event`. Linking, unlinking and moving links involve two patients: see `projections.linking`."""
    body = event.body
    match body:
        case ElationChartObserved() | ElationChartDeleted() | ElationChartMerged():
            return _elation_seen(patient, event, body)
        case KareoChartObserved():
            return _kareo_seen(patient, body.chart, event.observed)
        case KareoChartVanished():
            if patient.kareo is None or patient.kareo.read_at > event.observed:
                return patient
            return put(patient, kareo=put(patient.kareo, vanished=True, read_at=event.observed))
        case KareoAppointmentObserved() | KareoAppointmentVanished():
            return _appointment_seen(patient, event, body)
        case BillObserved():
            entry = patient.bills.get(str(body.bill.id))
            if entry is not None and _not_newer(event, entry):
                return patient
            return _bill_seen(patient, body.bill, event.modified, event.observed)
        case LinkSuspended() | LinkResumed():
            link = patient.link and put(patient.link, suspended=isinstance(body, LinkSuspended))
            return put(patient, link=link)
        case CounterpartsFound():
            if patient.link is not None:
                return patient
            return put(patient, search=Search(wanted=body.wanted, candidates=body.candidates))
        case FieldsAgreed():
            return _agreed(patient, body.fields)
        case ConflictRecorded():
            recorded = {one.field: one for one in body.conflicts}
            seen = without(patient.conflicts_seen, *recorded)
            return put(patient, conflicts={**patient.conflicts, **recorded}, conflicts_seen=seen)
        case ConflictSeen():
            fields = body.fields or tuple(patient.conflicts)
            seen = {field: patient.conflicts[field] for field in fields if field in patient.conflicts}
            conflicts = without(patient.conflicts, *fields)
            return put(patient, conflicts=conflicts, conflicts_seen={**patient.conflicts_seen, **seen})
        case WaitingRaised():
            waiting = Waiting(code=body.code, text=body.text, depends_on=body.depends_on, since=event.observed)
            dismissed = without(patient.dismissed, body.slot)
            return put(patient, waiting={**patient.waiting, body.slot: waiting}, dismissed=dismissed)
        case WaitingCleared():
            dismissed = without(patient.dismissed, body.slot)
            return put(patient, waiting=without(patient.waiting, body.slot), dismissed=dismissed)
        case WaitingDismissed():
            waits, dismissed = dismiss(patient.waiting, patient.dismissed, body, event.observed)
            return put(patient, waiting=waits, dismissed=dismissed)
        case ResyncRequested():
            return put(patient, search=None, held=None if body.as_new else patient.held)
        case RetryRequested():
            slots = body.slots or tuple(patient.intents)
            intents = {slot: again(one) if slot in slots else one for slot, one in patient.intents.items()}
            return put(patient, intents=intents, dismissed=without(patient.dismissed, *slots))
        case BillResendRequested():
            slot = f"bill:{body.bill}"
            intents = {name: again(one) if name == slot else one for name, one in patient.intents.items()}
            patient = put(patient, intents=intents, dismissed=without(patient.dismissed, slot))
            return _bill(patient, body.bill, answered=None, error="")
        case IntentSucceeded():
            known = patient.intents.get(body.slot)
            if known is not None and known.intent == body.intent:
                patient = _succeeded(patient, known.write, body, event)
    return put(patient, intents=follow_intent(patient.intents, event))


# -- observations ---------------------------------------------------------------------------------------------------------


def stale(modified: datetime | None, read_at: datetime, known_modified: datetime | None, known_read_at: datetime) -> bool:
    """Whether an Elation record is older than the one known: by its own modified time, on equal times by the reading."""
    if modified is None or known_modified is None or modified == known_modified:
        return read_at < known_read_at
    return modified < known_modified


def in_doubt(patient: Patient | None, event: Event) -> bool:
    """Whether an observation differs from what is known and nothing tells which is newer: a webhook says when its record was
    saved, to the second, not when it was read. So it may stand for an earlier or a later save than another webhook, a reading or
    a write of ours within that second. What is known stays, and the record has to be read again."""
    match event.body:
        case ElationChartObserved() if patient is not None and (side := patient.elation) is not None:
            return side.chart != event.body.chart and side.chart.id == event.body.chart.id and _same_save(event, side)
        case BillObserved() if patient is not None and (entry := patient.bills.get(str(event.body.bill.id))) is not None:
            return entry.bill != event.body.bill and _same_save(event, entry)
    return False


def _same_save(event: Event, known: ElationSide | Bill) -> bool:
    """A webhook of the second in which what is known was saved."""
    return event.modified is not None and event.observed == event.modified == known.modified


def _not_newer(event: Event, known: ElationSide | Bill) -> bool:
    """Whether an observation is to be left alone."""
    return _same_save(event, known) or stale(event.modified, event.observed, known.modified, known.read_at)


def _elation_seen(
    patient: Patient, event: Event, body: ElationChartObserved | ElationChartDeleted | ElationChartMerged
) -> Patient:
    side = patient.elation
    if side is not None and _not_newer(event, side):
        return patient
    match body:
        case ElationChartObserved():
            chart = body.chart
        case ElationChartDeleted():
            chart = put(side.chart, deleted=True) if side else ElationChart(id=body.chart, deleted=True)
        case ElationChartMerged():
            chart = put(side.chart if side else ElationChart(id=body.chart), merged_into=body.survivor)
    modified = event.modified or (side.modified if side else None)
    return put(patient, elation=ElationSide(chart=chart, modified=modified, read_at=event.observed))


def _kareo_seen(patient: Patient, chart: KareoChart, read_at: datetime) -> Patient:
    side = patient.kareo
    if not is_of(patient, chart.id):
        return patient
    if side is not None:
        if read_at < side.read_at:
            return patient
        if chart.cases is None:
            chart = put(chart, cases=side.chart.cases)
    return put(patient, kareo=KareoSide(chart=chart, read_at=read_at))


def is_of(patient: Patient, chart: KareoPatientId) -> bool:
    """False for another Kareo patient's chart: a creation may end after its chart was linked or merged elsewhere."""
    return not patient.in_kareo or kareo_key(chart) == patient.key


def _appointment_seen(patient: Patient, event: Event, body: KareoAppointmentObserved | KareoAppointmentVanished) -> Patient:
    key = body.appointment.key if isinstance(body, KareoAppointmentObserved) else body.key
    known = patient.appointments.get(key)
    if known is not None and event.observed < known.read_at:
        return patient
    if isinstance(body, KareoAppointmentVanished):
        if known is None:
            return patient
        entry = put(known, vanished=True, read_at=event.observed)
    elif known is None:
        entry = Appointment(seen=body.appointment, read_at=event.observed)
    else:
        entry = put(known, seen=body.appointment, read_at=event.observed, vanished=False)
    return put(patient, appointments={**patient.appointments, key: entry})


def _bill_seen(patient: Patient, bill: ElationBill, modified: datetime | None, read_at: datetime) -> Patient:
    known = patient.bills.get(str(bill.id))
    if known is None:
        entry = Bill(bill=bill, modified=modified, read_at=read_at, first_seen=read_at)
    elif stale(modified, read_at, known.modified, known.read_at):
        return patient
    else:
        entry = put(known, bill=bill, modified=modified, read_at=read_at)
    return put(patient, bills={**patient.bills, str(bill.id): entry})


# -- outcomes -------------------------------------------------------------------------------------------------------------


def _succeeded(patient: Patient, write: AnyWrite, body: IntentSucceeded, event: Event) -> Patient:
    result = body.result
    match write, result:
        case SearchElation() | SearchKareo(), Searched():
            return put(patient, search=Search(wanted=write, candidates=result.candidates))
        case CreateElationChart(), Searched():
            wanted = patient.search.wanted if patient.search else None
            return put(patient, search=Search(wanted=wanted, candidates=result.candidates, refused=True))
        case CreateElationChart() | UpdateElationChart(), ElationChartWritten():
            patient = _wrote_elation(patient, result)
            if isinstance(write, CreateElationChart):
                return _created(patient, result.chart.id, write.fields)
            return _based(patient, write.fields, provider=None if write.physician is None else write.fields.get("provider"))
        case CreateKareoChart(), KareoChartWritten():
            provider = {"provider": str(write.provider)} if write.provider is not None else {}
            return _created(
                _kareo_seen(patient, result.chart, result.read_at), result.chart.id, {**write.fields, **provider}
            )
        case UpdateKareoChart(), KareoChartWritten():
            return _based(
                _kareo_seen(patient, result.chart, result.read_at), write.fields, provider=write.fields.get("provider")
            )
        case _, KareoChartWritten():
            return _kareo_seen(patient, result.chart, result.read_at)
        case SyncPolicies(), PoliciesWritten():
            terms = {str(one.kareo_policy): one for one in write.terms}
            written = {
                key: WrittenPolicy(elation=result.known[key], terms=one) for key, one in terms.items() if key in result.known
            }
            return put(patient, policies=written)
        case CreateEncounter(), RecordCreated():
            return _bill(
                patient, write.bill, encounter=result.id, encounter_at=event.observed, sent=write.content, answered=None
            )
        case _, BillWritten():
            patient = _bill_seen(patient, result.bill, result.modified, result.read_at)
            if isinstance(write, MarkBillError):
                return _bill(patient, write.bill, answered=result.bill, error=write.text)
            return _bill(patient, result.bill.id, billed=True)
    return _appointment_written(patient, body.slot, write, result)


def _created(patient: Patient, chart: int, fields: dict[str, str]) -> Patient:
    """The other chart exists: to be linked, with what was written as base; unless the patient was linked meanwhile."""
    return patient if patient.link is not None else put(patient, created=chart, base=fields)


def _wrote_elation(patient: Patient, result: ElationChartWritten) -> Patient:
    side = patient.elation
    if patient.link is not None and patient.link.elation != result.chart.id:
        return patient
    if side is not None and stale(result.modified, result.read_at, side.modified, side.read_at):
        return patient
    return put(patient, elation=ElationSide(chart=result.chart, modified=result.modified, read_at=result.read_at))


def _based(patient: Patient, fields: dict[str, str], *, provider: str | None) -> Patient:
    """A demographics write is done: what was written is what both sides agreed on."""
    agreed = dict(fields)
    if provider is not None:
        agreed["provider"] = provider
    return _agreed(patient, agreed)


def _agreed(patient: Patient, fields: dict[str, str]) -> Patient:
    """Both sides hold `fields` now; a conflict that somebody had looked at is over."""
    return put(patient, base={**patient.base, **fields}, conflicts_seen=without(patient.conflicts_seen, *fields))


def bar(patient: Patient, elation: ElationChartId, kareo: KareoPatientId) -> Patient:
    """These two are not the same person."""
    return put(patient, barred=tuple(sorted({*patient.barred, (elation, kareo)})))


def _bill(patient: Patient, bill: int, **changes: object) -> Patient:
    entry = patient.bills.get(str(bill))
    return patient if entry is None else put(patient, bills={**patient.bills, str(bill): put(entry, **changes)})


def _appointment_written(patient: Patient, slot: str, write: AnyWrite, result: object) -> Patient:
    key = slot.removeprefix("appointment:")
    entry = patient.appointments.get(key)
    if entry is None:
        return patient
    match write, result:
        case CreateElationAppointment(), RecordCreated():
            entry = put(entry, elation=result.id, written=write.terms, cancelled=False, deleted=False)
        case UpdateElationAppointment(), _:
            entry = put(entry, written=write.terms, cancelled=False)
        case CancelElationAppointment(), _:
            entry = put(entry, cancelled=True)
        case DeleteElationAppointment(), _:
            entry = put(entry, deleted=True)
    return put(patient, appointments={**patient.appointments, key: entry})
