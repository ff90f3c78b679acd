"""DESIGN 2, Links: search before create, one strong match is linked, the rest waits; merges, deletions and restores."""

from __future__ import annotations

from datetime import date

import pytest

from events.ids import ElationChartId, KareoPatientId
from events.schema import LinkMoved, LinkResumed, LinkSuspended
from events.writes import (
    Candidate,
    CreateElationChart,
    CreateEncounter,
    CreateKareoChart,
    ElationChartWritten,
    KareoChartWritten,
    Resource,
    Searched,
    SearchElation,
    SearchKareo,
)
from projections.links import Grade, grade, survivor
from projections.open_intents import put
from projections.policy import KAREO_LED, Direction
from tests.unit.clinic import ADA, ADA_KEY, ADA_THERE, GOOD_BILL, HOUSE, KAREO_LOCUM, Clinic, candidate

HERE = "E:101"
WANTED = SearchKareo(first_name="Ada", last_name="Byron", birth_date=date(1985, 12, 10), sex="Female")
SAME = candidate(ADA_THERE)


# How much a candidate looks like the person


@pytest.mark.parametrize(
    ("what", "changes", "middle", "expected"),
    [
        ("the same person", {}, "King", Grade.STRONG),
        ("case and accents of punctuation do not matter", {"last_name": "BYRON "}, "King", Grade.STRONG),
        ("a hyphen does not matter", {"first_name": "A-da"}, "King", Grade.STRONG),
        ("an accent does not matter", {"first_name": "Adá"}, "King", Grade.STRONG),
        ("a letter too many", {"first_name": "Adda"}, "King", Grade.WEAK),
        ("a typing error in the last name", {"last_name": "Byrno"}, "King", Grade.WEAK),
        ("no middle name on one side", {"middle_name": ""}, "King", Grade.STRONG),
        ("an initial for the middle name", {"middle_name": "K."}, "King", Grade.STRONG),
        ("another middle name: Jr and Sr", {"middle_name": "Noel"}, "King", Grade.WEAK),
        ("another sex", {"sex": "Male"}, "King", Grade.WEAK),
        ("a twin", {"first_name": "Medora"}, "King", Grade.NONE),
        ("a maiden name", {"last_name": "Lovelace"}, "King", Grade.WEAK),
        ("a maiden name and another sex", {"last_name": "Lovelace", "sex": "Male"}, "King", Grade.NONE),
        ("day and month swapped", {"birth_date": date(1985, 10, 12)}, "King", Grade.WEAK),
        ("another year", {"birth_date": date(1986, 12, 10)}, "King", Grade.WEAK),
        ("another day altogether", {"birth_date": date(1986, 1, 11)}, "King", Grade.NONE),
        ("no birth date", {"birth_date": None}, "King", Grade.WEAK),
        ("a prefix of the first name", {"first_name": "Adaline"}, "King", Grade.WEAK),
        ("somebody else", {"first_name": "Mary", "last_name": "Shelley"}, "", Grade.NONE),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_grade(what: str, changes: dict[str, object], middle: str, expected: Grade):
    assert grade(WANTED, put(SAME, **changes), middle_name=middle) is expected


@pytest.mark.parametrize(
    ("one", "other"), [("Robert", "Bob"), ("Margaret", "Peggy"), ("Bill", "William"), ("Elizabeth", "Liz"), ("Jim", "James")]
)
def test_a_nickname_is_a_weak_match(one: str, other: str):
    wanted = put(WANTED, first_name=one)
    assert grade(wanted, put(SAME, first_name=other)) is Grade.WEAK


def test_sex_other_and_unknown_do_not_speak_against_each_other():
    assert grade(put(WANTED, sex="Other"), put(SAME, sex="Unknown")) is Grade.STRONG


# Search before create


def test_a_new_elation_chart_is_searched_in_kareo_before_anything_is_created():
    clinic = Clinic()
    clinic.elation(ADA)
    assert clinic.wanted("chart", HERE) == WANTED


def test_a_new_kareo_patient_is_searched_in_elation_before_anything_is_created():
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    wanted = clinic.wanted("chart")
    assert isinstance(wanted, SearchElation)
    assert (wanted.first_name, wanted.last_name, wanted.birth_date) == ("Ada", "Byron", date(1985, 12, 10))


def test_no_match_creates_a_kareo_patient_with_a_case_and_a_findable_id():
    clinic = Clinic(case_name="Office", payer_scenario="Insurance")
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched())

    write = clinic.wanted("chart", HERE)
    assert isinstance(write, CreateKareoChart)
    assert (write.case_name, write.payer_scenario, write.external_id) == ("Office", "Insurance", "101")
    assert write.provider == 501
    assert write.fields["home_phone"] == "7062233445"

    clinic.succeed(HERE, "chart", KareoChartWritten(chart=ADA_THERE, read_at=clinic.now))
    assert clinic.links() == {(101, 901)}
    assert clinic.open() == []


def test_no_match_creates_an_elation_chart_that_carries_our_metadata():
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())

    write = clinic.wanted("chart")
    assert isinstance(write, CreateElationChart)
    assert (write.link_hint, write.physician) == ("kareo-patient:901", 11)

    clinic.succeed(ADA_KEY, "chart", ElationChartWritten(chart=ADA, read_at=clinic.now))
    assert clinic.links() == {(101, 901)}
    assert clinic.open() == []


def test_one_strong_match_is_linked_instead_of_duplicated():
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))
    assert clinic.links() == {(101, 901)}
    assert not any(isinstance(one.write, CreateKareoChart | CreateElationChart) for one in clinic.requests())


@pytest.mark.parametrize(
    "others",
    [
        (put(SAME, id=902),),
        (put(SAME, id=902, middle_name="Noel"),),
        (put(SAME, id=902, last_name="Lovelace"),),
    ],
    ids=["two strong", "a strong and a weak", "a strong and a maiden name"],
)
def test_several_candidates_wait_for_a_person(others: tuple[Candidate, ...]):
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(SAME, *others)))
    assert clinic.links() == set()
    assert clinic.waits("chart", HERE) == "candidates"
    assert clinic.waiting(HERE)["chart"].depends_on == ("patient:901", "patient:902")
    assert clinic.open() == []


@pytest.mark.parametrize("weak", [{"last_name": "Lovelace"}, {"first_name": "Adaline"}, {"sex": "Male"}], ids=str)
def test_a_weak_candidate_waits_for_a_person(weak: dict[str, str]):
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(put(SAME, **weak),)))
    assert clinic.waits("chart", HERE) == "candidates"
    assert clinic.open() == []


def test_a_twin_gets_a_chart_of_their_own():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(put(SAME, first_name="Medora"),)))
    assert isinstance(clinic.wanted("chart", HERE), CreateKareoChart)


def test_a_candidate_that_is_linked_already_is_not_linked_again():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(put(ADA, id=ElationChartId(102)))

    clinic.succeed("E:102", "chart", Searched(candidates=(SAME,)))

    assert clinic.links() == {(101, 901)}
    assert clinic.waits("chart", "E:102") == "candidates"
    assert "duplicate" in clinic.waiting("E:102")["chart"].text


def test_two_charts_that_find_the_same_patient_get_one_link_between_them():
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    clinic.elation(ADA)
    clinic.elation(put(ADA, id=ElationChartId(102)))

    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))
    clinic.succeed("E:102", "chart", Searched(candidates=(SAME,)))

    assert clinic.links() == {(101, 901)}
    assert clinic.waits("chart", "E:102") == "candidates"


def test_a_candidate_for_whom_a_chart_is_just_being_created_is_not_free():
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())
    clinic.attempt(ADA_KEY, "chart")
    clinic.elation(ADA)

    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))

    assert clinic.links() == set()
    assert clinic.waits("chart", HERE) == "candidates"


def test_a_match_deleted_in_elation_is_not_linked():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.elation_deleted(ADA.id)
    clinic.kareo(ADA_THERE)

    clinic.succeed(ADA_KEY, "chart", Searched(candidates=(candidate(ADA),)))

    assert clinic.links() == set()
    assert clinic.waits("chart") == "candidates"


def test_our_metadata_on_the_elation_chart_links_without_a_search():
    clinic = Clinic()
    assert clinic.linked(put(ADA, first_name="Augusta")) == ADA_KEY
    assert clinic.links() == {(101, 901)}


def test_metadata_naming_a_patient_who_is_linked_already_is_not_believed():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(put(ADA, id=ElationChartId(102), link_hint="kareo-patient:901"))
    assert clinic.links() == {(101, 901)}
    assert isinstance(clinic.wanted("chart", "E:102"), SearchKareo)


def test_metadata_of_somebody_else_is_no_hint():
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    clinic.elation(put(ADA, link_hint="901"))
    assert isinstance(clinic.wanted("chart", HERE), SearchKareo)


def test_a_creation_refused_as_a_duplicate_of_the_same_person_links_to_that_chart():
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())

    clinic.succeed(ADA_KEY, "chart", Searched(candidates=(candidate(ADA),), refused=True))

    assert clinic.links() == {(101, 901)}


@pytest.mark.parametrize(
    "other", [{"last_name": "Lovelace"}, {"first_name": "Mary", "last_name": "Shelley"}], ids=["weak", "no match"]
)
def test_a_creation_refused_for_somebody_elses_chart_waits_and_is_not_repeated(other: dict[str, str]):
    clinic = Clinic()
    clinic.kareo(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())

    clinic.succeed(ADA_KEY, "chart", Searched(candidates=(put(candidate(ADA), **other),), refused=True))
    clinic.kareo(ADA_THERE)

    assert clinic.links() == set()
    assert clinic.waits("chart") == "candidates"
    assert clinic.open() == []


def test_a_name_corrected_later_is_searched_anew():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(put(SAME, last_name="Lovelace"),)))

    clinic.elation(put(ADA, last_name="Lovelace"))

    assert clinic.wanted("chart", HERE) == put(WANTED, last_name="Lovelace")


def test_a_creation_under_way_is_not_disturbed_by_a_change_of_name():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched())
    clinic.lose(HERE, "chart")

    clinic.elation(put(ADA, last_name="Lovelace"))

    assert clinic.intent(HERE, "chart").state == "unknown"
    assert isinstance(clinic.wanted("chart", HERE), CreateKareoChart)


def test_what_changed_while_a_chart_was_created_follows_after_it():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched())
    clinic.attempt(HERE, "chart")
    clinic.elation(put(ADA, city="Macon"))

    clinic.succeed(HERE, "chart", KareoChartWritten(chart=ADA_THERE, read_at=clinic.now))

    assert clinic.links() == {(101, 901)}
    assert clinic.wanted("demographics:kareo").fields == {"city": "Macon"}
    assert clinic.wanted("demographics:elation") is None


# What a creation needs


@pytest.mark.parametrize(
    ("lacking", "says"),
    [({"birth_date": None}, "date of birth"), ({"last_name": "", "first_name": "Ada"}, "name")],
    ids=["birth date", "last name"],
)
def test_a_kareo_patient_without_what_elation_requires_waits(lacking: dict[str, object], says: str):
    clinic = Clinic()
    clinic.kareo(put(ADA_THERE, **lacking))
    clinic.carry_out_all()
    assert clinic.waits("chart") == "incomplete"
    assert says in clinic.waiting()["chart"].text
    assert clinic.links() == set()


def test_a_patient_whose_provider_is_unmapped_goes_to_the_default_physician():
    clinic = Clinic()
    clinic.kareo(put(ADA_THERE, provider=KAREO_LOCUM))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert clinic.wanted("chart").physician == HOUSE


def test_without_any_provider_the_creation_waits():
    clinic = Clinic()
    clinic.policy = put(clinic.policy, default_physician=None)
    clinic.kareo(put(ADA_THERE, provider=None))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert clinic.waits("chart") == "no-provider"


def test_a_third_phone_waits_when_a_chart_is_created():
    clinic = Clinic()
    clinic.kareo(put(ADA_THERE, mobile_phone="4045550102", work_phone="4045550103"))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert "work_phone" not in clinic.wanted("chart").fields
    assert clinic.waits("field:work_phone") == "field-no-room"


def test_an_address_without_a_street_waits_when_a_chart_is_created():
    clinic = Clinic()
    clinic.kareo(put(ADA_THERE, address1="", address2=""))
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert not {"address1", "city", "state", "zip"} & set(clinic.wanted("chart").fields)
    assert clinic.waits("field:city") == "field-no-street"


def test_nothing_is_created_where_the_practice_does_not_want_it():
    clinic = Clinic(table=KAREO_LED | {Resource.CHART: Direction.TO_KAREO})
    clinic.kareo(ADA_THERE)
    clinic.succeed(ADA_KEY, "chart", Searched())
    assert clinic.waits("chart") == "not-created"
    assert clinic.open() == []


def test_a_refused_creation_waits_with_the_vendors_words_and_is_not_repeated():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched())
    clinic.refuse(HERE, "chart", text="no such provider")

    clinic.elation(ADA)

    assert clinic.waits("chart", HERE) == "refused"
    assert "no such provider" in clinic.waiting(HERE)["chart"].text
    assert [one.state for _, _, one in clinic.open()] == ["refused"]


def test_nothing_is_decided_before_both_directories_are_known():
    clinic = Clinic(directory=False)
    clinic.elation(ADA)
    assert clinic.waits("practice", HERE) == "directory-pending"
    assert clinic.open() == []

    clinic.directories()

    assert clinic.wanted("chart", HERE) == WANTED
    assert clinic.waiting(HERE) == {}


# Merges


SURVIVOR = put(ADA, id=ElationChartId(102), address2="Suite 7")


def test_a_linked_chart_absorbed_by_an_unlinked_one_moves_the_link_to_the_survivor():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(SURVIVOR)

    followed = clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert LinkMoved(kareo=KareoPatientId(901), source=ADA.id, target=SURVIVOR.id) in [event.body for event in followed]
    assert clinic.links() == {(102, 901)}
    assert clinic.patient().elation.chart == SURVIVOR
    assert clinic.patient("E:101").elation.chart.merged_into == SURVIVOR.id
    assert "chart" not in clinic.intents()


def test_the_survivor_seen_only_later_moves_the_link_then():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(put(ADA, merged_into=SURVIVOR.id))
    assert clinic.waits("link") == "survivor-not-seen"

    clinic.elation(SURVIVOR)

    assert clinic.links() == {(102, 901)}
    assert clinic.waits("link") == ""


def test_a_chain_of_merges_is_followed_to_its_end():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(put(ADA, id=ElationChartId(103)))
    clinic.elation(put(SURVIVOR, merged_into=ElationChartId(103)))

    clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert clinic.links() == {(103, 901)}


def test_a_chain_whose_end_is_seen_last_is_followed_then():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(put(SURVIVOR, merged_into=ElationChartId(103)))
    clinic.elation_merged(ADA.id, SURVIVOR.id)
    assert clinic.waits("link") == "survivor-not-seen"

    clinic.elation(put(ADA, id=ElationChartId(103)))

    assert clinic.links() == {(103, 901)}


def test_a_cycle_of_merges_waits():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(put(SURVIVOR, merged_into=ADA.id))

    clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert survivor(ADA.id, clinic.state) is None
    assert clinic.links() == {(101, 901)}
    assert clinic.waits("link") == "merge-cycle"
    assert clinic.open() == []


def test_two_linked_charts_merged_wait_for_a_person():
    clinic = Clinic()
    clinic.linked()
    clinic.linked(put(SURVIVOR, first_name="Mary"), put(ADA_THERE, id=KareoPatientId(902), first_name="Mary"))

    clinic.elation_merged(ADA.id, SURVIVOR.id)

    assert clinic.links() == {(101, 901), (102, 902)}
    assert clinic.waits("link") == "merged-both-linked"
    assert clinic.intents() == {}


def test_writes_go_to_the_survivor_after_the_link_moved():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(SURVIVOR)
    clinic.elation_merged(ADA.id, SURVIVOR.id)
    clinic.carry_out_all()

    clinic.kareo(put(clinic.patient().kareo.chart, city="Macon"))

    assert clinic.wanted("demographics:elation").chart == SURVIVOR.id


def test_a_late_observation_of_the_absorbed_chart_does_not_touch_the_moved_link():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(SURVIVOR)
    clinic.elation_merged(ADA.id, SURVIVOR.id)
    before = clinic.patient()

    clinic.elation(put(ADA, city="Nowhere", merged_into=SURVIVOR.id))

    assert clinic.patient() == before


def test_a_creation_for_the_survivor_that_ends_after_the_move_does_not_replace_the_linked_patient():
    clinic = Clinic()
    clinic.linked()
    clinic.elation(SURVIVOR)
    clinic.succeed("E:102", "chart", Searched())
    clinic.attempt("E:102", "chart")
    clinic.elation_merged(ADA.id, SURVIVOR.id)

    clinic.succeed(ADA_KEY, "chart", KareoChartWritten(chart=put(ADA_THERE, id=KareoPatientId(950)), read_at=clinic.now))

    assert clinic.links() == {(102, 901)}
    assert clinic.patient().kareo.chart.id == 901
    assert all(getattr(one.write, "patient", 901) == 901 for _, _, one in clinic.open())


# Deletion and restore


def test_a_chart_deleted_in_elation_suspends_its_link_and_restoring_it_resumes():
    clinic = Clinic()
    clinic.linked()

    followed = clinic.elation_deleted(ADA.id)
    assert LinkSuspended(elation=ADA.id, kareo=KareoPatientId(901)) in [event.body for event in followed]
    assert clinic.links() == {(101, 901)}
    assert clinic.waits("link") == "elation-chart-deleted"

    clinic.kareo(put(ADA_THERE, city="Macon"))
    assert clinic.open() == []

    followed = clinic.elation(ADA)
    assert LinkResumed(elation=ADA.id, kareo=KareoPatientId(901)) in [event.body for event in followed]
    assert clinic.wanted("demographics:elation").fields == {"city": "Macon"}
    assert clinic.waiting() == {}


def test_writes_requested_before_the_deletion_are_superseded():
    clinic = Clinic()
    clinic.linked()
    clinic.kareo(put(ADA_THERE, city="Macon"))
    clinic.elation_deleted(ADA.id)
    assert clinic.open() == []


def test_a_patient_gone_in_kareo_before_anybody_read_it_waits_for_a_person_and_so_do_its_bills():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.succeed(HERE, "chart", Searched(candidates=(SAME,)))
    assert clinic.waits("link") == "chart-not-read"
    clinic.bill(GOOD_BILL)
    assert clinic.waits("bill:4001") == "chart-pending"
    clinic.kareo_vanished(ADA_THERE.id)
    assert clinic.waits("link") == "kareo-chart-gone"
    assert clinic.waits("bill:4001") == "chart-pending"
    clinic.kareo(ADA_THERE)
    assert clinic.waits("link") == ""
    assert isinstance(clinic.wanted("bill:4001"), CreateEncounter)


def test_a_patient_gone_in_kareo_waits_for_a_person():
    clinic = Clinic()
    clinic.linked()
    clinic.kareo_vanished(ADA_THERE.id)
    clinic.elation(put(ADA, city="Macon"))
    assert clinic.waits("link") == "kareo-chart-gone"
    assert clinic.open() == []


def test_an_unlinked_chart_that_is_deleted_or_absorbed_is_not_created_in_kareo():
    clinic = Clinic()
    clinic.elation(ADA)
    clinic.elation_deleted(ADA.id)
    clinic.elation(SURVIVOR)
    clinic.elation_merged(SURVIVOR.id, ElationChartId(103))
    assert clinic.open() == []


def test_one_chart_has_one_link_and_one_patient_has_one_link():
    clinic = Clinic()
    for number in range(3):
        clinic.linked(
            put(ADA, id=ElationChartId(101 + number), first_name=f"Ada{number}"),
            put(ADA_THERE, id=KareoPatientId(901 + number), first_name=f"Ada{number}"),
        )
    links = clinic.links()
    assert len(links) == len({one for one, _ in links}) == len({other for _, other in links}) == 3
