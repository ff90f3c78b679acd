"""deploy/DESIGN.md, The two roles: the direction table. No write against it is ever requested (I2), whatever happens."""

from __future__ import annotations

import pytest

from events.bookings import CreateBillingAppointment, DeleteBillingAppointment, UpdateBillingAppointment
from events.records import Provider
from events.writes import (
    AddBillingCase,
    AnyWrite,
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
from projections.deciding.settle import permitted
from projections.rules.wants import Wish
from projections.state.maps import physician_for, provider_for
from projections.terms.policy import BILLING_LED, POSSIBLE, PREFERENCES, PROFILES, Direction, Policy, allows, row
from tests.unit.clinic import Clinic
from tests.unit.recording import PRACTICE
from tests.unit.records import HOUSE, KAREO_LOCUM, PHYSICIANS
from tests.unit.stories import clinic_day

# Which row of the table each write falls under, written down a second time: the code's own label is not trusted here.
RESOURCES: dict[type, Resource] = {
    CreateEhrChart: Resource.CHART,
    CreateBillingChart: Resource.CHART,
    UpdateEhrChart: Resource.DEMOGRAPHICS,
    UpdateBillingChart: Resource.DEMOGRAPHICS,
    CreateCarrier: Resource.INSURANCE,
    CreatePlan: Resource.INSURANCE,
    UpdateCarrier: Resource.INSURANCE,
    SyncPolicies: Resource.INSURANCE,
    ChangeBillingPolicies: Resource.INSURANCE,
    CreateEhrAppointment: Resource.APPOINTMENT,
    UpdateEhrAppointment: Resource.APPOINTMENT,
    CancelEhrAppointment: Resource.APPOINTMENT,
    DeleteEhrAppointment: Resource.APPOINTMENT,
    CreateBillingAppointment: Resource.APPOINTMENT,
    UpdateBillingAppointment: Resource.APPOINTMENT,
    DeleteBillingAppointment: Resource.APPOINTMENT,
    AddBillingCase: Resource.BILL,
    CreateEncounter: Resource.BILL,
    MarkBilled: Resource.BILL,
    MarkBillError: Resource.BILL,
    ReleaseBill: Resource.BILL,
}
BOOKINGS = (CreateBillingAppointment, UpdateBillingAppointment, DeleteBillingAppointment)
SEARCHES = (SearchEhr, SearchBilling)
ANSWERS = (MarkBilled, MarkBillError, ReleaseBill)
MAY = {
    Direction.BOTH: {System.EHR, System.BILLING},
    Direction.TO_EHR: {System.EHR},
    Direction.TO_BILLING: {System.BILLING},
    Direction.OFF: set(),
}
EVERY_ROW = [(resource, direction) for resource in Resource for direction in sorted(POSSIBLE[resource])]


def ruled(**rows: Direction) -> Policy:
    table = BILLING_LED | {Resource(name): direction for name, direction in rows.items()}
    return Policy(practice=PRACTICE, default_physician=HOUSE, table=table)


def against(write: AnyWrite, policy: Policy) -> bool:
    """Whether `write` is against the table. A bill's answer goes back to Elation where the bill may go to Kareo."""
    if isinstance(write, SEARCHES):
        return False
    target = System.BILLING if isinstance(write, ANSWERS) else system_of(write)
    return target not in MAY[policy.table[RESOURCES[type(write)]]]


def test_every_write_is_in_the_table():
    assert set(RESOURCES) | set(SEARCHES) == set(AnyWrite.__args__)


def test_the_kareo_led_profile_is_the_guides_table():
    assert PROFILES["kareo-led"] == {
        Resource.CHART: Direction.BOTH,
        Resource.DEMOGRAPHICS: Direction.BOTH,
        Resource.INSURANCE: Direction.TO_EHR,
        Resource.APPOINTMENT: Direction.TO_EHR,
        Resource.BILL: Direction.TO_BILLING,
    }
    assert Policy(practice=PRACTICE).table == PROFILES["kareo-led"]


def test_the_elation_led_profile_is_the_other_guides_table():
    """EHR_LED section 1: charts, demographics and insurance both ways, appointments not at all."""
    assert PROFILES["elation-led"] == {
        Resource.CHART: Direction.BOTH,
        Resource.DEMOGRAPHICS: Direction.BOTH,
        Resource.INSURANCE: Direction.BOTH,
        Resource.APPOINTMENT: Direction.OFF,
        Resource.BILL: Direction.TO_BILLING,
    }
    assert PREFERENCES["elation-led"] == {Resource.DEMOGRAPHICS: System.EHR, Resource.INSURANCE: System.BILLING}
    assert set(PREFERENCES) == set(PROFILES)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("target", System)
@pytest.mark.parametrize("resource", Resource)
def test_the_filter_says_what_the_table_says(resource: Resource, target: System, direction: Direction):
    policy = ruled(**{resource.value: direction})
    assert allows(policy, resource, target) == (target in MAY[direction])


def test_the_default_day_writes_something_of_every_kind():
    """Or the tests below could not fail."""
    kinds = {type(one.write) for one in clinic_day().requests()}
    assert kinds >= set(RESOURCES) - {
        UpdateEhrAppointment,
        ChangeBillingPolicies,
        UpdateCarrier,
        ReleaseBill,
        *BOOKINGS,
    }  # test_both_ways, test_carriers, test_bills, test_bookings


@pytest.mark.parametrize(("resource", "direction"), EVERY_ROW, ids=lambda value: value.value)
def test_no_write_against_the_table_is_ever_requested(resource: Resource, direction: Direction):
    policy = ruled(**{resource.value: direction})
    requests = clinic_day(policy).requests()
    assert requests
    assert [one.write for one in requests if against(one.write, policy)] == []
    assert all(one.resource is RESOURCES[type(one.write)] for one in requests if not isinstance(one.write, SEARCHES))
    assert all(one.system is system_of(one.write) for one in requests)


def test_a_row_turned_around_is_still_obeyed_by_the_filter():
    """Beyond what the sinks can do, but the filter must not depend on that."""
    policy = ruled(insurance=Direction.TO_BILLING, appointment=Direction.TO_BILLING, bill=Direction.TO_EHR)
    writes = [one.write for one in clinic_day(policy).requests()]
    assert [write for write in writes if against(write, policy)] == []


def test_everything_off_writes_nothing():
    policy = ruled(**{resource.value: Direction.OFF for resource in Resource})
    assert all(isinstance(one.write, SEARCHES) for one in clinic_day(policy).requests())


def test_an_override_of_one_row_leaves_the_others():
    def resources(policy: Policy | None) -> set[Resource]:
        return {one.resource for one in clinic_day(policy).requests()}

    assert resources(None) == set(Resource)
    assert resources(ruled(appointment=Direction.OFF)) == set(Resource) - {Resource.APPOINTMENT}


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (Direction.TO_EHR, {UpdateEhrChart}),
        (Direction.TO_BILLING, {UpdateBillingChart}),
        (Direction.BOTH, {UpdateEhrChart, UpdateBillingChart}),
        (Direction.OFF, set()),
    ],
    ids=lambda value: value.value if isinstance(value, Direction) else "",
)
def test_demographics_in_every_direction(direction: Direction, expected: set[type]):
    writes = {type(one.write) for one in clinic_day(ruled(demographics=direction)).requests()}
    assert writes & {UpdateEhrChart, UpdateBillingChart} == expected


def test_the_filter_drops_a_wish_against_the_table_and_keeps_its_answer():
    policy = ruled(bill=Direction.OFF)
    answer = MarkBillError(bill=1, text="x")
    search = SearchEhr(first_name="Ada", last_name="Byron")
    wishes = {"answer": Wish(answer, Resource.BILL, ""), "search": Wish(search, Resource.CHART, "")}
    assert set(permitted(wishes, policy)) == {"search"}
    assert set(permitted(wishes, ruled())) == {"answer", "search"}


def test_the_row_is_shown_to_people_as_configured():
    assert row(ruled(), Resource.INSURANCE) == "insurance: kareo->elation"


# Maps


@pytest.mark.parametrize(
    ("physician", "mapped"),
    [
        (Provider(id=13, first_name="Lou", last_name="Locum", npi="1000000020"), True),
        (Provider(id=13, first_name="Louise", last_name="Locum-Smith", npi="1000000020"), True),
        (Provider(id=13, first_name="LOU", last_name=" Locum"), True),
        (Provider(id=13, first_name="Lou", last_name="Locum", npi="1999999999"), False),
        (Provider(id=13, first_name="Luke", last_name="Locum"), False),
    ],
    ids=["by NPI", "by NPI whatever the name", "by exact name", "same name, other NPI", "other name"],
)
def test_providers_map_by_npi_or_exact_name(physician: Provider, mapped: bool):
    clinic = Clinic()
    clinic.elation_directory((*PHYSICIANS, physician))
    directory, policy = clinic.state.directory, clinic.policy
    assert provider_for(13, directory, policy) == (KAREO_LOCUM if mapped else None)
    assert physician_for(KAREO_LOCUM, directory, policy) == (13 if mapped else None)
