"""guide: Demographics: every row of the table both ways, providers, Elation's two slots for phones, the address."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.records import EhrChart, Phone
from events.writes import System
from projections.rules.fields import (
    DEMOGRAPHICS,
    PHONE_KINDS,
    PHONE_SLOTS,
    billing_view,
    ehr_view,
    fit,
    hold_address,
    place_phones,
    with_phones,
)
from projections.terms.names import NAMES
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GREY, HOUSE, KAREO_GREY, KAREO_HOUSE, KAREO_LOCUM

# The table of deploy/DESIGN.md, The two roles: canonical name, how each system holds a changed value, and the value as it is written.
ROWS = {
    "first_name": ({"first_name": "Adah"}, {"first_name": "Adah"}, "Adah"),
    "middle_name": ({"middle_name": "Noel"}, {"middle_name": "Noel"}, "Noel"),
    "last_name": ({"last_name": "Lovelace"}, {"last_name": "Lovelace"}, "Lovelace"),
    "birth_date": ({"birth_date": date(1985, 12, 11)}, {"birth_date": date(1985, 12, 11)}, "1985-12-11"),
    "sex": ({"sex": "Male"}, {"sex": "Male"}, "Male"),
    "home_phone": (
        {"phones": (Phone(kind="Home", number="404-555-0101"),)},
        {"home_phone": "(404) 555-0101"},
        "4045550101",
    ),
    "mobile_phone": (
        {"phones": (*ADA.phones, Phone(kind="Mobile", number="4045550102"))},
        {"mobile_phone": "(404) 555-0102"},
        "4045550102",
    ),
    "work_phone": (
        {"phones": (*ADA.phones, Phone(kind="Work", number="4045550103"))},
        {"work_phone": "(404) 555-0103"},
        "4045550103",
    ),
    "email": ({"emails": ("countess@example.org",)}, {"email": "countess@example.org"}, "countess@example.org"),
    "address1": ({"address1": "2 Main Street"}, {"address1": "2 Main Street"}, "2 Main Street"),
    "address2": ({"address2": "Suite 5"}, {"address2": "Suite 5"}, "Suite 5"),
    "city": ({"city": "Macon"}, {"city": "Macon"}, "Macon"),
    "state": ({"state": "FL"}, {"state": "Florida"}, "FL"),
    "zip": ({"zip": "31201"}, {"zip": "31201"}, "31201"),
    "provider": ({"physician": HOUSE}, {"provider": KAREO_HOUSE}, str(KAREO_HOUSE)),
}


def test_the_table_has_a_test_for_every_row():
    assert set(ROWS) == {field.name for field in DEMOGRAPHICS}


@pytest.mark.parametrize("name", ROWS)
def test_a_change_in_kareo_goes_to_elation(name: str):
    clinic = Clinic()
    clinic.linked()

    clinic.billing(replace(ADA_THERE, **ROWS[name][1]))

    write = clinic.wanted("demographics:elation")
    assert write.fields == {name: ROWS[name][2]}
    assert write.physician == (HOUSE if name == "provider" else None)
    assert clinic.wanted("demographics:kareo") is None


@pytest.mark.parametrize("name", ROWS)
def test_a_change_in_elation_goes_to_kareo(name: str):
    clinic = Clinic()
    clinic.linked()

    clinic.ehr(replace(ADA, **ROWS[name][0]))

    write = clinic.wanted("demographics:kareo")
    assert write.fields == {name: ROWS[name][2]}
    assert write.provider == (KAREO_HOUSE if name == "provider" else None)
    assert clinic.wanted("demographics:elation") is None


@pytest.mark.parametrize("name", ["middle_name", "home_phone", "email", "address2"])
def test_a_value_removed_on_one_side_is_removed_on_the_other(name: str):
    clinic = Clinic()
    clinic.linked()

    clinic.billing(replace(ADA_THERE, **{name: ""}))

    assert clinic.wanted("demographics:elation").fields == {name: ""}


@pytest.mark.parametrize(
    ("name", "empty"), [("first_name", ""), ("last_name", ""), ("birth_date", None), ("provider", None)]
)
def test_what_cannot_be_cleared_waits_with_a_reason(name: str, empty: object):
    clinic = Clinic()
    clinic.linked()

    clinic.billing(replace(ADA_THERE, **{name: empty}))

    assert clinic.wanted("demographics:elation") is None
    assert clinic.waits(f"field:{name}") in ("field-required", "field-cannot-clear")


def test_fields_not_listed_are_never_written():
    clinic = Clinic()
    clinic.linked()

    clinic.billing(replace(ADA_THERE, ssn="123456789", city="Macon"))

    assert set(clinic.wanted("demographics:elation").fields) == {"city"}


def test_a_new_name_goes_to_kareo_with_what_else_changed():
    clinic = Clinic()
    clinic.linked()

    clinic.ehr(replace(ADA, last_name="Lovelace", city="Macon"))

    assert clinic.wanted("demographics:kareo").fields == {"last_name": "Lovelace", "city": "Macon"}


# Providers


def test_a_provider_is_mapped_by_npi_both_ways():
    clinic = Clinic()
    assert ehr_view(ADA, clinic.state.directory, clinic.policy)["provider"] == str(KAREO_GREY)
    fitting, problems = fit({"provider": str(KAREO_GREY)}, System.EHR, clinic.state.directory, clinic.policy)
    assert (fitting, problems) == ({"provider": str(GREY)}, {})


def test_a_provider_mapped_by_hand_goes_before_the_npi():
    clinic = Clinic(providers={GREY: KAREO_LOCUM})
    assert ehr_view(ADA, clinic.state.directory, clinic.policy)["provider"] == str(KAREO_LOCUM)


def test_a_provider_mapped_by_hand_is_mapped_back_where_that_is_unambiguous():
    one, two = Clinic(providers={77: KAREO_LOCUM}), Clinic(providers={77: KAREO_LOCUM, 78: KAREO_LOCUM})
    for clinic in (one, two):
        clinic.linked()
        clinic.billing(replace(ADA_THERE, provider=KAREO_LOCUM))
    assert one.wanted("demographics:elation").physician == 77
    assert two.waits("field:provider") == "field-unmapped"


def test_an_unmapped_kareo_provider_waits_until_it_is_mapped():
    clinic = Clinic()
    clinic.linked()

    clinic.billing(replace(ADA_THERE, provider=KAREO_LOCUM, city="Macon"))

    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}
    assert clinic.waits("field:provider") == "field-unmapped"
    assert clinic.waiting()["field:provider"].depends_on == ("directory",)


def test_an_unmapped_elation_physician_waits_and_overwrites_nothing():
    clinic = Clinic()
    clinic.linked()

    clinic.ehr(replace(ADA, physician=77))

    assert clinic.open() == []
    assert clinic.waits("field:provider") == "field-unmapped"


# Phones in Elation's two slots


def charted(*kinds: str) -> EhrChart:
    return replace(ADA, phones=tuple(Phone(kind=kind, number=f"404555010{at}") for at, kind in enumerate(kinds)))


def test_two_numbers_find_room_in_two_slots():
    assert place_phones(charted(), {"home_phone": "1", "work_phone": "2"}, NAMES) == (
        {"home_phone": "1", "work_phone": "2"},
        {},
    )


def test_of_three_numbers_the_third_waits():
    fitting, problems = place_phones(charted(), {"home_phone": "1", "mobile_phone": "2", "work_phone": "3"}, NAMES)
    assert fitting == {"home_phone": "1", "mobile_phone": "2"}
    assert problems["work_phone"].code == "no-room"


@pytest.mark.parametrize("foreign", ["Main", "Fax", "Night", "Other"])
def test_a_number_of_another_type_is_never_evicted(foreign: str):
    clinic = Clinic()
    clinic.linked(charted("Home", foreign), replace(ADA_THERE, home_phone="4045550100"))

    clinic.billing(replace(ADA_THERE, home_phone="4045550100", mobile_phone="4045550177"))

    assert clinic.wanted("demographics:elation") is None
    assert clinic.waits("field:mobile_phone") == "field-no-room"


def test_a_number_changed_in_place_fits_in_a_full_chart():
    assert place_phones(charted("Home", "Main"), {"home_phone": "9"}, NAMES) == ({"home_phone": "9"}, {})


def test_a_number_removed_makes_room_for_another_in_the_same_write():
    changes = {"home_phone": "", "work_phone": "9"}
    assert place_phones(charted("Home", "Main"), changes, NAMES) == (changes, {})


def test_a_chart_with_too_many_numbers_already_takes_no_more():
    fitting, problems = place_phones(charted("Main", "Fax", "Night"), {"home_phone": "9"}, NAMES)
    assert fitting == {}
    assert set(problems) == {"home_phone"}


def test_the_waiting_number_goes_when_elation_has_room_again():
    clinic = Clinic()
    clinic.linked(charted("Home", "Main"), replace(ADA_THERE, home_phone="4045550100"))
    clinic.billing(replace(ADA_THERE, home_phone="4045550100", mobile_phone="4045550177"))

    clinic.ehr(charted("Home"))

    assert clinic.wanted("demographics:elation").fields == {"mobile_phone": "4045550177"}
    assert clinic.waits("field:mobile_phone") == ""


def test_the_array_sent_keeps_foreign_numbers_and_their_order():
    phones = (Phone(kind="Fax", number="5"), Phone(kind="Home", number="6"))
    assert with_phones(phones, {"home_phone": "7", "mobile_phone": "8"}) == (
        Phone(kind="Fax", number="5"),
        Phone(kind="Home", number="7"),
        Phone(kind="Mobile", number="8"),
    )


KINDS = st.sampled_from(["Home", "Mobile", "Work", "Main", "Fax", "Night", "Other"])
PHONES = st.lists(st.builds(Phone, kind=KINDS, number=st.from_regex(r"[2-9]\d{9}", fullmatch=True)), max_size=4).map(tuple)
NUMBERS = st.just("") | st.from_regex(r"[2-9]\d{9}", fullmatch=True)
CHANGES = st.dictionaries(st.sampled_from(list(PHONE_KINDS)), NUMBERS)


@given(phones=PHONES, changes=CHANGES)
def test_what_is_placed_never_drops_a_foreign_number_nor_overfills_the_chart(
    phones: tuple[Phone, ...], changes: dict[str, str]
):
    fitting, problems = place_phones(replace(ADA, phones=phones), changes, NAMES)
    after = with_phones(phones, fitting)

    foreign = [phone for phone in phones if phone.kind not in PHONE_KINDS.values()]
    assert [phone for phone in after if phone.kind not in PHONE_KINDS.values()] == foreign
    assert len(after) <= max(PHONE_SLOTS, len(phones))
    assert set(fitting) | set(problems) == set(changes)
    assert not set(fitting) & set(problems)
    for name, number in fitting.items():
        held = [phone.number for phone in after if phone.kind == PHONE_KINDS[name]]
        assert number in held if number else len(held) == max(0, sum(p.kind == PHONE_KINDS[name] for p in phones) - 1)


# The address, which Elation refuses without its first line


def test_city_without_a_street_waits():
    chart = replace(ADA, address1="", address2="", city="", state="", zip="")
    fitting, problems = hold_address(chart, {"city": "Macon", "zip": "31201"}, NAMES)
    assert fitting == {}
    assert {name: problem.code for name, problem in problems.items()} == {"city": "no-street", "zip": "no-street"}


def test_city_with_a_street_on_the_chart_goes():
    assert hold_address(ADA, {"city": "Macon"}, NAMES) == ({"city": "Macon"}, {})


def test_removing_the_street_alone_waits():
    assert hold_address(ADA, {"address1": ""}, NAMES)[1]["address1"].code == "no-street"


def test_removing_the_whole_address_goes():
    whole = {"address1": "", "address2": "", "city": "", "state": "", "zip": ""}
    assert hold_address(ADA, whole, NAMES) == (whole, {})


def test_an_untouched_address_needs_nothing():
    assert hold_address(replace(ADA, address1=""), {}, NAMES) == ({}, {})


def test_views_of_an_empty_chart_are_empty():
    clinic = Clinic()
    assert set(ehr_view(EhrChart(id=ADA.id), clinic.state.directory, clinic.policy).values()) == {""}
    assert set(billing_view(type(ADA_THERE)(id=ADA_THERE.id)).values()) == {""}
    assert clinic.state.patients.get(ADA_KEY) is None
