"""Reading both systems as they are now, and comparing them with what chartwire holds (`chartwire verify`).

The connectors themselves read, through the real clients and within the vendors' limits. What they read goes into a list instead of
Kafka. Nothing counts as known to them, so they read everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daemon.config import PracticeConfig, policy_of
from daemon.runtime.memory import RecordedMemory, seen_records
from daemon.runtime.surroundings import Surroundings
from daemon.tables import documents as tables
from daemon.vendors.ports.intake import Intake
from daemon.vendors.ports.vendor import Edits, HeldRecords, Reader, SentAppointment, SentPolicy, Side
from events.ids import EhrChartId, PatientKey, PracticeId
from events.schema import Event
from events.topics import Change, Checkpoint, Message
from events.writes import Resource, System
from projections.rules.wants import Moment
from projections.state.patient import Patient, decode_patient
from projections.state.state import PracticeState
from projections.terms.policy import Policy, allows
from projections.trial.drift import Cause, Drift, find_drift

Tell = Callable[[str], None]


class Reading:
    """What was read now: `events` in the order of reading."""

    def __init__(self, config: PracticeConfig, around: Surroundings, tell: Tell) -> None:
        self.practice = PracticeId(config.id)
        self.events: list[Event] = []
        self._config = config
        self._around = around
        self._tell = tell
        self._sides = {system: self._side(system) for system in System}

    def _side(self, system: System) -> Side:
        pool, policy = self._around.store.pool, policy_of(self._config)
        known = seen_records(pool, self.practice, system, hashes=False)
        return Side(
            time_zone=self._config.time_zone,
            intake=Intake(self.practice, system, self._keep, known),
            memory=RecordedMemory(pool, self.practice, system, self._around.store.keyring, linked=False),
            policies_leave=allows(policy, Resource.INSURANCE, System.BILLING),
            calendar_leaves=allows(policy, Resource.APPOINTMENT, System.BILLING),
        )

    async def _keep(self, _practice: PracticeId, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, Checkpoint):
                for one in self._sides.values():
                    one.intake.recorded(message.source)
            elif isinstance(message, Change) and message.event is not None:
                self.events.append(message.event)

    async def read(self, system: System) -> Reader:
        """Read the system whole; returns what read it."""
        section, before = self._config.section(system), len(self.events)
        reader = await self._around.vendors.of(section).reader(section, self._around.means, self._sides[system])
        for step, said in reader.steps:
            await step()
            self._tell(f"{section.system.label}: {len(self.events) - before} records read{said}")
        return reader


async def stored_state(around: Surroundings, practice: PracticeId) -> PracticeState:
    """The projections as they are stored now."""
    pool, keyring = around.store.pool, around.store.keyring
    state = PracticeState(directory=await tables.directory(pool, practice, keyring))
    for key, (_, doc) in (await tables.read_patients(pool, practice, keyring)).items():
        patient = decode_patient(doc)
        state.patients[key] = patient
        charts = {patient.ehr.chart.id} if patient.ehr else set()
        charts |= {patient.link.ehr} if patient.link else set()
        state.charts |= dict.fromkeys(charts, key)
    return state


async def verify(config: PracticeConfig, around: Surroundings, tell: Tell) -> list[Drift]:
    """All drift of a practice at this moment. Reads only."""
    reading = Reading(config, around, tell)
    readers = [await reading.read(system) for system in System]
    state = await stored_state(around, reading.practice)
    now = around.now()
    moment = Moment.at(now, config.time_zone)
    policy = policy_of(config)
    found = find_drift(state, reading.events, policy, moment)
    held = [one.held for one in readers if one.held is not None]
    return found + [one for each in held for one in await _edited(each, state, policy, found)]


# -- what staff changed in one system of what the other leads ------------------------------------------------------------------


async def _edited(held: HeldRecords, state: PracticeState, policy: Policy, found: list[Drift]) -> list[Drift]:
    """Written records that the chart side no longer holds as written, where the billing side itself did not change.

    Where its policies go to the billing side, an edit of them is no such record: it was read, and decided about.
    """
    busy = {(one.patient, one.what) for one in found}
    linked = [one for one in state.patients.values() if one.link is not None and not one.link.suspended]
    edited = await _edited_appointments(held, linked, busy)
    for patient in () if allows(policy, Resource.INSURANCE, System.BILLING) else linked:
        if patient.policies and (patient.key, "policies") not in busy:
            assert patient.link is not None
            written = {key: SentPolicy(one.ehr, one.terms) for key, one in patient.policies.items()}
            edited.append(_edit(patient, "policies", await held.policy_edits(EhrChartId(patient.link.ehr), written)))
    for patient in linked:
        for key, bill in patient.bills.items():
            if bill.billed and bill.encounter and bill.bill.ref_number != str(bill.encounter):
                edited.append(
                    _edit(patient, f"bill-answer:{key}", {"ref_number": (bill.bill.ref_number, str(bill.encounter))})
                )
    return [one for one in edited if one.values]


async def _edited_appointments(held: HeldRecords, linked: list[Patient], busy: set[tuple[PatientKey, str]]) -> list[Drift]:
    written: dict[int, SentAppointment] = {}
    whose: list[tuple[Patient, str, int]] = []
    for patient in linked:
        for key, entry in patient.appointments.items():
            if entry.written is None or entry.ehr is None or entry.deleted or entry.vanished:
                continue
            if (patient.key, f"appointment:{key}") not in busy:
                written[entry.ehr] = SentAppointment(entry.written, entry.cancelled)
                whose.append((patient, key, entry.ehr))
    edits = await held.appointment_edits(written)
    return [_edit(patient, f"appointment:{key}", edits[id_]) for patient, key, id_ in whose]


def _edit(patient: Patient, what: str, values: Edits) -> Drift:
    assert patient.link is not None
    return Drift(
        patient=patient.key,
        ehr=patient.link.ehr,
        billing=patient.link.billing,
        what=what,
        cause=Cause.EDITED,
        fields=tuple(values),
        values=dict(values),
    )
