"""People whom a US practice meets, by hand: who is linked, about whom somebody is asked, and who is nobody's double.

Each pair is judged both ways round, in lists and as a live search does, in a practice of a town and in a small one.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest
from msgspec.structs import replace

from projections.matching import Frequencies, MatchVerdict, Normal, Person, decide, keys_of, normalize, pair_of
from projections.rules.counterparts import cautious
from tests.matching.town import town

HOME = {"address1": "412 Maple Avenue", "city": "Dayton", "state": "OH", "zip": "45402", "phones": ("937-555-2210",)}
MOVED = {"address1": "77 Birch Street", "city": "Columbus", "state": "OH", "zip": "43004"}
ELSEWHERE = {**MOVED, "phones": ("614-330-9082",)}
SSN = {"ssn": "512-44-9081"}
BORN, TWIN = date(1985, 4, 12), date(2010, 5, 16)
F, M = "Female", "Male"
LINKED, ASKED = frozenset(("linked",)), frozenset(("asked",))
NOT_LINKED = frozenset(("asked", "apart"))


def who(first: str, last: str, born: date | None = BORN, sex: str = "", middle: str = "", **more: object) -> Person:
    """Somebody at home, unless said otherwise."""
    values = {"id": "1", **HOME, **more}
    return Person(first_name=first, middle_name=middle, last_name=last, birth_date=born, sex=sex, **values)  # type: ignore[arg-type]


TWO = {
    "twins of two names": (who("Emma", "Kowalski", TWIN, F), who("Olivia", "Kowalski", TWIN, F)),
    "twins called by a compound": (who("Jose Luis", "Perez", TWIN, M), who("Jose", "Perez", TWIN, M, "Juan")),
    "twins of compounds": (who("Maria Elena", "Perez", TWIN, F), who("Maria Luisa", "Perez", TWIN, F)),
    "twins: Sara and Zara": (who("Sara", "Grant", TWIN, F), who("Zara", "Grant", TWIN, F)),
    "twins: Mary and Marie": (who("Mary", "Grant", TWIN, F), who("Marie", "Grant", TWIN, F)),
    "twins: Maria and Mariah": (who("Maria", "Grant", TWIN, F), who("Mariah", "Grant", TWIN, F)),
    "twins: Mia and Mya": (who("Mia", "Grant", TWIN, F), who("Mya", "Grant", TWIN, F)),
    "twins: Toni and Tony": (who("Toni", "Grant", TWIN), who("Tony", "Grant", TWIN)),
    "twins with a parent's SSN": (who("Jose", "Cruz", TWIN, M, "Luis", **SSN), who("Jose", "Cruz", TWIN, M, "Angel", **SSN)),
    "brothers with one SSN": (who("Jose", "Cruz", TWIN, M, "Luis", **SSN), who("Jose", "Cruz", date(2013, 5, 16), M, "Angel", **SSN)),
    "father and son of one day": (who("James", "Holloway", date(1950, 6, 1), M, "R"), who("James", "Holloway", date(1980, 6, 1), M, "R")),
    "Sr and Jr": (who("James", "Holloway Sr", BORN, M), who("James", "Holloway Jr", BORN, M)),
    "mother and daughter": (who("Rosa", "Medina", date(1970, 5, 5), F), who("Rosa", "Medina", date(1996, 5, 15), F)),
    "mother and daughter, one SSN": (who("Rosa", "Medina", date(1976, 5, 5), F, **SSN), who("Rosa", "Medina", date(1996, 5, 5), F, **SSN)),
    "a replacement child": (who("Joshua", "Reyes", date(2011, 3, 4), M), who("Joshua", "Reyes", date(2012, 3, 14), M)),
    "two newborns of two sisters": (who("BB of Ana", "Nunez", TWIN, M), who("BB of Rosa", "Nunez", TWIN, M)),
    "a newborn and the mother": (who("BG Carmen", "Nunez", TWIN, F), who("Carmen", "Nunez", date(1996, 5, 16), F)),
    "two of whom only the year is known": (who("Fatima", "Omar", date(1975, 1, 1), F), who("Fatima", "Omar", date(1976, 1, 1), F)),
    "two wives born on 1 January": (who("Fatima", "Omar", date(1975, 1, 1), F), who("Fatima", "Ahmed", date(1975, 1, 1), F)),
    "a case worker's phone": (who("Mohamed", "Hassan", date(1990, 1, 1), M), who("Mohamed", "Hassan", date(1990, 1, 1), M, **MOVED)),
    "spouses of one name": (who("Leslie", "Grant", date(1958, 5, 6), M), who("Leslie", "Grant", date(1958, 5, 8), F)),
    "spouses, one SSN": (who("Pat", "Abbott", date(1970, 5, 5), M, **SSN), who("Pat", "Abbott", date(1971, 11, 16), F, **SSN)),
    "Mrs. John": (who("Mrs. John", "Abbott", date(1970, 5, 5), F), who("John", "Abbott", date(1970, 5, 6), M)),
    "namesakes": (who("Jennifer", "Smith", BORN, F), who("Jennifer", "Smith", BORN, F, **ELSEWHERE)),
    "Harpreet Singh and Kaur": (who("Harpreet", "Singh", BORN, M), who("Harpreet", "Kaur", BORN, F)),
    "sisters named alike": (who("Xiao Ming", "Wang", BORN, F), who("Xiao Hong", "Wang", BORN, F)),
    "an aunt of one name who moved": (who("Peggy", "Porter", date(1940, 5, 6), F), who("Margaret", "Porter", date(1940, 5, 8), F, **MOVED)),
}  # fmt: skip
"""Of two people nobody is linked without a person."""

ONE = {
    "a surname left out": (LINKED, who("Ana", "Garcia-Lopez", BORN, F), who("Ana", "Lopez", BORN, F)),
    "surnames moved": (LINKED, who("Ana", "Garcia Lopez", BORN, F), who("Ana", "Lopez Garcia", BORN, F)),
    "a surname as middle name": (LINKED, who("Ana", "Lopez", BORN, F, "Garcia"), who("Ana", "Garcia Lopez", BORN, F)),
    "given name written apart": (LINKED, who("Min-jun", "Kim", TWIN, M), who("Minjun", "Kim", TWIN, M)),
    "family name first": (LINKED, who("Xiaoming", "Wang", BORN, M), who("Wang", "Xiao Ming", BORN, M)),
    "three names in another order": (ASKED, who("Thi Lan", "Nguyen", BORN, F), who("Nguyen", "Lan", BORN, F, "Thi")),
    "a compound and its initial": (LINKED, who("Mary Ann", "Cruz", BORN, F), who("Mary", "Cruz", BORN, F, "A")),
    "Mohammed": (LINKED, who("Mohammed", "Hussein", BORN, M), who("Muhammad", "Husain", BORN, M)),
    "Yusuf": (LINKED, who("Yusuf", "Hussein", BORN, M), who("Youssef", "Hussein", BORN, M)),
    "Oleksandr": (LINKED, who("Oleksandr", "Shevchenko", BORN, M), who("Alexander", "Shevchenko", BORN, M)),
    "Yevgeniy": (LINKED, who("Yevgeniy", "Shevchenko", BORN, M), who("Evgeny", "Shevchenko", BORN, M)),
    "Sean O'Brien": (LINKED, who("Sean", "O'Brien", BORN, M), who("Shawn", "OBrien", BORN, M)),
    "al-": (LINKED, who("Omar", "Al-Masri", BORN, M), who("Omar", "Masri", BORN, M)),
    "el-Sayed": (LINKED, who("Omar", "El-Sayed", BORN, M), who("Umar", "Al Sayyid", BORN, M)),
    "bin": (LINKED, who("Omar", "bin Laith Mansour", BORN, M), who("Omar", "Mansour", BORN, M)),
    "a father's name as last name": (LINKED, who("Selam", "Bekele", BORN, F, "Tesfaye"), who("Selam", "Tesfaye", BORN, F)),
    "no first name in the passport": (LINKED, who("FNU", "Gurpreet", BORN, M), who("Gurpreet", "Singh", BORN, M)),
    "married, moved, the same phone": (LINKED, who("Linda", "Porter", BORN, F), who("Linda", "Graves", BORN, F, **MOVED)),
    "that, and a digit of the date": (ASKED, who("Linda", "Porter", BORN, F), who("Linda", "Graves", date(1985, 4, 17), F, **MOVED)),
    "only the year, and the name heard": (ASKED, who("Mohamed", "Warsame", date(1988, 1, 1), M), who("Mahamud", "Warsame", date(1988, 9, 4), M)),
    "the year is known": (ASKED, who("Amina", "Warsame", date(1988, 1, 1), F), who("Amina", "Warsame", date(1988, 9, 4), F)),
    "a new name and sex": (ASKED, who("Robert", "Ashcroft", BORN, M, **SSN), who("Rain", "Moonchild", BORN, F, **ELSEWHERE, **SSN)),
    "another name is used": (ASKED, who("Kevin", "Wang", BORN, M), who("Xiaoming", "Wang", BORN, M)),
    "a newborn is named": (ASKED, who("Baby Girl", "Nunez", TWIN, F), who("Sofia", "Nunez", date(2010, 5, 17), F)),
    "a newborn, now by the father's name": (ASKED, who("BB", "Nunez", TWIN, M), who("Diego", "Ramos", TWIN, M)),
    "a spouse's SSN": (ASKED, who("Earl", "Whitcomb", BORN, M, **SSN), who("Earl", "Whitcomb", BORN, M, ssn="401-52-7733")),
    "Jr on one side": (LINKED, who("Harold", "Whitcomb Jr.", BORN, M), who("Harold", "Whitcomb", BORN, M)),
    "homeless now": (ASKED, who("Earl", "Whitcomb", BORN, M), who("Earl", "Whitcomb", BORN, M, address1="homeless", zip="", phones=())),
    "day and month": (LINKED, who("Priya", "Raghavan", date(1988, 4, 9), F), who("Priya", "Raghavan", date(1988, 9, 4), F)),
    "no birth date": (ASKED, who("Ruth", "Whitcomb", None, F), who("Ruth", "Whitcomb", BORN, F, **MOVED)),
}  # fmt: skip
"""One person is never missed."""


@cache
def _town() -> tuple[list[Normal], list[Normal]]:
    lists = town(2_000, seed=5, judging=True)
    return [normalize(one) for one in lists.left], [normalize(one) for one in lists.right]


def verdicts(one: Person, other: Person, beside: list[Person] | None = None) -> set[str]:
    """What the two come to, whichever comes first and however large the practice is."""
    left, right = _town()
    here, there = normalize(one), normalize(replace(other, id="2"))
    more = [normalize(each) for each in beside or []]
    found = set()
    for size in (60, 2_000):
        known = Frequencies.of([*left[:size], here, *more], [*right[:size], there, *more])
        for frequencies in (known, cautious(known)):
            for pair in (pair_of(here, there, frequencies), pair_of(there, here, frequencies)):
                decided = decide([pair]) if pair is not None else ()
                certain = any(each.verdict is MatchVerdict.CERTAIN for each in decided)
                found.add("linked" if certain else "asked" if decided else "apart")
    return found


@pytest.mark.parametrize("case", TWO)
def test_two_people_are_not_linked(case: str) -> None:
    assert verdicts(*TWO[case]) <= NOT_LINKED


@pytest.mark.parametrize("case", ONE)
def test_one_person_is_not_missed(case: str) -> None:
    expected, one, other = ONE[case]
    assert verdicts(one, other) == expected
    assert set(keys_of(normalize(one))) & set(keys_of(normalize(other)))


def named(first: str) -> list[Person]:
    """People of one first name, who are many in some practices."""
    return [
        who(first, f"Lastname{number}", date(1930 + number % 80, 1 + number % 12, 4), id=f"o{number}", phones=())
        for number in range(150)
    ]


@pytest.mark.parametrize(("first", "born"), [("Maria", date(1985, 4, 13)), ("Mohammed", date(1986, 4, 12))])
def test_of_a_frequent_name_two_in_one_household_are_born_nearly_on_one_day(first: str, born: date) -> None:
    assert verdicts(who(first, "Lopez"), who(first, "Lopez", born), named(first)) == ASKED
    assert verdicts(who("Zebulon", "Lopez"), who("Zebulon", "Lopez", born)) == LINKED


def test_two_forms_of_a_name_with_a_parents_number_are_twins() -> None:
    """The number is the parent's where the parent has it."""
    harry, henry = who("Harry", "Cruz", TWIN, M, **SSN), who("Henry", "Cruz", TWIN, M, **SSN)
    parent = who("Xenia", "Cruz", date(1980, 2, 3), F, id="9", **SSN)
    assert verdicts(harry, henry, [parent]) == ASKED
