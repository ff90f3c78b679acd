"""guide: Links: search before create, one strong match is linked, the rest waits."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from events.ids import BillingPatientId, EhrChartId
from events.records import EhrChart
from events.schema import ChartLinked
from events.writes import (
    BillingChartWritten,
    Candidate,
    CreateBillingChart,
    CreateEhrChart,
    EhrChartWritten,
    SearchBilling,
    Searched,
    SearchEhr,
)
from projections.rules.people import candidate
from projections.words.words import describe
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE
from tests.unit.searches import HERE, SAME, WANTED

ELSEWHERE = {
    "address1": "9 Elm Road",
    "address2": "",
    "city": "Macon",
    "zip": "31201",
    "home_phone": "4781112222",
    "email": "",
    "middle_name": "",
}

# How much a candidate looks like the person


def verdict(chart: EhrChart = ADA, **changes: object) -> str:
    """What one Kareo patient in our own copy, Ada but for `changes`, comes to for Ada's chart."""
    clinic = Clinic()
    there = replace(ADA_THERE, **changes)
    clinic.billing(there)
    clinic.ehr(chart)
    clinic.succeed(f"E:{chart.id}", "chart", Searched(candidates=(candidate(there),)))
    if clinic.links():
        return "linked"
    return clinic.waits("chart", f"E:{chart.id}") or "created"


@pytest.mark.parametrize(
    ("what", "changes", "expected"),
    [
        ("the same person", {}, "linked"),
        ("case and accents of punctuation do not matter", {"last_name": "BYRON "}, "linked"),
        ("an accent does not matter", {"first_name": "Adá"}, "linked"),
        ("a typing error in the last name", {"last_name": "Byrno"}, "linked"),
        ("no middle name on one side", {"middle_name": ""}, "linked"),
        ("an initial for the middle name", {"middle_name": "K."}, "linked"),
        ("a maiden name at the same address", {"last_name": "Lovelace"}, "linked"),
        ("another sex, all else the same", {"sex": "Male"}, "linked"),
        ("day and month swapped", {"birth_date": date(1985, 10, 12)}, "linked"),
        ("another year", {"birth_date": date(1986, 12, 10)}, "linked"),
        ("another middle name", {"middle_name": "Noel"}, "candidates"),
        ("another day altogether", {"birth_date": date(1986, 1, 11)}, "candidates"),
        ("no birth date", {"birth_date": None}, "candidates"),
        ("a twin", {"first_name": "Medora"}, "candidates"),
        ("somebody else", {"first_name": "Mary", "last_name": "Shelley", "birth_date": date(1797, 8, 30)}, "created"),
        ("a namesake born on the day who shares nothing else", ELSEWHERE, "candidates"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_what_a_chart_in_our_own_copy_comes_to(what: str, changes: dict[str, object], expected: str):
    assert verdict(**changes) == expected


@pytest.mark.parametrize(("one", "other"), [("Robert", "Bob"), ("Margaret", "Peggy"), ("Bill", "William"), ("Jim", "James")])
def test_a_nickname_at_the_same_address_is_certain(one: str, other: str):
    assert verdict(replace(ADA, first_name=one), first_name=other) == "linked"


def test_a_chart_that_was_not_read_yet_waits_until_it_is():
    """What the vendor's search shows of it, names and birth date, is too little for a link."""
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))
    assert clinic.waits("chart", HERE) == "candidates"
    clinic.billing(ADA_THERE)
    assert clinic.links() == {(101, 901)}


def test_the_link_says_how_alike_the_two_are_and_names_no_value():
    clinic = Clinic()
    clinic.billing(replace(ADA_THERE, last_name="Byrno"))
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(replace(SAME, last_name="Byrno"),)))
    (linked,) = [event.body for event in clinic.events if isinstance(event.body, ChartLinked)]
    assert linked.likeness is not None
    assert linked.likeness.certain
    assert linked.likeness.probability > 0.999
    assert linked.likeness.levels["last name"] == "misspelt"
    assert linked.likeness.levels["birth date"] == "same"
    told = describe(linked)
    assert "last name: misspelt" in told
    assert "same first name" in told
    assert not any(value in told for value in ("Byron", "Byrno", "Ada", "1985", "Main"))


# Search before create


def test_a_new_elation_chart_is_searched_in_kareo_before_anything_is_created():
    clinic = Clinic()
    clinic.ehr(ADA)
    assert clinic.wanted("chart", HERE) == WANTED


def test_a_new_kareo_patient_is_searched_in_elation_before_anything_is_created():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    wanted = clinic.wanted("chart")
    assert isinstance(wanted, SearchEhr)
    assert (wanted.first_name, wanted.last_name, wanted.birth_date) == ("Ada", "Byron", date(1985, 12, 10))


def test_no_match_creates_a_kareo_patient_with_a_case_and_a_findable_id():
    clinic = Clinic(case_name="Office", payer_scenario="Insurance")
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched())

    write = clinic.wanted("chart", HERE)
    assert isinstance(write, CreateBillingChart)
    assert (write.case_name, write.payer_scenario, write.external_id) == ("Office", "Insurance", "101")
    assert write.provider == 501
    assert write.fields["home_phone"] == "7062233445"

    clinic.succeed(HERE, "chart", BillingChartWritten(chart=ADA_THERE, read_at=clinic.now))
    assert clinic.links() == {(101, 901)}
    assert clinic.open() == []


def test_no_match_creates_an_elation_chart_that_carries_our_metadata():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())

    write = clinic.wanted("chart")
    assert isinstance(write, CreateEhrChart)
    assert (write.link_hint, write.physician) == ("kareo-patient:901", 11)

    clinic.succeed(ADA_KEY, "chart", EhrChartWritten(chart=ADA, read_at=clinic.now))
    assert clinic.links() == {(101, 901)}
    assert clinic.open() == []


def test_one_strong_match_is_linked_instead_of_duplicated():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))
    assert clinic.links() == {(101, 901)}
    assert not any(isinstance(one.write, CreateBillingChart | CreateEhrChart) for one in clinic.requests())


@pytest.mark.parametrize(
    "others",
    [
        (replace(SAME, id=902),),
        (replace(SAME, id=902, middle_name="Noel"),),
        (replace(SAME, id=902, last_name="Lovelace"),),
    ],
    ids=["two strong", "a strong and a weak", "a strong and a maiden name"],
)
def test_several_candidates_wait_for_a_person(others: tuple[Candidate, ...]):
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(SAME, *others)))
    assert clinic.links() == set()
    assert clinic.waits("chart", HERE) == "candidates"
    assert clinic.waiting(HERE)["chart"].depends_on == ("patient:901", "patient:902")
    assert clinic.open() == []


@pytest.mark.parametrize("weak", [{"last_name": "Lovelace"}, {"first_name": "Adaline"}, {"sex": "Male"}], ids=str)
def test_a_weak_candidate_waits_for_a_person(weak: dict[str, str]):
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(replace(SAME, **weak),)))
    assert clinic.waits("chart", HERE) == "candidates"
    assert clinic.open() == []


def test_a_twin_of_somebody_who_is_linked_gets_a_chart_of_their_own():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(ADA, id=EhrChartId(102), first_name="Medora"))
    clinic.succeed("E:102", "chart", Searched(candidates=(SAME,)))
    assert isinstance(clinic.wanted("chart", "E:102"), CreateBillingChart)


def test_a_candidate_that_is_linked_already_is_not_linked_again():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(ADA, id=EhrChartId(102)))

    clinic.succeed("E:102", "chart", Searched(candidates=(SAME,)))

    assert clinic.links() == {(101, 901)}
    assert clinic.waits("chart", "E:102") == "candidates"
    assert "duplicate" in clinic.waiting("E:102")["chart"].text


def test_two_charts_that_find_the_same_patient_get_one_link_between_them():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.ehr(ADA)
    clinic.ehr(replace(ADA, id=EhrChartId(102)))

    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))
    clinic.succeed("E:102", "chart", Searched(candidates=(SAME,)))

    assert clinic.links() == {(101, 901)}
    assert clinic.waits("chart", "E:102") == "candidates"


def test_a_candidate_for_whom_a_chart_is_just_being_created_is_not_free():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())
    clinic.attempt(ADA_KEY, "chart")
    clinic.ehr(ADA)

    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))

    assert clinic.links() == set()
    assert clinic.waits("chart", HERE) == "candidates"


def test_a_match_deleted_in_elation_is_not_linked():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.elation_deleted(ADA.id)
    clinic.billing(ADA_THERE)

    clinic.succeed(ADA_KEY, "chart", Searched(candidates=(candidate(ADA),)))

    assert clinic.links() == set()
    assert clinic.waits("chart") == "candidates"


def test_our_metadata_on_the_elation_chart_links_without_a_search():
    clinic = Clinic()
    assert clinic.linked(replace(ADA, first_name="Augusta")) == ADA_KEY
    assert clinic.links() == {(101, 901)}


def test_metadata_naming_a_patient_who_is_linked_already_is_not_believed():
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(ADA, id=EhrChartId(102), link_hint="kareo-patient:901"))
    assert clinic.links() == {(101, 901)}
    assert isinstance(clinic.wanted("chart", "E:102"), SearchBilling)


def test_metadata_of_somebody_else_is_no_hint():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.ehr(replace(ADA, link_hint="901"))
    assert isinstance(clinic.wanted("chart", HERE), SearchBilling)


def test_a_creation_refused_as_a_duplicate_of_the_same_person_links_to_that_chart():
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())

    clinic.succeed(ADA_KEY, "chart", Searched(candidates=(candidate(ADA),), refused=True))
    assert clinic.waits("chart") == "candidates"
    clinic.ehr(ADA)

    assert clinic.links() == {(101, 901)}


@pytest.mark.parametrize(
    "other", [{"last_name": "Lovelace"}, {"first_name": "Mary", "last_name": "Shelley"}], ids=["weak", "no match"]
)
def test_a_creation_refused_for_somebody_elses_chart_waits_and_is_not_repeated(other: dict[str, str]):
    clinic = Clinic()
    clinic.billing(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())

    clinic.succeed(ADA_KEY, "chart", Searched(candidates=(replace(candidate(ADA), **other),), refused=True))
    clinic.billing(ADA_THERE)

    assert clinic.links() == set()
    assert clinic.waits("chart") == "candidates"
    assert clinic.open() == []


def test_a_name_corrected_later_is_searched_anew():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(replace(SAME, last_name="Lovelace"),)))

    clinic.ehr(replace(ADA, last_name="Lovelace"))

    assert clinic.wanted("chart", HERE) == replace(WANTED, last_name="Lovelace")


def test_a_creation_under_way_is_not_disturbed_by_a_change_of_name():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched())
    clinic.lose(HERE, "chart")

    clinic.ehr(replace(ADA, last_name="Lovelace"))

    assert clinic.intent(HERE, "chart").state == "unknown"
    assert isinstance(clinic.wanted("chart", HERE), CreateBillingChart)


def test_what_changed_while_a_chart_was_created_follows_after_it():
    clinic = Clinic()
    clinic.ehr(ADA)
    clinic.succeed(HERE, "chart", Searched())
    clinic.attempt(HERE, "chart")
    clinic.ehr(replace(ADA, city="Macon"))

    clinic.succeed(HERE, "chart", BillingChartWritten(chart=ADA_THERE, read_at=clinic.now))

    assert clinic.links() == {(101, 901)}
    assert clinic.wanted("demographics:kareo").fields == {"city": "Macon"}
    assert clinic.wanted("demographics:elation") is None


def test_one_chart_has_one_link_and_one_patient_has_one_link():
    clinic = Clinic()
    for number in range(3):
        clinic.linked(
            replace(ADA, id=EhrChartId(101 + number), first_name=f"Ada{number}"),
            replace(ADA_THERE, id=BillingPatientId(901 + number), first_name=f"Ada{number}"),
        )
    links = clinic.links()
    assert len(links) == len({one for one, _ in links}) == len({other for _, other in links}) == 3
