"""Is this chart that person? Search before create, and what becomes of a link when charts merge (guide: Links).

A wrong link is a safety incident, a missed one a duplicate for a person to merge: so only a match that is certain
(`projections.matching`) and the only one counts, and everything in between waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from events.bookings import EhrAppointmentGone
from events.ids import BillingPatientId, EhrChartId, PatientKey, billing_key
from events.records import BillingChart, EhrChart
from events.schema import Event
from events.writes import Candidate, Likeness, SearchBilling, SearchEhr
from projections.matching import Level, Veto
from projections.rules.counterparts import certain_of, counterparts_of, is_held, is_taken
from projections.rules.holds import is_kept_out
from projections.rules.people import charts_of
from projections.state.patient import Patient, is_barred
from projections.state.state import PracticeState
from projections.terms.codecs import squeeze
from projections.terms.names import Names

LINK_HINT = "kareo-patient:"

KEPT_OUT = (
    "{} may be the same person and is kept out: keep this chart out, too, take that one in again, or say that there is none"
)

MOST_TOLD = 5
"""Candidates of whom a waiting item says in what they differ."""


@dataclass(frozen=True)
class Verdict:
    """What to do about an unlinked chart: link to `match`, wait for a person (`reason`), or create.

    `rivals` are charts of the same system that look like the one match too.
    """

    match: int | None = None
    likeness: Likeness | None = None
    reason: str = ""
    candidates: tuple[int, ...] = ()
    rivals: tuple[int, ...] = ()

    @property
    def create(self) -> bool:
        return self.match is None and not self.reason


def searched_in_ehr(chart: BillingChart) -> SearchEhr:
    """Whom a Kareo patient without a link is looked for as."""
    return SearchEhr(
        first_name=squeeze(chart.first_name), last_name=squeeze(chart.last_name), birth_date=chart.birth_date, sex=chart.sex
    )


def searched_in_billing(chart: EhrChart) -> SearchBilling:
    """Whom an Elation chart without a link is looked for as."""
    return SearchBilling(
        first_name=squeeze(chart.first_name), last_name=squeeze(chart.last_name), birth_date=chart.birth_date, sex=chart.sex
    )


def searched_as(patient: Patient) -> SearchEhr | SearchBilling | None:
    """Whom an unlinked patient is looked for as in the other system."""
    here, there = charts_of(patient)
    if patient.link is not None:
        return None
    if patient.in_billing:
        return searched_in_ehr(there) if there is not None else None
    return searched_in_billing(here) if here is not None else None


def judge(patient: Patient, state: PracticeState, names: Names) -> Verdict:
    """What the finished search of an unlinked `patient` comes to, given the links and creations there are by now."""
    search = patient.search
    if search is None or search.wanted is None:
        return Verdict(reason="not searched yet")
    to_ehr = isinstance(search.wanted, SearchEhr)
    found = compared(patient, state)
    if (certain := certain_of(patient, found, state, to_ehr)) is not None:
        return Verdict(match=certain[0], likeness=certain[1])
    waiting = {
        one.id: one.likeness
        for one in found
        if one.likeness is not None
        and not is_barred(patient, one.id, to_ehr)
        and not is_kept_out(state.directory, one.id, ehr=to_ehr)
    }
    if waiting:
        told = "; ".join(_told(id_, alike, names, to_ehr) for id_, alike in list(waiting.items())[:MOST_TOLD])
        return Verdict(
            reason=f"{_why(waiting, state, to_ehr)} ({told})",
            candidates=tuple(waiting),
            rivals=tuple(sorted({one for alike in waiting.values() for one in alike.rivals})),
        )
    free = (one.id for one in found if not is_barred(patient, one.id, to_ehr))
    if left_out := tuple(one for one in free if is_kept_out(state.directory, one, ehr=to_ehr)):
        return Verdict(reason=KEPT_OUT.format(_named(left_out[0], names, to_ehr)), candidates=left_out)
    if search.refused:
        refusing = tuple(one.id for one in search.candidates)
        return Verdict(reason=f"{names.ehr.label} refuses it as a duplicate of another chart", candidates=refusing)
    return Verdict()


def compared(patient: Patient, state: PracticeState) -> tuple[Candidate, ...]:
    """The candidates as recorded, once they were compared; compared now where nobody has, or our own copy was asked."""
    recorded = patient.search.candidates if patient.search is not None else ()
    if patient.key not in state.alike and any(one.likeness is not None for one in recorded):
        return recorded
    return counterparts_of(patient, state)


def _why(waiting: Mapping[int, Likeness], state: PracticeState, to_ehr: bool) -> str:
    if all(Veto.EDITED in alike.vetoes for alike in waiting.values()):
        return "looked like it until one of the two was edited, and nobody has decided: link it, or say that it is somebody else"
    if all(Veto.LINKED in alike.vetoes or is_taken(id_, state, to_ehr) for id_, alike in waiting.items()):
        return "looks like a chart that is linked to somebody else: a duplicate?"
    if any(is_held(id_, state, to_ehr) for id_ in waiting):
        return "looks like a chart that a person unlinked: link the right one, or say that there is none"
    if len(waiting) == 1 and any(alike.rivals for alike in waiting.values()):
        return "another chart of this system looks like that match too: link the right one, or say that there is none"
    return "several or uncertain matches: link the right one, or say that there is none"


def _told(id_: int, alike: Likeness, names: Names, to_ehr: bool) -> str:
    """A candidate in words that name no value."""
    return f"{_named(id_, names, to_ehr)}: {', '.join(unlike(alike)) or 'all the same'}"


def _named(id_: int, names: Names, to_ehr: bool) -> str:
    return names.chart(id_) if to_ehr else names.patient(id_)


def unlike(alike: Likeness) -> tuple[str, ...]:
    """In what two charts differ, and what forbids a link without a person: in words that name no value."""
    levels = tuple(f"{field}: {level}" for field, level in alike.levels.items() if level != Level.EXACT)
    return (*levels, *(veto for veto in alike.vetoes if veto not in levels))


def awaited(verdict: Verdict, *, ehr: bool) -> tuple[str, ...]:
    """What a doubt depends on: the candidates, charts of Elation or not, and their rivals on the other side."""
    there, here = ("chart", "patient") if ehr else ("patient", "chart")
    return (*(f"{there}:{one}" for one in verdict.candidates), *(f"{here}:{one}" for one in verdict.rivals))


def absorbers(chart: EhrChartId, state: PracticeState) -> tuple[EhrChartId, ...]:
    """The charts that `chart` was merged into, one into the next, as far as is known and without going in circles."""
    chain = [chart]
    while (
        (known := _known(chain[-1], state)) is not None and known.merged_into is not None and known.merged_into not in chain
    ):
        chain.append(known.merged_into)
    return tuple(chain[1:])


def holder(event: Event, state: PracticeState) -> PatientKey:
    """Whom an event is about. What was booked for an appointment that is gone went along where its chart was merged into another."""
    gone, alone = event.body, state.key_of(event.ehr, event.billing)
    if not isinstance(gone, EhrAppointmentGone):
        return alone
    for chart in absorbers(gone.chart, state):
        key = state.key_of(chart, None)
        known = state.patients[key].bookings.get(str(gone.appointment)) if key in state.patients else None
        if known is not None and known.seen.patient == gone.chart:
            return key
    return alone


def in_circles(chart: EhrChartId, state: PracticeState) -> bool:
    """Whether the chain of merges that starts at `chart` never ends."""
    chain = (chart, *absorbers(chart, state))
    known = _known(chain[-1], state)
    return known is not None and known.merged_into in chain


def survivor(chart: EhrChartId, state: PracticeState) -> EhrChartId | None:
    """The end of the chain of merges that starts at `chart`; None for a cycle or an end not seen yet."""
    end = (chart, *absorbers(chart, state))[-1]
    known = _known(end, state)
    return end if known is not None and known.merged_into is None else None


def _known(chart: EhrChartId, state: PracticeState) -> EhrChart | None:
    patient = state.patients.get(state.key_of(chart, None))
    side = patient.ehr if patient else None
    return side.chart if side is not None and side.chart.id == chart else None


def references(patient: Patient) -> tuple[set[EhrChartId], set[BillingPatientId]]:
    """Charts of other patients that deciding about `patient` looks at."""
    ehr: set[EhrChartId] = set()
    billing: set[BillingPatientId] = set()
    if patient.ehr is not None:
        if patient.ehr.chart.merged_into is not None:
            ehr.add(patient.ehr.chart.merged_into)
        hinted = hinted_patient(patient.ehr.chart.link_hint)
        if hinted is not None and billing_key(hinted) != patient.key:
            billing.add(hinted)
    ehr |= {EhrChartId(int(chart)) for chart in patient.former}
    if patient.search is not None:
        for candidate in patient.search.candidates:
            if isinstance(patient.search.wanted, SearchEhr):
                ehr.add(EhrChartId(candidate.id))
            else:
                billing.add(BillingPatientId(candidate.id))
    if patient.created is not None:
        if patient.in_billing:
            ehr.add(EhrChartId(patient.created))
        else:
            billing.add(BillingPatientId(patient.created))
    return ehr, billing


def hinted_patient(hint: str) -> BillingPatientId | None:
    """The Kareo patient that our own metadata on an Elation chart names."""
    number = hint.removeprefix(LINK_HINT)
    return BillingPatientId(int(number)) if number != hint and number.isdigit() else None
