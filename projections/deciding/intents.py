"""Deciding: what one patient needs now, from the projections and the practice's policy alone.

`decide` looks at the patient as a whole every time (level, not edge): bursts coalesce, a lost trigger costs nothing, and any
save of a chart re-evaluates that patient completely ("touch to resync"). Called again after its own events were folded, it
finds nothing more to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from events.codes import WaitCode
from events.holds import LeftOut
from events.ids import EventId, PatientKey
from events.schema import (
    Body,
    IntentRequested,
    IntentSuperseded,
    LinkMoved,
    LinkResumed,
    LinkSuspended,
    WaitingCleared,
    WaitingRaised,
)
from events.slots import LINK_SLOT, PRACTICE_SLOT, SlotKind, slot_of
from events.writes import Resource, System, UpdateCarrier
from projections.deciding.settle import permitted, reconcile_intents, reconcile_waiting
from projections.deciding.unlinked import want_link
from projections.rules.accepted import about_digest
from projections.rules.appointments import want_appointments, want_removals
from projections.rules.bills import want_bills
from projections.rules.bookings import stands, want_bookings, want_moved_away
from projections.rules.both_ways import want_insurance_both_ways
from projections.rules.carriers import want_carriers
from projections.rules.demographics import want_demographics
from projections.rules.holds import kept_out, observed_only, ruled_out
from projections.rules.insurance import want_insurance
from projections.rules.links import (
    absorbers,
    in_circles,
    survivor,
)
from projections.rules.wants import Moment, Wants, Wish, same_write
from projections.state.open_intents import OpenIntent
from projections.state.patient import Patient
from projections.state.restart import waited_through
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows

MOST_NAMED = 10
"""Appointments that an item names one by one."""

SETTLES = (IntentRequested, IntentSuperseded, WaitingRaised, WaitingCleared)


def decide(
    state: PracticeState, key: PatientKey, policy: Policy, moment: Moment, cause: EventId | None
) -> tuple[list[Body], list[Body]]:
    """What to record about patient `key`, and about the practice at large (carriers and plans to create).

    Facts come alone: they change what everything else is decided on, so the caller folds them and asks again.
    """
    patient = state.patients[key]
    if (kept_out(state.directory, patient) is not None) is not patient.out:
        return [LeftOut(out=not patient.out)], []
    if observed_only(state, policy):
        return [], []
    if (news := ruled_out(patient, state.directory, policy)) is not None:
        return [], [news]
    wants = Wants()
    _want(patient, state, policy, moment, wants)
    if wants.facts or wants.shared_facts:
        return wants.facts, wants.shared_facts
    _show_refused(patient, policy, wants)
    writes = permitted(wants.writes, policy)
    looks = waited_through(patient, state.directory.restarted)
    bodies = reconcile_intents(writes, patient.intents, policy.practice, policy, cause, looks=looks)
    bodies += reconcile_waiting(wants.waits, patient, lambda slot: about_digest(patient, slot, state.directory, policy))
    known = state.directory.intents
    shared = {slot: wish for slot, wish in permitted(wants.shared, policy).items() if _may_ask(wish, known.get(slot))}
    open_ = {slot: known[slot] for slot in shared if slot in known}
    return bodies, reconcile_intents(shared, open_, policy.practice, policy, cause, looks=looks)


def _may_ask(wish: Wish, known: OpenIntent | None) -> bool:
    """A carrier or plan is created once, whatever the next patient's policy says of it; a newer address replaces an older one."""
    return known is None or isinstance(wish.write, UpdateCarrier)


def is_settled(before: Patient, bodies: Sequence[Body], shared: Sequence[Body]) -> bool:
    """Whether deciding again after these decisions about `before` is sure to find nothing.

    `decide` does not read requests, supersessions or waiting items, only facts. After requests and waiting items alone it
    would find nothing new. Acceptances are an exception: they compare with what a slot requests.
    """
    return all(isinstance(body, SETTLES) for body in bodies) and not shared and not before.dismissed


def _want(patient: Patient, state: PracticeState, policy: Policy, moment: Moment, wants: Wants) -> None:
    if kept_out(state.directory, patient) is not None:
        follows = Wants()
        _follow_link(patient, state, policy, follows)
        wants.facts = follows.facts
        return
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
        want_link(patient, state, policy, wants)
        want_bills(patient, None, state.directory, policy, wants, gone_along=_gone_along(patient, state))
        return
    if not _follow_link(patient, state, policy, wants):
        if not wants.facts:
            want_moved_away(patient, link.billing, policy, moment.now, wants, _gone_along_booked(patient, state))
        _hold_bills(patient, policy, wants, f"the patient's link with {policy.names.billing.label} is interrupted")
        return
    ehr, billing = patient.ehr, patient.billing
    if ehr is None or billing is None:
        missing = policy.names.label(System.EHR if ehr is None else System.BILLING)
        wants.wait(LINK_SLOT, WaitCode.CHART_NOT_READ, f"the {missing} chart has not been read yet")
        _hold_bills(patient, policy, wants, f"the patient's chart in {missing} has not been read yet")
        want_moved_away(patient, link.billing, policy, moment.now, wants)
        return
    want_demographics(patient, ehr, billing, state.directory, policy, wants)
    want_carriers(billing, state.directory, policy, moment.today, wants)
    insure = want_insurance_both_ways if allows(policy, Resource.INSURANCE, System.BILLING) else want_insurance
    insure(patient, ehr, billing, state.directory, policy, moment.today, wants)
    want_appointments(patient, link.ehr, state.directory, policy, moment.now, wants)
    want_bookings(patient, link.billing, state.directory, policy, moment.now, wants)
    want_bills(patient, billing, state.directory, policy, wants)


def _gone_along(patient: Patient, state: PracticeState) -> frozenset[str]:
    """Bills of an absorbed chart that the chart it was merged into has now."""
    other = _merged_into(patient, state)
    return frozenset() if other is None else frozenset(other.bills)


def _gone_along_booked(patient: Patient, state: PracticeState) -> frozenset[int]:
    """Bookings that the patient of the chart it was merged into has now: merged in both systems, they went along."""
    other = _merged_into(patient, state)
    return frozenset() if other is None else frozenset(one.billing for one in other.bookings.values() if one.billing)


def _merged_into(patient: Patient, state: PracticeState) -> Patient | None:
    side = patient.ehr
    end = survivor(side.chart.id, state) if side is not None and side.chart.merged_into is not None else None
    other = None if end is None else state.patients.get(state.key_of(end, None))
    return other if other is not None and other.key != patient.key else None


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
        want_removals(patient, policy, wants)
        return False
    if patient.billing is not None and patient.billing.vanished:
        wants.wait(
            LINK_SLOT,
            WaitCode.BILLING_CHART_GONE,
            f"the patient is gone in {policy.names.billing.label} (deleted or merged there); move the link to the patient that it was merged into, or unlink the chart",
        )
        want_removals(patient, policy, wants)
        return False
    return True


def _follow_merge(patient: Patient, state: PracticeState, policy: Policy, wants: Wants) -> None:
    """The linked chart was absorbed: the link moves to an unlinked survivor, else a person decides (guide: Links)."""
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


def _show_left_behind(patient: Patient, policy: Policy, wants: Wants) -> None:
    """What was written to a chart that a person unlinked stays in it, whatever becomes of the patient: nobody else sees to it."""
    for chart, former in patient.former.items():
        standing = [one for one in former.appointments.values() if not (one.cancelled or one.deleted)]
        booked = [one.billing for one in former.bookings.values() if stands(one)]
        if standing or former.policies or booked:
            text = (
                f"{len(standing)} appointments and {len(former.policies)} policies written to "
                f"{policy.names.chart(int(chart))} before it was "
                "unlinked stay there; correct them by hand, then accept this"
            )
            if booked:
                which = f" ({', '.join(map(str, booked[:MOST_NAMED]))}{', ...' if len(booked) > MOST_NAMED else ''})"
                text = f"{len(booked)} appointments booked for it stay in {policy.names.billing.label}{which}, and {text}"
            wants.wait(slot_of(SlotKind.FORMER, chart), WaitCode.LEFT_BEHIND, text)


# -- what people see ------------------------------------------------------------------------------------------------------


def _show_refused(patient: Patient, policy: Policy, wants: Wants) -> None:
    """A refused write that is still wanted waits for a person; what it holds up says so."""
    for slot, open_ in patient.intents.items():
        wish = wants.writes.get(slot)
        if open_.state == "refused" and wish is not None and same_write(wish.write, open_.write):
            wants.wait(slot, WaitCode.REFUSED, f"{policy.names.label(open_.system)} refused: {open_.text or open_.code}")


# -- what if --------------------------------------------------------------------------------------------------------------


def wanted(state: PracticeState, key: PatientKey, policy: Policy, moment: Moment) -> Wants:
    """What one patient needs now, whatever is open already; the direction filter has been applied to its writes."""
    wants = Wants()
    news = ruled_out(state.patients[key], state.directory, policy)
    if observed_only(state, policy) or (news is not None and news.out):
        return wants
    _want(state.patients[key], state, policy, moment, wants)
    wants.writes, wants.shared = permitted(wants.writes, policy), permitted(wants.shared, policy)
    return wants
