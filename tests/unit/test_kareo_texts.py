"""What Kareo's texts mean, as a table; who is refused, who tries again, and who looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.vendors.kareo.failures import TEXTS, Says, not_found, refuse, said
from daemon.vendors.ports.errors import OutcomeUnknown, Refused, Throttled, Troubled, Unreachable

TABLE: list[tuple[str, Says]] = [
    ("The GetPatients endpoint requested more than allowed. Try again later.", Says.TOO_FAST),
    ("429 Too Many Requests", Says.TOO_FAST),
    ("An unexpected error occurred.", Says.TROUBLE),
    ("An unexpected error has occurred. Please contact support.", Says.TROUBLE),
    ("Internal Server Error", Says.TROUBLE),
    ("Object reference not set to an instance of an object.", Says.TROUBLE),
    ("Transaction (Process ID 71) was deadlocked on lock resources. Rerun the transaction.", Says.TROUBLE),
    ("The service is temporarily unavailable.", Says.TROUBLE),
    ("The system is currently unavailable, please try again later", Says.TROUBLE),
    ("", Says.TROUBLE),
    (" \r\n", Says.TROUBLE),
    ("Timeout expired. The timeout period elapsed prior to completion of the operation.", Says.UNKNOWN),
    ("The request has timed out.", Says.UNKNOWN),
    ("Patient not found", Says.ABSENT),
    ("The patient does not exist", Says.ABSENT),
    ("Unable to find the appointment", Says.ABSENT),
    ("Error translating AppointmentCreate to CreateAppointmentV3Request.", Says.SETUP),
    ("Appointment must have valid ProviderGuids or ResourceGuids", Says.SETUP),
    ("Gender is required", Says.REFUSED),
    ("Invalid procedure code", Says.REFUSED),
    ("The date of birth is unavailable", Says.REFUSED),
    ("Patient DeadlockSmith is a duplicate", Says.REFUSED),
    ("<Encounter><Notes>An unexpected error occurred.<err>too long</err></Notes></Encounter>", Says.REFUSED),
]


@pytest.mark.parametrize(("text", "meaning"), TABLE)
def test_a9_what_a_text_means(text: str, meaning: Says) -> None:
    assert said(text) is meaning


def test_every_row_of_the_table_has_an_example() -> None:
    assert {says for _, says in TEXTS} <= {meaning for _, meaning in TABLE}


@pytest.mark.parametrize(
    ("text", "write", "read"),
    [
        ("An unexpected error occurred.", Troubled, Troubled),
        ("The request has timed out.", OutcomeUnknown, Unreachable),
        ("Gender is required", Refused, Refused),
        ("429", Throttled, Throttled),
    ],
)
def test_a9_three_kinds(text: str, write: type[Exception], read: type[Exception]) -> None:
    for operation, kind in (("CreatePatient", write), ("GetPatient", read)):
        with pytest.raises(kind) as caught:
            refuse(operation, text, 1.0)
        assert text not in str(caught.value)


def test_absent_is_a_word_of_the_table_too() -> None:
    assert not_found(Refused("kareo.GetPatient", vendor_text="Patient not found"))
    assert not not_found(Refused("kareo.GetPatient", vendor_text="An unexpected error occurred."))


@given(st.text(max_size=200))
def test_any_text_means_something(text: str) -> None:
    assert said(text) in Says
