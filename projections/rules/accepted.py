"""What a waiting item is about, as a digest: a person accepted this, and something else waits again."""

from __future__ import annotations

import msgspec

from events.ids import content_hash
from events.slots import SlotKind, parse_slot
from projections.rules.fields import billing_view, ehr_view
from projections.state.coverage import coverage_of
from projections.state.directory import Directory
from projections.state.patient import Patient, bill_content
from projections.terms.policy import Policy

IDENTITY = ("first_name", "middle_name", "last_name", "birth_date", "sex")

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


def about_digest(patient: Patient, slot: str, directory: Directory, policy: Policy) -> str:
    """Digest of what `slot` of the patient is about: its write, and its bill, appointment, policy, field or persons."""
    write = patient.intents[slot].write if slot in patient.intents else None
    return content_hash(_ENCODER.encode((write, _record(patient, slot, directory, policy))))


def shown_as(code: str, slot: str, patient: Patient | None, directory: Directory, policy: Policy) -> str:
    """An item as somebody was shown it who answers for it: its code, and what it is about. Without a patient the practice's own."""
    about = directory.quarantined.get(slot, "") if patient is None else about_digest(patient, slot, directory, policy)
    return f"{code} {about}".strip()


def _record(patient: Patient, slot: str, directory: Directory, policy: Policy) -> object:
    kind, name = parse_slot(slot)
    match kind:
        case SlotKind.BILL | SlotKind.BILL_ANSWER if name in patient.bills:
            entry = patient.bills[name]
            return bill_content(entry.bill), entry.bill.signed, entry.deferred, entry.encounter
        case SlotKind.APPOINTMENT if name in patient.appointments:
            return patient.appointments[name].seen
        case SlotKind.BOOKING | SlotKind.BOOKED_TWICE if name in patient.bookings:
            entered = patient.bookings[name]
            return (
                entered.seen if entered.by_hand is None else (entered.by_hand.id, entered.by_hand.start, entered.seen.start)
            )
        case SlotKind.POLICY | SlotKind.POLICIES:
            cases = (patient.billing.chart.cases if patient.billing else None) or ()
            return [one for case in cases for one in case.policies if name in ("", str(one.id))]
        case SlotKind.EHR_POLICY:
            known = coverage_of(patient)
            return [one for one in (*(known.policies or ()), *known.beyond) if str(one.id) == name]
        case SlotKind.FIELD | SlotKind.CONFLICT:
            return [view.get(name) for view in _views(patient, directory, policy)]
        case SlotKind.CHART | SlotKind.LINK:
            people = [[view.get(one) for one in IDENTITY] for view in _views(patient, directory, policy)]
            merged = patient.ehr.chart.merged_into if patient.ehr else None
            found = patient.search.candidates if patient.search else ()
            return people, tuple(msgspec.structs.replace(one, likeness=None) for one in found), merged
    return None


def _views(patient: Patient, directory: Directory, policy: Policy) -> tuple[dict[str, str], dict[str, str]]:
    here = ehr_view(patient.ehr.chart, directory, policy) if patient.ehr else {}
    return here, billing_view(patient.billing.chart) if patient.billing else {}
