"""All pairs judged together: one to one, far enough before the second best, in any order."""

from __future__ import annotations

import random
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.matching import (
    Frequencies,
    MatchVerdict,
    Person,
    Veto,
    decide,
    decisions_about,
    duplicates,
    keys_of,
    match,
    normalize,
    pair_of,
)
from projections.matching.keys import LARGEST
from tests.matching.people import ADA, NOBODY, ada, elsewhere
from tests.matching.town import town

DEFAULT_SSN = "530-12-4481"
BROTHER = {"first_name": "Theodore", "middle_name": "Amos", "sex": "Male"}


def certain(left: list[Person], right: list[Person]) -> set[tuple[str, str]]:
    return {(one.left, one.right) for one in match(left, right).of(MatchVerdict.CERTAIN)}


def candidates(left: list[Person], right: list[Person]) -> dict[tuple[str, str], tuple[Veto, ...]]:
    return {(one.left, one.right): one.vetoes for one in match(left, right).of(MatchVerdict.CANDIDATE)}


@pytest.mark.parametrize("double", [ada(id="2"), ada(id="2", last_name="Wenerholm"), ada(id="2", middle_name="")])
def test_two_charts_of_one_system_that_look_alike_wait(double: Person):
    for left, right in (([ADA, double], [ADA]), ([ADA], [ADA, double]), ([ADA, double], [ADA, double])):
        assert certain(left, right) == set()
        assert all(Veto.TWO_ALIKE in vetoes for vetoes in candidates(left, right).values())


def test_a_rival_who_is_nearly_as_alike_makes_both_wait():
    one = ada(first_name="Adelaid", middle_name="")
    same, initial = ada(id="2", middle_name=""), ada(id="3", first_name="A", middle_name="")
    assert certain([one], [same]) == {("1", "2")}
    assert certain([one], [same, initial]) == set()
    assert candidates([one], [same, initial]) == {("1", "2"): (Veto.RIVAL,), ("1", "3"): (Veto.TWINS,)}


def test_twins_in_both_systems_are_linked_each_to_himself():
    twins = [ADA, ada(id="2", **BROTHER)]
    assert certain(twins, twins) == {("1", "1"), ("2", "2")}


def test_twins_of_nearly_the_same_name_are_linked_each_to_himself():
    twins = [ada(first_name="Anna", middle_name=""), ada(id="2", first_name="Anne", middle_name="")]
    assert certain(twins, twins) == {("1", "1"), ("2", "2")}
    assert certain(twins[:1], twins[1:]) == set()


def test_father_and_son_in_both_systems_are_linked_each_to_himself():
    family = [ada(**{**BROTHER, "birth_date": date(1955, 12, 10)}), ada(id="2", **BROTHER)]
    assert certain(family, family) == {("1", "1"), ("2", "2")}
    assert certain(family[:1], family[1:]) == set()


def test_a_second_chart_of_a_linked_person_is_shown():
    """A chart that only a person may link is no new patient."""
    again = ada(id="2", birth_date=date(1985, 12, 16), first_name="Adelade")
    assert certain([ADA, again], [ADA]) == {("1", "1")}
    assert Veto.LINKED in candidates([ADA, again], [ADA])["2", "1"]


def test_a_second_chart_of_a_linked_person_who_moved_is_shown():
    moved = ada(id="2", address1="31 Laurel Lane", city="Thomson", zip="30824", phones=("706 595 2200",), email="")
    for left, right, pair in (([ADA], [ADA, moved], ("1", "2")), ([ADA, moved], [ADA], ("2", "1"))):
        assert certain(left, right) == {("1", "1")}
        assert {Veto.LINKED, Veto.NAMESAKE} <= set(candidates(left, right)[pair])
    assert certain([ADA], [ADA, elsewhere(id="2", middle_name="Noel")]) == {("1", "1")}
    assert candidates([ADA], [ADA, elsewhere(id="2", middle_name="Noel")]) == {}


def test_who_is_alone_is_told():
    matched = match(
        [ADA, elsewhere(id="5", first_name="Xenia", last_name="Olatunji")], [ADA, ada(id="7", last_name="Quist", **BROTHER)]
    )
    assert (matched.only_left, matched.only_right) == (("5",), ("7",))


def test_a_decision_says_levels_and_never_values():
    other = ada(id="2", first_name="Della", last_name="Wenerholm", phones=("8035552021",))
    (decision,) = match([ADA], [other]).decisions
    assert decision.differences == ("first name: nickname", "last name: misspelt", "phone: other")
    told = repr(decision)
    assert not any(value in told for value in ("Adelaide", "Della", "1985", "Peachtree", "4418", "queen"))


@given(st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_charts_and_pairs_does_not_matter(pick: random.Random):
    lists = TOWN
    left, right = list(lists.left), list(lists.right)
    pick.shuffle(left)
    pick.shuffle(right)
    shuffled = match(left, right)
    assert shuffled.decisions == MATCHED.decisions
    assert set(shuffled.only_left) == set(MATCHED.only_left)


def test_which_list_comes_first_does_not_matter():
    turned = match(TOWN.right, TOWN.left)
    assert {(one.right, one.left, one.verdict) for one in turned.decisions} == {
        (one.left, one.right, one.verdict) for one in MATCHED.decisions
    }


def test_every_certain_pair_is_one_to_one_and_without_a_veto():
    sure = MATCHED.of(MatchVerdict.CERTAIN)
    assert len({one.left for one in sure}) == len({one.right for one in sure}) == len(sure) > 100
    assert all(not one.vetoes and one.probability >= 0.999 for one in sure)


def test_a_live_search_decides_as_the_whole_lists_do():
    """By keys, one chart at a time, against charts that are free."""
    ours, theirs = [normalize(one) for one in TOWN.left], [normalize(one) for one in TOWN.right]
    frequencies = Frequencies.of(ours, theirs)
    wholly = {
        one.left: one.right for one in decide(_all_pairs(ours, theirs, frequencies)) if one.verdict is MatchVerdict.CERTAIN
    }
    for one in ours[:60]:
        near = _sharing([one], theirs)
        found = decisions_about(one, near, _sharing(near, ours), frequencies)
        linked = [decision.right for decision in found if decision.verdict is MatchVerdict.CERTAIN]
        assert linked == [wholly[one.id]] if linked else True
        if one.id in wholly:
            assert wholly[one.id] in {decision.right for decision in found}


def test_blocks_find_whom_comparing_with_everybody_finds():
    ours, theirs = [normalize(one) for one in TOWN.left], [normalize(one) for one in TOWN.right]
    frequencies = Frequencies.of(ours, theirs)
    keys = {id(one): set(keys_of(one)) for one in (*ours, *theirs)}
    alike = [
        (one, other)
        for one in ours
        for other in theirs
        if (pair := pair_of(one, other, frequencies)) and pair.score.probability > 0.9
    ]
    assert len(alike) > 100
    assert all(keys[id(one)] & keys[id(other)] for one, other in alike)


def test_a_large_block_is_told():
    crowd = [ada(id=str(number), first_name=f"N{number:04d}x", phones=(), email="") for number in range(LARGEST)]
    matched = match(crowd[: LARGEST // 2 + 5], crowd[LARGEST // 2 - 5 :])
    assert {one.kind for one in matched.large} >= {"born"}
    assert all(one.charts > LARGEST for one in matched.large)


def test_duplicates_within_one_list():
    again = ada(id="2", first_name="Della", last_name="Wenerholm")
    twin = ada(id="3", **BROTHER)
    found = duplicates([twin, again, ADA, elsewhere(id="4", first_name="Xenia", last_name="Olatunji")])
    assert {frozenset((found[0].left, found[0].right))} == {frozenset("12")}
    assert all(one.verdict is MatchVerdict.CANDIDATE for one in found)
    assert found[0].vetoes == ()
    assert all(Veto.TWINS in one.vetoes for one in found[1:])


def test_a_score_of_a_small_practice_is_careful():
    assert pair_of(
        normalize(ADA), normalize(elsewhere(address1="", phones=(), email="", city="", zip="", sex="")), NOBODY
    ).vetoes


def _all_pairs(ours, theirs, frequencies):
    for one in ours:
        for other in theirs:
            if (pair := pair_of(one, other, frequencies)) is not None:
                yield pair


def _sharing(some, people):
    keys = {key for one in some for key in keys_of(one)}
    return [one for one in people if keys & set(keys_of(one))]


TOWN = town(150, seed=11, judging=False)
MATCHED = match(TOWN.left, TOWN.right)


def test_an_ssn_on_many_charts_is_a_default_and_links_nobody():
    """Two of one name and birth date in different families, in a practice that types one number where it has none."""
    others = [
        ada(id=f"o{at}", first_name=f"Name{at}", last_name=f"Of{at}", birth_date=date(1950, 1, at + 1), ssn=DEFAULT_SSN)
        for at in range(6)
    ]
    one = ada(ssn=DEFAULT_SSN)
    assert certain([one], [elsewhere(id="2", ssn=DEFAULT_SSN)]) == {("1", "2")}
    for other in (elsewhere(id="2", ssn=DEFAULT_SSN), elsewhere(id="2", ssn=DEFAULT_SSN, birth_date=date(1985, 12, 16))):
        assert certain([one, *others], [other]) == set()
        assert certain([other], [one, *others]) == set()


def test_an_ssn_that_is_a_default_speaks_against_nobody():
    others = [
        ada(id=f"o{at}", first_name=f"Name{at}", last_name=f"Of{at}", birth_date=date(1950, 1, at + 1), ssn=DEFAULT_SSN)
        for at in range(6)
    ]
    assert ("1", "2") in certain([ada(ssn=DEFAULT_SSN), *others], [ada(id="2", ssn="441-81-2231")])


def only_at_home(number: int, **changes: object) -> Person:
    """A person of whom a list has name, birth date and address, and who lives with nobody."""
    other = {
        "id": f"{number}", "middle_name": "", "sex": "", "phones": (), "email": "", "first_name": f"{FIRSTS[number % 8]}",
        "last_name": f"Fam{number:03}orsen".translate(str.maketrans("0123456789", "abcdefghij")),
        "birth_date": date(1950 + number % 50, 1 + number % 12, 1 + number % 28), "address1": f"{100 + number} Birch Way",
    }  # fmt: skip
    return ada(**{**other, **changes})


FIRSTS = ("Olga", "Peter", "Ines", "Karl", "Rosa", "Hugo", "Lena", "Otto")
SAMPLE = [only_at_home(number) for number in range(300)]
FATHER = {"first_name": "Robert", "birth_date": date(1961, 3, 27)}
SON = {"first_name": "Robert", "birth_date": date(1990, 11, 4)}


def test_a_son_with_a_suffix_is_not_his_father_even_where_nobody_else_lives_with_anybody():
    for father, son in (({}, {"suffix": "Jr"}), ({"suffix": "Sr"}, {})):
        left = [*SAMPLE, only_at_home(900, **FATHER, **father)]
        right = [*SAMPLE[:200], only_at_home(900, **SON, **son)]
        assert ("900", "900") not in certain(left, right)
        assert Veto.SUFFIX in candidates(left, right)["900", "900"]


def test_two_lists_with_relatives_across_them_are_no_sample_of_people_who_live_alone():
    """A family of which each list has one: neither list by itself has relatives."""
    father, son = only_at_home(900, **FATHER), only_at_home(900, **SON)
    assert ("900", "900") not in certain([*SAMPLE, father], [*SAMPLE[:200], son])
    mothers = [only_at_home(number, first_name="Emma", birth_date=date(1971, 5, 6)) for number in range(600, 610)]
    children = [only_at_home(number, first_name="Mason", birth_date=date(2004, 8, 19)) for number in range(600, 610)]
    assert ("900", "900") not in certain([*SAMPLE, *mothers, father], [*SAMPLE[:200], *children, son])


def test_in_lists_that_are_mistyped_little_a_twin_is_no_mistyped_first_name():
    one, other = only_at_home(900, first_name="Noah"), only_at_home(900, first_name="Olivia")
    assert ("900", "900") not in certain([*SAMPLE, one], [*SAMPLE[:200], other])
    mistyped = [only_at_home(number, last_name=f"{SAMPLE[number].last_name[:-1]}m") for number in range(200, 220)]
    frequencies = [
        Frequencies.of(*([normalize(each) for each in list_] for list_ in lists))
        for lists in (([*SAMPLE, one], [*SAMPLE[:200], other]), ([*SAMPLE, one], [*SAMPLE[:200], *mistyped, other]))
    ]
    assert [each.alone for each in frequencies] == [False, True]


def test_a_phone_of_more_than_a_family_makes_no_namesake_certain():
    """The practice's own number on some charts, and two of one name and birth date who live in different streets."""
    others = [
        ada(id=f"o{at}", first_name=f"Name{at}", last_name=f"Of{at}", birth_date=date(1950, 1, at + 2)) for at in range(6)
    ]
    one, other = ada(middle_name=""), elsewhere(id="2", phones=ADA.phones)
    assert certain([one, *others[:2]], [other]) == {("1", "2")}
    assert certain([one, *others], [other]) == set()
