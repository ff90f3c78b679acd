"""What people ask for, answered: each command is checked against the projections, then carried out or refused in words.

The practice's recorder calls `answer` in the transaction that records the command, so nothing can change in between. A
refused command is recorded with its refusal and folds into nothing. Pure, like every decision.

Unlinking is made so that nothing happens behind a person's back. Both charts are held: neither is linked by matching, by
metadata or by an external id, and neither is created on the other side, until a person links one (`link`) or says that it
has no counterpart (`resync --as-new`). The two stay barred from one another for matching even then; only `link` with both
named undoes that. What was written to the Elation chart (appointments, policies, the last agreed values) is kept aside under
the chart's id, a bill keeps the encounter it became: nothing is written or billed a second time, whoever is linked next, and
the same pair linked again goes on where it was. What stays wrong in the vendors' systems is named in what waits, for a person
to correct there.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from events.codes import CommandCode, WaitCode
from events.commands import (
    BillReleaseRequested,
    BillResendRequested,
    Command,
    ConflictSeen,
    DismissRequested,
    GoLiveRequested,
    HoldRequested,
    KeepOutRequested,
    LinkRequested,
    MapGiveBackRequested,
    MapRequested,
    MoveLinkRequested,
    PolicyRemovalRequested,
    RedriveRequested,
    ReleaseRequested,
    ResyncRequested,
    RetryRequested,
    TellApartRequested,
    UnlinkRequested,
)
from events.ids import BillingPatientId, Charts, EhrChartId, billing_key, content_hash
from events.merges import BillingLinkMoved, ToldApart
from events.records import type_of
from events.schema import (
    Body,
    ChartUnlinked,
    CommandRefused,
    IntentSuperseded,
    PairBarred,
    WaitingDismissed,
)
from events.slots import CHART_SLOT, SlotKind, is_slot, slot_of
from events.writes import Resource, System, changes_nothing
from projections.deciding import going_live, holding, mapping
from projections.deciding.replies import NotDone, Reply, patient_of
from projections.deciding.unlinked import link_of
from projections.matching import Level, names_level
from projections.matching.levels import MISTYPED, SAID
from projections.rules.accepted import about_digest, shown_as
from projections.rules.fields import BY_NAME, agreed, billing_view, ehr_view, same
from projections.rules.holds import kept_out, on_hold
from projections.rules.people import normal_of, person_of
from projections.state.directory import pair_key
from projections.state.open_intents import UNDER_WAY, OpenIntent, Waiting
from projections.state.patient import BillState, Patient
from projections.state.state import PracticeState
from projections.terms.names import Names
from projections.terms.policy import Policy, allows

COMPARED = ("first_name", "middle_name", "last_name", "birth_date", "sex")
NAMED = ("first_name", "last_name")
DECISIVE = (*NAMED, "birth_date", "sex")


def answer(
    state: PracticeState, ehr: EhrChartId | None, billing: BillingPatientId | None, body: Command, policy: Policy
) -> Reply:
    """What becomes of a command about these charts (neither: about the practice)."""
    try:
        return _answer(state, ehr, billing, body, policy)
    except NotDone as no:
        return Reply(refused=CommandRefused(command=type_of(body), code=no.code, text=no.text))


def _answer(
    state: PracticeState, ehr: EhrChartId | None, billing: BillingPatientId | None, body: Command, policy: Policy
) -> Reply:
    match body:
        case LinkRequested():
            return Reply(billing_key(body.billing), (_link(state, body, policy),))
        case MoveLinkRequested():
            return Reply(billing_key(body.target), (_move_link(state, body, policy),))
        case TellApartRequested():
            return Reply(follows=(_tell_apart(state, body),))
        case UnlinkRequested():
            return _unlink(state, body, policy.names)
        case HoldRequested():
            return holding.hold(state, Charts(ehr, billing), body, policy)
        case KeepOutRequested():
            return holding.keep_out(state, Charts(ehr, billing), body, policy.names)
    if (reply := _of_practice(state, Charts(ehr, billing), body, policy)) is not None:
        return reply
    patient = patient_of(state, Charts(ehr, billing), policy.names)
    match body:
        case RetryRequested():
            _retry(patient, body.slots)
        case BillResendRequested():
            _resend(patient, body.bill, state, policy.names)
        case BillReleaseRequested():
            _release(patient, body.bill, state, policy)
        case DismissRequested():
            digest = about_digest(patient, body.slot, state.directory, policy)
            _check_shown(body.seen, patient.waiting.get(body.slot), body.slot, patient, state, policy)
            return Reply(patient.key, (_dismissal(patient.waiting.get(body.slot), body, digest),))
        case PolicyRemovalRequested():
            slot = slot_of(SlotKind.EHR_POLICY, body.policy)
            waits = patient.waiting.get(slot)
            if waits is None or waits.code != WaitCode.BEYOND_CASE:
                raise NotDone(CommandCode.NOT_WAITING, f"policy {body.policy} does not wait for a removal")
            _check_shown(body.seen, waits, slot, patient, state, policy)
        case ConflictSeen():
            missing = [name for name in body.fields if name not in patient.conflicts]
            if missing or not patient.conflicts:
                names = ", ".join(missing) or "any field"
                raise NotDone(CommandCode.NO_CONFLICT, f"there is no conflict in {names} that nobody has seen")
            for name in body.fields:
                slot = slot_of(SlotKind.CONFLICT, name)
                _check_shown(body.seen, patient.waiting.get(slot), slot, patient, state, policy)
        case ResyncRequested(as_new=True) if patient.link is not None:
            raise NotDone(CommandCode.LINKED, "the chart is linked; unlink it first")
    return Reply(patient.key)


def _of_practice(state: PracticeState, charts: Charts, body: Command, policy: Policy) -> Reply | None:
    """What becomes of a command about the practice at large; None for any other."""
    match body:
        case ReleaseRequested():
            return holding.release(state, body)
        case MapRequested():
            return mapping.save(state.directory, body, policy)
        case MapGiveBackRequested():
            return mapping.give_back(state.directory, body)
        case GoLiveRequested():
            return going_live.go_live(state, body, policy)
        case RedriveRequested():
            if body.slot not in state.directory.quarantined:
                raise NotDone(CommandCode.NOT_QUARANTINED, f"nothing is in quarantine as {body.slot}")
            return Reply()
        case RetryRequested() if charts == Charts():
            return Reply(follows=_retry_shared(state, body))
        case DismissRequested() if charts == Charts():
            return Reply(follows=(_dismiss_shared(state, body, policy),))
    return None


# -- writes and bills -----------------------------------------------------------------------------------------------------


def _refused(intents: dict[str, OpenIntent], slots: tuple[str, ...]) -> list[str]:
    """The slots to try again: those named, or all that were refused."""
    refused = [slot for slot, one in intents.items() if one.state == "refused"]
    if wrong := [slot for slot in slots if slot not in refused]:
        hint = "; a bill is sent again with resend" if any(is_slot(slot, SlotKind.BILL) for slot in wrong) else ""
        raise NotDone(CommandCode.NOT_REFUSED, f"no refused write in {', '.join(wrong)}{hint}")
    if not refused:
        raise NotDone(CommandCode.NOT_REFUSED, "no write was refused")
    return list(slots) or refused


def _retry(patient: Patient, slots: tuple[str, ...]) -> None:
    _refused(patient.intents, slots)


def _retry_shared(state: PracticeState, body: RetryRequested) -> tuple[Body, ...]:
    """Carriers and plans: given up, so that the patients who need them ask for them anew, as they are in Kareo now.

    Without slots it is all of them, and none is fine: what pauses after failures is tried, too (daemon/runtime/practice.py).
    """
    intents = state.directory.intents
    if not body.slots and all(one.state != "refused" for one in intents.values()):
        return ()
    return tuple(
        IntentSuperseded(intent=intents[slot].intent, slot=slot, reason="tried again from the start")
        for slot in _refused(intents, body.slots)
    )


def _unsent(patient: Patient, bill: int, state: PracticeState, names: Names) -> BillState:
    """A bill that may still be sent. Raises NotDone."""
    entry = patient.bills.get(str(bill))
    if entry is None:
        raise NotDone(CommandCode.NOT_KNOWN, f"bill {bill} has never been seen on this chart")
    if entry.encounter is not None:
        raise NotDone(
            CommandCode.SENT, f"bill {bill} is in {names.billing.label} as encounter {entry.encounter}; correct it there"
        )
    if entry.bill.status == "Billed" or entry.bill.ref_number:
        raise NotDone(CommandCode.SENT, f"{names.ehr.label} shows bill {bill} as billed already")
    if kept_out(state.directory, patient) is not None:
        raise NotDone(CommandCode.KEPT_OUT, f"the patient of bill {bill} is kept out")
    return entry


def _release(patient: Patient, bill: int, state: PracticeState, policy: Policy) -> None:
    names = policy.names
    entry = _unsent(patient, bill, state, names)
    if not allows(policy, Resource.BILL, System.BILLING):
        raise NotDone(CommandCode.NOT_WAITING, f"bills do not go to {names.billing.label} in this practice")
    if not entry.bill.signed:
        raise NotDone(CommandCode.NOT_WAITING, f"the visit note of bill {bill} is not signed yet")
    if not entry.deferred:
        raise NotDone(CommandCode.NOT_WAITING, f"bill {bill} does not wait in {names.ehr.label}'s Billing Home")
    if entry.release:
        raise NotDone(CommandCode.UNDER_WAY, f"bill {bill} is being released already")


def _resend(patient: Patient, bill: int, state: PracticeState, names: Names) -> None:
    _unsent(patient, bill, state, names)
    open_ = patient.intents.get(slot_of(SlotKind.BILL, bill))
    if open_ is not None and open_.state == "requested" and on_hold(state.directory, patient, open_) is not None:
        raise NotDone(CommandCode.UNDER_WAY, f"bill {bill} is held, and goes out as soon as it is released")
    if open_ is not None and open_.state != "refused":
        raise NotDone(CommandCode.UNDER_WAY, f"bill {bill} is being sent right now")


# -- what waits -----------------------------------------------------------------------------------------------------------


def _dismissal(waiting: Waiting | None, body: DismissRequested, digest: str) -> WaitingDismissed:
    if waiting is None:
        raise NotDone(CommandCode.NOT_WAITING, f"nothing waits in {body.slot}")
    return WaitingDismissed(
        slot=body.slot, code=waiting.code, text=waiting.text, about_digest=digest, who=body.who, reason=body.reason
    )


def _check_shown(
    seen: str, waiting: Waiting | None, slot: str, patient: Patient | None, state: PracticeState, policy: Policy
) -> None:
    """Nobody answers for what came after the item was shown."""
    if waiting is not None and seen not in ("", shown_as(waiting.code, slot, patient, state.directory, policy)):
        raise NotDone(CommandCode.CHANGED, "this has changed since it was shown: look at it again, then decide")


def _dismiss_shared(state: PracticeState, body: DismissRequested, policy: Policy) -> WaitingDismissed:
    if is_slot(body.slot, SlotKind.HOLD):
        raise NotDone(CommandCode.PASSES_BY_ITSELF, "this is a hold: release it, then it ends")
    if is_slot(body.slot, SlotKind.SYSTEM):
        raise NotDone(CommandCode.PASSES_BY_ITSELF, "this ends by itself as soon as the system takes writes again")
    if is_slot(body.slot, SlotKind.RESTART):
        raise NotDone(CommandCode.PASSES_BY_ITSELF, "this ends by itself as soon as the lost time is read and settled")
    _check_shown(body.seen, state.directory.waiting.get(body.slot), body.slot, None, state, policy)
    return _dismissal(state.directory.waiting.get(body.slot), body, state.directory.quarantined.get(body.slot, ""))


# -- links ----------------------------------------------------------------------------------------------------------------


def differing(ehr: Patient, billing: Patient, state: PracticeState, policy: Policy) -> tuple[str, ...]:
    """Names of the identifying fields in which two unlinked charts differ."""
    if ehr.ehr is None or billing.billing is None:
        return ()
    here, there = ehr_view(ehr.ehr.chart, state.directory, policy), billing_view(billing.billing.chart)
    return tuple(name for name in COMPARED if not same(name, here[name], there[name]))


def decisive(ehr: Patient, billing: Patient, state: PracticeState, policy: Policy) -> tuple[str, ...]:
    """Of the fields that differ those that speak for two persons: a name said or spelled another way does not."""
    if ehr.ehr is None or billing.billing is None:
        return ()
    here, there = (normal_of(person_of(one)) for one in (ehr.ehr.chart, billing.billing.chart))
    levels = dict(zip(NAMED, names_level(here.names, there.names), strict=True))
    found = (name for name in differing(ehr, billing, state, policy) if name in DECISIVE)
    return tuple(name for name in found if levels.get(name, Level.OTHER) not in SAID | MISTYPED)


def seen_of(ehr: Patient, billing: Patient, state: PracticeState, policy: Policy) -> str:
    """Digest of what is shown of two charts before they are linked (`LinkRequested.seen`)."""
    if ehr.ehr is None or billing.billing is None:
        return ""
    views = ehr_view(ehr.ehr.chart, state.directory, policy), billing_view(billing.billing.chart)
    return content_hash(msgspec.json.encode(views, order="sorted"))


def _link(state: PracticeState, body: LinkRequested, policy: Policy) -> Body:
    names = policy.names
    here, there = patient_of(state, Charts(ehr=body.ehr), names), patient_of(state, Charts(billing=body.billing), names)
    if body.undecided and (body.ehr, body.billing) in (*here.barred, *there.barred):
        raise NotDone(CommandCode.CHANGED, "somebody has said meanwhile that they are two persons; look at them again")
    for patient, name in ((here, names.chart(body.ehr)), (there, names.patient(body.billing))):
        if patient.link is not None:
            other = f"{names.chart(patient.link.ehr)} with {names.patient(patient.link.billing)}"
            raise NotDone(CommandCode.LINKED, f"{name} has a link already ({other}); unlink it first")
        if kept_out(state.directory, patient) is not None:
            raise NotDone(CommandCode.KEPT_OUT, f"{name} is kept out; take it in again first (keep-out --undo)")
        if _writing(patient, lambda slot: slot == CHART_SLOT):
            raise NotDone(
                CommandCode.UNDER_WAY, f"a counterpart of {name} is being created right now; wait until that is done"
            )
    if here.ehr is None or here.ehr.chart.deleted or here.ehr.chart.merged_into is not None:
        raise NotDone(CommandCode.GONE, f"{names.chart(body.ehr)} was deleted or merged into another chart")
    if there.billing is None or there.billing.vanished:
        raise NotDone(CommandCode.GONE, f"{names.patient(body.billing)} is gone in {names.billing.label}")
    _check_seen(here, there, state, body, policy)
    return link_of(body.ehr, body.billing, f"by hand ({body.who})", there, state, policy)


def _check_seen(
    ehr: Patient, billing: Patient, state: PracticeState, body: LinkRequested | MoveLinkRequested, policy: Policy
) -> None:
    """A person has seen both charts as they are, and takes them for one though what differs speaks for two."""
    if body.seen not in ("", seen_of(ehr, billing, state, policy)):
        raise NotDone(CommandCode.CHANGED, "one of the charts has changed since both were shown; look at them again")
    if not body.force and (differ := [BY_NAME[name].label.lower() for name in decisive(ehr, billing, state, policy)]):
        raise NotDone(
            CommandCode.DIFFERS,
            f"they differ in {', '.join(differ)}: look at both, then repeat with --force if they are one",
        )


def _move_link(state: PracticeState, body: MoveLinkRequested, policy: Policy) -> Body:
    names = policy.names
    here, there = (patient_of(state, Charts(billing=one), names) for one in (body.source, body.target))
    source, target = names.patient(body.source), names.patient(body.target)
    if here.link is None:
        raise NotDone(CommandCode.NOT_LINKED, f"{source} is not linked")
    if here.billing is None or not here.billing.vanished:
        raise NotDone(
            CommandCode.STILL_THERE, f"{source} is still in {names.billing.label}; unlink it, then link the right one"
        )
    if kept_out(state.directory, here) is not None or kept_out(state.directory, there) is not None:
        raise NotDone(CommandCode.KEPT_OUT, f"{source} or {target} is kept out; take it in again first (keep-out --undo)")
    if there.link is not None:
        raise NotDone(CommandCode.LINKED, f"{target} has a link already ({names.chart(there.link.ehr)}); unlink it first")
    if there.billing is None or there.billing.vanished:
        raise NotDone(CommandCode.GONE, f"{target} is gone in {names.billing.label}")
    if here.ehr is None or here.ehr.chart.deleted or here.ehr.chart.merged_into is not None:
        raise NotDone(CommandCode.GONE, f"{names.chart(here.link.ehr)} was deleted or merged into another chart")
    if _writing(here, lambda _slot: True) or _writing(there, lambda slot: slot == CHART_SLOT):
        raise NotDone(CommandCode.UNDER_WAY, "a write of these patients is under way; repeat this when it is settled")
    _check_seen(here, there, state, body, policy)
    both = agreed(ehr_view(here.ehr.chart, state.directory, policy), billing_view(there.billing.chart))
    return BillingLinkMoved(
        ehr=here.link.ehr, source=body.source, target=body.target, how=f"by hand ({body.who})", base={**here.base, **both}
    )


def _tell_apart(state: PracticeState, body: TellApartRequested) -> Body:
    known = pair_key(body.system, body.one, body.other) in state.directory.told_apart
    if body.one == body.other or known is not body.undo:
        why = "nobody has told these two apart" if body.undo else "these two are told apart already"
        raise NotDone(CommandCode.NOTHING_IN_IT, "a chart is not two" if body.one == body.other else why)
    return ToldApart(
        system=body.system, one=body.one, other=body.other, who=body.who, reason=body.reason, apart=not body.undo
    )


def _unlink(state: PracticeState, body: UnlinkRequested, names: Names) -> Reply:
    patient = (
        patient_of(state, Charts(body.ehr, body.billing), names)
        if body.billing is not None
        else patient_of(state, Charts(ehr=body.ehr), names)
    )
    link = patient.link
    if link is not None and body.ehr in (None, link.ehr) and body.billing in (None, link.billing):
        if body.undecided:
            raise NotDone(CommandCode.LINKED, "somebody has linked the two meanwhile; look at them again")
        if _writing(patient, lambda _slot: True):
            raise NotDone(CommandCode.UNDER_WAY, "a write of this patient is under way; repeat this when it is settled")
        return Reply(patient.key, (ChartUnlinked(ehr=link.ehr, billing=link.billing),))
    if body.ehr is None or body.billing is None:
        raise NotDone(CommandCode.NOT_LINKED, "the chart is not linked; name both to say that they are not the same person")
    here = patient_of(state, Charts(ehr=body.ehr), names)
    if here.link is not None and link is not None:  # one that is linked may look like a chart that still waits
        raise NotDone(CommandCode.LINKED, "both are linked with somebody else, so these two are not linked")
    return Reply(billing_key(body.billing), (PairBarred(ehr=body.ehr, billing=body.billing),))


def _writing(patient: Patient, of: Callable[[str], bool]) -> bool:
    """Whether a write in such a slot is with a vendor now, or its outcome unknown."""
    return any(
        of(slot) and one.state in UNDER_WAY and not changes_nothing(one.write) for slot, one in patient.intents.items()
    )
