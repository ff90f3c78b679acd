"""Each veto by name: who is never linked for certain, however much agrees."""

from __future__ import annotations

from datetime import date

import pytest

from projections.matching import MatchVerdict, Veto, keys_of, match, normalize
from tests.matching.people import ADA, ada, decided, elsewhere

SSN, OTHER_SSN = "530-12-4481", "441-81-2231"

DEFAULT_DATE = {"birth_date": date(1985, 1, 1)}
BARE = {"address1": "", "phones": (), "email": ""}
NOWHERE = {"city": "", "state": "", "zip": ""}
PORTLAND = {"city": "Portland", "state": "OR", "zip": "97201"}

VETOED = {
    Veto.NAME_AND_DATE: [(ADA, ada(first_name="Adeliade", birth_date=date(1985, 12, 16)))],
    Veto.BIRTH_DATE: [(ADA, ada(birth_date=date(1961, 3, 27)))],
    Veto.NO_BIRTH_DATE: [(ADA, ada(birth_date=None))],
    Veto.GENERATION: [
        (ADA, ada(birth_date=date(1955, 12, 10))),
        (ADA, ada(birth_date=date(2015, 12, 10))),
        (ada(ssn=SSN), ada(ssn=SSN, birth_date=date(1955, 12, 10))),
    ],
    Veto.FIRST_NAME: [
        (ADA, ada(first_name="Xenia", middle_name="")),
        (ada(ssn=SSN), ada(ssn=SSN, first_name="Xenia", middle_name="")),
    ],
    Veto.NO_FIRST_NAME: [(ADA, ada(first_name=""))],
    Veto.NEWBORN: [
        (ADA, ada(first_name="Baby Girl", middle_name="")),
        *(
            (ada(first_name=name, middle_name=""), ada(first_name=name, middle_name=""))
            for name in ("Newborn Male", "BB1", "Girl of Ana")
        ),
    ],
    Veto.TWINS: [
        (ADA, ada(first_name="Xenia", middle_name="")),
        (ada(first_name="Anna", middle_name=""), ada(first_name="Anne", middle_name="")),
        (ada(first_name="Mia", middle_name=""), ada(first_name="Nia", middle_name="")),
        (ada(middle_name=""), ada(first_name="A", middle_name="")),
        (ada(first_name="Gabriel", middle_name="", sex=""), ada(first_name="Gabriela", middle_name="", sex="")),
        (ADA, ada(first_name="Ruth", middle_name="")),
        *(
            (ada(first_name=one, middle_name="", ssn=SSN), ada(first_name=other, middle_name="", ssn=SSN))
            for one, other in (("Mia", "Nia"), ("Jayden", "Jaylen"), ("Brandon", "Brendan"), ("Christian", "Christina"))
        ),
        (ada(first_name="Elizabeth", middle_name="", phones=()), ada(first_name="Lisa", middle_name="", phones=())),
        *(
            (ada(first_name=one, middle_name="", sex=sex), ada(first_name=other, middle_name="", sex=sex))
            for one, other in (
                ("Harry", "Henry"),
                ("Ellen", "Helen"),
                ("Mary", "Molly"),
                ("Anna", "Hannah"),
                ("Sally", "Sarah"),
            )
            for sex in ("Female", "")
        ),
        *(
            (ada(first_name=one, middle_name="", sex=""), ada(first_name=other, middle_name="", sex=""))
            for one, other in (
                ("Maria", "Marta"),
                ("Evan", "Ewan"),
                ("Daniel", "Daniela"),
                ("Julia", "Julian"),
                ("Mia", "Mila"),
            )
        ),
    ],
    Veto.SUFFIX: [
        (ada(suffix="Jr"), ada(suffix="Sr")),
        (ada(last_name="Wennerholm III"), ada(suffix="Jr")),
        (ada(suffix="Jr"), ada(birth_date=date(1985, 12, 16))),
    ],
    Veto.MIDDLE_NAME: [(ADA, ada(middle_name="Noel"))],
    Veto.LAST_NAME: [(ADA, elsewhere(last_name="Olatunji", middle_name="Ruth", city="Augusta", zip="30904"))],
    Veto.NAMESAKE: [
        (ADA, elsewhere()),
        (ADA, elsewhere(middle_name="Ruth", zip="30904", city="Augusta")),
        (ada(email="adelaide.wennerholm@mail.com"), elsewhere(email="adelaide.wennerholm@mail.com")),
        (ADA, ada(address1="", phones=(), email="")),
        *(
            (ada(address1=line, phones=()), ada(address1=line, phones=(), email="", **PORTLAND))
            for line in ("PO Box 12", "100 Main St")
        ),
        (ada(**BARE), ada(**BARE, **PORTLAND)),
        (ada(**BARE, **NOWHERE, middle_name=""), ada(**BARE, **NOWHERE, middle_name="")),
        (ada(city=""), ada(**{**PORTLAND, "city": ""}, phones=(), email="")),
    ],
    Veto.SEX: [(ADA, ada(sex="Male", first_name="Adela")), (ADA, ada(sex="Male", birth_date=date(1985, 12, 16)))],
    Veto.SSN: [(ada(ssn=SSN), ada(ssn=OTHER_SSN))],
    Veto.IMPROBABLE: [
        (ADA, elsewhere(last_name="Olatunji", city="Augusta", zip="30904")),
        (ada(middle_name="", email=""), ada(middle_name="", email="", birth_date=date(1985, 12, 23))),
        (ada(middle_name="", email=""), ada(middle_name="", email="", birth_date=date(1995, 12, 10))),
        (ada(**DEFAULT_DATE, middle_name=""), elsewhere(**DEFAULT_DATE, phones=ADA.phones)),
        (ada(**DEFAULT_DATE, middle_name=""), elsewhere(**DEFAULT_DATE, address1=ADA.address1, city="Augusta", zip="30904")),
    ],
}
"""Pairs that the veto is said of."""

AMONG_OTHERS = {Veto.RIVAL, Veto.TWO_ALIKE, Veto.LINKED, Veto.EDITED}
"""Vetoes of other pairs (test_deciding) and of what was before (tests/integration/test_finding.py)."""


@pytest.mark.parametrize(("veto", "pair"), [(veto, pair) for veto, pairs in VETOED.items() for pair in pairs])
def test_a_veto_leaves_the_pair_to_a_person(veto: Veto, pair: tuple):
    decision = decided(*pair)
    assert decision is not None
    assert decision.verdict is MatchVerdict.CANDIDATE
    assert veto in decision.vetoes


def test_every_veto_has_a_case():
    assert set(VETOED) | AMONG_OTHERS == set(Veto)


@pytest.mark.parametrize(
    "other",
    [
        ADA,
        ada(last_name="WENNERHOLM-OLATUNJI"),
        ada(last_name="Olatunji"),
        ada(last_name="Wenerholm"),
        ada(first_name="Della"),
        ada(first_name="Adelaid"),
        ada(first_name="A", middle_name="R"),
        ada(first_name="Wennerholm", last_name="Adelaide"),
        ada(birth_date=date(1985, 10, 12)),
        ada(birth_date=date(1985, 12, 16)),
        ada(middle_name="R"),
        ada(middle_name=""),
        ada(sex="Male"),
        ada(suffix="Jr"),
        ada(address1="5 Elm Court", city="Thomson", zip="30824"),
        ada(phones=("8035552021",), email=""),
        ada(address1="", city="", state="", zip=""),
    ],
    ids=[
        "the same", "compound", "married", "last name misspelt", "nickname", "first name misspelt", "initials", "swapped",
        "day and month", "one digit", "middle initial", "no middle name", "sex mistyped", "suffix left out", "moved", "new phone",
        "no address",
    ],
)  # fmt: skip
def test_what_people_mistype_and_change_is_certain(other: object):
    known = [
        ada(id=f"k{number}", first_name="Adelaide", last_name=f"Other{number}", birth_date=date(1950, 1, 2))
        for number in range(4)
    ]
    matched = match([ADA, *known], [other])  # type: ignore[list-item]
    assert [(one.left, one.right) for one in matched.of(MatchVerdict.CERTAIN)] == [("1", "1")], matched.decisions


def test_one_ssn_makes_a_person_certain_where_nothing_else_does():
    assert decided(ada(ssn=SSN), elsewhere(ssn=SSN)).verdict is MatchVerdict.CERTAIN
    assert decided(ada(ssn=SSN), elsewhere(ssn="530-12-4418")).verdict is MatchVerdict.CANDIDATE


def test_an_e_mail_made_of_a_name_says_half_whichever_of_the_two_has_the_name():
    """Only one of the two first names is in the address that both have."""
    robert = ada(first_name="Robert", middle_name="Lee", last_name="Wu", email="rob77@mail.com", phones=())
    rob = elsewhere(first_name="Rob", middle_name="Lee", last_name="Wu", email="rob77@mail.com", phones=())
    verdicts = {decided(*pair).vetoes for pair in ((robert, rob), (rob, robert))}
    assert verdicts == {(Veto.NAMESAKE,)}


@pytest.mark.parametrize("second", [{"middle_name": "Ruth", **NOWHERE}, {"middle_name": ""}], ids=["middle name", "town"])
def test_of_charts_without_address_and_phone_a_second_thing_makes_certain(second: dict[str, str]):
    assert decided(ada(**BARE, **second), ada(**BARE, **second)).verdict is MatchVerdict.CERTAIN


def test_strangers_are_nobody():
    assert decided(ADA, elsewhere(first_name="Xenia", birth_date=date(1961, 3, 27))) is None
    assert decided(ADA, ada(first_name="Xenia", birth_date=date(1961, 3, 27), middle_name="")) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("García-López", "Garcia Lopez"),
        ("O'Brien", "OBrien"),
        ("De La Cruz", "Delacruz"),
        ("Peters Jr", "Peters"),
        ("García", "Garcia"),
    ],
)
def test_last_names_that_a_vendor_does_not_find_are_found_and_certain(one: str, other: str):
    here, there = ada(last_name=one), ada(last_name=other)
    assert decided(here, there).verdict is MatchVerdict.CERTAIN
    assert {key for key in keys_of(normalize(here)) if key.startswith("name:")} & set(keys_of(normalize(there)))


@pytest.mark.parametrize(
    ("formal", "short"),
    [
        ("Robert", "Bob"),
        ("William", "Bill"),
        ("Margaret", "Peggy"),
        ("Elizabeth", "Liz"),
        ("Guadalupe", "Lupe"),
        ("José", "Pepe"),
        ("Francisco", "Paco"),
        ("Pancho", "Francisco"),
        ("Jesús", "Chuy"),
        ("Nacho", "Ignacio"),
        ("Svetlana", "Sveta"),
    ],
)
@pytest.mark.parametrize("middle", ["Ruth", ""])
def test_nicknames_are_certain(formal: str, short: str, middle: str):
    here, there = ada(first_name=formal, middle_name=middle), ada(first_name=short, middle_name=middle)
    assert decided(here, there).verdict is decided(there, here).verdict is MatchVerdict.CERTAIN


@pytest.mark.parametrize(
    "own", [{"middle_name": "Ruth"}, {"middle_name": "", "email": "henry.w@mail.com"}], ids=["middle name", "e-mail"]
)
def test_two_names_of_twins_are_one_persons_where_something_of_his_own_says_so(own: dict[str, str]):
    assert decided(ada(first_name="Henry", **own), ada(first_name="Harry", **own)).verdict is MatchVerdict.CERTAIN


def test_two_names_of_twins_are_one_persons_where_nobody_else_at_home_has_the_phone():
    mother = ada(id="9", first_name="Xenia", birth_date=date(1961, 3, 27), phones=("8035552021",), email="")
    henry, harry = ada(first_name="Henry", middle_name=""), ada(first_name="Harry", middle_name="")
    sure = {(one.left, one.right) for one in match([henry, mother], [harry]).of(MatchVerdict.CERTAIN)}
    assert sure == {("1", "1")}


def test_names_that_a_column_cuts_short_are_shown_after_a_move():
    here = ada(first_name="Christopher", last_name="Papadimitropoulos")
    there = elsewhere(first_name="Christophe", last_name="Papadimitr")
    assert decided(here, there) is not None


LIZ = {"first_name": "Elizabeth", "middle_name": ""}


@pytest.mark.parametrize("own", [{"middle_name": "Ruth"}, {"ssn": SSN}])
def test_two_names_with_one_short_form_are_one_persons_where_something_of_her_own_says_so(own: dict[str, str]):
    """Twins share address, phone and birth date; neither a middle name nor an SSN."""
    found = decided(ada(**{**LIZ, **own}), ada(**{**LIZ, "first_name": "Lisa", **own}))
    assert found is not None
    assert Veto.TWINS not in found.vetoes


def test_a_short_form_of_a_name_is_no_twin():
    found = decided(ada(**LIZ), ada(**{**LIZ, "first_name": "Liz"}))
    assert found is not None
    assert found.verdict is MatchVerdict.CERTAIN
