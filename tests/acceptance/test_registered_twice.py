"""End to end: whoever is registered in both systems, spelled another way, never becomes two pairs of charts.

The vendors' own searches ask for the exact last name: what they cannot find is found in our own copy. Each person is told
apart by a phone number that nobody else has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.test_cli_repair import ELM, Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAIN: dict[str, object] = {"middle_name": "", "sex": "Female"}
BORN = iter([date(1971, 4, 9), date(1958, 8, 11), date(1983, 5, 7)])
"""Of the people of each test: nobody is taken for the namesake of another test."""

KINDS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "two surnames": ({"last_name": "García-López"}, {"last_name": "Garcia Lopez"}),
    "one of two surnames": ({"last_name": "Rodriguez Ibarra"}, {"last_name": "Rodriguez"}),
    "an apostrophe": ({"last_name": "O'Brien"}, {"last_name": "OBrien"}),
    "particles": ({"last_name": "De La Cruz"}, {"last_name": "Delacruz"}),
    "a suffix": ({"last_name": "Peters Jr"}, {"last_name": "Peters"}),
    "an accent": ({"last_name": "Muñoz"}, {"last_name": "Munoz"}),
    "a typing error": ({"last_name": "Fitzgerald"}, {"last_name": "Fitzgreald"}),
    "a nickname": ({"first_name": "Katherine"}, {"first_name": "Kathy"}),
    "swapped names": (
        {"first_name": "Philippa", "last_name": "Montgomery"},
        {"first_name": "Montgomery", "last_name": "Philippa"},
    ),
    "day and month swapped": ({}, {}),
    "a married name": ({"last_name": "Haverbrook"}, {"last_name": "Zielinski"}),
    "nothing at all": ({}, {}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


def people(town: Town) -> dict[str, tuple[dict[str, object], dict[str, object]]]:
    """A new person for each kind: as the first system has them, and as the second has."""
    found = {}
    born = next(BORN)
    for kind, (first, second) in KINDS.items():
        one = town.day.person(**PLAIN, birth_date=born)
        swapped = {"birth_date": date(born.year, born.day, born.month)} if kind == "day and month swapped" else {}
        found[kind] = {**one, **first}, {**one, **second, **swapped}
    return found


def charts(town: Town, person: dict[str, object]) -> set[int]:
    """The person's charts in Elation that are there."""
    digits = str(person["mobile"])
    return {
        id_
        for id_, one in town.clinic.ehr.patients.items()
        if any("".join(filter(str.isdigit, phone["phone"])) == digits for phone in one["phones"])
    }


def patients(town: Town, person: dict[str, object]) -> set[int]:
    """The person's patients in Kareo."""
    digits = str(person["mobile"])
    return {
        id_
        for id_, one in town.clinic.billing.patients.items()
        if "".join(filter(str.isdigit, one.mobile_phone or "")) == digits
    }


async def links(town: Town) -> set[tuple[int, int]]:
    rows = await town.store.pool.fetch("SELECT elation_chart, kareo_patient FROM chartwire.link WHERE practice = $1", ELM)
    return {(row["elation_chart"], row["kareo_patient"]) for row in rows}


async def asked_about(town: Town) -> str:
    items = await town.waiting("--code", "candidates")
    return " ".join(f"{one['patient']} {one['reason']}" for one in items)


def register(town: Town, system: str, person: dict[str, Any]) -> int:
    day, office = town.day, town.office
    return day.elation_patient(office, person) if system == "elation" else day.kareo_patient(office, person)


@pytest.mark.parametrize(("first", "second"), [("elation", "kareo"), ("kareo", "elation")])
async def test_a_second_registration_later_waits_and_nothing_is_created_for_it(town: Town, first: str, second: str) -> None:
    found = people(town)
    for one, _ in found.values():
        register(town, first, one)
    await town.rest.reached()
    before = {kind: (len(charts(town, one)), len(patients(town, one))) for kind, (one, _) in found.items()}
    assert before == dict.fromkeys(found, (1, 1))
    made = {kind: register(town, second, other) for kind, (_, other) in found.items()}
    await town.rest.reached()
    doubled = (2, 1) if second == "elation" else (1, 2)
    after = {kind: (len(charts(town, one)), len(patients(town, one))) for kind, (one, _) in found.items()}
    assert after == dict.fromkeys(found, doubled)
    asked, linked = await asked_about(town), await links(town)
    for kind, chart in made.items():
        assert chart not in {one for pair in linked for one in pair}, kind
        assert f"{second}:{chart} " in asked, kind
    await town.sound()


async def test_two_registrations_within_a_minute_end_as_one_pair_or_as_a_question(town: Town) -> None:
    found = people(town)
    made = {
        kind: (register(town, "elation", one), register(town, "kareo", other)) if number % 2 else
        (register(town, "kareo", other), register(town, "elation", one))[::-1]
        for number, (kind, (one, other)) in enumerate(found.items())
    }  # fmt: skip
    await town.rest.reached()
    asked, linked = await asked_about(town), await links(town)
    for kind, (chart, patient) in made.items():
        one, _ = found[kind]
        here, there = charts(town, one), patients(town, one)
        assert len([pair for pair in linked if pair[0] in here or pair[1] in there]) <= 1, f"{kind}: two pairs"
        assert len(here) + len(there) <= 3, kind
        lonely = (here - {pair[0] for pair in linked}, there - {pair[1] for pair in linked})
        for name, alone in zip(("elation", "kareo"), lonely, strict=True):
            assert all(f"{name}:{id_}" in asked for id_ in alone), f"{kind}: nobody is asked about {name} {alone}"
        assert (chart, patient) in linked or lonely != (set(), set()), kind
    await town.sound()
