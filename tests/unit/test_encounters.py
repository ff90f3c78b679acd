"""guide: Bills: amounts and codes as people write them, read for what they say."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from projections.rules.encounters import distinct, plain_amount
from tests.unit.bills import LINE, SLOT, billed, lined
from tests.unit.records import GOOD_BILL


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("120", "120"),
        ("$120", "120"),
        (" $ 120.50 ", "120.50"),
        ("1,200.00", "1200.00"),
        ("$1,234,567.8", "1234567.8"),
        (".5", "0.5"),
        ("", ""),
        ("1,20", "1,20"),
        ("12,00.00", "12,00.00"),
        ("$$5", "$5"),
    ],
)
def test_an_amount_is_read_as_people_write_it(written: str, plain: str):
    assert plain_amount(written) == plain


@given(amount=st.decimals(min_value=0, max_value=9_999_999, places=2))
def test_an_amount_says_the_same_in_every_form(amount: Decimal):
    forms = (f"{amount}", f"{amount:,}", f"${amount:,}", f" $ {amount} ")
    assert {Decimal(plain_amount(one)) for one in forms} == {amount}
    assert plain_amount(plain_amount(forms[1])) == plain_amount(forms[1])


@pytest.mark.parametrize(("entered", "charge"), [("1,200.00", "1200.00"), ("$120", "120")])
def test_a_charge_with_its_sign_or_commas_goes_out(entered: str, charge: str):
    assert billed(lined(unit_charge=entered)).wanted(SLOT).lines[0].unit_charge == charge


def test_half_a_unit_goes_out():
    assert billed(lined(units=".5")).wanted(SLOT).lines[0].units == "0.5"


def test_a_code_with_and_without_its_dot_is_one_diagnosis_as_it_was_entered_first():
    assert distinct(("E11.9", "e119", " E11.9 ", "I10")) == ("E11.9", "I10")
    assert distinct(("E119", "E11.9")) == ("E119",)


def test_a_line_points_to_the_diagnosis_that_another_line_spelled():
    bill = replace(GOOD_BILL, lines=(replace(LINE, dxs=("E11.9",)), replace(LINE, dxs=("I10", "E119"))))

    write = billed(bill).wanted(SLOT)

    assert [line.dxs for line in write.lines] == [("E11.9",), ("I10", "E11.9")]
    assert write.further_dxs == ()


CODES = st.sampled_from(["E11.9", "E119", "I10", "J45.909", "J45909", "Z00.00"])


@given(codes=st.lists(CODES, max_size=12).map(tuple))
def test_no_diagnosis_stands_twice(codes: tuple[str, ...]):
    found = distinct(codes)
    assert len({code.replace(".", "") for code in found}) == len(found)
    assert {code.replace(".", "") for code in found} == {code.replace(".", "") for code in codes}
    assert set(found) <= set(codes)
