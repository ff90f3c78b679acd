"""What is left alone: writes on hold, and patients kept out. Pure, from the directory, the patient and the practice's rules.

A hold does not change what is decided: what is wanted is asked for, the newest replaces what was asked before, and nothing of it is begun.
For a patient kept out nothing is decided at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from events.bookings import CreateBillingAppointment
from events.holds import HoldBegan, KeptOut
from events.ids import BillingPatientId, Charts, EhrChartId, IntentId, PatientKey, content_hash, keys_named, number_of
from events.slots import CHART_SLOT
from events.writes import Resource, changes_nothing
from projections.state.directory import Directory
from projections.state.open_intents import UNDER_WAY, OpenIntent
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


def observed_only(state: PracticeState, policy: Policy) -> bool:
    """Whether the practice is only looked at: nothing is decided about it, so nothing is ever written."""
    return is_observed(state.directory, policy)


def is_observed(directory: Directory, policy: Policy) -> bool:
    """Whether a practice with this directory is only looked at, until it has gone live."""
    return directory.observing or is_to_observe(directory, policy)


def is_to_observe(directory: Directory, policy: Policy) -> bool:
    """Whether the practice is to stay observed: its configuration says so, and nobody has said since that it goes live."""
    return policy.observes and directory.live_chosen is None


class FirstDay(StrEnum):
    """How far a practice is on its first day."""

    OBSERVED = "observed"
    GOING_LIVE = "going live"
    OVER = "over"


def first_day_of(directory: Directory, policy: Policy) -> FirstDay:
    """How far a practice with this directory is: it goes live once nothing has it observed any more and both systems were read."""
    if is_to_observe(directory, policy):
        return FirstDay.OBSERVED
    return FirstDay.GOING_LIVE if directory.observing else FirstDay.OVER


# -- holds ----------------------------------------------------------------------------------------------------------------


def on_hold(directory: Directory, patient: Patient | None, intent: OpenIntent) -> HoldBegan | None:
    """The hold that lets this write wait, of `patient` or (None) of the practice itself; searches change nothing and are never held."""
    if not directory.holds or changes_nothing(intent.write):
        return None
    return next((hold for hold in directory.holds.values() if _covers(hold, patient, intent)), None)


def _covers(hold: HoldBegan, patient: Patient | None, intent: OpenIntent) -> bool:
    if hold.creations and not isinstance(intent.write, CreateBillingAppointment):
        return False
    if hold.resource not in (None, intent.resource) or hold.system not in (None, intent.system):
        return False
    return not hold.of_patient or is_hold_of(hold, patient)


def is_hold_of(hold: HoldBegan, patient: Patient | None) -> bool:
    """Whether a hold of one patient is this patient's: one of the charts that it was put on is."""
    return patient is not None and any(key in keys_of(patient) for key in keys_in(hold))


def keys_in(body: HoldBegan | KeptOut) -> tuple[PatientKey, ...]:
    """The charts that are named, each as the key of a patient who has no other."""
    return keys_named(Charts(body.ehr, body.billing))


def keys_of(patient: Patient) -> tuple[PatientKey, ...]:
    """The charts of a patient, each as the key of a patient who has no other; with the one that was created and is not linked yet."""
    return keys_named(charts_in(patient))


def charts_in(patient: Patient) -> Charts:
    """The charts of a patient, linked or about to be."""
    if patient.link is not None:
        return Charts(patient.link.ehr, patient.link.billing)
    own = number_of(patient.key)
    if patient.in_billing:
        made = None if patient.created is None else EhrChartId(patient.created)
        return Charts(made, BillingPatientId(own))
    return Charts(EhrChartId(own), None if patient.created is None else BillingPatientId(patient.created))


def creation_rules(policy: Policy) -> str:
    """Digest of what a booking is created by: under another one a system that refused them all may take them."""
    row = policy.table[Resource.APPOINTMENT].value
    maps = [sorted(one.items()) for one in (policy.providers, policy.locations)]
    own = (policy.default_location, sorted(policy.appointment_reasons.items()), policy.notes_token)
    return content_hash(_ENCODER.encode((row, maps, own)))


def is_outdated(hold: HoldBegan, policy: Policy) -> bool:
    """Whether the configuration is another one than that under which the system refused everything."""
    return bool(hold.rules) and hold.rules != creation_rules(policy)


# -- kept out -------------------------------------------------------------------------------------------------------------


def kept_out(directory: Directory, patient: Patient | None) -> KeptOut | None:
    """Why a patient is kept out, None for everybody else."""
    if patient is None or not directory.kept_out:
        return None
    return next((one for one in _said(directory, keys_of(patient)) if one.out), None)


def is_kept_out(directory: Directory, id_: int, *, ehr: bool) -> bool:
    """Whether a chart is kept out: nobody is linked with it."""
    if not directory.kept_out:
        return False
    (key,) = keys_named(Charts(ehr=EhrChartId(id_)) if ehr else Charts(billing=BillingPatientId(id_)))
    said = directory.kept_out.get(key)
    return said is not None and said.out


def _said(directory: Directory, keys: Iterable[PatientKey]) -> list[KeptOut]:
    return [directory.kept_out[key] for key in keys if key in directory.kept_out]


def ruled_out(patient: Patient, directory: Directory, policy: Policy) -> KeptOut | None:
    """What the practice's rule says of a patient now and is not recorded yet; a person's word goes before it.

    What the chart of a patient kept out says is not known: another name in it is seen when it is read (`ruled_at_sight`). A counterpart that is being created is waited for: it is kept out along with the chart.
    """
    if not (directory.kept_out or policy.keep_out):
        return None
    said = _said(directory, keys_of(patient))
    open_ = patient.intents.get(CHART_SLOT)
    if any(one.who for one in said) or (open_ is not None and open_.state in UNDER_WAY):
        return None
    rule = _rule_for(patient, policy)
    if rule and any(key not in directory.kept_out for key in keys_of(patient)):
        return _by_rule(patient, rule)
    over = said and not rule and said[0].rule not in policy.keep_out
    return _by_rule(patient, said[0].rule, out=False) if over else None


def ruled_at_sight(read: Patient, directory: Directory, policy: Policy, *, known: bool) -> KeptOut | None:
    """What the rule says of a patient with a chart as it was just read: of one never seen before, or of one that it keeps out.

    Of a patient who is `known` and not kept out it is said once the chart is folded (`ruled_out`).
    """
    said = _said(directory, keys_of(read))
    if any(one.who for one in said):
        return None
    rule = _rule_for(read, policy)
    if said:
        return None if rule else _by_rule(read, said[0].rule, out=False)
    return _by_rule(read, rule) if rule and not known else None


def _by_rule(patient: Patient, rule: str, *, out: bool = True) -> KeptOut:
    charts = charts_in(patient)
    return KeptOut(ehr=charts.ehr, billing=charts.billing, rule=rule, out=out)


def _rule_for(patient: Patient, policy: Policy) -> str:
    """The pattern of a last name that one of the patient's charts fits, "" for none."""
    names = [side.chart.last_name.strip().casefold() for side in (patient.ehr, patient.billing) if side is not None]
    fitting = (one for one in policy.keep_out if any(name and fnmatchcase(name, one.casefold()) for name in names))
    return next(fitting, "")


# -- what a sink may begin ------------------------------------------------------------------------------------------------


def is_stopped(directory: Directory, patient: Patient | None, intent: OpenIntent) -> bool:
    """Whether a write is not to be made now."""
    return on_hold(directory, patient, intent) is not None or kept_out(directory, patient) is not None


def is_stopped_under_way(state: PracticeState, key: PatientKey, *, slot: str, intent: IntentId) -> bool:
    """Whether a write that was attempted before is not to be made now."""
    known = _open(state, key, slot, intent)
    return known is not None and known.state in UNDER_WAY and is_stopped(state.directory, state.patients.get(key), known)


def may_begin(state: PracticeState, key: PatientKey, *, slot: str, intent: IntentId, policy: Policy) -> bool:
    """Whether an intent is still open, was not refused, and is not left alone; nothing is begun in a practice that is only observed."""
    known = _open(state, key, slot, intent)
    if observed_only(state, policy) or known is None or known.state == "refused":
        return False
    return not is_stopped(state.directory, state.patients.get(key), known)


def _open(state: PracticeState, key: PatientKey, slot: str, intent: IntentId) -> OpenIntent | None:
    intents = state.patients[key].intents if key in state.patients else state.directory.intents if not key else {}
    known = intents.get(slot)
    return known if known is not None and known.intent == intent else None


def hold_shown_as(began: HoldBegan) -> str:
    """Digest of a hold as it is shown: another one of the same scope takes its place without a word."""
    return content_hash(msgspec.json.encode((began.who, began.reason, began.until)))
