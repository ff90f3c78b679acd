"""Bills, from the chart side to the billing side: checked, sent once as an encounter, answered, and frozen (guide: Bills).

Life of a bill: seen -> deferred | erroneous (a Bill Error says what to fix; "Save & Re-send" tries again) | sent ->
billed. What each field of a bill becomes is the table in `encounters`.
"""

from __future__ import annotations

from events.codes import WaitCode
from events.ids import EhrChartId
from events.records import BillingCase
from events.slots import CASE_SLOT, SlotKind, slot_of
from events.writes import AddBillingCase, MarkBilled, MarkBillError, ReleaseBill, Resource, System
from projections.rules.encounters import DIAGNOSES, MISSED, all_diagnoses, encounter, unmapped
from projections.rules.insurance import primary_case
from projections.rules.refusals import ERROR_MOST, refusal_text
from projections.rules.wants import Wants, Wish
from projections.state.directory import Directory
from projections.state.patient import BillingSide, BillState, Patient, bill_content
from projections.terms.codecs import Unfit
from projections.terms.policy import Policy, allows

RULE = "guide: Bills"


def want_bills(
    patient: Patient,
    billing: BillingSide | None,
    directory: Directory,
    policy: Policy,
    wants: Wants,
    *,
    gone_along: frozenset[str] = frozenset(),
) -> None:
    """Add what each bill of the patient needs next; `billing` is None until the chart is linked.

    `gone_along` are bills that have moved to another chart in a merge: they are looked at there.
    """
    if not allows(policy, Resource.BILL, System.BILLING):
        return
    for key, entry in patient.bills.items():
        if key in gone_along:
            continue
        _want(slot_of(SlotKind.BILL, key), entry, patient, billing, directory, policy, wants)


def _want(
    slot: str,
    entry: BillState,
    patient: Patient,
    billing: BillingSide | None,
    directory: Directory,
    policy: Policy,
    wants: Wants,
) -> None:
    bill, names = entry.bill, policy.names
    here = names.ehr.label
    answer = slot_of(SlotKind.BILL_ANSWER, bill.id)
    if entry.billed_to is not None or entry.encounter is not None:
        _want_sent(slot, answer, entry, policy, wants)
        return
    if bill.status == "Billed" or bill.ref_number or bill.note_deleted:
        return
    into = _absorbed(patient)
    if into is not None:
        text = (
            f"the chart was merged into {names.chart(into)}, and the bill did not go along; enter it on that chart in {here}"
        )
        wants.wait(slot, WaitCode.CHART_ABSORBED, text, slot, f"chart:{into}")
    elif not bill.signed:
        wants.wait(slot, WaitCode.UNSIGNED, "the visit note of this bill is not signed yet")
    elif entry.deferred:
        wants.wait(
            slot, WaitCode.DEFERRED, f"the bill waits in {here}'s Billing Home; press Send to PMS there, or release it here"
        )
        if entry.release:
            wants.writes[answer] = Wish(ReleaseBill(bill=bill.id), Resource.BILL, f"{RULE}, a deferred one is released")
    elif entry.answered == bill and not _is_mapped_now(entry, directory, policy):
        correct = f"Correct the bill in {here}, then Save & Re-send"
        what = f"It goes out by itself once that is done. Or: {correct}" if entry.depends_on else correct
        wants.wait(slot, WaitCode.BILL_ERROR, f"Bill Error: {entry.error}. {what}", *entry.depends_on)
    elif billing is None:
        wants.wait(slot, WaitCode.CHART_PENDING, f"the patient is not linked with {names.billing.label} yet")
    else:
        _want_encounter(slot, answer, entry, patient, billing, directory, policy, wants)


def _is_mapped_now(entry: BillState, directory: Directory, policy: Policy) -> bool:
    """Whether a bill in error is good, or wrong in something else, though nobody has corrected it: a map has changed since."""
    if not entry.depends_on:
        return False
    wrong = unmapped(entry.bill, directory, policy)
    return wrong is None or wrong.text[:ERROR_MOST] != entry.error


def _want_sent(slot: str, answer: str, entry: BillState, policy: Policy, wants: Wants) -> None:
    """What a bill that has become an encounter still needs: an answer, or a person."""
    names = policy.names
    there = names.billing.label
    if entry.billed_to is not None:
        gone = f"encounter {entry.encounter} went to {names.patient(entry.billed_to)} before the charts were unlinked"
        wants.wait(slot, WaitCode.BILLED_TO_FORMER, f"{gone}; it is not sent again: move or void it in {there}")
        return
    if not entry.billed and entry.encounter_at is not None:
        done = MarkBilled(bill=entry.bill.id, ref_number=str(entry.encounter), billed_at=entry.encounter_at)
        wants.writes[answer] = Wish(done, Resource.BILL, f"{RULE}, success is written back")
    if bill_content(entry.bill) != entry.sent:
        text = f"the bill was edited after it was sent; {there} keeps what was sent, correct the encounter there"
        wants.wait(slot, WaitCode.DIFFERS_AFTER_SENT, text)


def _absorbed(patient: Patient) -> EhrChartId | None:
    """The chart that an unlinked one was merged into."""
    return patient.ehr.chart.merged_into if patient.link is None and patient.ehr is not None else None


def _want_encounter(
    slot: str,
    answer: str,
    entry: BillState,
    patient: Patient,
    billing: BillingSide,
    directory: Directory,
    policy: Policy,
    wants: Wants,
) -> None:
    case = _case(billing, policy, wants, slot)
    if case is None:
        return
    result = encounter(entry, billing, case, directory, policy)
    if isinstance(result, Unfit):
        error = MarkBillError(
            bill=entry.bill.id,
            text=result.text[:ERROR_MOST],
            content=bill_content(entry.bill),
            depends_on=_depends(result),
        )
        wants.writes[answer] = Wish(error, Resource.BILL, f"{RULE}, {result.code}")
        wants.wait(slot, WaitCode.BILL_ERROR, f"Bill Error: {result.text[:ERROR_MOST]}", *_depends(result))
        return
    beyond = len(all_diagnoses(entry.bill)) - DIAGNOSES
    notes = (f"{beyond} diagnoses beyond the first {DIAGNOSES} do not travel",) if beyond > 0 else ()
    wants.writes[slot] = Wish(result, Resource.BILL, RULE, notes)
    open_ = patient.intents.get(slot)
    if open_ is not None and open_.state == "refused" and open_.write == result:
        there = policy.names.billing.label
        refusal = refusal_text(open_.text, result, billing.chart, policy.names)
        error = MarkBillError(bill=entry.bill.id, text=refusal, content=result.content)
        wants.writes[answer] = Wish(error, Resource.BILL, f"{RULE}, refused by {there}")


def _depends(problem: Unfit) -> tuple[str, ...]:
    return ("directory",) if problem.code in MISSED else ()


def _case(billing: BillingSide, policy: Policy, wants: Wants, slot: str) -> BillingCase | None:
    """The case to bill: the primary one, or the only one; a patient without any gets one first."""
    cases, there = billing.chart.cases, policy.names.billing.label
    if cases is None:
        wants.wait(slot, WaitCode.CASES_PENDING, f"the patient's cases have not been read from {there} yet")
        return None
    if not cases:
        add = AddBillingCase(patient=billing.chart.id, case_name=policy.case_name, payer_scenario=policy.payer_scenario)
        wants.writes[CASE_SLOT] = Wish(add, Resource.BILL, "guide: Bills, a case is needed")
        wants.wait(slot, WaitCode.CASE_PENDING, f"the patient has no case in {there}; one is being added")
        return None
    chosen = primary_case(cases) or (cases[0] if len(cases) == 1 else None)
    if chosen is None:
        text = f"the patient has several cases in {there} and none is primary; choose one there"
        wants.wait(slot, WaitCode.NO_PRIMARY_CASE, text)
    return chosen
