"""A person who is linked and is entered once more, otherwise: somebody is asked, and no second chart is made in silence."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from projections.matching.deciding import MatchVerdict, Pair, decide, is_again, is_renamed, may_be_again, pair_of, twice
from projections.matching.frequencies import Frequencies
from projections.matching.normal import Normal, normalize
from projections.matching.person import Person
from projections.matching.vetoes import Veto

OTHERS = [
    normalize(
        Person(
            id=str(100 + number), first_name=f"F{number}abc", last_name=f"L{number}xyz",
            birth_date=date(1950 + number, 1 + number % 12, 3), sex="Female", address1=f"{number} Elm Road",
            city="Juniper", state="CO", zip="80684", phones=(f"30355512{number:02d}",),
        )
    )
    for number in range(40)
]  # fmt: skip
THERE = Person(
    id="1", first_name="Helena", last_name="Abernathy", birth_date=date(1943, 8, 1), sex="Female",
    address1="7684 Juniper Terrace", city="Juniper", state="CO", zip="80684", phones=("3035557684",),
)  # fmt: skip


def met(**values: object) -> tuple[Normal, Normal, Frequencies]:
    here = normalize(Person(**{name: getattr(THERE, name) for name in Person.__struct_fields__} | {"id": "2"} | values))
    there = normalize(THERE)
    return here, there, Frequencies.of([here, *OTHERS], [there, *OTHERS])


def paired(**values: object) -> Pair | None:
    return pair_of(*met(**values))


def alike(**values: object) -> bool:
    pair = paired(**values)
    return pair is not None and is_renamed(pair)


@pytest.mark.parametrize(
    "values",
    [
        {"last_name": "Eisenhart"},
        {"last_name": "Eisenhart", "birth_date": date(1943, 1, 8)},
        {"last_name": "Abrenathy", "sex": "Male"},
        {"first_name": "Eisenhart", "last_name": "Helena"},
        {"first_name": "Eisenhart", "last_name": "Helena", "sex": "Unknown"},
        {"birth_date": date(1951, 3, 30)},
        {"birth_date": date(1951, 3, 30), "sex": "Unknown"},
    ],
    ids=[
        "married",
        "married, and the date mistyped",
        "misspelt, and another sex",
        "married, and the names swapped",
        "married, the names swapped, and no sex",
        "another's birth date",
        "another's birth date, and no sex",
    ],
)
def test_who_is_reached_by_the_same_phone_is_asked_about(values: dict[str, object]) -> None:
    assert alike(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"first_name": "Marguerite", "birth_date": date(1971, 4, 17)},
        {"last_name": "Eisenhart", "birth_date": date(1971, 4, 17)},
        {"last_name": "Eisenhart", "birth_date": date(1943, 1, 8), "phones": ("7205550199",), "address1": "9 Cedar Lane"},
        {"first_name": "Marguerite"},
        {"first_name": "Eisenhart", "last_name": "Marguerite", "birth_date": date(1944, 8, 1)},
        {"first_name": "Eisenhart", "last_name": "Marguerite", "sex": "Male"},
        {"first_name": "Eisenhart", "last_name": "Marguerite", "address1": "9 Cedar Lane"},
        {"birth_date": date(1971, 3, 30)},
        {"birth_date": date(1951, 3, 30), "last_name": "Abernathy Jr"},
        {"birth_date": date(1951, 3, 30), "sex": "Male"},
        {"birth_date": date(1951, 3, 30), "address1": "9 Cedar Lane"},
        {"birth_date": date(1951, 3, 30), "phones": ("7205550199",)},
        {"birth_date": date(1951, 3, 30), "first_name": "Helene"},
    ],
    ids=[
        "another of the household",
        "a namesake at the same phone",
        "reached elsewhere",
        "a twin",
        "another of the household, a year younger",
        "another sex, and another name",
        "only one phone",
        "a child of the same name",
        "a Jr of another birth date",
        "another sex and birth date",
        "another street and birth date",
        "another phone and birth date",
        "another's birth date, and nearly the name",
    ],
)
def test_who_is_somebody_else_is_not(values: dict[str, object]) -> None:
    assert not alike(**values)


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"birth_date": date(1943, 1, 8)}, True),
        ({"birth_date": date(1943, 8, 2)}, True),
        ({"birth_date": date(1971, 4, 17)}, False),
        ({"birth_date": date(1943, 1, 8), "sex": "Male"}, False),
        ({"birth_date": date(1943, 1, 8), "email": "marguerite@mail.example"}, False),
        ({"birth_date": date(1943, 1, 8), "address1": "9 Cedar Lane"}, False),
    ],
    ids=["swapped", "a digit", "another date", "another sex", "another e-mail", "another street"],
)
def test_who_married_with_swapped_names_and_a_mistyped_date_is_asked_about_where_all_else_agrees(
    values: dict[str, object], asked: bool
) -> None:
    """Seed 200221."""
    there = replace(THERE, email="helena@mail.example")
    here = replace(there, id="2", first_name="Eisenhart", last_name="Helena", **values)
    one, other = normalize(here), normalize(there)
    pair = pair_of(one, other, Frequencies.of([one, *OTHERS], [other, *OTHERS]))
    assert (pair is not None and is_renamed(pair)) is asked


MOVED = {"address1": "9 Cedar Lane", "city": "Larkspur", "zip": "80999", "phones": ("7205550199",)}


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({}, True),
        ({"birth_date": date(1971, 4, 17)}, False),
        ({"middle_name": "Ruth"}, True),
        ({"first_name": "Marguerite"}, False),
    ],
    ids=["all else new", "another birth date", "a middle name that was never said", "another name"],
)
def test_who_has_moved_is_asked_about_by_names_and_birth_date(values: dict[str, object], asked: bool) -> None:
    pair = paired(**MOVED, **values)
    assert (pair is not None and may_be_again(pair)) is asked
    assert pair is None or not is_again(pair), "a certain counterpart goes before it"


@pytest.mark.parametrize(
    "born", [date(1943, 1, 8), date(1943, 8, 2), date(1944, 8, 1)], ids=["swapped", "a digit", "a year"]
)
@pytest.mark.parametrize("suffix", ["Jr", "Sr", "II"])
def test_a_jr_that_one_chart_leaves_out_is_no_other_person_where_the_date_is_mistyped(suffix: str, born: date) -> None:
    values = {"last_name": f"Abernathy {suffix}", "birth_date": born}
    pair = paired(**values)
    assert pair is not None
    assert not pair.free
    assert is_again(pair)
    assert twice(*met(**values)) is not None


def test_a_jr_is_another_than_the_sr_and_than_a_parent() -> None:
    senior = normalize(Person(**{name: getattr(THERE, name) for name in Person.__struct_fields__} | {"suffix": "Sr"}))
    here, there, frequencies = met(last_name="Abernathy Jr", birth_date=date(1973, 8, 1))
    assert twice(here, there, frequencies) is None
    son = met(last_name="Abernathy Jr", birth_date=date(1943, 1, 8))[0]
    assert twice(son, senior, frequencies) is None
    for one, other in ((here, there), (son, senior)):
        pair = pair_of(one, other, frequencies)
        assert pair is None or not is_again(pair)


def test_who_is_called_otherwise_is_asked_about_where_another_chart_is_the_certain_counterpart() -> None:
    """Nobody has linked those two yet: the third chart would else be taken for somebody new, and created."""
    same, married = replace(THERE, id="2"), replace(THERE, id="3", first_name="Eisenhart", last_name="Helena")
    left, right = [normalize(same), normalize(married), *OTHERS], [normalize(THERE), *OTHERS]
    frequencies = Frequencies.of(left, right)
    found = [pair for one in left[:2] if (pair := pair_of(one, right[0], frequencies)) is not None]
    decided = {one.left: one for one in decide(found)}
    assert decided["2"].verdict is MatchVerdict.CERTAIN
    assert decided["3"].verdict is MatchVerdict.CANDIDATE
    assert Veto.LINKED in decided["3"].vetoes
