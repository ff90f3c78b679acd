"""The sandbox's tables, by id.

Records stay in their tables when deleted, merged away or made inactive, marked so: tests can see what clients cannot.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime

from daemon.sandbox.kareo.records import (
    Appointment,
    Case,
    Company,
    Customer,
    Encounter,
    Location,
    Patient,
    Plan,
    Policy,
    Practice,
    ProcedureCode,
    Provider,
    Reason,
    Vendor,
)

_NUMERIC = {"22", "24", "25", "26", "50", "51", "52", "53", "57", "58", "59", "76", "77", "78", "79", "80", "91", "95"}
_LETTERED = {"GA", "GQ", "GT", "GY", "GZ", "KX", "LT", "Q5", "Q6", "RT", "TC", "XE", "XP", "XS", "XU"}
MODIFIERS = frozenset(_NUMERIC | _LETTERED)
"""What every account knows from the start."""


class State:
    """The tables, and the few questions that several operations ask. Ids are drawn per table, never used twice."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._counters: dict[str, Iterator[int]] = {}
        self.customers: dict[str, Customer] = {}
        self.practices: dict[int, Practice] = {}
        self.providers: dict[int, Provider] = {}
        self.locations: dict[int, Location] = {}
        self.procedure_codes: dict[int, ProcedureCode] = {}
        self.modifiers: set[str] = set(MODIFIERS)
        self.refused_diagnoses: set[str] = set()
        self.vendors: dict[int, Vendor] = {}
        self.patients: dict[int, Patient] = {}
        self.cases: dict[int, Case] = {}
        self.companies: dict[int, Company] = {}
        self.plans: dict[int, Plan] = {}
        self.policies: dict[int, Policy] = {}
        self.reasons: dict[int, Reason] = {}
        self.appointments: dict[int, Appointment] = {}
        self.encounters: dict[int, Encounter] = {}

    def now(self) -> datetime:
        """To the second, the resolution of the service's own dates."""
        return self._now().replace(microsecond=0)

    def new_id(self, table: str) -> int:
        """Tables start apart, so that an id used for the wrong thing is not by chance a valid one."""
        if table not in self._counters:
            self._counters[table] = itertools.count(1001 + 100_000 * len(self._counters))
        return next(self._counters[table])

    def practices_of(self, customer: Customer) -> list[Practice]:
        return [one for one in self.practices.values() if one.customer_key == customer.key]

    def patient_of(self, customer: Customer, patient_id: int | None) -> Patient | None:
        """A living patient of the customer."""
        patient = self.patients.get(patient_id or 0)
        if patient is None or patient.deleted or self.practices[patient.practice_id].customer_key != customer.key:
            return None
        return patient

    def cases_of(self, patient_id: int) -> list[Case]:
        return [case for case in self.cases.values() if case.patient_id == patient_id]

    def policies_of(self, case_id: int) -> list[Policy]:
        """By precedence, then age: the order of the lists."""
        return sorted(
            (one for one in self.policies.values() if one.case_id == case_id), key=lambda one: (one.precedence, one.id)
        )

    def primary_case(self, patient_id: int) -> Case | None:
        return next((case for case in self.cases_of(patient_id) if case.is_primary and case.active), None)

    def company(self, customer_key: str, name: str) -> Company:
        """By name; an unknown one is created."""
        for company in self.companies.values():
            if company.customer_key == customer_key and company.name.casefold() == name.casefold():
                return company
        created = Company(id=self.new_id("companies"), customer_key=customer_key, name=name)
        self.companies[created.id] = created
        return created

    def plan(self, company: Company, name: str) -> tuple[Plan, bool]:
        """By name within the company; an unknown one is created. The second is whether it is new."""
        for plan in self.plans.values():
            if plan.company_id == company.id and plan.name.casefold() == name.casefold():
                return plan, False
        created = Plan(id=self.new_id("plans"), company_id=company.id, name=name)
        self.plans[created.id] = created
        return created, True

    def reason(self, practice_id: int, name: str) -> Reason:
        for reason in self.reasons.values():
            if reason.practice_id == practice_id and reason.name == name:
                return reason
        created = Reason(id=self.new_id("reasons"), practice_id=practice_id, name=name)
        self.reasons[created.id] = created
        return created

    def provider_name(self, provider_id: int | None) -> str | None:
        provider = self.providers.get(provider_id or 0)
        return None if provider is None else provider.full_name
