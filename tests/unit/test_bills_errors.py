"""guide: Bills: what is wrong is not sent, gets a Bill Error that says what to fix, and goes when it is corrected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from events.records import BillLine
from events.writes import BillWritten, CreateEncounter, MarkBillError
from projections.state.patient import bill_content
from tests.unit.bills import ANSWER, LINE, SLOT, billed, codes, lined
from tests.unit.clinic import Clinic
from tests.unit.records import ADA_KEY, ADA_THERE, GOOD_BILL

# Pre-checks: the bill is NOT sent, it gets a Bill Error that says what to fix

WRONG = {
    "no date of service": (replace(GOOD_BILL, service_day=None), "date of service"),
    "no lines": (replace(GOOD_BILL, lines=()), "no procedure"),
    "no location": (replace(GOOD_BILL, location=None), "no service location"),
    "unmapped location": (replace(GOOD_BILL, location=99, location_name="Annex"), '"Annex" is not mapped'),
    "no place of service": (replace(GOOD_BILL, place_of_service=""), "place of service"),
    "place of service in words": (replace(GOOD_BILL, place_of_service="Office"), "place of service"),
    "no provider": (replace(GOOD_BILL, rendering_provider=None, physician=None), "provider is not mapped"),
    "unmapped provider": (replace(GOOD_BILL, rendering_provider=77), "provider is not mapped"),
    "missing CPT": (lined(cpt=" "), "Line 1 has no CPT"),
    "CPT too short": (lined(cpt="9921"), "not a CPT"),
    "CPT of other digits": (lined(cpt="９９２１３"), "not a CPT"),
    "modifier too long": (lined(modifiers=("25X",)), "modifiers"),
    "five modifiers": (lined(modifiers=("25", "59", "GT", "LT", "RT")), "modifiers"),
    "no diagnosis": (lined(dxs=()), "no diagnosis"),
    "ICD-9 diagnosis": (lined(dxs=("250.00",)), "not an ICD-10"),
    "bad diagnosis past the fourth": (lined(dxs=(*codes(4), "bad")), "not an ICD-10"),
    "units zero": (lined(units="0"), "units"),
    "units in words": (lined(units="two"), "units"),
    "units 1000": (lined(units="1000"), "units"),
    "units negative": (lined(units="-1"), "units"),
    "no charge": (lined(unit_charge=""), "charge"),
    "charge 1e9": (lined(unit_charge="1e9"), "charge"),
    "charge -1": (lined(unit_charge="-1"), "charge"),
    "charge nan": (lined(unit_charge="nan"), "charge"),
    "a good line and a bad one": (replace(GOOD_BILL, lines=(LINE, BillLine(cpt="99213"))), "Line 2"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_bill_gets_a_bill_error_and_is_not_sent(wrong: str):
    bill, says = WRONG[wrong]
    clinic = billed(bill)

    answer = clinic.wanted(ANSWER)

    assert isinstance(answer, MarkBillError)
    assert says in answer.text
    assert len(answer.text) <= 200
    assert answer.content == bill_content(bill)
    assert clinic.wanted(SLOT) is None
    assert clinic.waits(SLOT) == "bill-error"
    clinic.carry_out_all()
    assert not any(isinstance(one.write, CreateEncounter) for one in clinic.requests())


def test_a_bill_error_is_cut_at_what_elation_holds():
    clinic = billed(replace(GOOD_BILL, location=99, location_name="A" * 300))
    assert len(clinic.wanted(ANSWER).text) == 200


def erroneous() -> Clinic:
    clinic = billed(lined(cpt=""))
    clinic.write(ADA_KEY, ANSWER)
    return clinic


def test_a_bill_error_is_written_once_and_shows_until_it_is_corrected():
    clinic = erroneous()
    assert clinic.open() == []
    assert clinic.waits(SLOT) == "bill-error"

    clinic.bill(replace(lined(cpt=""), status="UnresolvedError", error=clinic.patient().bills["4001"].error))

    assert clinic.open() == []
    assert len([one for one in clinic.requests() if isinstance(one.write, MarkBillError)]) == 1


def test_a_corrected_bill_goes_out_on_save_and_resend():
    clinic = erroneous()

    clinic.bill(replace(GOOD_BILL, status="UnresolvedError", error="Line 1 has no CPT code"))

    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert clinic.waits(SLOT) == ""
    clinic.carry_out_all()
    assert clinic.patient().bills["4001"].billed


def test_save_and_resend_of_a_bill_still_wrong_gets_a_new_bill_error():
    clinic = erroneous()
    clinic.bill(replace(lined(cpt="", unit_charge="130"), status="Unbilled"))
    assert isinstance(clinic.wanted(ANSWER), MarkBillError)


def test_a_correction_seen_before_the_bill_error_was_answered_is_not_lost():
    clinic = billed(lined(cpt=""))
    clinic.attempt(ADA_KEY, ANSWER)
    asked, written = clinic.now, clinic.now + timedelta(seconds=1)
    clinic.bill(GOOD_BILL, modified=asked + timedelta(seconds=30))

    wrong = replace(lined(cpt=""), status="UnresolvedError", error="Line 1 has no CPT code")
    clinic.succeed(ADA_KEY, ANSWER, BillWritten(bill=wrong, modified=written, read_at=written))

    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert clinic.waits(SLOT) == ""


def test_a_correction_that_a_late_bill_error_falls_upon_goes_out():
    """The vendor was away: somebody corrected the bill before the error was written, and the error stands on the corrected one."""
    clinic = billed(lined(cpt=""))
    clinic.attempt(ADA_KEY, ANSWER)

    corrected = replace(GOOD_BILL, status="UnresolvedError", error="Line 1 has no CPT code")
    clinic.succeed(ADA_KEY, ANSWER, BillWritten(bill=corrected, modified=clinic.now, read_at=clinic.now))

    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert clinic.waits(SLOT) == ""
    clinic.carry_out_all()
    assert clinic.patient().bills["4001"].billed


# Kareo refuses


def refused() -> Clinic:
    clinic = billed()
    clinic.refuse(ADA_KEY, SLOT, text="Procedure code 99213 not found")
    return clinic


def test_a_refusal_by_kareo_becomes_a_bill_error_that_says_what_to_do():
    clinic = refused()
    assert clinic.wanted(ANSWER).text == (
        "Line 1 (99213): procedure code 99213 is not in Kareo. Add it: Settings > Codes > Procedures"
    )

    clinic.write(ADA_KEY, ANSWER)

    assert clinic.open() == []
    assert clinic.waits(SLOT) == "bill-error"


def test_a_refused_bill_is_not_sent_again_with_the_same_content():
    clinic = refused()
    clinic.write(ADA_KEY, ANSWER)

    clinic.bill(clinic.patient().bills["4001"].bill)
    clinic.billing(ADA_THERE)

    assert clinic.open() == []


def test_a_refused_bill_goes_again_when_corrected_and_resent():
    clinic = refused()
    clinic.write(ADA_KEY, ANSWER)

    clinic.bill(replace(lined(cpt="99214"), status="Unbilled"))

    assert clinic.wanted(SLOT).lines[0].cpt == "99214"
    clinic.carry_out_all()
    assert clinic.patient().bills["4001"].billed
    assert clinic.waiting() == {}


def test_a_refused_bill_goes_again_on_resend_even_unchanged_once_a_user_cleared_the_error():
    clinic = refused()
    clinic.write(ADA_KEY, ANSWER)
    clinic.bill(replace(GOOD_BILL, status="ResolvedError"))
    assert isinstance(clinic.wanted(SLOT), CreateEncounter)
    assert clinic.intent(ADA_KEY, SLOT).state == "requested"
