"""guide: Links: what the creation of a chart needs, and what it waits for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.writes import Resource, Searched
from projections.terms.policy import BILLING_LED, Direction
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, HOUSE, KAREO_LOCUM
from tests.unit.searches import HERE, WANTED


@pytest.mark.parametrize(
    ("lacking", "says"),
    [({"birth_date": None}, "date of birth"), ({"last_name": "", "first_name": "Ada"}, "name")],
    ids=["birth date", "last name"],
)
def test_a_kareo_patient_without_what_elation_requires_waits(lacking: dict[str, object], says: str):
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, **lacking))
    clinic.carry_out_all()
    assert clinic.waits("chart") == "incomplete"
    assert says in clinic.waiting()["chart"].text
    assert clinic.links() == set()


def test_a_patient_whose_provider_is_unmapped_goes_to_the_default_physician():
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, provider=KAREO_LOCUM))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert clinic.wanted("chart").physician == HOUSE


def test_without_any_provider_the_creation_waits():
    clinic = Clinic()
    clinic.policy = replace(clinic.policy, default_physician=None)
    clinic.billing(replace(ADA_THERE, provider=None))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert clinic.waits("chart") == "no-provider"


def test_a_third_phone_waits_when_a_chart_is_created():
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, mobile_phone="4045550102", work_phone="4045550103"))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert "work_phone" not in clinic.wanted("chart").fields
    assert clinic.waits("field:work_phone") == "field-no-room"


def test_an_address_without_a_street_waits_when_a_chart_is_created():
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, address1="", address2=""))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert not {"address1", "city", "state", "zip"} & set(clinic.wanted("chart").fields)
    assert clinic.waits("field:city") == "field-no-street"


def test_nothing_is_created_where_the_practice_does_not_want_it():
    clinic = Clinic(table=BILLING_LED | {Resource.CHART: Direction.TO_BILLING})
    clinic.billing(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert clinic.waits("chart") == "not-created"
    assert clinic.open() == []


def test_a_refused_creation_waits_with_the_vendors_words_and_is_not_repeated():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched())
    clinic.refuse(HERE, "chart", text="no such provider")

    clinic.ehr(ADA)

    assert clinic.waits("chart", HERE) == "refused"
    assert "no such provider" in clinic.waiting(HERE)["chart"].text
    assert [one.state for _, _, one in clinic.open()] == ["refused"]


def test_nothing_is_decided_before_both_directories_are_known():
    clinic = Clinic(directory=False)
    clinic.ehr(ADA)
    assert clinic.waits("practice", HERE) == "directory-pending"
    assert clinic.open() == []

    clinic.directories()

    assert clinic.wanted("chart", HERE) == WANTED
    assert clinic.waiting(HERE) == {}
