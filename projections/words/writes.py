"""Writes in words: what one would do, with no more of a person than may be shown."""

from __future__ import annotations

from typing import NamedTuple

from events.bookings import CreateBillingAppointment, DeleteBillingAppointment, UpdateBillingAppointment
from events.writes import (
    AddBillingCase,
    AnyWrite,
    BillAnswer,
    CancelEhrAppointment,
    ChangeBillingPolicies,
    CreateBillingChart,
    CreateCarrier,
    CreateEhrAppointment,
    CreateEhrChart,
    CreateEncounter,
    CreatePlan,
    DeleteEhrAppointment,
    MarkBilled,
    MarkBillError,
    ReleaseBill,
    Resource,
    SearchBilling,
    SearchEhr,
    SyncPolicies,
    System,
    UpdateBillingChart,
    UpdateCarrier,
    UpdateEhrAppointment,
    UpdateEhrChart,
    system_of,
)
from projections.terms.names import Names
from projections.words.shown import NOTHING, Shown
from projections.words.subject import APPOINTMENT_FIELDS, RESOURCES, counted, field_in_words, fields_in_words


class Going(NamedTuple):
    """What is counted of writes: the row of the direction table, and the system that they go to."""

    resource: Resource
    system: System

    def words(self, names: Names) -> str:
        """For a person: `bills to Kareo`."""
        return f"{RESOURCES[self.resource]} to {names.label(self.system)}"

    def key(self, names: Names) -> str:
        """For a program: `bill to kareo`."""
        return f"{self.resource} to {names.of(self.system).prefix}"


def describe_write(write: AnyWrite, shown: Shown = NOTHING) -> str:
    """What a write would do."""
    where = shown.label(system_of(write))
    match write:
        case SearchEhr() | SearchBilling():
            return f"to look for {shown.with_names(f'{write.first_name} {write.last_name}', 'the person')} in {where}"
        case CreateEhrChart():
            return f"to create the chart in {where}"
        case CreateBillingChart():
            return f"to create the patient in {where}"
        case UpdateEhrChart() | UpdateBillingChart():
            return f"to set {_fields(write.fields, shown)} in {where}"
        case AddBillingCase():
            return f"to add the case “{write.case_name}” in {where}"
        case CreateCarrier() | CreatePlan():
            kind = "insurance company" if isinstance(write, CreateCarrier) else "insurance plan"
            return f"to create the {kind}{shown.with_values(f' “{write.name}”')} in {where}"
        case UpdateCarrier():
            return f"to bring insurance company {write.carrier} to its plan ({_fields(write.fields, shown)}) in {where}"
        case SyncPolicies():
            return f"{counted(len(write.terms), 'policy', 'policies')} in {where}, {len(write.remove)} removed"
        case ChangeBillingPolicies():
            new = sum(1 for one in write.changes if one.policy is None)
            case = "a new case" if write.case_id is None else f"case {write.case_id}"
            return f"{counted(len(write.changes), 'policy', 'policies')} in {where}, {new} of them new, in {case}"
        case CreateEhrAppointment() | UpdateEhrAppointment():
            verb = "create" if isinstance(write, CreateEhrAppointment) else "change"
            time = f"{shown.time(write.terms.start)} for {write.terms.minutes} min"
            return f"to {verb} the appointment at {time} in {where}"
        case CreateBillingAppointment() | UpdateBillingAppointment():
            verb = (
                "book"
                if isinstance(write, CreateBillingAppointment)
                else f"change {', '.join(APPOINTMENT_FIELDS.get(one, one) for one in write.changes)} of"
            )
            time = f"{shown.time(write.terms.start)} for {write.terms.minutes} min"
            return f"to {verb} the appointment at {time} in {where}"
        case CancelEhrAppointment():
            return f"to cancel appointment {write.appointment} in {where}"
        case DeleteEhrAppointment() | DeleteBillingAppointment():
            return f"to delete appointment {write.appointment} in {where}"
    return _of_bill(write, shown)


def _of_bill(write: CreateEncounter | BillAnswer, shown: Shown) -> str:
    match write:
        case CreateEncounter():
            codes = ", ".join(line.cpt for line in write.lines)
            lines = f"with {counted(len(write.lines), 'line')}"
            holds = shown.with_values(f"of {shown.day(write.service_day)} ({codes})", lines)
            return f"to send bill {write.bill} to {shown.label(system_of(write))} as an encounter {holds}"
        case MarkBilled():
            return f"to mark bill {write.bill} as billed with reference {write.ref_number}"
        case MarkBillError():
            return f"to put a Bill Error on bill {write.bill}{shown.quoting(f': {write.text}')}"
        case ReleaseBill():
            return f"to release bill {write.bill} in {shown.label(system_of(write))}"


def _fields(fields: dict[str, str], shown: Shown) -> str:
    if not shown.any:
        return fields_in_words(fields)
    return ", ".join(f"{field_in_words(name)} to {shown.written(name, value)}" for name, value in fields.items())
