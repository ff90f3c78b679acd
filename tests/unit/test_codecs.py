"""guide: Demographics: what the codecs make of values."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.writes import System
from projections.matching.places import phone_of
from projections.rules.fields import BY_NAME, DEMOGRAPHICS, same
from projections.terms.codecs import Codec, Email, PhoneNumber, Sex, State, Text, Unfit, ZipCode
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_THERE


@pytest.mark.parametrize("shown", ["7062233445", "(706) 223-3445", "706.223.3445", "+1 706 223 3445", "1-706-223-3445"])
def test_a_phone_is_its_ten_digits_however_it_is_formatted(shown: str):
    assert PhoneNumber().clean(shown) == "7062233445"


@pytest.mark.parametrize("odd", ["706-CALL-NOW", "7062233445 ext 5", "223-3445", "44 20 7946 0018 99", "٧٠٦٢٢٣٣٤٤٥"])
@pytest.mark.parametrize("target", System)
def test_a_phone_with_letters_or_the_wrong_length_is_left_to_a_person(odd: str, target: System):
    codec = PhoneNumber()
    problem = codec.fit(codec.clean(odd), target)
    assert isinstance(problem, Unfit)
    assert problem.code == "not-a-phone"
    assert odd not in problem.text


@pytest.mark.parametrize("shown", ["999-999-9999", "555-555-5555", "(706) 555-5555", "123-456-7890"])
@pytest.mark.parametrize("target", System)
def test_a_phone_that_matching_takes_for_none_is_never_written(shown: str, target: System):
    problem = PhoneNumber().fit(PhoneNumber().clean(shown), target)
    assert isinstance(problem, Unfit)
    assert problem.code == "not-a-phone"
    assert phone_of(shown) == ""


def test_a_placeholder_leaves_the_number_that_the_chart_has():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, home_phone="999-999-9999", city="Macon"))

    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}
    assert clinic.waits("field:home_phone") == "field-not-a-phone"


def test_a_phone_with_letters_waits_while_the_other_fields_go():
    clinic = Clinic()
    clinic.linked()

    clinic.billing(replace(ADA_THERE, work_phone="706-CALL-NOW", city="Macon"))

    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}
    assert clinic.waits("field:work_phone") == "field-not-a-phone"


@pytest.mark.parametrize("written", ["Georgia", "GEORGIA", " georgia ", "ga", "GA"])
def test_a_state_written_out_becomes_its_abbreviation(written: str):
    assert State().fit(State().clean(written), System.EHR) == "GA"


def test_two_words_make_a_state_too():
    assert State().clean("North  Carolina") == "NC"


@pytest.mark.parametrize("unknown", ["Ontario", "ZZ", "G"])
def test_what_is_no_state_waits(unknown: str):
    assert State().fit(State().clean(unknown), System.EHR).code == "not-a-state"


@pytest.mark.parametrize(
    ("written", "clean"),
    [("309011234", "30901-1234"), ("30901-1234", "30901-1234"), ("30901 1234", "30901-1234"), ("30901", "30901")],
)
def test_a_zip_plus_four_is_one_value(written: str, clean: str):
    assert ZipCode().clean(written) == clean


@pytest.mark.parametrize("zeros", ["0000000000", "000-000-0000", "(000) 000-0000", "0", "+1 000 000 0000"])
def test_zeros_are_no_number(zeros: str):
    assert PhoneNumber().clean(zeros) == ""
    assert same("home_phone", zeros, "")


@pytest.mark.parametrize(
    ("written", "code"), [("FM", "FM"), ("mh", "MH"), ("Palau", "PW"), ("Federated States of Micronesia", "FM")]
)
def test_a_state_in_free_association_has_its_abbreviation(written: str, code: str):
    assert State().fit(State().clean(written), System.EHR) == code


def test_a_zip_too_long_waits():
    assert ZipCode().fit("30901-1234-5", System.EHR).code == "too-long"


def test_sex_other_stays_other_in_elation_and_is_unknown_to_kareo():
    assert Sex().fit("Other", System.EHR) == "Other"
    assert Sex().fit("Other", System.BILLING) == "Unknown"
    assert same("sex", "Other", "Unknown")
    assert not same("sex", "Other", "Male")


def test_sex_other_in_elation_is_never_flattened_to_unknown():
    clinic = Clinic()
    clinic.linked(replace(ADA, sex="Other"), replace(ADA_THERE, sex="Unknown"))

    clinic.billing(replace(ADA_THERE, sex="Unknown", city="Macon"))

    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}


def test_a_sex_that_neither_system_knows_waits():
    assert Sex().fit("X", System.BILLING).code == "unknown-sex"


@pytest.mark.parametrize(
    ("name", "most"),
    [("first_name", 70), ("middle_name", 50), ("last_name", 70), ("address1", 200), ("address2", 35), ("city", 50)],
)
def test_a_text_too_long_waits_and_is_never_cut(name: str, most: int):
    codec = BY_NAME[name].codec
    assert codec.fit("x" * most, System.EHR) == "x" * most
    assert codec.fit("x" * (most + 1), System.EHR).code == "too-long"


@pytest.mark.parametrize("wrong", ["ada", "ada@", "a da@example.org", "ada@example", "a" * 250 + "@example.org"])
def test_what_is_no_email_waits(wrong: str):
    assert Email().fit(wrong, System.EHR).code == "not-an-email"


def test_an_email_in_other_case_is_the_same():
    assert same("email", "Ada@Example.org", "ada@example.ORG")


def test_names_differ_by_case_but_not_by_spaces():
    assert same("last_name", "Byron  King", "Byron King")
    assert not same("last_name", "BYRON", "Byron")


NAMED = [field for field in DEMOGRAPHICS if isinstance(field.codec, Text)]


@pytest.mark.parametrize("field", NAMED, ids=lambda field: field.name)
@given(text=st.text(alphabet="aeiou ÁéÎõüñçŁﬁ\u0301\u0308", max_size=12))
def test_composed_and_decomposed_letters_are_the_same(field, text: str):
    composed, decomposed = normalize("NFC", text), normalize("NFD", text)
    assert same(field.name, composed, decomposed)
    assert field.codec.clean(composed) == field.codec.clean(decomposed)


def test_a_name_in_another_unicode_form_is_neither_a_write_nor_a_conflict():
    clinic = Clinic()
    clinic.linked(replace(ADA, last_name="Nu\u0301n\u0303ez"), replace(ADA_THERE, last_name="Núñez"))
    clinic.billing(replace(ADA_THERE, last_name=normalize("NFD", "Núñez")))

    assert [one.state for _, _, one in clinic.open() if one.write.__class__.__name__.startswith("Update")] == []
    assert clinic.patient().conflicts == {}


TEXT = st.text(max_size=30)
SEXES = st.sampled_from(["Female", "male", "OTHER", " unknown ", "", "x", "Intersex"])
CODECS = [field for field in DEMOGRAPHICS if field.name not in ("sex", "provider")]


@pytest.mark.parametrize("field", CODECS, ids=lambda field: field.name)
@given(text=TEXT | st.text(alphabet="0123456789 ()-+.x", max_size=16))
def test_cleaning_twice_changes_nothing_and_keeps_the_key(field, text: str):
    assert_stable(field.codec, text)


@given(text=SEXES)
def test_cleaning_a_sex_twice_changes_nothing_and_keeps_the_key(text: str):
    assert_stable(Sex(), text)


def assert_stable(codec: Codec, text: str) -> None:
    clean = codec.clean(text)
    assert codec.clean(clean) == clean
    assert codec.key(clean) == codec.key(text)


@pytest.mark.parametrize("field", CODECS, ids=lambda field: field.name)
@pytest.mark.parametrize("target", System)
@given(text=TEXT)
def test_what_fits_reads_back_as_the_same(field, target: System, text: str):
    clean = field.codec.clean(text)
    fitted = field.codec.fit(clean, target)
    if not isinstance(fitted, Unfit):
        assert same(field.name, field.codec.clean(fitted), clean)


def test_text_codec_needs_a_value_only_where_it_is_required():
    assert Text(10).fit("", System.BILLING) == ""
    assert Text(10, required=True).fit("", System.BILLING).code == "required"


@pytest.mark.parametrize("unseen", ["\x00", "\x1b\x07", "\x7f", "\x9f", "\u200b", "\ufeff", "\u00ad"])
def test_c_what_nobody_sees_in_a_text_is_no_part_of_it(unseen: str) -> None:
    """A control character in a name would be written, or refused, as if somebody had changed it."""
    for typed in (f"O{unseen}Brien", f"{unseen}OBrien", f"OBrien{unseen}"):
        assert Text(20).clean(typed) == Text(20).key(typed) == "OBrien"
    assert Text(20).clean(f"Mary {unseen} Ann") == "Mary Ann"
