"""The people of the scripted day, matched: each is one person, so that a doubt on the day is one that the script made."""

from __future__ import annotations

from datetime import date

import pytest

from daemon.sandbox.clinic import Clinic
from daemon.sandbox.front_desk import FrontDesk
from projections.matching import MatchVerdict, Person, match

SIZE = 200


def person(one: dict[str, object], number: int) -> Person:
    born = one["birth_date"]
    return Person(
        id=str(number),
        first_name=str(one["first_name"]),
        last_name=str(one["last_name"]),
        birth_date=born if isinstance(born, date) else None,
        sex=str(one["sex"]),
        address1=str(one["street"]),
        city=str(one["city"]),
        state=str(one["state"]),
        zip=str(one["zip"]),
        phones=(str(one["mobile"]),),
        email=str(one["email"]),
    )


@pytest.mark.parametrize("seed", range(1, 6))
def test_nobody_of_the_front_desk_looks_like_somebody_else(seed: int) -> None:
    desk = FrontDesk(Clinic(offices=1), seed=seed)
    people = [person(desk.person(), number) for number in range(SIZE)]
    assert match(people[::2], people[1::2]).decisions == ()
    both = match(people, people)
    assert {(one.left, one.right, one.verdict) for one in both.decisions} == {
        (one.id, one.id, MatchVerdict.CERTAIN) for one in people
    }
