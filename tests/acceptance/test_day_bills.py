"""The clinic day's bills: signed once, sent once, refused with what to fix, frozen (tests/acceptance/test_day.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.sandbox.clinic import Office

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)


@pytest.mark.parametrize("name", [f"good{number}" for number in range(8)])
def test_signed_bill_becomes_one_encounter_with_its_lines(played_day: PlayedDay, office: Office, name: str) -> None:
    bill, encounters = played_day.bill(office, name)
    (encounter,) = encounters
    assert (bill["billing_status"], bill["ref_number"]) == ("Billed", str(encounter.id))
    assert (encounter.status, encounter.location_id, encounter.place_of_service) == ("Draft", office.place[1], "11")
    assert played_day.links[office.id][encounter.patient_id] == _today(played_day, bill["patient"])
    assert encounter.service_start == played_day.day._today
    assert encounter.rendering_id == office.providers[office.physicians.index(bill["rendering_provider"])]
    assert [
        (line.procedure_code, line.modifiers, line.diagnoses, line.units, line.unit_charge) for line in encounter.lines
    ] == [
        (line["cpt"], line["modifiers"], line["dxs"], float(line["units"]), float(line["unit_charge"]))
        for line in bill["cpts"]
    ]
    assert encounter.orphan_diagnoses == []


def _today(played_day: PlayedDay, chart: int) -> int:
    """The chart that a chart has become by merging."""
    return played_day.clinic.ehr.patients[chart]["merged_into_chart"] or chart


def test_diagnoses_twelve_in_all_four_on_a_line(played_day: PlayedDay, office: Office) -> None:
    """Fourteen codes, five on the first line: in the order entered, the remainder as further codes of the encounter."""
    _, (encounter,) = played_day.bill(office, "many diagnoses")
    assert [line.diagnoses for line in encounter.lines] == [
        ["M10.1", "M11.1", "M12.1", "M13.1"],
        ["M15.1", "M16.1", "M17.1", "M18.1"],
    ]
    assert encounter.orphan_diagnoses == ["M14.1", "M19.1", "M20.1", "M21.1"]


@pytest.mark.parametrize("name", ["annex", "no lines", "bad diagnosis", "unknown procedure"])
def test_corrected_bill_goes_out(played_day: PlayedDay, office: Office, name: str) -> None:
    """First a Bill Error that says what to fix, then, after Save & Re-send, one encounter."""
    bill, encounters = played_day.bill(office, name)
    told = [
        call.body["billing_error"]
        for call in played_day.clinic.ehr.calls
        if call.method == "PATCH"
        and call.path == "/bills/{id}/"
        and (call.ids or {}).get("id") == bill["id"]
        and isinstance(call.body, dict)
        and call.body.get("billing_error")
    ]
    assert len(told) == 1
    assert 10 < len(told[0]) <= 200
    (encounter,) = encounters
    assert (bill["billing_status"], bill["ref_number"]) == ("Billed", str(encounter.id))


def test_bill_that_cannot_be_sent_has_an_error_in_elation(played_day: PlayedDay, office: Office) -> None:
    bill, encounters = played_day.bill(office, "huge charge")
    assert encounters == []
    assert bill["billing_status"] == "UnresolvedError"
    assert "99213" in bill["billing_error"]


def test_deferred_bill_goes_when_it_is_released(played_day: PlayedDay, office: Office) -> None:
    bill, encounters = played_day.bill(office, "deferred")
    assert (len(encounters), bill["billing_status"], bill["deferred_bill"]) == (1, "Billed", False)


def test_deferred_bill_waits_until_then(played_day: PlayedDay, office: Office) -> None:
    bill, encounters = played_day.bill(office, "deferred for good")
    assert (encounters, bill["billing_status"]) == ([], "Unbilled")
    assert f"bill:{bill['id']}" in {one["slot"] for one in played_day.waiting("deferred")}


def test_bill_that_was_sent_is_frozen(played_day: PlayedDay, office: Office) -> None:
    bill, (encounter,) = played_day.bill(office, "good0")
    assert bill["notes"] == "Edited after it was sent"
    assert (encounter.medical_notes, encounter.business_notes) == ("", "")
    assert f"bill:{bill['id']}" in {one["slot"] for one in played_day.waiting("differs-after-sent")}


def test_bill_of_a_patient_who_was_new_goes_to_the_case_made_for_them(played_day: PlayedDay, office: Office) -> None:
    bill, (encounter,) = played_day.bill(office, "new patient")
    assert played_day.links[office.id][encounter.patient_id] == bill["patient"]
    assert played_day.clinic.billing.cases[encounter.case_id].patient_id == encounter.patient_id
