"""What people ask to be left alone, answered: writes held and released, patients kept out and taken in again.

What a hold holds is not asked about here: the sink begins none of it (`projections/rules/holds.py`).
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from events.codes import CommandCode
from events.commands import HoldRequested, KeepOutRequested, ReleaseRequested
from events.holds import HoldBegan, HoldEnded, KeptOut, hold_slot
from events.ids import PRACTICE, Charts
from events.slots import CHART_SLOT
from events.writes import System
from projections.deciding.replies import NotDone, Reply, patient_of
from projections.rules.holds import charts_in, hold_shown_as, kept_out
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.names import Names
from projections.terms.policy import Policy


def hold(state: PracticeState, charts: Charts, body: HoldRequested, policy: Policy) -> Reply:
    """The hold begins, in the place of one of the same scope. Raises NotDone."""
    patient = patient_of(state, charts, policy.names) if any(one is not None for one in charts) else None
    both = charts_in(patient) if patient is not None else Charts()
    began = HoldBegan(
        slot=hold_slot(body.resource, body.system, PRACTICE if patient is None else patient.key),
        who=body.who,
        reason=body.reason,
        text="",
        resource=body.resource,
        system=body.system,
        ehr=both.ehr,
        billing=both.billing,
        until=body.until,
    )
    return Reply(follows=(msgspec.structs.replace(began, text=_text(began, policy)),))


def _text(began: HoldBegan, policy: Policy) -> str:
    """What the item of a hold says: what waits, by whose word, and how long."""
    until = ""
    if began.until is not None:
        until = f" until {began.until.astimezone(ZoneInfo(policy.time_zone)):%Y-%m-%d %H:%M %Z}"
    return f"{what_is_held(began, policy.names)} wait{until}: held by {began.who}"


def what_is_held(began: HoldBegan, names: Names) -> str:
    """The scope of a hold in words."""
    what = f"{began.resource.value} writes" if began.resource is not None else "all writes"
    where = "" if began.system is None else f" to {names.label(System(began.system))}"
    whose = f" of {names.one_of(Charts(began.ehr, began.billing))}" if began.of_patient else ""
    return f"{what}{where}{whose}"


def release(state: PracticeState, body: ReleaseRequested) -> Reply:
    """The hold ends. Raises NotDone."""
    began = state.directory.holds.get(body.slot)
    if began is None:
        raise NotDone(CommandCode.NOT_HELD, "this is not held, or not any more")
    if body.seen not in ("", hold_shown_as(began)):
        raise NotDone(
            CommandCode.CHANGED, "somebody has put another hold in the place of this one: look at it again, then release it"
        )
    return Reply(follows=(ended(began, body.who, body.reason),))


def ended(began: HoldBegan, who: str = "", reason: str = "") -> HoldEnded:
    """What is recorded when a hold ends: released, or (by nobody) because its time is over."""
    return HoldEnded(slot=began.slot, who=who, reason=reason, ehr=began.ehr, billing=began.billing)


def keep_out(state: PracticeState, charts: Charts, body: KeepOutRequested, names: Names) -> Reply:
    """Kept out from now on, though it may never have been seen; or taken in again. Raises NotDone."""
    if all(one is None for one in charts):
        raise NotDone(CommandCode.NOT_KNOWN, "name the chart of one patient")
    patient = state.patients.get(state.key_of(*charts))
    both = charts if patient is None else charts_in(patient)
    is_out = _is_out(state, charts) if patient is None else kept_out(state.directory, patient) is not None
    name = names.one_of(charts)
    if is_out is not body.undo:
        raise NotDone(CommandCode.NOTHING_IN_IT, f"{name} is {'kept out already' if is_out else 'not kept out'}")
    if not body.undo and patient is not None and _is_being_created(patient):
        raise NotDone(
            CommandCode.UNDER_WAY, f"a counterpart of {name} is being created right now; repeat this when that is done"
        )
    said = KeptOut(ehr=both.ehr, billing=both.billing, who=body.who, reason=body.reason, out=not body.undo)
    return Reply(follows=(said,))


def _is_out(state: PracticeState, charts: Charts) -> bool:
    return kept_out(state.directory, Patient(key=state.key_of(*charts))) is not None


def _is_being_created(patient: Patient) -> bool:
    open_ = patient.intents.get(CHART_SLOT)
    return open_ is not None and open_.state in UNDER_WAY
