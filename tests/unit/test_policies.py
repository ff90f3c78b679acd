"""What becomes of a policy's values that are masked, missing, in one text, or of another day."""

from __future__ import annotations

from datetime import date
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.vendors.elation import translate
from events.records import BillingPolicy
from events.terms import PolicyTerms
from projections.matching.places import ssn_of
from projections.rules.insurance import in_order, next_revisit
from projections.rules.policies import (
    AMOUNTS,
    INSURANCE,
    fit_phone,
    fit_state,
    fit_zip,
    relationship,
    says_the_same,
    sex_letter,
    ssn,
)
from projections.terms.codecs import Unfit
from projections.terms.holder import holder_name
from projections.terms.placeholders import is_no_ssn
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, BLUE
from tests.unit.test_insurance import SPOUSE, clinic_with, insured, terms, written

TODAY = date(2026, 3, 2)

# C3: the holder's SSN

MASKED = (
    "***-**-6789", "6789", "1234567890", "000-00-0000", "XXX-XX-6789", "123-00-6789", "123-45-0000", "999999999",
    "123-45-6789", "123-45-6788", "666-12-1234", "900-12-1234", "078-05-1120",
)  # fmt: skip


@pytest.mark.parametrize("masked", MASKED)
def test_c3_an_ssn_that_is_masked_or_cut_is_not_written(masked: str) -> None:
    (one,) = terms(clinic_with(replace(SPOUSE, insured_ssn=masked)))
    assert (one.insured_ssn, one.keeps) == ("", ("insured_ssn",))
    assert "insured_person_ssn" not in translate.policy_body(one, {})
    assert "policy:3001" not in clinic_with(replace(SPOUSE, insured_ssn=masked)).waiting()


@pytest.mark.parametrize("masked", MASKED)
def test_c3_an_ssn_that_becomes_masked_writes_nothing_and_what_elation_has_stays(masked: str) -> None:
    clinic = written(SPOUSE)
    clinic.billing(insured(replace(SPOUSE, insured_ssn=masked)))
    assert clinic.open() == []

    clinic.billing(insured(replace(SPOUSE, insured_ssn=masked, group="G-78")))
    (one,) = terms(clinic)
    assert (one.group_id, one.keeps) == ("G-78", ("insured_ssn",))
    assert "insured_person_ssn" not in translate.policy_body(one, {})


def test_c3_an_ssn_that_is_removed_is_removed() -> None:
    clinic = written(replace(SPOUSE, insured_ssn="6789"))
    clinic.billing(insured(replace(SPOUSE, insured_ssn="")))
    (one,) = terms(clinic)
    assert translate.policy_body(one, {})["insured_person_ssn"] == ""


def test_c3_a_masked_ssn_of_the_patient_is_the_patient_s_own() -> None:
    clinic = clinic_with(replace(BLUE, insured_ssn="***-**-4321"))
    clinic.billing(replace(insured(replace(BLUE, insured_ssn="***-**-4321")), ssn="265-65-4321"))
    (one,) = terms(clinic)
    assert (one.insured_ssn, one.keeps) == ("265654321", ())


@pytest.mark.parametrize("shown", MASKED)
def test_c3_a_number_that_matching_takes_for_none_is_no_ssn(shown: str) -> None:
    assert ssn_of(shown) == ""
    assert isinstance(ssn(shown), Unfit)


@given(number=st.from_regex(r"[1-9][0-9]{2}[1-9][0-9][1-9][0-9]{3}", fullmatch=True))
def test_c3_the_way_an_ssn_is_written_is_no_change(number: str) -> None:
    forms = {number, f"{number[:3]}-{number[3:5]}-{number[5:]}", f"{number[:3]} {number[3:5]} {number[5:]}"}
    read = {ssn(one) for one in forms}
    assert len(read) == 1
    assert read == {number} or is_no_ssn(number)


# C4: the holder's name

NAMES = {
    ("Maria De La Cruz", "De La Cruz"): ("Maria", "De La Cruz"),
    ("Maria De La Cruz", "Smith"): ("Maria", "De La Cruz"),
    ("DOE, JANE", "Smith"): ("JANE", "DOE"),
    ("Doe, Jane, MD", "Smith"): ("Jane", "Doe"),
    ("Ann Smith RN", "Jones"): ("Ann", "Smith"),
    ("Ann Smith DO", "Jones"): ("Ann", "Smith"),
    ("Anh Do", "Do"): ("Anh", "Do"),
    ("Rev. John Smith", "Jones"): ("John", "Smith"),
    ("Earl Jones", "Smith"): ("Earl", "Jones"),
    ("Mr. William R King Jr.", "Byron"): ("William", "King"),
    ("Maria Garcia Lopez", "García-López"): ("Maria", "Garcia Lopez"),
    ("Maria Garcia Lopez", "Lopez"): ("Maria", "Lopez"),
    ("SMITH JOHN", "Smith"): ("JOHN", "SMITH"),
    ("GARCIA LOPEZ MARIA", "García López"): ("MARIA", "GARCIA LOPEZ"),
    ("Maria Garcia Lopez", "Garcia"): ("Maria", "Garcia Lopez"),
    ("James Smith", "James"): ("James", "Smith"),
    ("Robert Lee Smith", "Lee"): ("Robert", "Smith"),
    ("Hon Wai Chan", "Lee"): ("Hon", "Chan"),
    ("Hon. John Smith", "Jones"): ("John", "Smith"),
    ("King", "Byron"): ("", "King"),
    ("  ", "Byron"): ("", ""),
}


@pytest.mark.parametrize(("text", "family"), NAMES)
def test_c4_the_holder_s_name_in_one_text_is_taken_apart(text: str, family: str) -> None:
    assert holder_name(text, family) == NAMES[text, family]


def test_c4_the_patient_s_last_name_helps_for_a_spouse() -> None:
    clinic = clinic_with()
    clinic.ehr(replace(ADA, last_name="Garcia Lopez"))
    spouse = replace(SPOUSE, insured_name="Juan Garcia Lopez")
    clinic.billing(replace(insured(spouse), last_name="Garcia Lopez"))
    (one,) = terms(clinic)
    assert (one.insured_first_name, one.insured_last_name) == ("Juan", "Garcia Lopez")


@pytest.mark.parametrize("said", ["", "Byron", "BYRON, ADA K", "Dr. Ada Lovelace", "William King"])
def test_c4_self_is_always_the_chart_s_own_name(said: str) -> None:
    (one,) = terms(clinic_with(replace(BLUE, insured_name=said)))
    assert (one.insured_first_name, one.insured_last_name) == ("Ada", "Byron")


@given(text=st.text(max_size=30), family=st.text(max_size=10))
def test_c4_any_text_is_a_name_of_words_that_are_in_it(text: str, family: str) -> None:
    first, last = holder_name(text, family)
    assert set(f"{first}{last}") <= set(normalize("NFC", f"{text} "))


# C5, C12


def test_c5_a_policy_that_ends_with_time_has_an_open_end() -> None:
    (one,) = terms(clinic_with(replace(BLUE, start=date(1900, 1, 1), end=date(9999, 12, 31))))
    assert (one.start, one.end) == (None, None)


def test_c5_a_policy_whose_end_is_an_empty_date_has_not_ended() -> None:
    (one,) = terms(clinic_with(replace(BLUE, end=date(1900, 1, 1))))
    assert one.end is None


def test_c12_where_kareo_has_no_birth_date_the_chart_s_own_goes_along() -> None:
    clinic = clinic_with(BLUE)
    clinic.billing(replace(insured(BLUE), birth_date=None))
    write = clinic.wanted("policies")
    assert write.birth_date == ADA.birth_date
    assert write.terms[0].insured_birth_date == ADA.birth_date
    assert "policies" not in clinic.waiting()


def test_c12_policies_carry_the_chart_s_own_names() -> None:
    clinic = clinic_with(BLUE)
    clinic.ehr(replace(ADA, first_name="Augusta", last_name="Byron-King"))
    write = clinic.wanted("policies")
    (one,) = write.terms
    assert (write.first_name, write.last_name) == ("Augusta", "Byron-King")
    assert (one.insured_first_name, one.insured_last_name) == ("Augusta", "Byron-King")


def test_c12_another_holder_s_birth_date_is_never_the_patient_s() -> None:
    (one,) = terms(clinic_with(replace(SPOUSE, insured_birth_date=None)))
    assert one.insured_birth_date is None


# C14

NOW = replace(BLUE, id=3001, end=date(2026, 3, 31))
LATER = replace(BLUE, id=3002, start=date(2026, 4, 1))


def ranks(clinic: Clinic) -> list[tuple[int, int]]:
    return [(one.billing_policy, one.rank) for one in terms(clinic)]


def test_c14_a_policy_that_starts_later_does_not_displace_what_is_in_force() -> None:
    assert ranks(clinic_with(LATER, NOW)) == [(3001, 1), (3002, 2)]


def test_c14_it_takes_its_rank_on_its_day() -> None:
    clinic = written(LATER, replace(NOW, end=None))
    assert next_revisit(clinic.patient().billing, TODAY) == date(2026, 4, 1)

    clinic.pass_days(29)
    assert clinic.open() == []
    clinic.pass_days(1)
    assert ranks(clinic) == [(3002, 1), (3001, 2)]
    assert next_revisit(clinic.patient().billing, date(2026, 4, 1)) is None


def test_c14_beside_three_in_force_it_waits_for_its_day_without_a_word() -> None:
    three = [replace(BLUE, id=3011 + at, end=date(2026, 3, 31)) for at in range(3)]
    clinic = clinic_with(LATER, *three)
    assert ranks(clinic) == [(3011, 1), (3012, 2), (3013, 3)]
    assert clinic.waiting() == {}
    clinic.carry_out_all()
    clinic.pass_days(30)
    assert ranks(clinic) == [(3002, 1)]


DAYS = st.none() | st.dates(date(2026, 2, 1), date(2026, 4, 30))
SOME = st.lists(
    st.builds(BillingPolicy, id=st.integers(1, 9), start=DAYS, end=DAYS), max_size=5, unique_by=lambda one: one.id
)


@given(policies=SOME)
def test_c14_what_is_in_force_goes_first_and_in_the_case_s_order(policies: list[BillingPolicy]) -> None:
    order = in_order(tuple(policies), TODAY)
    later = [one.start is not None and one.start > TODAY for one in order]
    assert later == sorted(later)
    current = [one for one in policies if (one.start or TODAY) <= TODAY <= (one.end or TODAY)]
    assert order[: len(current)] == current
    assert {one.id for one in order} == {one.id for one in policies if one.end is None or one.end >= TODAY}


# every codec of the table

VALUES = st.text(max_size=20) | st.text(alphabet="0123456789 ()-+.$,%*X", max_size=14)
CODECS = [row for row in INSURANCE if row.name not in ("start", "end", "insured_birth_date")]


@pytest.mark.parametrize("row", CODECS, ids=lambda row: row.name)
@given(text=VALUES)
def test_what_a_row_writes_reads_back_equal(row, text: str) -> None:
    made = row.codec(text)
    if not isinstance(made, Unfit):
        assert row.codec(made) == made
        assert row.codec(f" {text} ") == made


FORMS = {
    fit_phone: ("(404) 555-0100", "404.555.0100", "1-404-555-0100"),
    fit_state: ("Georgia", "GA", " ga "),
    fit_zip: ("303030001", "30303-0001", "30303 0001"),
    relationship: ("S", "self", ""),
    sex_letter: ("Female", "F", "f"),
}


@pytest.mark.parametrize("codec", FORMS, ids=lambda codec: codec.__name__)
def test_the_way_a_value_is_written_is_no_change(codec) -> None:
    assert len({codec(one) for one in FORMS[codec]}) == 1


def test_formatting_alone_causes_no_write() -> None:
    clinic = written(SPOUSE)
    again = replace(
        SPOUSE,
        copay="$20.00",
        deductible="1500",
        plan_zip="30303-0001",
        plan_phone="404.555.0100",
        plan_state="ga",
        insured_ssn="530 12 4481",
        insured_name="KING, WILLIAM".title(),
        insured_zip="30303-0002",
        insured_state="GA",
        insured_sex="Male",
        relationship="Spouse",
        end=date(9999, 12, 31),
        number=" XYZ123 ",
    )
    clinic.billing(insured(again))
    assert clinic.open() == []


def test_c8_a_copay_that_is_gone_after_it_was_no_amount_is_cleared() -> None:
    terms_ = PolicyTerms(billing_policy=1, rank=1, carrier_id=2, carrier_name="a", plan_id=3, plan_name="b")
    kept = replace(terms_, keeps=("copay",))
    assert says_the_same(kept, replace(terms_, copay="20.00"))
    assert not says_the_same(terms_, kept)
    assert not says_the_same(kept, replace(terms_, copay="20.00", rank=2))
    assert frozenset(("copay", "deductible")) == AMOUNTS


def test_a_zip_that_is_none_does_not_hold_up_a_policy() -> None:
    (one,) = terms(clinic_with(replace(SPOUSE, insured_zip="2139")))
    assert one.insured_zip == ""
