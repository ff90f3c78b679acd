"""Deciding: what one patient needs now, from the projections and the practice's policy alone.

`decide` looks at the patient as a whole every time (level, not edge): bursts coalesce, a lost trigger costs nothing, and any
save of a chart re-evaluates that patient completely ("touch to resync"). Called again after its own events were folded, it
finds nothing more to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from events.codes import WaitCode
from events.ids import BillingPatientId, EhrChartId, EventId, PatientKey
from events.schema import (
    Body,
    ChartLinked,
    IntentRequested,
    IntentSuperseded,
    LinkMoved,
    LinkResumed,
    LinkSuspended,
    WaitingCleared,
    WaitingRaised,
)
from events.slots import CHART_SLOT, LINK_SLOT, PRACTICE_SLOT, SlotKind, slot_of
from events.writes import (
    Resource,
    SearchBilling,
    SearchEhr,
    System,
)
from projections.deciding.settle import Moment, Wants, Wish, permitted, settle, settle_waiting
from projections.rules.accepted import about_digest
from projections.rules.appointments import want_appointments, want_removals
from projections.rules.bills import want_bills
from projections.rules.demographics import want_billing_chart, want_demographics, want_ehr_chart
from projections.rules.fields import agreed, billing_view, ehr_view
from projections.rules.insurance import want_insurance
from projections.rules.links import (
    absorbers,
    awaited,
    hinted_patient,
    in_circles,
    is_barred,
    judge,
    searched_in_billing,
    searched_in_ehr,
    survivor,
)
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import BillingSide, EhrSide, Former, Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows

RULE = "guide: Chart creation"
SETTLES = (IntentRequested, IntentSuperseded, WaitingRaised, WaitingCleared)


def decide(
    state: PracticeState, key: PatientKey, policy: Policy, moment: Moment, cause: EventId | None
) -> tuple[list[Body], list[Body]]:
    """What to record about patient `key`, and about the practice at large (carriers and plans to create).

    Facts come alone: they change what everything else is decided on, so the caller folds them and asks again.
    """
    if observed_only(state, policy):
        return [], []
    patient = state.patients[key]
    wants = Wants()
    _want(patient, state, policy, moment, wants)
    if wants.facts:
        return wants.facts, []
    _show_refused(patient, policy, wants)
    writes = permitted(wants.writes, policy)
    bodies = settle(writes, patient.intents, policy.practice, policy, cause)
    bodies += settle_waiting(wants.waits, patient, lambda slot: about_digest(patient, slot, state.directory, policy))
    shared = {slot: wish for slot, wish in permitted(wants.shared, policy).items() if slot not in state.directory.intents}
    return bodies, settle(shared, {}, policy.practice, policy, cause)


def is_settled(before: Patient, bodies: Sequence[Body], shared: Sequence[Body]) -> bool:
    """Whether deciding again after these decisions about `before` is sure to find nothing.

    `decide` does not read requests, supersessions or waiting items, only facts. After requests and waiting items alone it
    would find nothing new. Acceptances are an exception: they compare with what a slot requests.
    """
    return all(isinstance(body, SETTLES) for body in bodies) and not shared and not before.dismissed


def observed_only(state: PracticeState, policy: Policy) -> bool:
    """Whether the practice is only looked at: nothing is decided about it, so nothing is ever written."""
    return policy.observes or state.directory.observing


def _want(patient: Patient, state: PracticeState, policy: Policy, moment: Moment, wants: Wants) -> None:
    if not (state.directory.ehr_seen and state.directory.billing_seen):
        wants.wait(
            PRACTICE_SLOT,
            WaitCode.DIRECTORY_PENDING,
            "the practice's providers and locations have not been read yet",
            "directory",
        )
        return
    _show_left_behind(patient, policy, wants)
    link = patient.link
    if link is None:
        _want_link(patient, state, policy, wants)
        want_bills(patient, None, state.directory, policy, wants, gone_along=_gone_along(patient, state))
        return
    if not _follow_link(patient, state, policy, wants):
        _hold_bills(patient, policy, wants, f"the patient's link with {policy.names.billing.label} is interrupted")
        return
    ehr, billing = patient.ehr, patient.billing
    if ehr is None or billing is None:
        missing = policy.names.label(System.EHR if ehr is None else System.BILLING)
        wants.wait(LINK_SLOT, WaitCode.CHART_NOT_READ, f"the {missing} chart has not been read yet")
        _hold_bills(patient, policy, wants, f"the patient's chart in {missing} has not been read yet")
        return
    want_demographics(patient, ehr, billing, state.directory, policy, wants)
    want_insurance(patient, ehr, billing, state.directory, policy, moment.today, wants)
    want_appointments(patient, link.ehr, state.directory, policy, wants)
    want_bills(patient, billing, state.directory, policy, wants)


def _gone_along(patient: Patient, state: PracticeState) -> frozenset[str]:
    """Bills of an absorbed chart that the chart it was merged into has now."""
    side = patient.ehr
    end = survivor(side.chart.id, state) if side is not None and side.chart.merged_into is not None else None
    other = None if end is None else state.patients.get(state.key_of(end, None))
    return frozenset(other.bills) if other is not None and other.key != patient.key else frozenset()


def _hold_bills(patient: Patient, policy: Policy, wants: Wants, why: str) -> None:
    """While a link is interrupted or not complete its bills are not lost: they wait with it."""
    for key, entry in patient.bills.items():
        if not entry.billed and entry.bill.status != "Billed" and not entry.bill.note_deleted:
            text = why
            if entry.encounter is not None:
                ehr, billing = policy.names.ehr.label, policy.names.billing.label
                text = f"sent to {billing} as encounter {entry.encounter}, but {text}: {ehr} is told when it resumes"
            wants.wait(slot_of(SlotKind.BILL, key), WaitCode.CHART_PENDING, text)


# -- links ----------------------------------------------------------------------------------------------------------------


def _follow_link(patient: Patient, state: PracticeState, policy: Policy, wants: Wants) -> bool:
    """Keep up with merges, deletions and restores of the linked charts; True while writes may go out."""
    link, side = patient.link, patient.ehr
    if link is None or side is None:
        return True
    if side.chart.merged_into is not None:
        _follow_merge(patient, state, policy, wants)
        want_removals(patient, policy, wants)
        return False
    if side.chart.deleted != link.suspended:
        change = LinkSuspended if side.chart.deleted else LinkResumed
        wants.facts.append(change(ehr=link.ehr, billing=link.billing))
        return False
    if link.suspended:
        wants.wait(
            LINK_SLOT,
            WaitCode.EHR_CHART_DELETED,
            f"the chart was deleted in {policy.names.ehr.label}; the link resumes when it is restored",
        )
        return False
    if patient.billing is not None and patient.billing.vanished:
        wants.wait(
            LINK_SLOT,
            WaitCode.BILLING_CHART_GONE,
            f"the patient is gone in {policy.names.billing.label} (deleted or merged there); unlink the chart, then link the right patient",
        )
        want_removals(patient, policy, wants)
        return False
    return True


def _follow_merge(patient: Patient, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """The linked chart was absorbed: the link moves to an unlinked survivor, else a person decides (DESIGN: Links)."""
    link = patient.link
    if link is None:
        return
    end = survivor(link.ehr, state)
    if end is None and in_circles(link.ehr, state):
        text = (
            f"{policy.names.ehr.label} says that charts were merged into one another in a circle; undo that in "
            f"{policy.names.ehr.label}, or unlink the patient"
        )
        wants.wait(LINK_SLOT, WaitCode.MERGE_CYCLE, text, *(f"chart:{one}" for one in absorbers(link.ehr, state)))
        return
    if end is None:
        chain = (f"chart:{one}" for one in absorbers(link.ehr, state))
        wants.wait(LINK_SLOT, WaitCode.SURVIVOR_NOT_SEEN, "the chart was merged into one that is not known yet", *chain)
        return
    other = state.patients.get(state.key_of(end, None))
    if other is not None and other.link is not None:
        wants.wait(
            LINK_SLOT,
            WaitCode.MERGED_BOTH_LINKED,
            f"the chart was merged into {policy.names.chart(end)}, which is linked with "
            f"{policy.names.patient(other.link.billing)}; merge the two patients in {policy.names.billing.label} too, or unlink this one",
        )
        return
    wants.facts.append(LinkMoved(billing=link.billing, source=link.ehr, target=end))


def _want_link(patient: Patient, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """Search the other side, then link or create (DESIGN: Links)."""
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


def _show_left_behind(patient: Patient, policy: Policy, wants: Wants) -> None:
    """What was written to a chart that a person unlinked stays in it, whatever becomes of the patient: nobody else sees to it."""
    for chart, former in patient.former.items():
        standing = [one for one in former.appointments.values() if not (one.cancelled or one.deleted)]
        if standing or former.policies:
            text = (
                f"{len(standing)} appointments and {len(former.policies)} policies written to "
                f"{policy.names.chart(int(chart))} before it was "
                "unlinked stay there; correct them by hand, then accept this"
            )
            wants.wait(slot_of(SlotKind.FORMER, chart), WaitCode.LEFT_BEHIND, text)


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
    if _under_way(patient) or not _searched(patient, search, wants):
        return
    verdict = judge(patient, state, policy.names)
    if verdict.match is not None:
        found = EhrChartId(verdict.match)
        wants.facts.append(
            link_of(found, billing.chart.id, f"one strong match in {policy.names.ehr.label}", patient, state, policy)
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
    if _under_way(patient) or not _searched(patient, search, wants):
        return
    verdict = judge(patient, state, policy.names)
    if verdict.match is not None:
        found = BillingPatientId(verdict.match)
        wants.facts.append(
            link_of(chart.id, found, f"one strong match in {policy.names.billing.label}", patient, state, policy)
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
        want_billing_chart(ehr, state.directory, policy, wants)


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


def link_of(
    ehr: EhrChartId, billing: BillingPatientId, how: str, patient: Patient, state: PracticeState, policy: Policy
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
    return ChartLinked(ehr=ehr, billing=billing, how=how, base={**before, **patient.base, **base}, resumes=merged)


def _base(former: Former | None) -> dict[str, str]:
    return former.base if former is not None else {}


# -- what people see ------------------------------------------------------------------------------------------------------


def _show_refused(patient: Patient, policy: Policy, wants: Wants) -> None:
    """A refused write that is still wanted waits for a person; what it holds up says so."""
    for slot, open_ in patient.intents.items():
        wish = wants.writes.get(slot)
        if open_.state == "refused" and wish is not None and wish.write == open_.write:
            wants.wait(slot, WaitCode.REFUSED, f"{policy.names.label(open_.system)} refused: {open_.text or open_.code}")


# -- what if --------------------------------------------------------------------------------------------------------------


def wanted(state: PracticeState, key: PatientKey, policy: Policy, moment: Moment) -> Wants:
    """What one patient needs now, whatever is open already; the direction filter has been applied to its writes."""
    wants = Wants()
    if observed_only(state, policy):
        return wants
    _want(state.patients[key], state, policy, moment, wants)
    wants.writes, wants.shared = permitted(wants.writes, policy), permitted(wants.shared, policy)
    return wants
