"""The clinic day, end to end: what the guide promises (deploy/DESIGN.md, The two roles), looked up in the two products afterwards.

People of the script by their place in `kareo_ids` and `elation_ids`: 0-2 were in one system only before the daemon came, 3-5
in both; the scenes of `daemon.sandbox.day` say what happens to whom.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from daemon.sandbox.clinic import Office
from events.schema import LinkMoved, LinkResumed, LinkSuspended, WaitingCleared, WaitingRaised

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

NO_DATE_OF_BIRTH = 16
COLORADO = 15
CALL_ME = 14


def live(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in values if not one.get("deleted_date")]


def booked(played_day: PlayedDay, office: Office) -> list[int]:
    """The practice's Kareo appointments in the order in which they were made."""
    return [id_ for id_, one in played_day.clinic.billing.appointments.items() if one.practice_id == office.billing]


# -- charts and demographics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 8, 12])
def test_new_patient_in_kareo_gets_a_chart(played_day: PlayedDay, office: Office, number: int) -> None:
    patient = played_day.clinic.billing.patients[played_day.day.kareo_ids[office.id][number]]
    chart = played_day.chart(office, patient.id)
    assert patient.dob is not None
    assert chart["id"] not in played_day.day.elation_ids[office.id]
    assert chart["caregiver_practice"] == office.ehr
    assert (chart["first_name"], chart["last_name"]) == (patient.first_name, patient.last_name)
    assert (chart["dob"], chart["sex"]) == (patient.dob.isoformat(), patient.gender)
    assert [one["email"] for one in live(chart["emails"])] == [patient.email]
    assert [(one["phone"], one["phone_type"]) for one in live(chart["phones"])] == [(patient.mobile_phone, "Mobile")]
    address = chart["address"]
    assert (address["address_line1"], address["address_line2"]) == (patient.address1, patient.address2)
    assert (address["city"], address["state"], address["zip"]) == (patient.city, patient.state, patient.zip)
    assert chart["primary_physician"] == office.physicians[office.providers.index(patient.provider_id or 0)]


@pytest.mark.parametrize("number", [0, 8, 12])
def test_new_chart_in_elation_gets_a_patient_with_a_case(played_day: PlayedDay, office: Office, number: int) -> None:
    """Without a case its bills could never be posted."""
    billing, chart_id = played_day.clinic.billing, played_day.day.elation_ids[office.id][number]
    chart = played_day.clinic.ehr.patients[chart_id]
    (patient_id,) = [patient for patient, linked in played_day.links[office.id].items() if linked == chart_id]
    patient = billing.patients[patient_id]
    assert patient_id not in played_day.day.kareo_ids[office.id]
    assert patient.dob is not None
    assert (patient.first_name, patient.last_name) == (chart["first_name"], chart["last_name"])
    assert (patient.dob.isoformat(), patient.gender) == (chart["dob"], chart["sex"])
    assert patient.mobile_phone == live(chart["phones"])[0]["phone"]
    assert patient.email == live(chart["emails"])[0]["email"]
    assert (patient.address1, patient.city) == (chart["address"]["address_line1"], chart["address"]["city"])
    (case,) = [one for one in billing.cases.values() if one.patient_id == patient_id]
    assert (case.is_primary, case.active, case.payer_scenario) == (True, True, "Insurance")
    assert case.name


@pytest.mark.parametrize("number", [3, 4, 5])
def test_person_in_both_systems_is_linked_not_doubled(played_day: PlayedDay, office: Office, number: int) -> None:
    patient, chart = played_day.day.kareo_ids[office.id][number], played_day.day.elation_ids[office.id][number]
    assert played_day.links[office.id][patient] == chart


def test_chart_that_only_might_be_somebody_is_not_linked(played_day: PlayedDay, office: Office) -> None:
    twin = played_day.day.elation_ids[office.id][16]
    assert twin not in played_day.links[office.id].values()
    assert f"E:{twin}" in {one["patient"] for one in played_day.waiting("candidates")}


def test_person_without_birth_date_gets_a_chart_once_it_is_known(played_day: PlayedDay) -> None:
    patients = {id_: played_day.day.kareo_ids[id_][NO_DATE_OF_BIRTH] for id_ in ("elm", "oak")}
    elm, oak = played_day.offices
    assert played_day.chart(elm, patients["elm"])["dob"] == "1971-07-17"
    assert patients["oak"] not in played_day.links[oak.id]


def test_both_sides_edits_of_different_fields_are_kept(played_day: PlayedDay, office: Office) -> None:
    for number in range(3):
        patient = played_day.clinic.billing.patients[played_day.day.kareo_ids[office.id][number]]
        chart = played_day.chart(office, patient.id)
        assert (patient.middle_name, chart["middle_name"]) == (f"M{number}", f"M{number}")
        assert (patient.zip, chart["address"]["zip"]) == (f"8099{number}", f"8099{number}")


def test_conflict_is_decided_by_the_practices_preference(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][4]
    assert played_day.clinic.billing.patients[patient].city == "Kareoville"
    assert played_day.chart(office, patient)["address"]["city"] == "Kareoville"
    assert {one["slot"] for one in played_day.waiting("conflict") if one["patient"] == f"K:{patient}"} == {"conflict:city"}


def test_number_is_written_without_its_format_and_never_back(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][5]
    assert [one["phone"] for one in live(played_day.chart(office, patient)["phones"])] == ["3035557777"]
    assert played_day.clinic.billing.patients[patient].mobile_phone == "(303) 555-7777"


def test_unusable_phone_number_waited_until_it_was_corrected(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][CALL_ME]
    about = [one.event.body for one in played_day.events[office.id] if one.event.billing == patient]
    waited = [body.code for body in about if isinstance(body, WaitingRaised) and body.slot == "field:mobile_phone"]
    assert waited
    assert waited[0].startswith("field-")
    assert any(isinstance(body, WaitingCleared) and body.slot == "field:mobile_phone" for body in about)
    assert [one["phone"] for one in live(played_day.chart(office, patient)["phones"])] == ["3035559999"]


def test_number_that_was_taken_out_is_taken_out(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][6]
    assert live(played_day.chart(office, patient)["phones"]) == []


def test_state_is_written_as_its_code_and_never_back(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][COLORADO]
    assert played_day.chart(office, patient)["address"]["state"] == "CO"
    assert played_day.clinic.billing.patients[patient].state == "Colorado"


def test_sex_that_kareo_does_not_know_is_unknown_there_and_kept_in_elation(played_day: PlayedDay, office: Office) -> None:
    chart = played_day.day.elation_ids[office.id][14]
    (patient,) = [one for one, linked in played_day.links[office.id].items() if linked == chart]
    assert played_day.clinic.billing.patients[patient].gender == "Unknown"
    assert played_day.clinic.ehr.patients[chart]["sex"] == "Other"


def test_phones_of_other_types_stay_where_they_are(played_day: PlayedDay, office: Office) -> None:
    chart = played_day.day.elation_ids[office.id][15]
    (patient,) = [one for one, linked in played_day.links[office.id].items() if linked == chart]
    there = played_day.clinic.billing.patients[patient]
    assert (there.home_phone, there.mobile_phone, there.work_phone) == ("", "", "")
    kept = {(one["phone"], one["phone_type"]) for one in live(played_day.clinic.ehr.patients[chart]["phones"])}
    assert kept == {("3035550100", "Fax"), ("3035550101", "Main")}


# -- insurance ------------------------------------------------------------------------------------------------------------


def test_primary_case_brings_its_policy_with_carrier_and_plan(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][6]
    (held,) = played_day.policies(office, patient)
    (given,) = [
        one
        for one in played_day.clinic.billing.policies.values()
        if played_day.clinic.billing.cases[one.case_id].patient_id == patient
    ]
    plan = played_day.clinic.billing.plans[given.plan_id]
    company = played_day.clinic.billing.companies[plan.company_id]
    assert (held["carrier_name"], held["plan_name"]) == (company.name, plan.name)
    assert (held["member_id"], held["group_id"]) == (given.number, given.group)
    assert (held["copay"], held["deductible"]) == ("25.00", "500.00")
    assert (held["address"], held["city"], held["zip"]) == (plan.address1, plan.city, plan.zip)
    assert (held["rank"], held["relationship_to_insured"]) == (1, "self")
    carrier = played_day.clinic.ehr.insurance_companies[held["carrier_id"]]
    assert (carrier["carrier"], carrier["external_vendor_id"]) == (company.name, str(company.id))
    assert played_day.clinic.ehr.insurance_plans[held["plan_id"]]["name"] == plan.name


def test_policy_holder_who_is_another_person_is_named(played_day: PlayedDay, office: Office) -> None:
    held = played_day.policies(office, played_day.day.kareo_ids[office.id][2])
    assert [one["relationship_to_insured"] for one in held] == ["self", "spouse"]
    assert (held[1]["insured_person_dob"], held[1]["insured_person_sex_at_birth"]) == ("1970-02-03", "M")


def test_one_inactive_policy_is_removed_alone(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][1]
    (held,) = played_day.policies(office, patient)
    assert held["member_id"] == f"MB{patient}2"


def test_new_primary_case_replaces_the_policies(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][3]
    (held,) = played_day.policies(office, patient)
    assert (held["member_id"], held["copay"], held["rank"]) == (f"NEW{patient}", "40.00", 1)
    old = [one for one in played_day.clinic.ehr.policies.values() if one["member_id"] == f"MB{patient}2"]
    assert [one["status"] for one in old] == ["inactive"]


def test_inactive_case_removes_its_policies(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][4]
    assert played_day.policies(office, patient) == []
    chart = played_day.links[office.id][patient]
    assert any(one["patient_id"] == chart for one in played_day.clinic.ehr.policies.values())


def test_ended_policy_does_not_come(played_day: PlayedDay, office: Office) -> None:
    assert played_day.policies(office, played_day.day.kareo_ids[office.id][10]) == []


def test_policy_without_a_plan_waits(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][9]
    assert played_day.policies(office, patient) == []
    assert f"K:{patient}" in {one["patient"] for one in played_day.waiting("no-plan")}


def test_carrier_is_created_only_when_somebody_has_it(played_day: PlayedDay, office: Office) -> None:
    ehr = played_day.clinic.ehr
    used = {one["carrier_id"] for one in ehr.policies.values() if one["practice_id"] == office.ehr}
    carriers = [one for one in ehr.insurance_companies.values() if one["practice"] == office.ehr]
    assert {one["id"] for one in carriers} == used
    assert len({one["carrier"] for one in carriers}) == len(carriers)


# -- appointments ---------------------------------------------------------------------------------------------------------


def _as_booked(played_day: PlayedDay, office: Office, number: int) -> tuple[Any, dict[str, Any]]:
    key = booked(played_day, office)[number]
    there = played_day.appointment(office, key)
    assert there is not None
    return played_day.clinic.billing.appointments[key], there


def test_appointment_goes_to_the_providers_calendar(played_day: PlayedDay, office: Office) -> None:
    here, there = _as_booked(played_day, office, 8)
    assert here.start.tzinfo is UTC or here.start.utcoffset() == timedelta()
    assert there["scheduled_date"] == f"{here.start:%Y-%m-%dT%H:%M:%SZ}"
    assert (there["duration"], there["description"]) == (20, "Follow-up 8")
    assert there["physician"] == office.physicians[office.providers.index(here.provider_id)]
    assert there["patient"] == played_day.links[office.id][here.patient_id]


def test_length_is_rounded_up_to_what_elation_takes(played_day: PlayedDay, office: Office) -> None:
    here, there = _as_booked(played_day, office, 12)
    assert ((here.end - here.start) / timedelta(minutes=1), there["duration"]) == (12, 15)


@pytest.mark.parametrize(("number", "minutes"), [(0, 20), (1, 45)])
def test_moved_appointment_moves(played_day: PlayedDay, office: Office, number: int, minutes: int) -> None:
    here, there = _as_booked(played_day, office, number)
    assert (there["scheduled_date"], there["duration"]) == (f"{here.start:%Y-%m-%dT%H:%M:%SZ}", minutes)
    assert there["scheduled_date"][:10] >= (played_day.day._today + timedelta(days=9)).isoformat()


def test_cancelled_appointment_stays_visible_as_cancelled(played_day: PlayedDay, office: Office) -> None:
    _, there = _as_booked(played_day, office, 2)
    assert (there["status"]["status"], there["deleted_date"]) == ("Cancelled", None)


def test_appointment_booked_again_is_no_longer_cancelled(played_day: PlayedDay, office: Office) -> None:
    _, there = _as_booked(played_day, office, 3)
    assert (there["status"] or {}).get("status") != "Cancelled"


def test_deleted_appointment_is_deleted(played_day: PlayedDay, office: Office) -> None:
    here, there = _as_booked(played_day, office, 4)
    assert here.deleted
    assert there["deleted_date"]


def test_new_reason_and_new_provider_follow(played_day: PlayedDay, office: Office) -> None:
    assert _as_booked(played_day, office, 5)[1]["description"] == "Annual physical"
    assert _as_booked(played_day, office, 6)[1]["physician"] == office.physicians[0]


def test_staffs_change_in_elation_stays_there(played_day: PlayedDay, office: Office) -> None:
    here, there = _as_booked(played_day, office, 7)
    assert there["id"] in played_day.day.elation_edits
    assert there["description"] == "Patient asked for a phone call first"
    assert played_day.clinic.billing.reasons[here.reason_id].name == "Follow-up 7"


def test_provider_without_a_calendar_keeps_the_appointment_waiting(played_day: PlayedDay, office: Office) -> None:
    key = booked(played_day, office)[13]
    assert played_day.appointment(office, key) is None
    assert f"appointment:{key}" in {one["slot"] for one in played_day.waiting("no-calendar")}


def test_meeting_without_a_patient_is_no_appointment(played_day: PlayedDay, office: Office) -> None:
    assert played_day.appointment(office, booked(played_day, office)[14]) is None


def test_nothing_is_booked_in_kareo(played_day: PlayedDay) -> None:
    """Appointments travel from Kareo only."""
    made = {call.operation for call in played_day.clinic.billing.calls}
    assert made & {"CreateAppointment", "UpdateAppointment", "DeleteAppointment"} == set()


# -- merges, deletions, restores ------------------------------------------------------------------------------------------


def test_merge_moves_the_link_to_the_survivor(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][8]
    (moved,) = [one.event.body for one in played_day.events[office.id] if isinstance(one.event.body, LinkMoved)]
    absorbed = played_day.clinic.ehr.patients[moved.source]
    assert (moved.billing, moved.target) == (patient, absorbed["merged_into_chart"])
    assert played_day.links[office.id][patient] == moved.target
    survivor, kept = played_day.chart(office, patient), played_day.clinic.billing.patients[patient]
    assert survivor["last_name"] == kept.last_name


def test_deletion_in_elation_suspends_the_link(played_day: PlayedDay, office: Office) -> None:
    """The Kareo patient stays."""
    patient = played_day.day.kareo_ids[office.id][10]
    assert played_day.chart(office, patient)["deleted_date"]
    assert not played_day.clinic.billing.patients[patient].deleted
    assert f"K:{patient}" in {one["patient"] for one in played_day.waiting("elation-chart-deleted")}


def test_restored_chart_resumes_the_link(played_day: PlayedDay, office: Office) -> None:
    """What changed in Kareo afterwards arrives."""
    patient = played_day.day.kareo_ids[office.id][9]
    chart = played_day.chart(office, patient)
    assert (chart["deleted_date"], chart["address"]["city"]) == (None, "Restoreton")
    about = [one.event.body for one in played_day.events[office.id] if one.event.billing == patient]
    kinds = [type(body) for body in about if isinstance(body, LinkSuspended | LinkResumed)]
    assert kinds == [LinkSuspended, LinkResumed]


def test_patient_deleted_in_kareo_leaves_the_chart_alone(played_day: PlayedDay, office: Office) -> None:
    patient = played_day.day.kareo_ids[office.id][11]
    assert played_day.clinic.billing.patients[patient].deleted
    assert not played_day.chart(office, patient)["deleted_date"]
    assert f"K:{patient}" in {one["patient"] for one in played_day.waiting("kareo-chart-gone")}


# -- practices apart ------------------------------------------------------------------------------------------------------


def test_practices_do_not_touch_each_other(played_day: PlayedDay) -> None:
    """I11: every link, encounter and policy stays within its practice."""
    ehr, billing = played_day.clinic.ehr, played_day.clinic.billing
    for office in played_day.offices:
        for patient, chart in played_day.links[office.id].items():
            assert billing.patients[patient].practice_id == office.billing
            assert ehr.patients[chart]["caregiver_practice"] == office.ehr
        for encounter in billing.encounters.values():
            if encounter.practice_id == office.billing:
                assert billing.patients[encounter.patient_id].practice_id == office.billing
                assert ehr.bills[int(encounter.batch_number)]["practice"] == office.ehr
        applications = {call.application for call in ehr.calls if call.application}
        assert f"client-{office.id}" in applications
