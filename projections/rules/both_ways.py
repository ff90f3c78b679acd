"""Insurance both ways: the merge of both sides' policies turned into writes and what waits (guide: the other configuration).

Only the primary case counts. Only what changed is told. A plan is never created on the billing side, and a removal on the chart
side is shown there unless the practice wants more.
"""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from events.codes import WaitCode
from events.records import BillingPolicy, ChartPolicy
from events.slots import CASE_POLICIES_SLOT, POLICIES_SLOT, SlotKind, parse_slot, slot_of
from events.terms import PolicyChange, PolicyTerms
from events.writes import ChangeBillingPolicies, Resource, SyncPolicies, System
from projections.rules.coverage_merge import MergedPolicy
from projections.rules.insurance import RANKS, known_insurer, person_of
from projections.rules.merging import Merging, agree, lay_side_by_side, merge_pairs, news_here, news_there, was_displaced
from projections.rules.pairing import (
    EVERYTHING,
    TOLD,
    PolicyPair,
    fact,
    members,
    terms_here,
)
from projections.rules.policies import policy_terms
from projections.rules.policy_writes import added, ended, told, told_notes, untold
from projections.rules.wants import Wants, Wish
from projections.state.coverage import DIFFERENCES, coverage_of
from projections.state.directory import Directory
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import BillingSide, EhrSide, Patient
from projections.terms.codecs import squeeze
from projections.terms.policy import Policy, RemovedPolicy, allows

RULE = "guide: Insurance both ways"
OURS = frozenset({SlotKind.POLICY, SlotKind.EHR_POLICY, SlotKind.POLICIES, SlotKind.CASE_POLICIES})


def want_insurance_both_ways(
    patient: Patient,
    ehr: EhrSide,
    billing: BillingSide,
    directory: Directory,
    policy: Policy,
    today: date,
    wants: Wants,
) -> None:
    """Add what keeps both sides' policies in agreement. Nothing is decided on half a reading, before the insurers that it shows
    have been learnt, or while a write is under way."""
    cases = billing.chart.cases
    if cases is None or wants.shared_facts:
        return
    if _keep_while_under_way(patient, wants):
        return
    if coverage_of(patient).policies is None:
        if patient.policies or any(case.policies for case in cases):
            text = f"the patient's policies in {policy.names.ehr.label} have not been read yet"
            wants.wait(POLICIES_SLOT, WaitCode.POLICIES_PENDING, text)
        return
    one = Merging(patient, ehr, billing, cases, directory, policy, today, wants)
    lay_side_by_side(one)
    merge_pairs(one)
    if agree(one):
        return
    _show_conflicts(patient, policy, wants)
    _want_chart_side(one)
    _want_case(one)


def _keep_while_under_way(patient: Patient, wants: Wants) -> bool:
    """While one of its writes is under way, what is read may be half of it: all stays as it is."""
    slots = (POLICIES_SLOT, CASE_POLICIES_SLOT)
    if not any(slot in patient.intents and patient.intents[slot].state in UNDER_WAY for slot in slots):
        return False
    for slot in slots:
        if (known := patient.intents.get(slot)) is not None:
            wants.writes[slot] = Wish(known.write, Resource.INSURANCE, RULE)
    wants.waits |= {slot: one for slot, one in patient.waiting.items() if parse_slot(slot).kind in OURS}
    return True


def _show_conflicts(patient: Patient, policy: Policy, wants: Wants) -> None:
    for found in patient.conflicts.values():
        who = policy.names.of(found.winner).prefix
        slot = slot_of(SlotKind.CONFLICT, found.field)
        if found.field == DIFFERENCES:
            text = (
                "both sides' insurance differed when it began to go both ways; make them alike, or mark this seen: then "
                f"{who} wins where they differ, and each gets what it lacks"
            )
            wants.wait(slot, WaitCode.POLICIES_DIFFER, text)
        elif found.field.startswith("policies."):
            text = f"a policy was changed on both sides; {who} won. Look at it and mark it seen"
            wants.wait(slot, WaitCode.CONFLICT, text)


# -- to the chart side ----------------------------------------------------------------------------------------------------


def _want_chart_side(one: Merging) -> None:
    """The write that brings the billing side's changes to the chart's policies."""
    if not allows(one.policy, Resource.INSURANCE, System.EHR):
        return
    terms: list[PolicyTerms] = []
    brings: dict[str, tuple[str, ...]] = {}
    known: dict[str, int] = {}
    for key, (pair, _, theirs, merged) in one.merged.items():
        if merged.to_ehr:
            brings[key] = members(merged.to_ehr)
            keeps = tuple(name for name in EVERYTHING if name not in brings[key])
            terms.append(replace(theirs, keeps=keeps))
            known[key] = pair.ehr
    for pair in one.found.gone_here:
        if (
            was_displaced(pair, one.found, one.coverage)
            and pair.there is not None
            and (whole := _whole(one, pair.there)) is not None
        ):
            terms.append(whole)
            brings[pair.key], known[pair.key] = members(TOLD), pair.ehr
    for there in news_there(one):
        if not _yields(one, there) and (whole := _whole(one, there)) is not None:
            terms.append(whole)
    remove = tuple(sorted(pair.ehr for pair in one.found.gone_there))
    if not terms and not remove:
        return
    person = person_of(one.ehr.chart, one.billing.chart)
    if person.birth_date is None:
        text = f"{one.policy.names.ehr.label} needs the patient's birth date for insurance; enter it"
        one.wait(POLICIES_SLOT, WaitCode.INCOMPLETE, text)
        return
    write = SyncPolicies(
        chart=one.ehr.chart.id,
        first_name=squeeze(person.first_name),
        last_name=squeeze(person.last_name),
        birth_date=person.birth_date,
        terms=tuple(sorted(terms, key=lambda each: (each.rank, each.billing_policy))),
        known=known,
        remove=remove,
        seen=one.coverage.policies,
        brings=brings,
    )
    one.wants.writes[POLICIES_SLOT] = Wish(write, Resource.INSURANCE, RULE)


def _whole(one: Merging, there: BillingPolicy) -> PolicyTerms | None:
    """A policy of the billing side that is new on the chart side; None while it waits."""
    slot, rank = slot_of(SlotKind.POLICY, there.id), one.order.get(str(there.id), RANKS + 1)
    held = {policy.rank for policy in one.found.alone_here if policy.id in one.coverage.apart}
    if rank > RANKS or rank in held:
        label = one.policy.names.ehr.label
        text = f"{label} has no rank for this policy: it knows three, one active policy each"
        one.wait(slot, WaitCode.NO_RANK, text)
        return None
    insurer = known_insurer(there, one.directory, one.policy, one.wants)
    if insurer is None:
        return None
    return policy_terms(there, rank, *insurer, person_of(one.ehr.chart, one.billing.chart))


def _yields(one: Merging, there: BillingPolicy) -> bool:
    """Whether a policy of the billing side waits for one of its rank that the chart side added, too, and that wins."""
    if one.policy.insurance_preference is not System.EHR:
        return False
    rank = one.order.get(str(there.id))
    if not any(here.rank == rank for here in news_here(one)):
        return False
    text = f"both sides added a policy of this rank, and the one in {one.policy.names.ehr.label} won; remove one of them"
    one.wait(slot_of(SlotKind.POLICY, there.id), WaitCode.RANK_TWICE, text)
    return True


# -- to the billing side --------------------------------------------------------------------------------------------------


def _want_case(one: Merging) -> None:
    """The write that brings the chart side's changes to the patient's primary case."""
    if not allows(one.policy, Resource.INSURANCE, System.BILLING):
        return
    changes = [change for key, entry in one.merged.items() if (change := _changed(one, key, *entry)) is not None]
    changes += [change for pair in one.found.gone_here if (change := _removed(one, pair)) is not None]
    changes += [change for here in news_here(one) if (change := _added(one, here)) is not None]
    if not changes:
        return
    case = _case(one)
    if case is None:
        return
    write = ChangeBillingPolicies(
        patient=one.billing.chart.id,
        case_id=case or None,
        case_name=one.policy.case_name,
        payer_scenario=one.policy.payer_scenario,
        changes=tuple(changes),
        before=one.cases,
    )
    one.wants.writes[CASE_POLICIES_SLOT] = Wish(write, Resource.INSURANCE, RULE, told_notes(changes, one.policy.names))


def _case(one: Merging) -> int | None:
    """The one primary case; 0 where one has to be added, None while a person has to say which it is."""
    primary = [case for case in one.cases if case.is_primary]
    if len(primary) == 1:
        return primary[0].id
    if not primary and all(case.name != one.policy.case_name for case in one.cases):
        return 0
    text = f"{one.policy.names.billing.label} does not say which case is the primary one; make one of them primary there"
    one.wait(CASE_POLICIES_SLOT, WaitCode.NO_PRIMARY_CASE, text)
    return None


def _changed(
    one: Merging, key: str, pair: PolicyPair, ours: PolicyTerms, theirs: PolicyTerms, merged: MergedPolicy
) -> PolicyChange | None:
    slot, label = slot_of(SlotKind.POLICY, key), one.policy.names.billing.label
    names = [name for name in merged.to_billing if name != "rank" or not _is_doubled(one, ours.rank)]
    if merged.self_there:
        text = f"the patient is the holder now; say so in {label}, which cannot be told"
        one.wait(slot, WaitCode.INSURED_SELF, text)
    if "insurer" in names and (problem := untold(ours, one.directory, one.policy)) is not None:
        one.wait(slot, *problem, "insurers")
        names.remove("insurer")
    if not names:
        return None
    fields = told(ours, names, one.directory, one.policy)
    return PolicyChange(policy=int(key), ehr=pair.ehr, fields=fields, agreed=ours, names=members(names))


def _is_doubled(one: Merging, rank: int) -> bool:
    listed = one.coverage.policies or ()
    return sum(1 for policy in listed if policy.active and policy.rank == rank) > 1


def _removed(one: Merging, pair: PolicyPair) -> PolicyChange | None:
    """A policy removed on the chart side: shown, unless the practice has it deactivated."""
    if pair.there is None or was_displaced(pair, one.found, one.coverage):
        return None
    names = one.policy.names
    if one.policy.removed_policy is RemovedPolicy.SHOW:
        text = f"this policy was removed in {names.ehr.label}; end it in {names.billing.label}, or enter it in {names.ehr.label} again"
        one.wait(slot_of(SlotKind.POLICY, pair.key), WaitCode.REMOVED_IN_CHART, text)
        return None
    end = one.today if one.policy.removed_policy is RemovedPolicy.DEACTIVATE_AND_END else None
    return ended(int(pair.key), pair.ehr, end)


def _added(one: Merging, here: ChartPolicy) -> PolicyChange | None:
    """A policy that the chart side has and the case lacks; None while it waits."""
    slot = slot_of(SlotKind.EHR_POLICY, here.id)
    if _is_doubled(one, here.rank or 0):
        text = f"{one.policy.names.ehr.label} has two active policies of this rank; make one of them historical"
        one.wait(slot, WaitCode.RANK_TWICE, text)
        return None
    rival = any(one.order.get(str(there.id)) == here.rank for there in news_there(one))
    if rival and one.policy.insurance_preference is System.BILLING:
        text = f"both sides added a policy of this rank, and the one in {one.policy.names.billing.label} won; remove one of them"
        one.wait(slot, WaitCode.RANK_TWICE, text)
        return None
    terms = terms_here(here, "", None)
    if (problem := untold(terms, one.directory, one.policy)) is not None:
        one.wait(slot, *problem, "insurers")
        return None
    return added(here.id, terms, one.directory, one.policy)


def policies_for_new_patient(patient: Patient, directory: Directory, policy: Policy) -> tuple[PolicyChange, ...]:
    """The policies that go along with a patient created for a chart: those that can be told. The others wait afterwards."""
    if not allows(policy, Resource.INSURANCE, System.BILLING):
        return ()
    listed = [one for one in coverage_of(patient).policies or () if one.active and one.rank is not None]
    ranks_held = [one.rank for one in listed]
    ready = [(one.id, terms_here(one, "", None)) for one in listed if ranks_held.count(one.rank) == 1]
    ready.sort(key=lambda each: fact(each[1], "rank"))
    return tuple(added(id_, terms, directory, policy) for id_, terms in ready if untold(terms, directory, policy) is None)
