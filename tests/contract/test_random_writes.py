"""Random records under random writes of every kind that Kareo gets (I12): what was not asked for survives, and every request is valid.

Beside the patient stand somebody else's record and, of the patient's own, a case of an accident with its policy, an appointment
that Kareo's desk entered, phones and notes. A booking's changes are drawn in test_random_bookings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from daemon.vendors.kareo.writer import KareoWriter
from events.bookings import (
    AnyBooking,
    BookingTerms,
    CreateBillingAppointment,
    DeleteBillingAppointment,
    UpdateBillingAppointment,
)
from events.ids import BillingPatientId, EhrChartId
from events.terms import EncounterTerms, PolicyChange, PolicyTerms
from events.writes import (
    AddBillingCase,
    AnyWrite,
    BillingWrite,
    ChangeBillingPolicies,
    CreateBillingChart,
    CreateEncounter,
    SearchBilling,
    UpdateBillingChart,
)
from tests.contract.test_requests import BILLING, _request, contract  # noqa: F401 - contract: a fixture
from tests.contract.test_requests_bookings import CREATED
from tests.contract.test_requests_both_ways import names
from tests.integration.kareo import Kareo, kareo_at_work

START = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
WORDS = st.text("abcäß <&>\"'0123456789-", min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)
AGREED = PolicyTerms(billing_policy=0, rank=1, carrier_id=1, carrier_name="Blue", plan_id=2, plan_name="Gold")
Tables = dict[str, dict[int, dict[str, Any]]]
Drawn = dict[str, Any]

CHART = {"city": ("city", "City"), "email": ("email", "EmailAddress"), "address1": ("address1", "AddressLine1")}
"""Fields of a patient by the record's and by the WSDL's name."""
POLICY = {
    "member_id": ("number", "PolicyNumber"),
    "group_id": ("group", "PolicyGroupNumber"),
    "copay": ("copay", "Copay"),
    "deductible": ("deductible", "Deductible"),
    "insured_city": ("insured", "Insured"),
}
CREATED_CHART = {"Cases", "DateofBirth", "FirstName", "Gender", "LastName", "PatientExternalID", "Practice"}
ENCOUNTER = {
    "BatchNumber", "Case", "EncounterStatus", "MedicalOfficeNotes", "Patient", "PlaceOfService", "PostDate", "Practice",
    "RenderingProvider", "ServiceEndDate", "ServiceLocation", "ServiceLines", "ServiceStartDate",
}  # fmt: skip
LINE = {"DiagnosisCode1", "Minutes", "ProcedureCode", "ServiceEndDate", "ServiceStartDate", "UnitCharge", "Units"}

DRAWN = st.fixed_dictionaries(
    {
        "note": WORDS,
        "phone": st.sampled_from(["", "7065550100"]),
        "said": WORDS,
        "chart": st.sets(st.sampled_from(sorted(CHART)), min_size=1),
        "policy": st.sets(st.sampled_from(sorted(POLICY)), min_size=1),
        "company": st.booleans(),
        "amounts": st.sampled_from([("1", "120.00"), ("2.5", ""), ("3", "9.5")]),
        "lines": st.integers(1, 3),
    }
)


class World:
    """The records, and what a write may touch of them: `touched` by table and record the fields, `made` how many are new."""

    def __init__(self, billing: Kareo, drawn: Drawn) -> None:
        self.billing, self.drawn = billing, drawn
        self.touched: dict[tuple[str, int], set[str]] = {}
        self.made: dict[str, int] = {}
        told = {"mobile_phone": drawn["phone"], "note": drawn["note"], "email": "theirs@example.org", "city": "Augusta"}
        self.ada = billing.ada(address1="1 Old Road", **told)
        self.mary = billing.ada(first_name="Mary", **told)
        self.case = self._insured(self.ada)
        self._insured(self.mary)
        for patient in (self.ada, self.mary):
            billing.people.book_appointment(patient, billing.doctor, billing.place, START, 20, drawn["note"])

    def _insured(self, patient: int) -> int:
        people = self.billing.people
        (case,) = [one.id for one in self.billing.sandbox.cases.values() if one.patient_id == patient]
        holder = {"first_name": "Will", "last_name": "King", "city": "Rome", "prefix": "Dr"}
        mine = people.add_policy(
            case, "Blue", "Gold", number="X", group="G-1", relationship="U", insured=holder, address1="9 Plaza"
        )
        mine.notes, mine.external_id, mine.through_employer = self.drawn["note"], "theirs", True
        auto = people.add_case(patient, name="Auto", primary=False)
        people.add_policy(auto.id, "Car Mutual", "Collision", number="CAR")
        return case

    @property
    def policy(self) -> int:
        return next(one.id for one in self.billing.sandbox.policies.values() if one.case_id == self.case)

    def tables(self) -> Tables:
        state = self.billing.sandbox.state
        each = ("patients", "cases", "policies", "companies", "plans", "appointments", "encounters")
        return {name: {id_: asdict(one) for id_, one in getattr(state, name).items()} for name in each}

    async def told(self, writer: KareoWriter, *changes: PolicyChange, case: bool = True) -> ChangeBillingPolicies:
        read = await writer._there(BillingPatientId(self.ada))
        return ChangeBillingPolicies(
            patient=BillingPatientId(self.ada),
            changes=changes,
            before=read.chart.cases or (),
            case_id=self.case if case else None,
            case_name="Insurance",
            payer_scenario="Insurance",
        )


# -- each kind of write: what is asked for, and what that may touch -------------------------------------------------------


async def _update_chart(world: World, writer: KareoWriter) -> AnyWrite:
    there = {"city": "Augusta", "email": "theirs@example.org", "address1": "1 Old Road"}
    told = {"city": "Macon", "email": "new@example.org", "address1": "2 New Road"}
    fields = {name: told[name] for name in world.drawn["chart"]}
    world.touched["patients", world.ada] = {CHART[name][0] for name in fields} | {"modified"}
    expected = {name: there[name] for name in fields}
    return UpdateBillingChart(patient=BillingPatientId(world.ada), fields=fields, expected=expected)


async def _add_case(world: World, writer: KareoWriter) -> AnyWrite:
    state = world.billing.sandbox.state
    mine = {id_ for id_, one in state.cases.items() if one.patient_id == world.ada}
    for id_ in [id_ for id_, one in state.policies.items() if one.case_id in mine]:
        del state.policies[id_]
    for id_ in mine:
        del state.cases[id_]
    world.touched["patients", world.ada] = {"modified"}
    world.made = {"cases": 1}
    return AddBillingCase(patient=BillingPatientId(world.ada), case_name=world.drawn["said"], payer_scenario="Insurance")


async def _change_policy(world: World, writer: KareoWriter) -> AnyWrite:
    told = {"member_id": "N-1", "group_id": "", "copay": "5.00", "deductible": "100.00", "insured_city": "Macon"}
    fields = {name: told[name] for name in world.drawn["policy"]}
    changed = {POLICY[name][0] for name in fields}
    world.touched["policies", world.policy] = changed | ({"through_employer"} if "insured" in changed else set())
    world.touched["patients", world.ada] = {"modified"}
    return await world.told(writer, PolicyChange(policy=world.policy, ehr=5, fields=fields, agreed=AGREED))


async def _add_policy(world: World, writer: KareoWriter) -> AnyWrite:
    state = world.billing.sandbox.state
    plan = state.plans[state.policies[world.policy].plan_id]
    known = {"company_id": str(plan.company_id), "plan_id": str(plan.id)}
    new = {"company_name": "New Mutual"}
    fields = {"rank": "2", "member_id": world.drawn["said"], **(new if world.drawn["company"] else known)}
    world.made = {"policies": 1, **({"companies": 1, "plans": 1} if world.drawn["company"] else {})}
    world.touched["patients", world.ada] = {"modified"}
    return await world.told(writer, PolicyChange(ehr=6, fields=fields, agreed=AGREED))


async def _end_policy(world: World, writer: KareoWriter) -> AnyWrite:
    fields = {"active": "false", "end": "2026-03-02"}
    world.touched["policies", world.policy] = {"active", "end"}
    world.touched["patients", world.ada] = {"modified"}
    return await world.told(writer, PolicyChange(policy=world.policy, ehr=5, fields=fields))


async def _create_chart(world: World, writer: KareoWriter) -> AnyWrite:
    policy = PolicyChange(ehr=8, fields={"rank": "1", "member_id": "C-1", "company_name": "New Mutual"}, agreed=AGREED)
    world.made = {"patients": 1, "cases": 1}
    if world.drawn["company"]:
        world.made |= {"policies": 1, "companies": 1, "plans": 1}
    return CreateBillingChart(
        ehr=EhrChartId(640),
        fields={"first_name": "Cy", "last_name": "Young", "birth_date": "1980-02-29", "sex": "Male"},
        external_id="640",
        case_name="Standard",
        payer_scenario="Insurance",
        policies=(policy,) if world.drawn["company"] else (),
    )


async def _create_encounter(world: World, writer: KareoWriter) -> AnyWrite:
    units, charge = world.drawn["amounts"]
    line = EncounterTerms(cpt="99213", units=units, unit_charge=charge, dxs=("I10",))
    world.made = {"encounters": 1}
    return CreateEncounter(
        bill=4001,
        content="c",
        patient=BillingPatientId(world.ada),
        case_id=world.case,
        service_day=date(2026, 3, 1),
        post_day=date(2026, 3, 2),
        rendering_provider=world.billing.doctor,
        location=world.billing.place,
        place_of_service="11",
        lines=(line,) * world.drawn["lines"],
        notes=world.drawn["said"],
        batch="4001",
    )


def _booking(world: World) -> CreateBillingAppointment:
    start = START.replace(hour=19)
    terms = BookingTerms(
        start=start, minutes=20, provider=world.billing.doctor, location=world.billing.place, description="Cough"
    )
    return CreateBillingAppointment(patient=BillingPatientId(world.ada), terms=terms, token="[cw AAAA-BBBB]")


async def _book(world: World, writer: KareoWriter) -> AnyWrite:
    world.made = {"appointments": 1}
    return _booking(world)


async def _change_booking(world: World, writer: KareoWriter) -> AnyWrite:
    booking = _booking(world)
    done = await writer.write(lambda: booking)
    world.touched["appointments", done.id] = {"status", "modified"}  # type: ignore[union-attr]
    terms = BookingTerms(
        start=booking.terms.start,
        minutes=20,
        provider=world.billing.doctor,
        location=world.billing.place,
        status="CheckedIn",
    )
    return UpdateBillingAppointment(
        patient=booking.patient,
        appointment=done.id,  # type: ignore[union-attr]
        terms=terms,
        changes=("status",),
    )


async def _delete_booking(world: World, writer: KareoWriter) -> AnyWrite:
    booking = _booking(world)
    done = await writer.write(lambda: booking)
    world.touched["appointments", done.id] = {"deleted", "modified"}  # type: ignore[union-attr]
    return DeleteBillingAppointment(appointment=done.id)  # type: ignore[union-attr]


Asked = Callable[[World, KareoWriter], Awaitable[AnyWrite]]
KINDS: dict[str, tuple[type[AnyWrite], Asked]] = {
    "a patient is created": (CreateBillingChart, _create_chart),
    "a patient is changed": (UpdateBillingChart, _update_chart),
    "a case is added": (AddBillingCase, _add_case),
    "a policy is changed": (ChangeBillingPolicies, _change_policy),
    "a policy is added": (ChangeBillingPolicies, _add_policy),
    "a policy is put away": (ChangeBillingPolicies, _end_policy),
    "an encounter is created": (CreateEncounter, _create_encounter),
    "an appointment is booked": (CreateBillingAppointment, _book),
    "a booking is changed": (UpdateBillingAppointment, _change_booking),
    "a booking is deleted": (DeleteBillingAppointment, _delete_booking),
}


def test_every_kind_of_write_is_drawn() -> None:
    """A new kind of write to the billing side has no say before it stands here."""
    written = {one for one in get_args(AnyWrite) if issubclass(one, BillingWrite)} - {SearchBilling}
    written |= set(get_args(AnyBooking))
    assert {kind for kind, _ in KINDS.values()} == written


@pytest.mark.parametrize("kind", KINDS)
@given(drawn=DRAWN)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_not_asked_for_survives(kind: str, drawn: Drawn) -> None:
    asyncio.run(_survives(kind, drawn, None))


@pytest.mark.parametrize("kind", KINDS)
@given(drawn=DRAWN)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_request_is_as_the_wsdl_has_it(contract: etree.XMLSchema, kind: str, drawn: Drawn) -> None:  # noqa: F811
    asyncio.run(_survives(kind, drawn, contract))


async def _survives(kind: str, drawn: Drawn, schema: etree.XMLSchema | None) -> None:
    async with kareo_at_work() as billing:
        writer = KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)
        world = World(billing, drawn)
        write = await KINDS[kind][1](world, writer)
        before, asked = world.tables(), len(billing.sandbox.calls)
        await writer.write(lambda: write)
        after = world.tables()
        for table, held in before.items():
            assert len(after[table]) - len(held) == world.made.get(table, 0), table
            for id_, record in held.items():
                free = world.touched.get((table, id_), set())
                changed = {name for name, value in record.items() if after[table][id_][name] != value}
                assert changed <= free, (table, changed - free)
                assert not free - {"modified", "through_employer", "end"} or changed, "nothing was asked for"
        for call in billing.sandbox.calls[asked:]:
            request = _request(call.request)
            assert schema is None or schema.validate(request), call.operation
            _check_members(call.operation, request, write)


def _check_members(operation: str, request: etree._Element, write: AnyWrite) -> None:
    """No member of a write's request but those that it asks for, and those that name the record."""

    def named(element: str) -> set[str]:
        return {name for one in request.iter(f"{BILLING}{element}") for name in names(one)}

    match operation, write:
        case "CreatePatient", _:
            (patient,) = request.iter(f"{BILLING}Patient")
            assert names(patient) <= CREATED_CHART | {"PatientExternalID", "ExternalVendorID", "PatientExternalVendorID"}
            assert named("InsurancePolicyCreateReq") <= {"Active", "CompanyName", "PolicyNumber", "Precedence"}
        case "UpdatePatient", UpdateBillingChart(fields=fields):
            (patient,) = request.iter(f"{BILLING}Patient")
            assert names(patient) == {"FirstName", "LastName", "PatientID", "Practice"} | {CHART[name][1] for name in fields}
        case "UpdatePatient", ChangeBillingPolicies(changes=(one,)):
            (patient,) = request.iter(f"{BILLING}Patient")
            assert names(patient) == {"FirstName", "LastName", "PatientID", "Practice", "Cases"}
            assert named("PatientCaseUpdateReq") == {"CaseID", "Policies"}
            own = (
                {"InsurancePolicyID"}
                if one.policy is not None
                else {"Active", "Precedence", "CompanyID", "PlanID", "CompanyName"}
            )
            ended = {"Active", "EffectiveEndDate"} if one.agreed is None else set()
            told = {POLICY[name][1] for name in one.fields if name in POLICY}
            assert named("InsurancePolicyUpdateReq") <= own | ended | told
            assert named("Insured") <= {"City"}
        case "UpdatePatient", AddBillingCase():
            assert named("PatientCaseUpdateReq") <= {"Active", "CaseName", "PayerScenario"}
        case "CreateEncounter", CreateEncounter(lines=(line, *_)):
            assert named("Encounter") <= ENCOUNTER
            assert named("ServiceLineReq") <= LINE - (set() if line.unit_charge else {"UnitCharge"})
        case "CreateAppointment", _:
            assert named("Appointment") <= CREATED
        case "DeleteAppointment", _:
            assert named("Appointment") == {"AppointmentId"}
