"""Reading both systems as they are now, and comparing them with what chartwire holds (`chartwire verify`).

The connectors themselves read, through the real clients and within the vendors' limits, but what they read goes into a list
instead of Kafka, and nothing counts as known, so that they read everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

from daemon.config import PracticeConfig, policy_of
from daemon.runtime.practice import Surroundings, elation_client, kareo_client, soap_service
from daemon.tables import documents as tables
from daemon.tables.rows import decode_directory
from daemon.vendors.elation import resources as wire
from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.connector import ElationConnector
from daemon.vendors.elation.wire import BadRow
from daemon.vendors.kareo.connector import KareoConnector
from daemon.vendors.ports.errors import Gone, NotFound
from daemon.vendors.ports.intake import Intake, Seen
from events.ids import EhrChartId, PracticeId
from events.schema import Event
from events.topics import Change, Checkpoint, Message
from events.writes import AppointmentTerms, System
from projections.deciding.settle import Moment
from projections.state.patient import AppointmentState, Patient, decode_patient
from projections.state.state import PracticeState
from projections.trial.drift import Cause, Drift, find_drift

Tell = Callable[[str], None]
TRIES = 20
"""The daemon uses Kareo's customer key, too, and each may be asked to let the other pass."""


class Reading:
    """What was read now: `events` in the order of reading."""

    def __init__(self, config: PracticeConfig, around: Surroundings, tell: Tell) -> None:
        self.practice = PracticeId(config.id)
        self.events: list[Event] = []
        self._config = config
        self._around = around
        self._tell = tell
        self._intakes = {system: self._intake(system) for system in System}

    def _intake(self, system: System) -> Intake:
        async def known(records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
            rows = await tables.lookup_observed(self._around.store.pool, self.practice, system, records)
            return {key: Seen(revision=row.revision, parent=row.parent) for key, row in rows.items()}

        return Intake(self.practice, system, self._keep, known)

    async def _keep(self, _practice: PracticeId, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, Checkpoint):
                for one in self._intakes.values():
                    one.recorded(message.source)
            elif isinstance(message, Change) and message.event is not None:
                self.events.append(message.event)

    async def _known(self, system: System, resource: str) -> list[tuple[str, str]]:
        rows = await tables.observed_records(self._around.store.pool, self.practice, system, resource)
        return [(record, parent) for record, _, parent in rows]

    async def read_ehr(self, client: ElationClient) -> None:
        """Directory, charts and bills."""

        async def charts() -> list[str]:
            return [record for record, parent in await self._known(System.EHR, "patients") if parent]

        connector = ElationConnector(
            client,
            self._intakes[System.EHR],
            self._config.ehr,
            zone=self._config.time_zone,
            webhook_base="",
            subscriptions=tables.Subscriptions(self._around.store.pool, self.practice),
            known_charts=charts,
            watermark=self._watermark,
            patience=self._around.patience,
            now=self._around.now,
        )
        await connector.read_directory()
        await connector.sweep()
        self._tell(f"Elation: {len(self.events)} records read")

    async def read_billing(self) -> None:
        """Directory, patients with cases and policies, appointments."""
        before = len(self.events)

        async def known(resource: str) -> list[tuple[str, str]]:
            return await self._known(System.BILLING, resource)

        connector = KareoConnector(
            kareo_client(self._config, self._around, await soap_service(self._config, self._around), tries=TRIES),
            self._intakes[System.BILLING],
            self._config.billing,
            known=known,
            watermark=self._watermark,
            patience=self._around.patience,
            now=self._around.now,
        )
        await connector.read_directory()
        await connector.sweep_patients()
        self._tell(f"Kareo: {len(self.events) - before} records read, appointments follow")
        await connector.sweep_appointments()
        self._tell(f"Kareo: {len(self.events) - before} records read")

    async def _watermark(self, source: str) -> str | None:
        return await tables.get_checkpoint(self._around.store.pool, self.practice, source)


async def stored_state(around: Surroundings, practice: PracticeId) -> PracticeState:
    """The projections as they are stored now."""
    pool, keyring = around.store.pool, around.store.keyring
    stored = await tables.load_directory(pool, practice, keyring)
    state = PracticeState(directory=decode_directory(stored))
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
    client = elation_client(config, around)
    await reading.read_ehr(client)
    await reading.read_billing()
    state = await stored_state(around, reading.practice)
    now = around.now()
    moment = Moment.at(now, config.time_zone)
    found = find_drift(state, reading.events, policy_of(config), moment)
    return found + await _edited(client, state, found)


# -- what staff changed in Elation of what Kareo leads ------------------------------------------------------------------------


async def _edited(client: ElationClient, state: PracticeState, found: list[Drift]) -> list[Drift]:
    """Written records that Elation no longer holds as written, where Kareo itself did not change."""
    busy = {(one.patient, one.what) for one in found}
    linked = [one for one in state.patients.values() if one.link is not None and not one.link.suspended]
    edited = []
    written = [
        (patient, key, entry)
        for patient in linked
        for key, entry in patient.appointments.items()
        if entry.written and entry.ehr is not None and not entry.deleted and not entry.vanished
        if (patient.key, f"appointment:{key}") not in busy
    ]
    held = await _appointments(client, [entry for _, _, entry in written])
    for patient, key, entry in written:
        assert entry.ehr is not None
        assert entry.written is not None
        values = _appointment_values(entry.written, entry.cancelled, held.get(entry.ehr))
        edited.append(_edit(patient, f"appointment:{key}", values))
    for patient in linked:
        if patient.policies and (patient.key, "policies") not in busy:
            edited.append(_edit(patient, "policies", await _policy_values(client, patient)))
    for patient in linked:
        for key, bill in patient.bills.items():
            if bill.billed and bill.encounter and bill.bill.ref_number != str(bill.encounter):
                edited.append(
                    _edit(patient, f"bill-answer:{key}", {"ref_number": (bill.bill.ref_number, str(bill.encounter))})
                )
    return [one for one in edited if one.values]


def _edit(patient: Patient, what: str, values: dict[str, tuple[str, str]]) -> Drift:
    assert patient.link is not None
    return Drift(
        patient=patient.key,
        ehr=patient.link.ehr,
        billing=patient.link.billing,
        what=what,
        cause=Cause.EDITED,
        fields=tuple(values),
        values=values,
    )


async def _appointments(client: ElationClient, entries: list[AppointmentState]) -> dict[int, wire.Appointment]:
    """The Elation appointments of these, by id: listed by their days, else asked for by id (moved far, or gone)."""
    ids = {entry.ehr for entry in entries if entry.ehr is not None}
    days = [entry.written.start for entry in entries if entry.written]
    if not days:
        return {}
    rows: AsyncIterator[wire.Appointment | BadRow] = client.appointments(
        min(days) - timedelta(days=1), max(days) + timedelta(days=1)
    )
    held = {one.id: one async for one in rows if not isinstance(one, BadRow) and one.id in ids}
    for id_ in sorted(ids - set(held)):
        try:
            held[id_] = await client.get_appointment(id_)
        except (Gone, NotFound):
            continue
    return {id_: one for id_, one in held.items() if one.deleted_date is None}


def _appointment_values(
    written: AppointmentTerms, cancelled: bool, held: wire.Appointment | None
) -> dict[str, tuple[str, str]]:
    if held is None:
        return {"deleted": ("yes", "no")}
    called_off = held.status is not None and held.status.status == "Cancelled"
    pairs: dict[str, tuple[object, object]] = {"cancelled": (called_off, cancelled)}
    if not cancelled:
        pairs |= {
            "start": (held.scheduled_date, written.start),
            "minutes": (held.duration, written.minutes),
            "physician": (held.physician, written.physician),
            "description": (held.description, written.description),
        }
    return {name: (str(here), str(there)) for name, (here, there) in pairs.items() if here != there}


async def _policy_values(client: ElationClient, patient: Patient) -> dict[str, tuple[str, str]]:
    assert patient.link is not None
    held = {one.id: one for one in await client.list_policies(EhrChartId(patient.link.ehr))}
    values: dict[str, tuple[str, str]] = {}
    for key, written in patient.policies.items():
        one = held.get(written.ehr)
        if one is None:
            values[f"policy {key} deleted"] = ("yes", "no")
            continue
        body = translate.policy_body(written.terms, {})
        values |= {
            f"policy {key} {name}": (str(one.raw.get(name)), str(value))
            for name, value in body.items()
            if one.raw.get(name) != value
        }
    return values
