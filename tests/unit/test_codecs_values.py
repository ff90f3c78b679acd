"""What the codecs make of values that people and systems write for others.

For every codec: what it writes it reads back equal, and another way of writing the same causes no write.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from daemon.vendors.kareo import rows, values
from daemon.vendors.kareo.answers import Node
from events.records import Provider
from events.writes import System
from projections.rules.fields import DEMOGRAPHICS, same
from projections.rules.policies import money
from projections.state.directory import Directory
from projections.state.maps import physician_for, provider_for
from projections.terms.codecs import CalendarDay, Unfit, ZipCode, known_day, last_day
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_THERE, GREY, KAREO_GREY, PHYSICIANS, PROVIDERS

PACIFIC = rows.ZoneInfo("America/Los_Angeles")
EMPTY_DATES = ("1/1/0001", "01/01/0001", "1/1/1900", "1/1/1900 12:00:00 AM", "0001-01-01T00:00:00", "1900-01-01")

# C5


@pytest.mark.parametrize("text", EMPTY_DATES)
def test_c5_an_empty_date_of_net_or_sql_server_is_no_date(text: str) -> None:
    assert values.day(text) is None
    assert values.moment(text, PACIFIC) is None


@pytest.mark.parametrize("text", EMPTY_DATES)
def test_c5_a_patient_with_an_empty_date_of_birth_is_an_unusable_row(text: str) -> None:
    row = f"<PatientData><ID>901</ID><FirstName>Ada</FirstName><DOB>{text}</DOB></PatientData>"
    found = rows.read_rows([Node(etree.fromstring(row))], rows.patient, PACIFIC, "Patients")
    assert found.rows == ()
    assert [(one.id, one.path) for one in found.bad_rows] == [(901, "Patients[0].DOB")]


def test_c5_a_patient_born_a_day_later_is_none() -> None:
    row = "<PatientData><ID>901</ID><DOB>1/2/1900</DOB></PatientData>"
    found = rows.read_rows([Node(etree.fromstring(row))], rows.patient, PACIFIC, "Patients")
    assert [one.birth_date for one in found.rows] == [date(1900, 1, 2)]


def test_c5_the_end_of_time_is_an_open_end() -> None:
    assert last_day(date(9999, 12, 31)) is None
    assert last_day(date(1900, 1, 1)) is None
    assert last_day(date(2026, 12, 31)) == date(2026, 12, 31)
    assert known_day(date(9999, 12, 31)) == date(9999, 12, 31)


def test_c5_an_empty_birth_date_recorded_earlier_is_written_nowhere() -> None:
    clinic = Clinic()
    clinic.linked(ADA, replace(ADA_THERE, birth_date=date(1900, 1, 1)))
    assert CalendarDay().clean("0001-01-01") == ""
    assert clinic.wanted("demographics:elation") is None
    assert clinic.wanted("demographics:kareo").fields == {"birth_date": "1985-12-10"}


# C7

ZIPS = {"02139-": "02139", "02139-____": "02139", "02139 ": "02139", "02139_____": "02139", "02139-4307": "02139-4307"}


@pytest.mark.parametrize("written", ZIPS)
def test_c7_what_an_entry_mask_leaves_behind_is_no_part_of_a_zip(written: str) -> None:
    clean = ZipCode().clean(written)
    assert clean == ZIPS[written]
    assert ZipCode().fit(clean, System.EHR) == clean


@pytest.mark.parametrize("written", ["2139", "ABCDE", "02139-43", "0213 9"])
def test_c7_what_is_no_zip_waits_while_the_other_fields_go(written: str) -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, zip=written, city="Macon"))
    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}
    assert clinic.waits("field:zip") == "field-not-a-zip"
    assert written not in clinic.waiting()["field:zip"].text


# C8


@pytest.mark.parametrize(
    ("written", "amount"), [("19.999", "20.00"), ("$1,500.00", "1500.00"), (".5", "0.50"), ("20.", "20.00"), ("", "")]
)
def test_c8_an_amount_is_rounded_to_cents(written: str, amount: str) -> None:
    assert money(written) == amount


@pytest.mark.parametrize("written", ["20%", "$20/visit", "N/A", ".", "1.2.3", "-5", "1,2", "٢٠", "9" * 40])
def test_c8_what_is_no_amount_is_told(written: str) -> None:
    assert isinstance(money(written), Unfit)


@given(cents=st.integers(0, 10**9))
def test_c8_an_amount_reads_back_as_it_was_written(cents: int) -> None:
    amount = Decimal(cents) / 100
    forms = [f"{amount:.2f}", f"${amount:,.2f}", f" {amount:.4f} "]
    assert {money(one) for one in forms} == {f"{amount:.2f}"}
    assert money(f"{amount:.2f}") == f"{amount:.2f}"


@given(text=st.text(alphabet="0123456789.,$% -", max_size=14))
def test_c8_money_is_stable(text: str) -> None:
    once = money(text)
    if not isinstance(once, Unfit):
        assert money(once) == once


# C10


@pytest.mark.parametrize("npi", [" 1000000004", "1000000004 ", "1000 000 004", "\t1000000004"])
def test_c10_an_npi_with_blanks_is_mapped(npi: str) -> None:
    clinic = Clinic()
    typed = Provider(id=GREY, first_name="M.", last_name="Gray", npi=npi)
    here = Directory(physicians=(typed, *PHYSICIANS[1:]), providers=PROVIDERS)
    assert provider_for(GREY, here, clinic.policy) == KAREO_GREY
    assert physician_for(KAREO_GREY, here, clinic.policy) == GREY


# every codec

FORMS = st.text(max_size=20) | st.text(alphabet="0123456789 ()-+.x_/", max_size=16)
CODECS = [field for field in DEMOGRAPHICS if field.name != "provider"]


@pytest.mark.parametrize("field", CODECS, ids=lambda field: field.name)
@pytest.mark.parametrize("target", System)
@given(text=FORMS)
def test_what_a_codec_writes_it_reads_back_equal(field, target: System, text: str) -> None:
    written = field.codec.fit(field.codec.clean(text), target)
    if not isinstance(written, Unfit):
        assert same(field.name, field.codec.clean(written), field.codec.clean(text))
        assert field.codec.fit(field.codec.clean(written), target) == written


@pytest.mark.parametrize("field", CODECS, ids=lambda field: field.name)
@given(text=FORMS)
def test_blanks_around_a_value_are_no_change(field, text: str) -> None:
    assert same(field.name, field.codec.clean(f" {text}\t"), field.codec.clean(text))


@given(digits=st.from_regex(r"[0-9]{5}([0-9]{4})?", fullmatch=True))
def test_the_way_a_zip_is_written_is_no_change(digits: str) -> None:
    forms = [digits, f"{digits[:5]}-{digits[5:]}", f"{digits[:5]} {digits[5:]}", f" {digits}"]
    assert len({ZipCode().clean(one) for one in forms}) == 1


@pytest.mark.parametrize("text", ["19850101", "1985-W01-2", "1985-1-1", "1/1/1985", "x"])
def test_only_a_date_as_records_have_it_is_one(text: str):
    assert CalendarDay().fit(text, System.EHR).code == "not-a-date"
