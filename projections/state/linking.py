"""What linking, unlinking and moving a link make of two patients' projections. Folds, like `projections.state.folding`."""

from __future__ import annotations

from msgspec.structs import replace

from events.ids import EhrChartId, ehr_key
from events.merges import BillingLinkMoved
from events.schema import ChartLinked, ChartUnlinked, LinkMoved
from events.writes import CreateEhrAppointment, SyncPolicies
from projections.state.bookings import together, unwritten
from projections.state.coverage import linked_both_ways
from projections.state.freshness import stale
from projections.state.open_intents import UNDER_WAY, OpenIntent, without
from projections.state.patient import Coverage, Former, Link, Patient, bar, is_of


def linked(patient: Patient, other: Patient | None, body: ChartLinked) -> Patient:
    """The Kareo `patient` with `other`, the Elation-only one it is the same person as, folded in."""
    patient = absorb(patient, other) if other is not None else patient
    for chart in (*body.resumes, body.ehr):
        patient = _resume(patient, chart, body.gone)
    barred = tuple(pair for pair in patient.barred if pair != (body.ehr, body.billing))
    bills = {
        key: replace(one, billed_to=None) if one.billed_to == body.billing else one for key, one in patient.bills.items()
    }
    link = Link(ehr=body.ehr, billing=body.billing)
    patient = linked_both_ways(patient, body)
    return replace(patient, link=link, base=body.base, search=None, created=None, held=None, barred=barred, bills=bills)


def unlinked(patient: Patient, body: ChartUnlinked) -> tuple[Patient, Patient]:
    """The Kareo `patient` and the Elation chart on its own again: (the patient, the chart's).

    Bills go with the chart, whose they are; what was written to the chart is kept aside under its id.
    """
    bills = {
        key: replace(one, billed_to=body.billing) if one.encounter is not None and one.billed_to is None else one
        for key, one in patient.bills.items()
    }
    chart = Patient(
        key=ehr_key(body.ehr), ehr=patient.ehr, bills=bills, held=body.billing, barred=patient.barred, out=patient.out
    )
    chart = replace(chart, bookings=unwritten(patient.bookings))
    if patient.coverage is not None:
        read = Coverage(policies=patient.coverage.policies, read_at=patient.coverage.read_at)
        chart = replace(chart, coverage=read)
        patient = replace(patient, coverage=Coverage(put_away=patient.coverage.put_away))
    written = {key: one for key, one in patient.appointments.items() if one.ehr is not None}
    booked = {key: one for key, one in patient.bookings.items() if one.billing is not None}
    former = Former(appointments=written, policies=patient.policies, base=patient.base, bookings=booked)
    fresh = {
        key: replace(one, ehr=None, written=None, cancelled=False, deleted=False)
        for key, one in patient.appointments.items()
    }
    patient = replace(
        patient,
        ehr=None,
        link=None,
        base={},
        search=None,
        policies={},
        appointments=fresh,
        bookings={},
        bills={},
        conflicts={},
        conflicts_seen={},
        held=body.ehr,
        former={**patient.former, str(body.ehr): former},
    )
    return bar(patient, body.ehr, body.billing), bar(chart, body.ehr, body.billing)


def _resume(patient: Patient, chart: EhrChartId, gone: tuple[int, ...]) -> Patient:
    """What was written to `chart` when it was linked before counts again; appointments in `gone` are not its any more."""
    former = patient.former.get(str(chart))
    if former is None:
        return patient
    appointments = {
        key: replace(one, ehr=was.ehr, written=was.written, cancelled=was.cancelled, deleted=was.deleted)
        if (was := former.appointments.get(key)) is not None
        else one
        for key, one in patient.appointments.items()
    }
    policies = {**former.policies, **patient.policies}
    booked = {
        key: replace(one, gone=True, moved=True) if one.seen.id in gone else one for key, one in former.bookings.items()
    }
    bookings, former_left = together(patient.bookings, booked), without(patient.former, str(chart))
    return replace(patient, appointments=appointments, policies=policies, bookings=bookings, former=former_left)


def absorb(patient: Patient, other: Patient) -> Patient:
    """Take over the Elation side and all that hangs on it; the fresher of two Elation sides wins."""
    side = patient.ehr
    if other.ehr is not None and (
        side is None
        or side.chart.id != other.ehr.chart.id
        or not stale(other.ehr.modified, other.ehr.read_at, side.modified, side.read_at)
    ):
        side = other.ehr
    there = patient.billing
    if (
        other.billing is not None
        and is_of(patient, other.billing.chart.id)
        and (there is None or there.read_at < other.billing.read_at)
    ):
        there = other.billing
    keep = {slot if slot not in patient.intents else f"{slot}@{other.key}": one for slot, one in other.intents.items()}
    return replace(
        patient,
        ehr=side,
        billing=there,
        bills={**other.bills, **patient.bills},
        bookings=together(patient.bookings, other.bookings),
        intents={**patient.intents, **keep},
        waiting={**without(other.waiting, *patient.waiting), **patient.waiting},
        dismissed={**other.dismissed, **patient.dismissed},
        conflicts={**other.conflicts, **patient.conflicts},
        conflicts_seen={**other.conflicts_seen, **patient.conflicts_seen},
        barred=tuple(sorted({*patient.barred, *other.barred})),
        coverage=_with_reading_of(other, patient),
        unread=tuple(dict.fromkeys((*patient.unread, *other.unread))),
    )


def _with_reading_of(other: Patient, patient: Patient) -> Coverage | None:
    """What is known of the patient's insurance, with the chart side's policies as they are in the chart taken over."""
    read = other.coverage
    if patient.coverage is None or read is None:
        return patient.coverage or read
    return replace(patient.coverage, policies=read.policies, read_at=read.read_at)


def moved_to(source: Patient, target: Patient, body: BillingLinkMoved) -> tuple[Patient, Patient]:
    """The link of a patient that vanished moved to the survivor of the merge: (the survivor, what remains of the other).

    What was written to the chart counts for the survivor, whose records those are now: nothing is written or billed twice.
    """
    appointments = {**source.appointments, **target.appointments}
    for key, was in source.appointments.items():
        now = appointments[key]
        if was.ehr is not None and now.ehr is None:
            appointments[key] = replace(now, ehr=was.ehr, written=was.written, cancelled=was.cancelled, deleted=was.deleted)
    remains = Patient(key=source.key, billing=source.billing, barred=source.barred, former=source.former)
    survivor = replace(
        target,
        ehr=source.ehr,
        link=Link(ehr=body.ehr, billing=body.target),
        base=body.base,
        search=None,
        created=None,
        held=None,
        barred=tuple(pair for pair in target.barred if pair != (body.ehr, body.target)),
        bills={**target.bills, **source.bills},
        appointments=appointments,
        bookings=together(source.bookings, target.bookings),
        policies={**source.policies, **target.policies},
        coverage=source.coverage or target.coverage,
        conflicts={**target.conflicts, **source.conflicts},
        conflicts_seen={**target.conflicts_seen, **source.conflicts_seen},
        beside={**target.beside, **source.beside},
    )
    return survivor, remains


def _retargeted(open_: OpenIntent, body: LinkMoved) -> OpenIntent:
    """An attempted appointment or policy write, aimed at the survivor.

    Whatever it created in the absorbed chart moved there with the merge.
    """
    write = open_.write
    if open_.state in UNDER_WAY and isinstance(write, CreateEhrAppointment | SyncPolicies) and write.chart == body.source:
        return replace(open_, write=replace(write, chart=body.target))
    return open_


def moved(patient: Patient, survivor: Patient | None, body: LinkMoved) -> tuple[Patient, Patient]:
    """The link of `patient` moved to the survivor of a merge: (the patient, what remains of the absorbed chart)."""
    remains = Patient(key=ehr_key(body.source), ehr=patient.ehr, out=patient.out)
    intents = {slot: _retargeted(one, body) for slot, one in patient.intents.items()}
    patient = replace(patient, ehr=None, link=Link(ehr=body.target, billing=body.billing), intents=intents)
    if patient.coverage is not None:
        patient = replace(
            patient,
            coverage=replace(patient.coverage, policies=None, read_at=None, beyond=(), to_remove=(), look_again=False),
        )
    return (absorb(patient, survivor) if survivor is not None else patient), remains
