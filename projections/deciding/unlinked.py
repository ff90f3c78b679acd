"""A chart without a link: the other side is searched, in our own copy of it and at the vendor; then it is linked, waits for a
person, or is created there (guide: Links).
"""

from __future__ import annotations

from events.codes import WaitCode
from events.ids import BillingPatientId, EhrChartId
from events.schema import ChartLinked, CounterpartsFound
from events.slots import CHART_SLOT
from events.writes import Likeness, Resource, SearchBilling, SearchEhr, System
from projections.rules.both_ways import policies_for_new_patient
from projections.rules.counterparts import is_barred, is_news
from projections.rules.demographics import want_billing_chart, want_ehr_chart
from projections.rules.fields import agreed, billing_view, ehr_view
from projections.rules.links import (
    absorbers,
    awaited,
    compared,
    hinted_patient,
    judge,
    searched_in_billing,
    searched_in_ehr,
)
from projections.rules.wants import Wants, Wish
from projections.state.coverage import coverage_of
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import BillingSide, EhrSide, Former, Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows

RULE = "guide: Chart creation"


def want_link(patient: Patient, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """Search the other side, then link or create (guide: Links)."""
    ehr, billing = patient.ehr, patient.billing
    if patient.in_billing:
        if billing is not None and not billing.vanished and not _waits_unlinked(patient, policy, wants):
            _want_ehr_counterpart(patient, billing, state, policy, wants)
    elif (
        ehr is not None
        and not ehr.chart.deleted
        and ehr.chart.merged_into is None
        and not _waits_unlinked(patient, policy, wants)
    ):
        _want_billing_counterpart(patient, ehr, state, policy, wants)


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


def _want_ehr_counterpart(
    patient: Patient, billing: BillingSide, state: PracticeState, policy: Policy, wants: Wants
) -> None:
    if patient.created is not None:
        wants.facts.append(
            link_of(
                EhrChartId(patient.created), billing.chart.id, f"created in {policy.names.ehr.label}", patient, state, policy
            )
        )
        return
    chart = billing.chart
    search = searched_in_ehr(chart)
    if _under_way(patient) or not _searched(patient, search, wants) or _news(patient, state, wants):
        return
    verdict = judge(patient, state, policy.names)
    if verdict.match is not None:
        found = EhrChartId(verdict.match)
        wants.facts.append(
            link_of(
                found,
                billing.chart.id,
                f"one certain match in {policy.names.ehr.label}",
                patient,
                state,
                policy,
                verdict.likeness,
            )
        )
    elif not verdict.create:
        wants.wait(CHART_SLOT, WaitCode.CANDIDATES, verdict.reason, *awaited(verdict, ehr=True))
    elif not allows(policy, Resource.CHART, System.EHR):
        wants.wait(
            CHART_SLOT,
            WaitCode.NOT_CREATED,
            f"no chart in {policy.names.ehr.label}, and the practice does not create charts there",
        )
    else:
        want_ehr_chart(billing, state.directory, policy, wants)


def _want_billing_counterpart(patient: Patient, ehr: EhrSide, state: PracticeState, policy: Policy, wants: Wants) -> None:
    chart = ehr.chart
    if patient.created is not None:
        wants.facts.append(
            link_of(
                chart.id,
                BillingPatientId(patient.created),
                f"created in {policy.names.billing.label}",
                patient,
                state,
                policy,
            )
        )
        return
    hinted = hinted_patient(chart.link_hint)
    if hinted is not None:
        other = state.patients.get(state.key_of(None, hinted))
        if other is not None and other.link is None and not is_barred(patient, hinted, False):
            wants.facts.append(
                link_of(chart.id, hinted, f"our metadata on the {policy.names.ehr.label} chart", patient, state, policy)
            )
            return
    search = searched_in_billing(chart)
    if _under_way(patient) or not _searched(patient, search, wants) or _news(patient, state, wants):
        return
    verdict = judge(patient, state, policy.names)
    if verdict.match is not None:
        found = BillingPatientId(verdict.match)
        wants.facts.append(
            link_of(
                chart.id,
                found,
                f"one certain match in {policy.names.billing.label}",
                patient,
                state,
                policy,
                verdict.likeness,
            )
        )
    elif not verdict.create:
        wants.wait(CHART_SLOT, WaitCode.CANDIDATES, verdict.reason, *awaited(verdict, ehr=False))
    elif not allows(policy, Resource.CHART, System.BILLING):
        wants.wait(
            CHART_SLOT,
            WaitCode.NOT_CREATED,
            f"no patient in {policy.names.billing.label}, and the practice does not create patients there",
        )
    else:
        _want_with_policies(patient, ehr, state, policy, wants)


def _want_with_policies(patient: Patient, ehr: EhrSide, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """A patient for the chart; where insurance goes there, the chart's policies go along as soon as they have been read."""
    if allows(policy, Resource.INSURANCE, System.BILLING) and coverage_of(patient).policies is None:
        text = f"the chart's policies in {policy.names.ehr.label} have not been read yet: they go along"
        wants.wait(CHART_SLOT, WaitCode.POLICIES_PENDING, text)
        return
    policies = policies_for_new_patient(patient, state.directory, policy)
    want_billing_chart(ehr, policies, state.directory, policy, wants)


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
    )


def _base(former: Former | None) -> dict[str, str]:
    return former.base if former is not None else {}
