"""Several numbers of one kind in a chart: the one that the other system knew is ours, the others stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.records import EhrChart, Phone
from projections.rules.fields import own_phones, phones_beside, with_phones
from projections.rules.places import numbers_of
from projections.state.patient import decode_patient, encode_patient
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_THERE

OURS, OTHER, NEW = "4045550101", "4045550102", "4045550103"
TWO = (Phone(kind="Mobile", number=OURS), Phone(kind="Mobile", number="(404) 555-0102"))
THERE = replace(ADA_THERE, home_phone="", mobile_phone=OURS)


def two_mobiles(phones: tuple[Phone, ...] = TWO) -> Clinic:
    """A clinic in which Ada is linked, Elation has two mobile numbers, and Kareo knows one of them."""
    clinic = Clinic()
    clinic.linked(replace(ADA, phones=phones), THERE)
    return clinic


def shown(clinic: Clinic) -> list[str]:
    patient = clinic.patient()
    assert patient.ehr is not None
    return numbers_of(patient.ehr.chart.phones, "Mobile")


def there(clinic: Clinic) -> str:
    patient = clinic.patient()
    assert patient.billing is not None
    return patient.billing.chart.mobile_phone


@pytest.mark.parametrize("phones", [TWO, TWO[::-1]], ids=["first", "second"])
def test_c2_only_the_number_that_kareo_knew_is_removed(phones: tuple[Phone, ...]) -> None:
    clinic = two_mobiles(phones)
    assert clinic.open() == []

    clinic.billing(replace(THERE, mobile_phone=""))
    clinic.carry_out_all()

    assert shown(clinic) == [OTHER]
    assert there(clinic) == ""
    assert clinic.open() == []
    assert clinic.patient().conflicts == {}
    assert clinic.waiting() == {}


def test_c2_the_other_number_is_not_ours_after_it_either() -> None:
    clinic = two_mobiles()
    clinic.billing(replace(THERE, mobile_phone=""))
    clinic.carry_out_all()
    chart = clinic.patient().ehr.chart
    assert decode_patient(encode_patient(clinic.patient())) == clinic.patient()

    clinic.ehr(replace(chart, city="Macon"))
    assert clinic.wanted("demographics:kareo").fields == {"city": "Macon"}


@pytest.mark.parametrize("cleared_first", [True, False])
def test_c2_a_new_number_takes_our_place_and_the_other_stays(cleared_first: bool) -> None:
    clinic = two_mobiles()
    if cleared_first:
        clinic.billing(replace(THERE, mobile_phone=""))
        clinic.carry_out_all()
    clinic.billing(replace(THERE, mobile_phone=NEW))
    clinic.carry_out_all()
    assert sorted(shown(clinic)) == [OTHER, NEW]
    assert clinic.open() == []

    clinic.billing(replace(THERE, mobile_phone=""))
    clinic.carry_out_all()
    assert shown(clinic) == [OTHER]


def test_c2_a_number_that_is_entered_anew_is_somebody_s_entry() -> None:
    clinic = two_mobiles()
    clinic.billing(replace(THERE, mobile_phone=""))
    clinic.carry_out_all()
    chart = clinic.patient().ehr.chart
    clinic.ehr(replace(chart, phones=()))
    assert clinic.patient().beside == {}

    clinic.ehr(replace(chart, phones=(TWO[1],)))
    assert clinic.wanted("demographics:kareo").fields == {"mobile_phone": OTHER}


def test_c2_a_number_that_is_there_already_is_not_there_twice() -> None:
    clinic = two_mobiles()
    clinic.billing(replace(THERE, mobile_phone=OTHER))
    clinic.carry_out_all()
    assert shown(clinic) == [OTHER]
    assert clinic.open() == []


NUMBERS = st.sampled_from([f"404555010{digit}" for digit in range(6)])
KINDS = st.sampled_from(["Home", "Mobile", "Work", "Fax"])
PHONES = st.lists(st.builds(Phone, kind=KINDS, number=NUMBERS), max_size=5, unique_by=lambda one: one.number).map(tuple)
CHANGES = st.dictionaries(st.sampled_from(["home_phone", "mobile_phone", "work_phone"]), NUMBERS | st.just(""), min_size=1)


@given(phones=PHONES, known=CHANGES, changes=CHANGES)
def test_what_is_written_of_a_phone_reads_back_and_the_others_stay(
    phones: tuple[Phone, ...], known: dict[str, str], changes: dict[str, str]
) -> None:
    before = replace(ADA, phones=phones)
    current = own_phones(before, (known,), {})
    beside = phones_beside(before, changes, current)

    after = EhrChart(id=ADA.id, phones=with_phones(phones, changes, beside))

    own = own_phones(after, (), beside)
    assert {name: own[name] for name in changes} == changes
    ours = {current[name] for name in changes}
    assert [one for one in after.phones if one.number not in ours | set(changes.values())] == [
        one for one in phones if one.number not in ours | set(changes.values())
    ]
