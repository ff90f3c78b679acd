"""What linking, unlinking and moving a link make of two patients' projections. Folds, like `projections.folding`."""

from __future__ import annotations

from events.ids import ElationChartId, elation_key
from events.schema import ChartLinked, ChartUnlinked, LinkMoved
from events.writes import CreateElationAppointment, SyncPolicies
from projections.state.folding import stale
from projections.state.open_intents import UNDER_WAY, OpenIntent, put, without
from projections.state.patient import Former, Link, Patient, bar, is_of


def linked(patient: Patient, other: Patient | None, body: ChartLinked) -> Patient:
    """The Kareo `patient` with `other`, the Elation-only one it is the same person as, folded in."""
    patient = absorb(patient, other) if other is not None else patient
    for chart in (*body.resumes, body.elation):
        patient = _resume(patient, chart)
    barred = tuple(pair for pair in patient.barred if pair != (body.elation, body.kareo))
    bills = {key: put(one, billed_to=None) if one.billed_to == body.kareo else one for key, one in patient.bills.items()}
    link = Link(elation=body.elation, kareo=body.kareo)
    return put(patient, link=link, base=body.base, search=None, created=None, held=None, barred=barred, bills=bills)


def unlinked(patient: Patient, body: ChartUnlinked) -> tuple[Patient, Patient]:
    """The Kareo `patient` and the Elation chart on its own again: (the patient, the chart's).

    Bills go with the chart, whose they are; what was written to the chart is kept aside under its id.
    """
    bills = {
        key: put(one, billed_to=body.kareo) if one.encounter is not None and one.billed_to is None else one
        for key, one in patient.bills.items()
    }
    chart = Patient(
        key=elation_key(body.elation), elation=patient.elation, bills=bills, held=body.kareo, barred=patient.barred
    )
    written = {key: one for key, one in patient.appointments.items() if one.elation is not None}
    former = Former(appointments=written, policies=patient.policies, base=patient.base)
    fresh = {
        key: put(one, elation=None, written=None, cancelled=False, deleted=False)
        for key, one in patient.appointments.items()
    }
    patient = put(
        patient,
        elation=None,
        link=None,
        base={},
        search=None,
        policies={},
        appointments=fresh,
        bills={},
        conflicts={},
        conflicts_seen={},
        held=body.elation,
        former={**patient.former, str(body.elation): former},
    )
    return bar(patient, body.elation, body.kareo), bar(chart, body.elation, body.kareo)


def _resume(patient: Patient, chart: ElationChartId) -> Patient:
    """What was written to `chart` when it was linked before counts again."""
    former = patient.former.get(str(chart))
    if former is None:
        return patient
    appointments = {
        key: put(one, elation=was.elation, written=was.written, cancelled=was.cancelled, deleted=was.deleted)
        if (was := former.appointments.get(key)) is not None
        else one
        for key, one in patient.appointments.items()
    }
    policies = {**former.policies, **patient.policies}
    return put(patient, appointments=appointments, policies=policies, former=without(patient.former, str(chart)))


def absorb(patient: Patient, other: Patient) -> Patient:
    """Take over the Elation side and all that hangs on it; the fresher of two Elation sides wins."""
    side = patient.elation
    if other.elation is not None and (
        side is None
        or side.chart.id != other.elation.chart.id
        or not stale(other.elation.modified, other.elation.read_at, side.modified, side.read_at)
    ):
        side = other.elation
    there = patient.kareo
    if (
        other.kareo is not None
        and is_of(patient, other.kareo.chart.id)
        and (there is None or there.read_at < other.kareo.read_at)
    ):
        there = other.kareo
    keep = {slot if slot not in patient.intents else f"{slot}@{other.key}": one for slot, one in other.intents.items()}
    return put(
        patient,
        elation=side,
        kareo=there,
        bills={**other.bills, **patient.bills},
        intents={**patient.intents, **keep},
        waiting={**without(other.waiting, *patient.waiting), **patient.waiting},
        dismissed={**other.dismissed, **patient.dismissed},
        conflicts={**other.conflicts, **patient.conflicts},
        conflicts_seen={**other.conflicts_seen, **patient.conflicts_seen},
        barred=tuple(sorted({*patient.barred, *other.barred})),
    )


def _follows(open_: OpenIntent, body: LinkMoved) -> OpenIntent:
    """A write that waits for its system makes nothing new in the absorbed chart; what it has made went to the survivor with it."""
    write = open_.write
    if (
        open_.state in UNDER_WAY
        and isinstance(write, CreateElationAppointment | SyncPolicies)
        and write.chart == body.source
    ):
        return put(open_, write=put(write, chart=body.target))
    return open_


def moved(patient: Patient, survivor: Patient | None, body: LinkMoved) -> tuple[Patient, Patient]:
    """The link of `patient` moved to the survivor of a merge: (the patient, what remains of the absorbed chart)."""
    remains = Patient(key=elation_key(body.source), elation=patient.elation)
    intents = {slot: _follows(one, body) for slot, one in patient.intents.items()}
    patient = put(patient, elation=None, link=Link(elation=body.target, kareo=body.kareo), intents=intents)
    return (absorb(patient, survivor) if survivor is not None else patient), remains
