"""Writes to Kareo whose answers get lost, before and after they were carried out: looked for, never doubled, never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from daemon.vendors.kareo.limiter import IntervalLimiter
from daemon.vendors.kareo.writer import KareoHands
from daemon.vendors.ports.errors import ChangedMeanwhile, NotAsWritten, OutcomeUnknown, Refused
from events.ids import ElationChartId, KareoPatientId
from events.writes import (
    AddKareoCase,
    AnyWrite,
    CreateEncounter,
    CreateKareoChart,
    EncounterTerms,
    KareoChartWritten,
    RecordCreated,
    Searched,
    SearchKareo,
    UpdateKareoChart,
)
from tests.integration.kareo import Kareo, kareo_at_work

CREATE = CreateKareoChart(
    elation=ElationChartId(640),
    fields={"first_name": "Ada", "last_name": "Byrne", "birth_date": "1980-02-29", "sex": "Female", "city": "Augusta"},
    external_id="640",
    case_name="Standard",
    payer_scenario="Insurance",
)


@pytest_asyncio.fixture
async def kareo() -> AsyncIterator[Kareo]:
    async with kareo_at_work() as kareo:
        yield kareo


@pytest.fixture
def hands(kareo: Kareo) -> KareoHands:
    return KareoHands(kareo.client, vendor_name="chartwire", now=lambda: kareo.now)


def move(patient: int, city: str = "Macon", expected: str = "Augusta") -> UpdateKareoChart:
    return UpdateKareoChart(patient=KareoPatientId(patient), fields={"city": city}, expected={"city": expected})


def encounter(kareo: Kareo, patient: int, batch: str = "4001", *codes: str) -> CreateEncounter:
    (case, *_) = [one.id for one in kareo.sandbox.cases.values() if one.patient_id == patient]
    lines = [EncounterTerms(cpt=code, units="1", unit_charge="120.00", dxs=("I10",)) for code in codes or ("99213",)]
    return CreateEncounter(
        bill=4001,
        content="c",
        patient=KareoPatientId(patient),
        case_id=case,
        service_day=date(2026, 3, 1),
        post_day=date(2026, 3, 2),
        rendering_provider=kareo.doctor,
        location=kareo.place,
        place_of_service="11",
        lines=tuple(lines),
        batch=batch,
    )


def add_case(patient: int) -> AddKareoCase:
    return AddKareoCase(patient=KareoPatientId(patient), case_name="New", payer_scenario="Insurance")


KINDS = ("CreatePatient", "UpdatePatient", "AddCase", "CreateEncounter", "CreateEncounter without batch")


def prepared(kareo: Kareo, kind: str) -> tuple[AnyWrite, str]:
    if kind == "CreatePatient":
        return CREATE, kind
    ada = kareo.ada(city="Augusta", **({"cases": []} if kind == "AddCase" else {}))
    if kind == "UpdatePatient":
        return move(ada), kind
    if kind == "AddCase":
        return add_case(ada), "UpdatePatient"
    return encounter(kareo, ada, "" if "without" in kind else "4001"), "CreateEncounter"


def count(kareo: Kareo, kind: str) -> int:
    """How often the write has been done, as Kareo sees it."""
    if kind == "CreatePatient":
        return len(kareo.sandbox.patients)
    if kind == "UpdatePatient":
        return sum(one.city == "Macon" for one in kareo.sandbox.patients.values())
    return len(kareo.sandbox.cases) if kind == "AddCase" else len(kareo.sandbox.encounters)


@pytest.mark.parametrize("lost", ["cut_before", "cut_after", "half", "garbage", "fault", "status"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_lost_answer_is_looked_for_and_the_write_is_done_once(
    kareo: Kareo, hands: KareoHands, kind: str, lost: str
) -> None:
    write, operation = prepared(kareo, kind)
    kareo.faults.add(operation, lost)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        await hands.carry_out(lambda: write)
    applied = lost in ("cut_after", "half", "garbage")
    found = await hands.look_up(write)
    assert (found is not None) == applied == (count(kareo, kind) == 1)
    result = found or await hands.carry_out(lambda: write)
    assert isinstance(result, KareoChartWritten | RecordCreated)
    assert count(kareo, kind) == 1
    assert await hands.look_up(write) == result or isinstance(result, KareoChartWritten)


@pytest.mark.parametrize("kind", ["CreatePatient", "UpdatePatient", "AddCase", "CreateEncounter"])
async def test_even_a_blind_repetition_does_nothing_twice(kareo: Kareo, hands: KareoHands, kind: str) -> None:
    write, _ = prepared(kareo, kind)
    first, second = await hands.carry_out(lambda: write), await hands.carry_out(lambda: write)
    assert type(first) is type(second)
    assert count(kareo, kind) == 1


async def test_a_created_chart_has_case_external_id_and_what_was_asked(kareo: Kareo, hands: KareoHands) -> None:
    written = await hands.carry_out(lambda: CREATE)
    assert isinstance(written, KareoChartWritten)
    assert (written.chart.city, written.chart.birth_date, written.read_at) == ("Augusta", date(1980, 2, 29), kareo.now)
    assert [one.name for one in written.chart.cases or ()] == ["Standard"]
    assert kareo.sandbox.external_ids(written.chart.id) == {"chartwire": "640"}


async def test_a_namesake_of_long_ago_is_not_taken_for_a_lost_creation(kareo: Kareo, hands: KareoHands) -> None:
    kareo.ada()
    kareo.later(hours=2)
    kareo.faults.add("CreatePatient", "cut_before")
    with pytest.raises(OutcomeUnknown):
        await hands.carry_out(lambda: CREATE)
    assert await hands.look_up(CREATE) is None
    await hands.carry_out(lambda: CREATE)
    assert len(kareo.sandbox.patients) == 2


async def test_an_edit_made_there_meanwhile_is_not_overwritten(kareo: Kareo, hands: KareoHands) -> None:
    ada = kareo.ada(city="Savannah")
    with pytest.raises(ChangedMeanwhile) as caught:
        await hands.carry_out(lambda: move(ada))
    assert caught.value.seen.chart.city == "Savannah"
    assert "UpdatePatient" not in kareo.asked()


async def test_an_edit_made_there_while_a_write_waits_for_its_turn_is_not_overwritten(
    kareo: Kareo, hands: KareoHands
) -> None:
    ada = kareo.ada(city="Augusta")
    kareo.client.limiter = IntervalLimiter(0.001)
    async with kareo.client.limiter.turn("UpdatePatient"):
        writing = asyncio.create_task(hands.carry_out(lambda: move(ada)))
        await asyncio.sleep(0.1)
        kareo.people.edit_patient(ada, city="Savannah")
    with pytest.raises(ChangedMeanwhile):
        await writing
    assert kareo.sandbox.patients[ada].city == "Savannah"


async def test_what_is_agreed_otherwise_while_a_write_waits_for_its_turn_is_not_written(
    kareo: Kareo, hands: KareoHands
) -> None:
    """Even where Kareo shows again what the write was decided to replace: somebody has entered it since (seed 7737)."""
    ada = kareo.ada(city="Augusta", state="GA")
    write = UpdateKareoChart(
        patient=KareoPatientId(ada), fields={"city": "Macon", "state": "SC"}, expected={"city": "Augusta", "state": "GA"}
    )
    kareo.client.limiter = IntervalLimiter(0.001)
    async with kareo.client.limiter.turn("UpdatePatient"):
        writing = asyncio.create_task(hands.carry_out(lambda: write))
        await asyncio.sleep(0.1)
        write = msgspec.structs.replace(write, fields={"state": "SC"})
    written = await writing
    assert isinstance(written, KareoChartWritten)
    assert written.sent == {"state": "SC"}
    assert (kareo.sandbox.patients[ada].city, kareo.sandbox.patients[ada].state) == ("Augusta", "SC")


async def test_what_somebody_puts_back_at_once_is_not_taken_for_not_kept(
    kareo: Kareo, hands: KareoHands, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = kareo.ada(city="Augusta")
    update = kareo.client.update_patient

    async def put_back(patient: int, *arguments: Any, **options: Any) -> None:
        await update(patient, *arguments, **options)
        if kareo.asked().count("UpdatePatient") == 1:
            kareo.people.edit_patient(ada, city="Augusta")

    monkeypatch.setattr(kareo.client, "update_patient", put_back)
    written = await hands.carry_out(lambda: move(ada))
    assert isinstance(written, KareoChartWritten)
    assert written.chart.city == kareo.sandbox.patients[ada].city == "Macon"


@pytest.mark.parametrize("kind", ["UpdatePatient", "AddCase"])
async def test_a_name_edited_there_meanwhile_stays(kareo: Kareo, hands: KareoHands, kind: str) -> None:
    """Every update has to carry both names: those that Kareo has now, not those that were known when it was decided."""
    write, _ = prepared(kareo, kind)
    ada = write.patient  # type: ignore[union-attr]
    kareo.people.edit_patient(ada, first_name="Adelaide", last_name="Lovelace")
    await hands.carry_out(lambda: write)
    assert count(kareo, kind) == 1
    assert (kareo.sandbox.patients[ada].first_name, kareo.sandbox.patients[ada].last_name) == ("Adelaide", "Lovelace")


async def test_what_is_so_already_is_not_written(kareo: Kareo, hands: KareoHands) -> None:
    ada = kareo.ada(city="Macon")
    await hands.carry_out(lambda: move(ada))
    assert "UpdatePatient" not in kareo.asked()


async def test_what_kareo_does_not_keep_is_said_by_name(kareo: Kareo, hands: KareoHands) -> None:
    kareo.sandbox.switches.empty_clears = False
    ada = kareo.ada(city="Augusta")
    with pytest.raises(NotAsWritten) as caught:
        await hands.carry_out(lambda: move(ada, city=""))
    assert caught.value.fields == ("city",)


@pytest.mark.parametrize("form", ["nil", "empty", "refused"])
async def test_a_patient_who_is_gone_refuses(kareo: Kareo, hands: KareoHands, form: str) -> None:
    kareo.sandbox.switches.unknown_patient = form  # type: ignore[assignment]
    ada = kareo.ada()
    kareo.people.delete_patient(ada)
    with pytest.raises(Refused):
        await hands.carry_out(lambda: move(ada))
    assert await hands.look_up(move(ada)) is None


async def test_without_batches_two_alike_are_for_a_person(kareo: Kareo, hands: KareoHands) -> None:
    write = encounter(kareo, kareo.ada(), "")
    await hands.carry_out(lambda: write)
    await hands.carry_out(lambda: write)
    with pytest.raises(Refused, match="refused"):
        await hands.look_up(write)


async def test_a_search_finds_namesakes_and_the_mistyped(kareo: Kareo, hands: KareoHands) -> None:
    ada, typo, nick = kareo.ada(), kareo.ada(dob="1980-02-28"), kareo.ada(first_name="Adie")
    kareo.ada(first_name="Bob", dob="1970-01-01")
    found = await hands.carry_out(lambda: SearchKareo(first_name="Ada", last_name="Byrne", birth_date=date(1980, 2, 29)))
    assert isinstance(found, Searched)
    assert [one.id for one in found.candidates] == [ada, typo, nick]
