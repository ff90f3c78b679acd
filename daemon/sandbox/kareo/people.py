"""Front desk and billers: what people do in Kareo's own screens while the service is being polled.

Every public method is also `POST /admin/<method>` with its arguments as JSON. Dates may be given as ISO text, and so may
instants, with their offset. Everything answers with the record that it made or changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from daemon.sandbox.kareo.insurance import insured_of
from daemon.sandbox.kareo.records import (
    Appointment,
    Case,
    Encounter,
    Insured,
    Location,
    Patient,
    Plan,
    Policy,
    ProcedureCode,
    Provider,
)
from daemon.sandbox.kareo.state import State
from daemon.sandbox.kareo.switches import KareoSwitches

LETTERS = {"C": "Child", "O": "Other", "S": "Self", "U": "Spouse"}


class UnknownRecordError(LookupError):
    """No such living record."""


class People:
    """Acts on the state directly, without limits or credentials."""

    def __init__(self, state: State, switches: KareoSwitches) -> None:
        self._state = state
        self._switches = switches

    # -- patients -----------------------------------------------------------------------------------------------------

    def create_patient(
        self, practice: int, first_name: str, last_name: str, cases: list[Mapping[str, Any]] | None = None, **values: Any
    ) -> Patient:
        """`values` are fields of `Patient`; `cases` are arguments of `add_case`, the first becoming primary."""
        if practice not in self._state.practices:
            raise UnknownRecordError("practice")
        now = self._state.now()
        checked = _values(Patient, values)
        patient = Patient(
            id=self._state.new_id("patients"),
            practice_id=practice,
            first_name=first_name,
            last_name=last_name,
            created=now,
            modified=now,
            **checked,
        )
        self._state.patients[patient.id] = patient
        for at, case in enumerate(cases or ()):
            self.add_case(patient.id, **{"primary": at == 0, **case})
        return patient

    def edit_patient(self, patient: int, **values: Any) -> Patient:
        """Also with no values: a save without change moves LastModifiedDate (guide: touch to resync)."""
        found = self._patient(patient)
        _assign(found, values)
        found.modified = self._state.now()
        return found

    def delete_patient(self, patient: int) -> Patient:
        """Vanishes from everything, external ids included."""
        found = self._patient(patient)
        found.deleted = True
        found.modified = self._state.now()
        for vendor in self._state.vendors.values():
            vendor.ids = {key: owner for key, owner in vendor.ids.items() if owner != patient}
        return found

    def merge_patients(self, absorbed: int, survivor: int) -> Patient:
        """Cases, appointments and encounters move to the survivor; the absorbed one vanishes."""
        kept = self._patient(survivor)
        if absorbed == survivor:
            raise UnknownRecordError("a second patient")
        gone = self.delete_patient(absorbed)
        gone.merged_into = survivor
        has_primary = self._state.primary_case(survivor) is not None
        for case in self._state.cases_of(absorbed):
            case.patient_id = survivor
            case.is_primary = case.is_primary and not has_primary
        for appointment in self._state.appointments.values():
            if appointment.patient_id == absorbed:
                appointment.patient_id = survivor
        for encounter in self._state.encounters.values():
            if encounter.patient_id == absorbed:
                encounter.patient_id = survivor
        kept.modified = self._state.now()
        return kept

    # -- insurance ----------------------------------------------------------------------------------------------------

    def add_case(
        self, patient: int, name: str = "Default Case", payer_scenario: str = "Insurance", primary: bool = True
    ) -> Case:
        found = self._patient(patient)
        case = Case(id=self._state.new_id("cases"), patient_id=patient, name=name, payer_scenario=payer_scenario)
        self._state.cases[case.id] = case
        if primary:
            self._make_primary(case)
        self._insurance_edited(found)
        return case

    def set_primary_case(self, case: int) -> Case:
        found = self._case(case)
        self._make_primary(found)
        self._insurance_edited(self._patient(found.patient_id))
        return found

    def deactivate_case(self, case: int) -> Case:
        return self.edit_case(case, active=False)

    def edit_case(self, case: int, **values: Any) -> Case:
        found = self._case(case)
        _assign(found, values)
        self._insurance_edited(self._patient(found.patient_id))
        return found

    def add_policy(
        self,
        case: int,
        company: str,
        plan: str,
        number: str = "",
        group: str = "",
        copay: str = "",
        deductible: str = "",
        start: date | str | None = None,
        end: date | str | None = None,
        relationship: str = "Self",
        insured: Mapping[str, Any] | None = None,
        precedence: int | None = None,
        **address: str,
    ) -> Policy:
        """`company` and `plan` by name, created if unknown; `address` sets the plan's (fields of `Plan`); `relationship` as a
        word or a letter; `insured` are fields of `Insured`, for Self those of the patient unless given."""
        found = self._case(case)
        patient = self._patient(found.patient_id)
        customer_key = self._state.practices[patient.practice_id].customer_key
        of_company, _ = self._state.plan(self._state.company(customer_key, company), plan)
        _assign(of_company, address)
        word = LETTERS.get(relationship, relationship)
        about = insured_of(patient) if word == "Self" else Insured()
        _assign(about, dict(insured or {}))
        policy = Policy(
            id=self._state.new_id("policies"),
            case_id=case,
            plan_id=of_company.id,
            number=number,
            group=group,
            copay=copay,
            deductible=deductible,
            start=_day(start),
            end=_day(end),
            relationship=word,
            insured=about,
            precedence=precedence or len([one for one in self._state.policies_of(case) if one.active]) + 1,
        )
        self._state.policies[policy.id] = policy
        self._insurance_edited(patient)
        return policy

    def edit_policy(self, policy: int, insured: Mapping[str, Any] | None = None, **values: Any) -> Policy:
        """`values` are fields of `Policy`; `company` and `plan` together change the plan by name."""
        found = self._state.policies.get(policy)
        if found is None:
            raise UnknownRecordError("policy")
        patient = self._patient(self._case(found.case_id).patient_id)
        if "plan" in values:
            current = self._state.plans[found.plan_id]
            company = values.pop("company", None) or self._state.companies[current.company_id].name
            customer_key = self._state.practices[patient.practice_id].customer_key
            found.plan_id = self._state.plan(self._state.company(customer_key, company), values.pop("plan"))[0].id
        if "relationship" in values:
            values["relationship"] = LETTERS.get(values["relationship"], values["relationship"])
        _assign(found.insured, dict(insured or {}))
        _assign(found, values)
        self._insurance_edited(patient)
        return found

    def deactivate_policy(self, policy: int) -> Policy:
        return self.edit_policy(policy, active=False)

    def edit_plan(self, plan: int, **address: str) -> Plan:
        """The plan's name, address or phone: seen in every policy of it."""
        found = self._state.plans.get(plan)
        if found is None:
            raise UnknownRecordError("plan")
        _assign(found, address)
        for policy in self._state.policies.values():
            patient = self._state.patients[self._state.cases[policy.case_id].patient_id]
            if policy.plan_id == plan and not patient.deleted:
                self._insurance_edited(patient)
        return found

    # -- appointments -------------------------------------------------------------------------------------------------

    def book_appointment(
        self,
        patient: int | None,
        provider: int | None,
        location: int,
        start: datetime | str,
        minutes: int = 30,
        reason: str = "",
        **values: Any,
    ) -> Appointment:
        """`start` with its zone or offset; `values` are fields of `Appointment`. Without a patient the type is O."""
        place = self._state.locations.get(location)
        if place is None:
            raise UnknownRecordError("location")
        if patient is not None:
            self._patient(patient)
        now, at = self._state.now(), _instant(start)
        checked = _values(Appointment, {"type": "P" if patient is not None else "O", **values})
        appointment = Appointment(
            id=self._state.new_id("appointments"),
            practice_id=place.practice_id,
            patient_id=patient,
            provider_id=provider,
            location_id=location,
            start=at,
            end=at + timedelta(minutes=minutes),
            reason_id=self._state.reason(place.practice_id, reason).id if reason else None,
            created=now,
            modified=now,
            **checked,
        )
        self._state.appointments[appointment.id] = appointment
        return appointment

    def move_appointment(self, appointment: int, start: datetime | str, minutes: int | None = None) -> Appointment:
        """Keeps its length unless `minutes` says otherwise."""
        found = self._appointment(appointment)
        length = found.end - found.start if minutes is None else timedelta(minutes=minutes)
        found.start = _instant(start)
        found.end = found.start + length
        found.modified = self._state.now()
        return found

    def edit_appointment(
        self, appointment: int, reason: str | None = None, minutes: int | None = None, **values: Any
    ) -> Appointment:
        found = self._appointment(appointment)
        _assign(found, values)
        if reason is not None:
            found.reason_id = self._state.reason(found.practice_id, reason).id if reason else None
        if minutes is not None:
            found.end = found.start + timedelta(minutes=minutes)
        found.modified = self._state.now()
        return found

    def cancel_appointment(self, appointment: int) -> Appointment:
        return self.edit_appointment(appointment, status="Cancelled")

    def delete_appointment(self, appointment: int) -> Appointment:
        return self.edit_appointment(appointment, deleted=True)

    # -- billing and directory ----------------------------------------------------------------------------------------

    def approve_encounter(self, encounter: int) -> Encounter:
        found = self._state.encounters.get(encounter)
        if found is None:
            raise UnknownRecordError("encounter")
        found.status = "Approved"
        found.modified = self._state.now()
        return found

    def add_provider(
        self, practice: int, first_name: str, last_name: str, degree: str = "", npi: str = "", **values: Any
    ) -> Provider:
        """`values` are further fields of `Provider`; `type="Referring Provider"` for those outside the practice."""
        now = self._state.now()
        provider = Provider(
            id=self._state.new_id("providers"),
            practice_id=self._practice(practice),
            first_name=first_name,
            last_name=last_name,
            degree=degree,
            npi=npi,
            created=now,
            modified=now,
            **_values(Provider, values),
        )
        self._state.providers[provider.id] = provider
        return provider

    def add_location(self, practice: int, name: str, place_of_service: str = "11", **values: Any) -> Location:
        now = self._state.now()
        location = Location(
            id=self._state.new_id("locations"),
            practice_id=self._practice(practice),
            name=name,
            place_of_service=place_of_service,
            created=now,
            modified=now,
            **_values(Location, values),
        )
        self._state.locations[location.id] = location
        return location

    def add_procedure_code(self, practice: int, code: str, name: str, **values: Any) -> ProcedureCode:
        """For the whole customer of the practice: codes are not per practice."""
        now = self._state.now()
        added = ProcedureCode(
            id=self._state.new_id("procedure_codes"),
            customer_key=self._state.practices[self._practice(practice)].customer_key,
            code=code,
            name=name,
            created=now,
            modified=now,
            **_values(ProcedureCode, values),
        )
        self._state.procedure_codes[added.id] = added
        return added

    # -- the parts ----------------------------------------------------------------------------------------------------

    def _practice(self, practice: int) -> int:
        if practice not in self._state.practices:
            raise UnknownRecordError("practice")
        return practice

    def _patient(self, patient: int) -> Patient:
        found = self._state.patients.get(patient)
        if found is None or found.deleted:
            raise UnknownRecordError("patient")
        return found

    def _case(self, case: int) -> Case:
        found = self._state.cases.get(case)
        if found is None:
            raise UnknownRecordError("case")
        return found

    def _appointment(self, appointment: int) -> Appointment:
        found = self._state.appointments.get(appointment)
        if found is None or found.deleted:
            raise UnknownRecordError("appointment")
        return found

    def _make_primary(self, case: Case) -> None:
        for other in self._state.cases_of(case.patient_id):
            other.is_primary = other.id == case.id

    def _insurance_edited(self, patient: Patient) -> None:
        """Whether this moves the patient's LastModifiedDate is a switch."""
        if self._switches.policy_edits_modify_patient:
            patient.modified = self._state.now()


VERBS = frozenset(name for name in vars(People) if not name.startswith("_"))
"""What `/admin/<verb>` may call."""


def _values(type_: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Raises `TypeError` naming a field that the record does not have."""
    names = {one.name for one in fields(type_) if one.init} - {"id", "created", "modified"}
    for name in values:
        if name not in names:
            raise TypeError(f"{type_.__name__} has no field {name!r}")
    return {name: _converted(name, value) for name, value in values.items()}


def _assign(record: Any, values: Mapping[str, Any]) -> None:
    for name, value in _values(type(record), values).items():
        setattr(record, name, value)


def _converted(name: str, value: Any) -> Any:
    if name in ("dob", "start", "end") and isinstance(value, str):
        return _day(value) if len(value) == len("2026-01-31") else _instant(value)
    return value


def _day(value: date | str | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _instant(value: datetime | str) -> datetime:
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    if when.tzinfo is None:
        raise ValueError("an instant needs a zone or an offset")
    return when.astimezone(UTC)
