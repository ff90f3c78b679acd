"""The level of each field."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.matching import Compared as F
from projections.matching import Frequencies, Level, Person, normalize, score
from projections.matching import Level as L
from projections.matching.weights import WEIGHTS
from tests.matching.people import ADA, NOBODY, ada, levels


@pytest.mark.parametrize(
    ("field", "one", "other", "level"),
    [
        (F.FIRST, {}, {}, L.EXACT),
        (F.FIRST, {"first_name": "Margaret"}, {"first_name": "Peggy"}, L.NICKNAME),
        (F.FIRST, {}, {"first_name": "A"}, L.INITIAL),
        (F.FIRST, {}, {"first_name": "Adeliade"}, L.NEAR),
        (F.FIRST, {"first_name": "Mary Ann"}, {"first_name": "Mary"}, L.PART),
        (F.FIRST, {"first_name": "Maryann"}, {"first_name": "Mary Ann"}, L.EXACT),
        (F.FIRST, {}, {"first_name": "Ruth", "middle_name": ""}, L.MIDDLE_USED),
        (F.FIRST, {}, {"first_name": "Baby Girl"}, L.PLACEHOLDER),
        (F.FIRST, {}, {"first_name": "Xenia"}, L.OTHER),
        (F.FIRST, {}, {"first_name": ""}, L.MISSING),
        (F.FIRST, {}, {"first_name": "Wennerholm", "last_name": "Adelaide"}, L.SWAPPED),
        (F.LAST, {}, {"first_name": "Wennerholm", "last_name": "Adelaide"}, L.SWAPPED),
        (F.LAST, {}, {"last_name": "WENNERHOLM"}, L.EXACT),
        (F.LAST, {}, {"last_name": "Wenerholm"}, L.NEAR),
        (F.LAST, {"last_name": "Garcia Lopez"}, {"last_name": "García"}, L.PART),
        (F.LAST, {"last_name": "Garcia Lopez"}, {"last_name": "Lopez-Garcia"}, L.MOVED),
        (F.LAST, {"last_name": "De La Cruz"}, {"last_name": "Cruz"}, L.PART),
        (F.LAST, {}, {"last_name": "Olatunji"}, L.OTHER),
        (F.MIDDLE, {}, {"middle_name": "R."}, L.INITIAL),
        (F.MIDDLE, {}, {"middle_name": "Noel"}, L.OTHER),
        (F.MIDDLE, {}, {"middle_name": "Wennerholm", "last_name": "Olatunji"}, L.MOVED),
        (F.SUFFIX, {"suffix": "Jr."}, {"last_name": "Wennerholm Jr"}, L.EXACT),
        (F.SUFFIX, {"suffix": "Jr"}, {"suffix": "II"}, L.EXACT),
        (F.SUFFIX, {"suffix": "Jr"}, {"suffix": "Sr"}, L.OTHER),
        (F.SUFFIX, {"suffix": "Jr"}, {}, L.ONE_SIDED),
        (F.BORN, {}, {"birth_date": date(1985, 10, 12)}, L.DAY_MONTH),
        (F.BORN, {}, {"birth_date": date(1985, 12, 16)}, L.DIGIT),
        (F.BORN, {}, {"birth_date": date(1985, 12, 1)}, L.DIGIT),
        (F.BORN, {}, {"birth_date": date(1985, 12, 27)}, L.TWO_OF_THREE),
        (F.BORN, {}, {"birth_date": date(1961, 3, 27)}, L.OTHER),
        (F.BORN, {}, {"birth_date": None}, L.MISSING),
        (F.SEX, {}, {"sex": "M"}, L.OTHER),
        (F.SEX, {}, {"sex": "Unknown"}, L.MISSING),
        (F.STREET, {}, {"address1": "1207 PEACHTREE ST."}, L.EXACT),
        (F.STREET, {}, {"address1": "1207 Peachtee Street"}, L.NEAR),
        (F.STREET, {}, {"address1": "1208 Peachtree Street"}, L.DIGIT),
        (F.STREET, {}, {"address1": "88 Peachtree Street"}, L.PART),
        (F.STREET, {}, {"address1": "5 Elm Court"}, L.OTHER),
        (F.STREET, {}, {"address1": "Rear house", "address2": "1207 Peachtree Street"}, L.EXACT),
        (F.CITY, {}, {"city": "Agusta"}, L.NEAR),
        (F.ZIP, {}, {"zip": "30940"}, L.DIGIT),
        (F.ZIP, {}, {"zip": "30904-1234"}, L.EXACT),
        (F.PHONE, {}, {"phones": ("803-555-2021", "7067224418")}, L.EXACT),
        (F.PHONE, {}, {"phones": ("7067224419",)}, L.DIGIT),
        (F.PHONE, {}, {"phones": ("999-999-9999",)}, L.MISSING),
        (F.EMAIL, {}, {"email": "dancing.quen@mail.com"}, L.NEAR),
        (F.EMAIL, {}, {"email": "none@none.com"}, L.MISSING),
        (F.SSN, {"ssn": "530-12-4481"}, {"ssn": "530124481"}, L.EXACT),
        (F.SSN, {"ssn": "530-12-4481"}, {"ssn": "530-12-4418"}, L.DIGIT),
        (F.SSN, {"ssn": "530-12-4481"}, {"ssn": "441-81-2231"}, L.OTHER),
        (F.SSN, {"ssn": "530-12-4481"}, {"ssn": "000-00-0000"}, L.MISSING),
    ],
)  # fmt: skip
def test_the_level_of_a_field(field: F, one: dict[str, object], other: dict[str, object], level: Level):
    assert levels(ada(**one), ada(**other))[field] is level


def test_what_many_share_says_little():
    front_desk = [
        ada(id=str(number), address1=f"{number} Elm Court", email=f"mail{number}@mail.com") for number in range(20)
    ]
    frequencies = Frequencies.of([normalize(one) for one in front_desk])
    found = score(normalize(front_desk[0]), normalize(front_desk[1]), frequencies)
    assert found.levels[F.PHONE] is L.SHARED
    assert found.bits < score(normalize(front_desk[0]), normalize(front_desk[1]), NOBODY).bits - 5


def test_rare_names_and_dates_count_more():
    crowd = [normalize(ada(id=str(number), last_name="Smith", birth_date=date(1990, 1, 1))) for number in range(300)]
    frequencies = Frequencies.of(crowd)
    same = normalize(ADA)
    common_name, common_date = normalize(ada(last_name="Smith")), normalize(ada(birth_date=date(1990, 1, 1)))
    assert score(common_name, common_name, frequencies).bits < score(same, same, frequencies).bits
    assert score(common_date, common_date, frequencies).bits < score(same, same, frequencies).bits


def test_the_first_of_january_is_a_default():
    default, day = normalize(ada(birth_date=date(1985, 1, 1))), normalize(ADA)
    assert score(default, default, NOBODY).bits < score(day, day, NOBODY).bits


def test_every_level_that_can_be_has_a_weight():
    for field, weights in WEIGHTS.items():
        assert {L.EXACT, L.OTHER} <= set(weights), field
        assert all(0 < m <= 1 and 0 < u <= 1 for m, u in weights.values()), field


NAMES = st.sampled_from(
    ["Ann", "Anne", "Mary Ann", "Bob", "Robert", "García", "Garcia Lopez", "Lopez", "", "Baby Boy", "A", "O'Brien", "Jr"]
)
PEOPLE = st.builds(
    Person,
    id=st.just("x"), first_name=NAMES, middle_name=NAMES, last_name=NAMES, suffix=st.sampled_from(["", "Jr", "Sr", "II"]),
    birth_date=st.none() | st.dates(date(1950, 1, 1), date(1952, 12, 31)), sex=st.sampled_from(["", "M", "Female"]),
    address1=st.sampled_from(["", "1 Oak St", "12 Oak Street", "Oak St", "1 Elm Ct"]), address2=st.sampled_from(["", "1 Oak St", "Apt 2"]),
    city=st.sampled_from(["", "Augusta", "Agusta"]), state=st.sampled_from(["", "GA"]), zip=st.sampled_from(["", "30901", "30910"]),
    phones=st.lists(st.sampled_from(["7067224418", "7067224419", "7224418"]), max_size=2).map(tuple),
    email=st.sampled_from(["", "ann@mail.com", "anne@mail.com"]), ssn=st.sampled_from(["", "530-12-4481", "530-12-4418"]),
)  # fmt: skip


@given(PEOPLE, PEOPLE)
@settings(max_examples=300, deadline=None)
def test_the_order_of_two_people_does_not_matter(one: Person, other: Person):
    here, there = normalize(one), normalize(other)
    assert score(here, there, NOBODY) == score(there, here, NOBODY)


@given(PEOPLE)
@settings(deadline=None)
def test_every_level_of_a_comparison_has_a_weight(one: Person):
    for field, level in score(normalize(one), normalize(ADA), NOBODY).levels.items():
        assert level is L.MISSING or level in WEIGHTS[field]
