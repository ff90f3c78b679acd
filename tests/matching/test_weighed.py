"""Which frequencies are asked for before people are compared (daemon/tables/matching.py)."""

from __future__ import annotations

from itertools import combinations

from msgspec.structs import replace

from daemon.tables.matching import COUNTED, values_of, weighed
from projections.matching import Frequencies, Normal, Person, normalize, pair_of
from projections.matching.keys import keys_of
from projections.rules.counterparts import cautious
from tests.matching.town import town


def person(id_: str, ssn: str, phone: str, city: str) -> Person:
    return Person(id=id_, first_name="Maria", last_name="Garcia", ssn=ssn, phones=(phone,), city=city)


MINE, ONE, OTHER = (
    normalize(person(*each))
    for each in (
        ("a", "457-55-5462", "617 555 0101", "Augusta"),
        ("b", "513-84-7680", "617 555 0102", "Macon"),
        ("c", "219-09-9999", "617 555 0103", "Athens"),
    )
)


def test_all_is_asked_of_whom_is_looked_for() -> None:
    assert set(values_of(MINE)) <= set(weighed([MINE], [ONE, OTHER], among=True))


def test_what_tells_nobody_apart_is_known_also_where_only_one_of_the_others_has_it() -> None:
    """A default SSN beside one that differs, or a phone of many, has to be known as such."""
    asked = set(weighed([MINE], [ONE, OTHER], among=True))
    assert {value for one in (ONE, OTHER) for value in values_of(one) if value.startswith("shared:")} <= asked


def test_a_city_of_only_one_of_the_others_is_not_asked_for() -> None:
    asked = weighed([MINE], [ONE, OTHER], among=True)
    assert not [value for value in asked if value in values_of(ONE) and value.startswith("cities:")]
    assert [
        value for value in weighed([MINE], [ONE, ONE], among=True) if value in values_of(ONE) and value.startswith("cities:")
    ]


def known(frequencies: Frequencies, values: list[str]) -> Frequencies:
    """What is known after only these values were asked for."""
    asked = set(values)
    counts = {
        kind: {value: count for value, count in getattr(frequencies, kind).items() if f"{kind}:{value}" in asked}
        for kind in COUNTED
    }
    return replace(frequencies, **counts)


def test_with_what_is_asked_two_people_are_as_alike_as_with_everything_that_is_counted() -> None:
    """One of an invented town beside all who share a key with it, and these beside one another."""
    lists = town(1_500, seed=11, judging=True)
    theirs, ours = ([normalize(one) for one in each] for each in (lists.left, lists.right))
    frequencies = cautious(Frequencies.of(theirs))
    alike = 0
    for mine in ours[:150]:
        keys = set(keys_of(mine))
        near: list[Normal] = [one for one in theirs if not keys.isdisjoint(keys_of(one))][:40]
        one_to_many = known(frequencies, weighed([mine], near, among=False))
        among = known(frequencies, weighed([mine], near, among=True))
        for other in near:
            expected = pair_of(mine, other, frequencies)
            assert pair_of(mine, other, one_to_many) == pair_of(mine, other, among) == expected
            alike += expected is not None
        for here, there in combinations(near[:8], 2):
            assert pair_of(here, there, among) == pair_of(here, there, frequencies)
    assert alike >= 140
