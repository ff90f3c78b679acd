"""A person's values in the one form in which they are compared."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.matching import normalize
from projections.matching.names import names_of, words
from projections.matching.places import city_of, email_of, phone_of, ssn_of, state_of, street_of, zip_of
from tests.matching.people import ada


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("García", "GARCIA"), ("García", "Garci\u0301a"), ("O'Brien", "OBrien"), ("O’Brien", "O Brien"), ("De La Cruz", "Delacruz"),
        ("García-López", "Garcia Lopez"), ("Peters Jr", "Peters"), ("Peters, Jr.", "Peters"), ("McDonald", "Mc Donald"),
        ("Jørgensen", "Jorgensen"), ("Müller", "Muller"), ("Smith RN", "Smith"),
    ],
)  # fmt: skip
def test_last_names_that_are_one(one: str, other: str):
    assert names_of("Ann", "", one, "").last == names_of("Ann", "", other, "").last != ""


def test_a_name_in_one_string_is_taken_apart():
    for first, last in (("", "DOE, JANE"), ("Jane Doe", "")):
        names = names_of(first, "", last, "")
        assert (names.first, names.last) == ("jane", "doe")


def test_titles_initials_and_generations_are_no_first_names():
    names = names_of("Dr. John Q.", "", "Public III", "")
    assert (names.first, names.middle, names.last, names.suffix) == ("john", "q", "public", "iii")


@pytest.mark.parametrize("first", ["Baby Boy", "BB", "Newborn", "babygirl", "Baby Girl A"])
def test_a_newborns_placeholder_is_known(first: str):
    assert names_of(first, "", "Doe", "").placeholder
    assert not names_of("Roy", "", "Baby", "").placeholder


@pytest.mark.parametrize("text", ["999-999-9999", "0000000000", "", "none", "555-5555", "(123) 456-7890", "n/a"])
def test_placeholders_of_phones_are_absent(text: str):
    assert phone_of(text) == ""


def test_a_phone_is_its_digits():
    assert {
        phone_of(text) for text in ("(706) 722-4418", "706.722.4418", "+1 706 722 4418", "17067224418", "706-722-4418 x12")
    } == {"7067224418"}
    assert phone_of("+49 30 901820") == "4930901820"


@pytest.mark.parametrize(
    "text", ["none@none.com", "noemail@noemail.com", "", "n/a", "unknown@x.org", "nobody", "declined@mail.com"]
)
def test_placeholders_of_emails_are_absent(text: str):
    assert email_of(text) == ""


def test_emails_of_one_mailbox_are_one():
    assert email_of(" Jane.Doe+clinic@Gmail.com") == email_of("janedoe@googlemail.com") == "janedoe@gmail.com"


@pytest.mark.parametrize(
    "text",
    [
        "123-45-6788",
        "123-54-6789",
        "222-33-4444",
        "121-21-2121",
        "123-41-2341",
        "000-00-0000",
        "123-45-6789",
        "***-**-6789",
        "6789",
        "999-99-9999",
        "666-12-3456",
        "1234567890",
        "078-05-1120",
    ],
)
def test_ssns_that_nobody_has_are_absent(text: str):
    assert ssn_of(text) == ""


def test_an_ssn_is_nine_digits():
    assert ssn_of("530-12-4481") == ssn_of("530 12 4481") == "530124481"


@pytest.mark.parametrize("text", ["31 N. Oak Street Apt 4", "31 North Oak St", "31 n oak st. #4"])
def test_streets_are_written_in_many_ways(text: str):
    assert street_of(text) == street_of("31 North Oak Street")


def test_places():
    assert state_of("Georgia") == state_of("ga") == "ga"
    assert state_of("New South Wales") == "newsouthwales"
    assert zip_of("02139-4307") == zip_of("2139") == zip_of("02139-") == "02139"
    assert zip_of("SW1A 1AA") == "sw1a1aa"
    assert zip_of("00000") == "" == city_of("unknown")
    assert city_of("St. Paul") == city_of("Saint Paul")
    assert not street_of("Homeless")


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1900, 1, 1), date(9999, 12, 31)])
def test_empty_dates_are_absent(day: date):
    assert normalize(ada(birth_date=day)).born is None


@given(st.text(max_size=20))
def test_normalizing_twice_is_normalizing_once(text: str):
    again = " ".join(words(text))
    assert words(again) == words(text)
    assert city_of(again) == city_of(text)
    for change in (email_of, phone_of, ssn_of, zip_of, state_of):
        assert change(change(text)) == change(text)


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_a_person(first: str, last: str):
    one = ada(first_name=first, last_name=last, address1=last, zip=first, email=last, phones=(first,), ssn=last, city=first)
    assert normalize(one) == normalize(one)


@pytest.mark.parametrize(
    "first",
    [
        "Baby", "Baby Boy", "BABY GIRL B", "Baby Male", "Newborn Male", "NB Male", "Male", "Female", "Boy1", "BB1", "BabyBoyA",
        "Boy of Maria", "Baby Girl of Ana Lucia", "New Born Girl", "Unknown Male", "Twin 2", "Infant Female", "Baby Boy Garcia",
    ],
)  # fmt: skip
def test_what_a_newborn_is_called_before_the_name_is_known_is_no_name(first: str):
    assert names_of(first, "", "Garcia", "").placeholder


@pytest.mark.parametrize("first", ["Boyd", "Babette", "Malena", "Girolamo", "Bonnie", "Unity", "Nb Garcia", "Maria", ""])
def test_a_name_that_begins_like_one_is_a_name(first: str):
    assert not names_of(first, "", "Garcia", "").placeholder


def test_a_state_is_known_by_its_name_and_not_by_its_sound():
    assert state_of("District of Columbia") == state_of("DC") == "dc"
    assert state_of("NEW  YORK") == state_of("new york") == "ny"
    assert state_of("Menia") == "menia"
    assert state_of("Eemn") == "eemn"


def test_a_surname_that_is_a_credential_elsewhere_is_kept():
    assert names_of("Thi", "", "Nguyen Do", "").lasts == names_of("Thi", "", "NGUYEN DO", "").lasts == ("nguyen", "do")
    assert names_of("Ann", "", "Nguyen DO", "").lasts == ("nguyen",)
    assert names_of("Ann", "", "Nguyen MD", "").lasts == ("nguyen",)


@pytest.mark.parametrize("last", ["Na", "Null", "Test", "Patient", "Unknown"])
def test_a_last_name_that_is_no_name_elsewhere_is_one_beside_a_first_name(last: str):
    assert names_of("Katarzyna", "", last, "").last == last.casefold()
    for first in ("Unknown", "Test", "", "Baby Boy"):
        assert names_of(first, "", last, "").last == ""


def test_na_is_a_first_name_where_it_is_written_as_one():
    assert names_of("Na", "", "Kim", "").first == "na"
    assert names_of("NA", "", "Kim", "").first == names_of("na", "", "Kim", "").first == ""


@pytest.mark.parametrize(
    "text",
    [
        "617 555 1234 (mom)",
        "(617) 555-1234 cell",
        "Mom: 617-555-1234",
        "cell (617) 555-1234",
        "617.555.1234 ext. 5",
        "6175551234x12",
    ],
)
def test_a_note_beside_a_phone_is_no_part_of_it(text: str):
    assert phone_of(text) == "6175551234"


def test_the_letters_of_a_number_are_digits():
    assert phone_of("1-800-FLOWERS") == "8003569377"
    assert phone_of("+44 20 7946 0958 (work)") == phone_of("+44 20 7946 0958") != ""
