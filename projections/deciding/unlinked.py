"""A chart without a link: the other side is searched, in our own copy of it and at the vendor; then it is linked, waits for a
person, or is created there (guide: Links).
"""

from __future__ import annotations

from events.codes import WaitCode
from events.ids import BillingPatientId, EhrChartId, number_of
from events.schema import ChartLinked, CounterpartsFound
from events.slots import CHART_SLOT
from events.writes import Likeness, Resource, SearchBilling, SearchEhr, System
from projections.rules.both_ways import policies_for_new_patient
from projections.rules.counterparts import is_asked_about, is_news, named, undecided_twin
from projections.rules.demographics import want_billing_chart, want_ehr_chart
from projections.rules.fields import agreed, billing_view, ehr_view
from projections.rules.holds import kept_out
from projections.rules.links import (
    MOST_TOLD,
    Verdict,
    absorbers,
    awaited,
    compared,
    hinted_patient,
    judge,
    searched_as,
)
from projections.rules.wants import Wants, Wish
from projections.state.coverage import coverage_of
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import EhrSide, Former, Patient, is_barred
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows

RULE = "guide: Chart creation"


def want_link(patient: Patient, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """Search the other side, then link or create (guide: Links)."""
    search = searched_as(patient)
    if search is not None and not _waits_unlinked(patient, policy, wants):
        _want_counterpart(patient, search, state, policy, wants)


def _waits_unlinked(patient: Patient, policy: Policy, wants: Wants) -> bool:
    """A person unlinked this chart: only a person's word links it again, or has it made anew on the other side."""
    other = patient.held
    if other is None and patient.created is not None and is_barred(patient, patient.created, patient.in_billing):
        other = patient.created
    if other is None:
        return False
    name = policy.names.chart(other) if patient.in_billing else policy.names.patient(other)
    text = f"unlinked from {name} by a person; link it with the right chart, or resync it --as-new"
    wants.wait(CHART_SLOT, WaitCode.UNLINKED, text)
    return True


def _want_counterpart(
    patient: Patient, search: SearchEhr | SearchBilling, state: PracticeState, policy: Policy, wants: Wants
) -> None:
    there = System.EHR if patient.in_billing else System.BILLING
    label = policy.names.label(there)
    if patient.created is not None:
        wants.facts.append(_link(patient, patient.created, f"created in {label}", state, policy))
        return
    if (hinted := _hinted(patient, state)) is not None:
        how = f"our metadata on the {policy.names.ehr.label} chart"
        wants.facts.append(_link(patient, hinted, how, state, policy))
        return
    if _under_way(patient) or not _searched(patient, search, wants) or _news(patient, state, wants):
        return
    verdict = judge(patient, state, policy.names)
    if verdict.match is not None:
        how = f"one certain match in {label}"
        wants.facts.append(_link(patient, verdict.match, how, state, policy, verdict.likeness))
    elif not verdict.create:
        _wait_for_a_person(patient, verdict, state, policy, wants)
    elif (twin := undecided_twin(patient, state)) is not None:
        name = (policy.names.patient if patient.in_billing else policy.names.chart)(number_of(twin.key))
        which = "waits for a person" if CHART_SLOT in twin.waiting else f"is being created in {label}"
        wants.wait(CHART_SLOT, WaitCode.CANDIDATES_ELSEWHERE, f"looks like {name}, which {which}", named(twin.key))
    elif not allows(policy, Resource.CHART, there):
        what = "chart" if there is System.EHR else "patient"
        text = f"no {what} in {label}, and the practice does not create {what}s there"
        wants.wait(CHART_SLOT, WaitCode.NOT_CREATED, text)
    elif patient.billing is not None:
        want_ehr_chart(patient.billing, state.directory, policy, wants)
    elif patient.ehr is not None:
        _want_with_policies(patient, patient.ehr, state, policy, wants)


def _wait_for_a_person(patient: Patient, verdict: Verdict, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """One undecided pair is one item: where the other charts ask about this one already, it is decided with them."""
    depends = awaited(verdict, ehr=patient.in_billing)
    if not is_asked_about(patient, verdict.candidates, state):
        wants.wait(CHART_SLOT, WaitCode.CANDIDATES, verdict.reason, *depends)
        return
    name = policy.names.chart if patient.in_billing else policy.names.patient
    text = f"decided with {', '.join(name(one) for one in verdict.candidates[:MOST_TOLD])}"
    wants.wait(CHART_SLOT, WaitCode.CANDIDATES_ELSEWHERE, text, *depends)


def _want_with_policies(patient: Patient, ehr: EhrSide, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """A patient for the chart; where insurance goes there, the chart's policies go along as soon as they have been read."""
    if allows(policy, Resource.INSURANCE, System.BILLING) and coverage_of(patient).policies is None:
        text = f"the chart's policies in {policy.names.ehr.label} have not been read yet: they go along"
        wants.wait(CHART_SLOT, WaitCode.POLICIES_PENDING, text)
        return
    policies = policies_for_new_patient(patient, state.directory, policy)
    want_billing_chart(ehr, policies, state.directory, policy, wants)


def _hinted(patient: Patient, state: PracticeState) -> BillingPatientId | None:
    """The patient without a link that our own metadata on the chart names, and whom no person has unlinked."""
    if patient.in_billing or patient.ehr is None:
        return None
    hinted = hinted_patient(patient.ehr.chart.link_hint)
    if hinted is None or is_barred(patient, hinted, False):
        return None
    other = state.patients.get(state.key_of(None, hinted))
    free = other is not None and other.link is None and other.held is None and kept_out(state.directory, other) is None
    return hinted if free else None


def _under_way(patient: Patient) -> bool:
    """A creation that was attempted decides what comes next; nothing else is wanted in its slot."""
    open_ = patient.intents.get(CHART_SLOT)
    return open_ is not None and open_.state in UNDER_WAY


def _searched(patient: Patient, search: SearchEhr | SearchBilling, wants: Wants) -> bool:
    """Whether the search for this person as the chart has it now is done; else it is wanted."""
    if patient.search is not None and patient.search.wanted == search:
        return True
    if not search.first_name or not search.last_name:
        wants.wait(CHART_SLOT, WaitCode.INCOMPLETE, "the chart has no first or last name; enter it")
        return False
    wants.writes[CHART_SLOT] = Wish(search, Resource.CHART, f"{RULE}, search before create")
    return False


def _news(patient: Patient, state: PracticeState, wants: Wants) -> bool:
    """Whether our own copy, asked now, has somebody else alike than is recorded: that is recorded before anything follows."""
    search = patient.search
    if patient.key not in state.alike or search is None or search.wanted is None:
        return False
    found = compared(patient, state)
    if not is_news(found, search.candidates):
        return False
    wants.facts.append(CounterpartsFound(wanted=search.wanted, candidates=found))
    return True


def _link(
    patient: Patient, other: int, how: str, state: PracticeState, policy: Policy, likeness: Likeness | None = None
) -> ChartLinked:
    """The link of an unlinked patient with a chart of the other side."""
    mine = number_of(patient.key)
    ehr, billing = (other, mine) if patient.in_billing else (mine, other)
    return link_of(EhrChartId(ehr), BillingPatientId(billing), how, patient, state, policy, likeness)


def link_of(
    ehr: EhrChartId,
    billing: BillingPatientId,
    how: str,
    patient: Patient,
    state: PracticeState,
    policy: Policy,
    likeness: Likeness | None = None,
) -> ChartLinked:
    """The link; its base are the fields on which both sides agree already, and what a creation of ours has just written.

    Two that were linked before go on from what they had agreed on then.
    """
    here = patient.ehr
    if here is None or here.chart.id != ehr:
        other = state.patients.get(state.key_of(ehr, None))
        here = other.ehr if other else None
    there = patient.billing
    if there is None:
        other = state.patients.get(state.key_of(None, billing))
        there = other.billing if other else None
    base = agreed(ehr_view(here.chart, state.directory, policy), billing_view(there.chart)) if here and there else {}
    known = state.patients.get(state.key_of(None, billing))
    former = known.former if known else {}
    merged = tuple(chart for chart in (EhrChartId(int(one)) for one in former) if ehr in absorbers(chart, state))
    before = {name: value for chart in (*merged, ehr) for name, value in _base(former.get(str(chart))).items()}
    return ChartLinked(
        ehr=ehr,
        billing=billing,
        how=how,
        base={**before, **patient.base, **base},
        resumes=merged,
        likeness=likeness,
        two_way=allows(policy, Resource.INSURANCE, System.BILLING),
        bare=patient.in_billing and patient.created == ehr,
        gone=tuple(sorted(_gone_from(merged, former, state))),
    )


def _gone_from(merged: tuple[EhrChartId, ...], former: dict[str, Former], state: PracticeState) -> set[int]:
    """Of the appointments booked for these charts before, those that are theirs no more."""
    known = {chart: state.patients.get(state.key_of(chart, None)) for chart in merged}
    left = {chart: one.bookings for chart, one in known.items() if one is not None}
    return {
        booked.seen.id
        for chart in merged
        for key, booked in former[str(chart)].bookings.items()
        if (now := left.get(chart, {}).get(key)) is not None and now.gone
    }


def _base(former: Former | None) -> dict[str, str]:
    return former.base if former is not None else {}
