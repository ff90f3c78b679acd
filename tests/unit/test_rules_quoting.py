"""What a text may not repeat of a patient, in whatever form."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from projections.rules.quoting import tells_nothing_of
from tests.unit.records import ADA_THERE

JOSE = replace(
    ADA_THERE,
    first_name="José",
    middle_name="",
    last_name="García-O'Brien",
    birth_date=date(2001, 3, 12),
    home_phone="(617) 555-1234",
    ssn="530-12-4481",
)


@pytest.mark.parametrize(
    "said",
    [
        "Duplicate claim for Jose",
        "Duplicate claim for JOSÉ",
        "JOSÉ’s plan ended",
        "GARCIA is not covered",
        "Garcia OBrien is not covered",
        "O Brien is not covered",
        "GARCIAOBRIEN is not covered",
        "born 12-Mar-2001",
        "born March 12, 2001",
        "born 12th of March 2001",
        "born 2001.03.12",
        "born 2001-03-12T00:00:00",
        "born 3/12/01",
        "born 03 12 2001",
        "member 20010312",
        "12032001",
        "12MAR2001",
        "010312",
        "SSN ending 4481",
        "SSN ***-**-4481",
        "SSN 530124481",
        "call 555-1234",
        "call 555.1234",
        "1 Main St. is outside the area",
    ],
)
def test_c16_a_patient_is_recognised_in_any_usual_form(said: str) -> None:
    assert not tells_nothing_of(JOSE, said)


@pytest.mark.parametrize(
    "said",
    [
        "The posting date lies in a closed period",
        "Line 2: 99213 needs modifier 25 from 3/1/2026",
        "Joseph and Garcias are other words",
        "The limit is 44810 units",
    ],
)
def test_c16_a_text_without_the_patient_may_be_read(said: str) -> None:
    assert tells_nothing_of(JOSE, said)


@given(
    born=st.dates(date(1900, 1, 1), date(2026, 1, 1)),
    form=st.sampled_from(["%m/%d/%Y", "%d.%m.%y", "%d %b %Y", "%B %d, %Y", "%Y%m%d", "%d%m%Y"]),
)
def test_c16_any_birth_date_is_recognised(born: date, form: str) -> None:
    assert not tells_nothing_of(replace(JOSE, birth_date=born), f"born {born.strftime(form)} and active")
