"""Sharing partitions out: even, sticky, and nothing to two members at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.handover import Claim, share

ALL = range(12)


def settled(claims: dict[str, Claim]) -> dict[str, list[int]]:
    """What members have after they have put down what they were not given, and the group has assigned again."""
    for _ in range(3):
        shares = share(ALL, claims)
        claims = {member: Claim(9, tuple(shares[member])) for member in claims}
    return shares


def test_a_newcomer_gets_nothing_that_is_still_held() -> None:
    shares = share(ALL, {"a": Claim(3, tuple(ALL)), "b": Claim()})
    assert shares == {"a": [0, 1, 2, 3, 4, 5], "b": []}
    assert share(ALL, {"a": Claim(4, (0, 1, 2, 3, 4, 5)), "b": Claim(4)})["b"] == [6, 7, 8, 9, 10, 11]


def test_what_a_leaver_had_goes_to_those_who_stay_and_nothing_else_moves() -> None:
    shares = share(ALL, {"a": Claim(3, (0, 3, 6, 9)), "c": Claim(3, (2, 5, 8, 11))})
    assert set(shares["a"]) > {0, 3, 6, 9}
    assert set(shares["c"]) > {2, 5, 8, 11}
    assert len(shares["a"]) == len(shares["c"]) == 6


def test_a_forgotten_member_loses_to_whoever_has_taken_over() -> None:
    """A suspended worker still believes that it holds what others have had since."""
    claims = {"asleep": Claim(-1, (0, 1, 2, 3)), "b": Claim(7, (0, 1, 4, 5, 6, 7)), "c": Claim(7, (2, 3, 8, 9, 10, 11))}
    shares = share(ALL, claims)
    assert shares["asleep"] == []
    assert shares["b"] == [0, 1, 4, 5]
    assert shares["c"] == [2, 3, 8, 9]


def test_after_the_broker_was_emptied_everybody_keeps_what_it_has() -> None:
    claims = {"a": Claim(-1, (1, 2, 3, 4)), "b": Claim(-1, (0, 5, 6, 7)), "c": Claim(-1, (8, 9, 10, 11))}
    assert share(ALL, claims) == {member: list(claim.partitions) for member, claim in claims.items()}


members = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(Claim, st.integers(-1, 3), st.sets(st.integers(0, 13)).map(lambda each: tuple(sorted(each)))),
    min_size=1,
)


@given(members)
def test_nothing_is_given_twice_nor_to_anybody_while_another_holds_it(claims: dict[str, Claim]) -> None:
    shares = share(ALL, claims)
    given_out = [one for each in shares.values() for one in each]
    assert len(given_out) == len(set(given_out))
    newest = {
        one: max(c.generation for c in claims.values() if one in c.partitions)
        for c in claims.values()
        for one in c.partitions
    }
    for member, each in shares.items():
        for one in each:
            assert one not in newest or claims[member].generation == newest[one]


@given(members)
def test_in_the_end_everything_is_given_out_evenly(claims: dict[str, Claim]) -> None:
    shares = settled(claims)
    assert sorted(one for each in shares.values() for one in each) == list(ALL)
    sizes = [len(each) for each in shares.values()]
    assert max(sizes) - min(sizes) <= 1
