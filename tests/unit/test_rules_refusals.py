"""What Kareo says of a bill that it refuses, as a sentence for the provider."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.sandbox.kareo.billing import ERRORS
from events.terms import EncounterTerms
from events.writes import CreateEncounter
from projections.rules.refusals import ERROR_MOST, SENTENCES, refusal_text
from projections.terms.names import NAMES
from tests.unit.records import ADA_THERE

LINES = (
    EncounterTerms(cpt="99213", units="1", unit_charge="120", modifiers=("25",), dxs=("E11.9", "I10")),
    EncounterTerms(cpt="J1885", units="2", unit_charge="15", modifiers=("GT",), dxs=("M54.50",)),
)
WRITE = CreateEncounter(
    bill=1,
    content="",
    patient=ADA_THERE.id,
    case_id=71,
    service_day=date(2026, 3, 2),
    post_day=date(2026, 3, 2),
    rendering_provider=501,
    location=601,
    place_of_service="11",
    lines=LINES,
    further_dxs=("Z23",),
)
ADA = replace(ADA_THERE, ssn="987-65-4321", mobile_phone="404-555-0177")
SETTINGS = "Add it: Settings > Codes >"

SAID = {
    "ProcedureCode J1885 The procedure code was not found.": (
        f"Line 2 (J1885): procedure code J1885 is not in Kareo. {SETTINGS} Procedures"
    ),
    "Procedure code j1885 does not exist in the database": (
        f"Line 2 (J1885): procedure code J1885 is not in Kareo. {SETTINGS} Procedures"
    ),
    "ProcedureModifier1 GT The procedure modifier was not found.": (
        f"Line 2 (J1885): modifier GT is not in Kareo. {SETTINGS} Procedure Modifiers"
    ),
    "DiagnosisCode1 M5450 is invalid": f"Line 2 (J1885): diagnosis code M54.50 is not in Kareo. {SETTINGS} Diagnoses",
    "DiagnosisCode2 I10 not found": f"Line 1 (99213): diagnosis code I10 is not in Kareo. {SETTINGS} Diagnoses",
    "OrphanDiagnosisCode1 Z23 not found": f"A diagnosis code (Z23) is not in Kareo. {SETTINGS} Diagnoses",
    "The procedure code was not found.": f"A procedure code is not in Kareo. {SETTINGS} Procedures",
    "PlaceOfServiceCode 11 The place of service code was not found.": (
        "Kareo does not find the place of service. Ask the office to set the location's code"
    ),
    "ProviderID 501 The provider was not found in the practice.": (
        "Kareo does not find the provider. Ask the office to map the provider to one of Kareo"
    ),
    "CaseID 71 The case was not found for the patient.": (
        "Kareo does not find the patient's case. Ask the office to check the cases in Kareo"
    ),
    "PatientID 901 The patient Byron, Ada was not found.": (
        "Kareo does not find the patient of this bill. Ask the office to check the chart's link"
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_c16_a_code_that_kareo_does_not_know_is_a_sentence_with_its_line(said: str) -> None:
    assert refusal_text(said, WRITE, ADA, NAMES) == SAID[said]


@pytest.mark.parametrize("what", sorted(ERRORS))
def test_c16_every_text_of_a_record_that_is_not_there_has_a_row(what: str) -> None:
    text = ERRORS[what][1]
    if "not found" in text:
        assert refusal_text(text, WRITE, ADA, NAMES) not in (text, "")


def test_c16_what_fits_of_several_is_said_whole() -> None:
    said = "; ".join(list(SAID)[:3])
    text = refusal_text(said, WRITE, ADA, NAMES)
    assert text == "; ".join(list(SAID.values())[1:3])
    assert len(text) <= ERROR_MOST


def test_c16_other_words_go_as_they_are() -> None:
    said = "The posting date lies in a closed period"
    assert refusal_text(said, WRITE, ADA, NAMES) == said
    assert refusal_text("", WRITE, ADA, NAMES) == "Kareo refused the bill"
    assert refusal_text("x" * 300, WRITE, ADA, NAMES) == "x" * ERROR_MOST


ABOUT_ADA = (
    "The encounter of Ada is closed",
    "BYRON is over the limit",
    "born 12/10/1985 is too young",
    "DOB 1985-12-10 out of range",
    "SSN 987-65-4321 is locked",
    "call (404) 555-0177 first",
    "1 Main Street is outside the area",
    "mail ada@example.org bounced",
    "record 901 is locked",
    "<Encounter><Patient>somebody",
)


@pytest.mark.parametrize("said", ABOUT_ADA)
def test_c16_nothing_of_the_patient_is_in_a_bill_error(said: str) -> None:
    text = refusal_text(said, WRITE, ADA, NAMES)
    assert text == "Kareo refused the bill: ask the office, which sees the reason"


@given(said=st.text(max_size=400) | st.lists(st.sampled_from(ABOUT_ADA + tuple(SAID)), max_size=6).map("; ".join))
def test_c16_any_text_makes_a_bill_error_of_its_length(said: str) -> None:
    text = refusal_text(said, WRITE, ADA, NAMES)
    assert 0 < len(text) <= ERROR_MOST
    assert "Byron" not in text
    assert "987" not in text or "987" not in said


def test_c16_every_row_can_be_reached() -> None:
    reached = {next(row.what for row in SENTENCES if row.says.search(said)) for said in SAID}
    assert reached | {"the service location"} == {row.what for row in SENTENCES}
