"""What is asked of the match tables, and the hashes that they hold (daemon/tables/matching.py)."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from daemon.tables.matching import Hashes, values_of, weighed
from projections.matching import Person, normalize


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
    assert set(values_of(MINE)) <= set(weighed([MINE], [ONE, OTHER]))


def test_what_tells_nobody_apart_is_known_also_where_only_one_of_the_others_has_it() -> None:
    """A default SSN beside one that differs, or a phone of many, has to be known as such."""
    asked = set(weighed([MINE], [ONE, OTHER]))
    assert {value for one in (ONE, OTHER) for value in values_of(one) if value.startswith("shared:")} <= asked


def test_a_city_of_only_one_of_the_others_is_not_asked_for() -> None:
    asked = weighed([MINE], [ONE, OTHER])
    assert not [value for value in asked if value in values_of(ONE) and value.startswith("cities:")]
    assert [value for value in weighed([MINE], [ONE, ONE]) if value in values_of(ONE) and value.startswith("cities:")]


@pytest.mark.parametrize("text", ["", "value:names:maria", "key:García 1980-02-29", "x" * 200])
def test_a_hash_is_the_first_half_of_hmac_sha_256(text: str) -> None:
    """What is stored stays what it was: another hash would make the tables of every practice incomplete."""
    secret = bytes(range(32))
    assert Hashes(secret).of(text) == hmac.digest(secret, text.encode(), hashlib.sha256)[:16]
