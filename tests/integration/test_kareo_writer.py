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
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.errors import ChangedMeanwhile, NotAsWritten, OutcomeUnknown, Refused
from events.ids import BillingPatientId, EhrChartId
from events.terms import EncounterTerms
from events.writes import (
    AddBillingCase,
    AnyWrite,
    BillingChartWritten,
    CreateBillingChart,
    CreateEncounter,
    RecordCreated,
    SearchBilling,
    Searched,
    UpdateBillingChart,
)
from tests.integration.kareo import Kareo, kareo_at_work

CREATE = CreateBillingChart(
    ehr=EhrChartId(640),
    fields={"first_name": "Ada", "last_name": "Byrne", "birth_date": "1980-02-29", "sex": "Female", "city": "Augusta"},
    external_id="640",
    case_name="Standard",
    payer_scenario="Insurance",
)


@pytest_asyncio.fixture
async def billing() -> AsyncIterator[Kareo]:
    async with kareo_at_work() as billing:
        yield billing


@pytest.fixture
def writer(billing: Kareo) -> KareoWriter:
    return KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)


def move(patient: int, city: str = "Macon", expected: str = "Augusta") -> UpdateBillingChart:
    return UpdateBillingChart(patient=BillingPatientId(patient), fields={"city": city}, expected={"city": expected})


def encounter(billing: Kareo, patient: int, batch: str = "4001", *codes: str) -> CreateEncounter:
    (case, *_) = [one.id for one in billing.sandbox.cases.values() if one.patient_id == patient]
    lines = [EncounterTerms(cpt=code, units="1", unit_charge="120.00", dxs=("I10",)) for code in codes or ("99213",)]
    return CreateEncounter(
        bill=4001,
        content="c",
        patient=BillingPatientId(patient),
        case_id=case,
        service_day=date(2026, 3, 1),
        post_day=date(2026, 3, 2),
        rendering_provider=billing.doctor,
        location=billing.place,
        place_of_service="11",
        lines=tuple(lines),
        batch=batch,
    )


def add_case(patient: int) -> AddBillingCase:
    return AddBillingCase(patient=BillingPatientId(patient), case_name="New", payer_scenario="Insurance")


KINDS = ("CreatePatient", "UpdatePatient", "AddCase", "CreateEncounter", "CreateEncounter without batch")


def prepared(billing: Kareo, kind: str) -> tuple[AnyWrite, str]:
    if kind == "CreatePatient":
        return CREATE, kind
    ada = billing.ada(city="Augusta", **({"cases": []} if kind == "AddCase" else {}))
    if kind == "UpdatePatient":
        return move(ada), kind
    if kind == "AddCase":
        return add_case(ada), "UpdatePatient"
    return encounter(billing, ada, "" if "without" in kind else "4001"), "CreateEncounter"


def count(billing: Kareo, kind: str) -> int:
    """How often the write has been done, as Kareo sees it."""
    if kind == "CreatePatient":
        return len(billing.sandbox.patients)
    if kind == "UpdatePatient":
        return sum(one.city == "Macon" for one in billing.sandbox.patients.values())
    return len(billing.sandbox.cases) if kind == "AddCase" else len(billing.sandbox.encounters)


@pytest.mark.parametrize("lost", ["cut_before", "cut_after", "half", "garbage", "fault", "status"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_lost_answer_is_looked_for_and_the_write_is_done_once(
    billing: Kareo, writer: KareoWriter, kind: str, lost: str
) -> None:
    write, operation = prepared(billing, kind)
    billing.faults.add(operation, lost)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        await writer.write(lambda: write)
    applied = lost in ("cut_after", "half", "garbage")
    found = await writer.look_up(write)
    assert (found is not None) == applied == (count(billing, kind) == 1)
    result = found or await writer.write(lambda: write)
    assert isinstance(result, BillingChartWritten | RecordCreated)
    assert count(billing, kind) == 1
    assert await writer.look_up(write) == result or isinstance(result, BillingChartWritten)


@pytest.mark.parametrize("kind", ["CreatePatient", "UpdatePatient", "AddCase", "CreateEncounter"])
async def test_even_a_blind_repetition_does_nothing_twice(billing: Kareo, writer: KareoWriter, kind: str) -> None:
    write, _ = prepared(billing, kind)
    first, second = await writer.write(lambda: write), await writer.write(lambda: write)
    assert type(first) is type(second)
    assert count(billing, kind) == 1


async def test_a_created_chart_has_case_external_id_and_what_was_asked(billing: Kareo, writer: KareoWriter) -> None:
    written = await writer.write(lambda: CREATE)
    assert isinstance(written, BillingChartWritten)
    assert (written.chart.city, written.chart.birth_date, written.read_at) == ("Augusta", date(1980, 2, 29), billing.now)
    assert [one.name for one in written.chart.cases or ()] == ["Standard"]
    assert billing.sandbox.external_ids(written.chart.id) == {"chartwire": "640"}


async def test_a_namesake_of_long_ago_is_not_taken_for_a_lost_creation(billing: Kareo, writer: KareoWriter) -> None:
    billing.ada()
    billing.later(hours=2)
    billing.faults.add("CreatePatient", "cut_before")
    with pytest.raises(OutcomeUnknown):
        await writer.write(lambda: CREATE)
    assert await writer.look_up(CREATE) is None
    await writer.write(lambda: CREATE)
    assert len(billing.sandbox.patients) == 2


async def test_an_edit_made_there_meanwhile_is_not_overwritten(billing: Kareo, writer: KareoWriter) -> None:
    ada = billing.ada(city="Savannah")
    with pytest.raises(ChangedMeanwhile) as caught:
        await writer.write(lambda: move(ada))
    assert caught.value.seen.chart.city == "Savannah"
    assert "UpdatePatient" not in billing.asked()


async def test_an_edit_made_there_while_a_write_waits_for_its_turn_is_not_overwritten(
    billing: Kareo, writer: KareoWriter
) -> None:
    ada = billing.ada(city="Augusta")
    billing.client.limiter = IntervalLimiter(0.001)
    async with billing.client.limiter.turn("UpdatePatient"):
        writing = asyncio.create_task(writer.write(lambda: move(ada)))
        await asyncio.sleep(0.1)
        billing.people.edit_patient(ada, city="Savannah")
    with pytest.raises(ChangedMeanwhile):
        await writing
    assert billing.sandbox.patients[ada].city == "Savannah"


async def test_what_is_agreed_otherwise_while_a_write_waits_for_its_turn_is_not_written(
    billing: Kareo, writer: KareoWriter
) -> None:
    """Even where Kareo shows again what the write was decided to replace: somebody has entered it since (seed 7737)."""
    ada = billing.ada(city="Augusta", state="GA")
    write = UpdateBillingChart(
        patient=BillingPatientId(ada), fields={"city": "Macon", "state": "SC"}, expected={"city": "Augusta", "state": "GA"}
    )
    billing.client.limiter = IntervalLimiter(0.001)
    async with billing.client.limiter.turn("UpdatePatient"):
        writing = asyncio.create_task(writer.write(lambda: write))
        await asyncio.sleep(0.1)
        write = msgspec.structs.replace(write, fields={"state": "SC"})
    written = await writing
    assert isinstance(written, BillingChartWritten)
    assert written.sent == {"state": "SC"}
    assert (billing.sandbox.patients[ada].city, billing.sandbox.patients[ada].state) == ("Augusta", "SC")


async def test_what_somebody_puts_back_at_once_is_not_taken_for_not_kept(
    billing: Kareo, writer: KareoWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = billing.ada(city="Augusta")
    update = billing.client.update_patient

    async def put_back(patient: int, *arguments: Any, **options: Any) -> None:
        await update(patient, *arguments, **options)
        if billing.asked().count("UpdatePatient") == 1:
            billing.people.edit_patient(ada, city="Augusta")

    monkeypatch.setattr(billing.client, "update_patient", put_back)
    written = await writer.write(lambda: move(ada))
    assert isinstance(written, BillingChartWritten)
    assert written.chart.city == billing.sandbox.patients[ada].city == "Macon"


@pytest.mark.parametrize("kind", ["UpdatePatient", "AddCase"])
async def test_a_name_edited_there_meanwhile_stays(billing: Kareo, writer: KareoWriter, kind: str) -> None:
    """Every update has to carry both names: those that Kareo has now, not those that were known when it was decided."""
    write, _ = prepared(billing, kind)
    ada = write.patient  # type: ignore[union-attr]
    billing.people.edit_patient(ada, first_name="Adelaide", last_name="Lovelace")
    await writer.write(lambda: write)
    assert count(billing, kind) == 1
    assert (billing.sandbox.patients[ada].first_name, billing.sandbox.patients[ada].last_name) == ("Adelaide", "Lovelace")


async def test_what_is_so_already_is_not_written(billing: Kareo, writer: KareoWriter) -> None:
    ada = billing.ada(city="Macon")
    await writer.write(lambda: move(ada))
    assert "UpdatePatient" not in billing.asked()


async def test_what_kareo_does_not_keep_is_said_by_name(billing: Kareo, writer: KareoWriter) -> None:
    billing.sandbox.switches.empty_clears = False
    ada = billing.ada(city="Augusta")
    with pytest.raises(NotAsWritten) as caught:
        await writer.write(lambda: move(ada, city=""))
    assert caught.value.fields == ("city",)


@pytest.mark.parametrize("form", ["nil", "empty", "refused"])
async def test_a_patient_who_is_gone_refuses(billing: Kareo, writer: KareoWriter, form: str) -> None:
    billing.sandbox.switches.unknown_patient = form  # type: ignore[assignment]
    ada = billing.ada()
    billing.people.delete_patient(ada)
    with pytest.raises(Refused):
        await writer.write(lambda: move(ada))
    assert await writer.look_up(move(ada)) is None


async def test_without_batches_two_alike_are_for_a_person(billing: Kareo, writer: KareoWriter) -> None:
    write = encounter(billing, billing.ada(), "")
    await writer.write(lambda: write)
    await writer.write(lambda: write)
    with pytest.raises(Refused, match="refused"):
        await writer.look_up(write)


async def test_a_search_finds_namesakes_and_the_mistyped(billing: Kareo, writer: KareoWriter) -> None:
    ada, typo, nick = billing.ada(), billing.ada(dob="1980-02-28"), billing.ada(first_name="Adie")
    billing.ada(first_name="Bob", dob="1970-01-01")
    found = await writer.write(lambda: SearchBilling(first_name="Ada", last_name="Byrne", birth_date=date(1980, 2, 29)))
    assert isinstance(found, Searched)
    assert [one.id for one in found.candidates] == [ada, typo, nick]


async def test_an_encounter_of_the_bill_as_it_was_is_found_and_told_as_such(billing: Kareo, writer: KareoWriter) -> None:
    """It was made in spite of a refusal, or in a time that a restore lost; the bill was corrected since."""
    ada = billing.ada()
    was, now = encounter(billing, ada), encounter(billing, ada, "4001", "99214")
    made = await writer.write(lambda: was)
    assert isinstance(made, RecordCreated)
    assert await writer.write(lambda: was) == RecordCreated(id=made.id)
    assert await writer.write(lambda: now) == RecordCreated(id=made.id, otherwise=True)
    assert len(billing.sandbox.encounters) == 1
