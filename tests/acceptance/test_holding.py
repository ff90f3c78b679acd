"""Writes held and released, and patients kept out, by the command line against a running worker: seen in both sandboxes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from daemon.history.events_of import events_of
from daemon.operator.find import find_people
from daemon.sandbox.day import GOOD_LINE
from daemon.tables.documents import load_patients
from events.codec import encode_body
from events.holds import hold_slot
from events.ids import BillingPatientId, PatientKey, PracticeId, billing_key
from events.writes import Resource, System
from projections.matching import Person
from tests.acceptance.test_cli_repair import ELM, Town, carrying, open_town
from tests.conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("holding")) as opened:
        yield opened


def city(town: Town, chart: int) -> str:
    return str(town.clinic.ehr.patients[chart]["address"]["city"])


def book(town: Town, patient: int, hour: int) -> int:
    start = (datetime.now(UTC) + timedelta(days=2)).replace(hour=hour, minute=0, second=0, microsecond=0)
    office = town.office
    return int(town.clinic.billing.people.book_appointment(patient, office.providers[0], office.place[1], start, 20, "x").id)


def sent(town: Town, bill: int) -> list[int]:
    return [one.id for one in town.clinic.billing.encounters.values() if one.batch_number == str(bill)]


async def recorded_of(town: Town, patient: int, *words: str) -> list[str]:
    """Which of the words is in anything that was recorded of a patient, or in the patient's document."""
    key, practice = billing_key(BillingPatientId(patient)), PracticeId("elm")
    events = await events_of(town.store, practice, key)
    documents = await load_patients(town.store.pool, practice, [key], town.store.keyring)
    said = [encode_body(one.event.body) for one in events] + [doc for _, doc in documents.values()]
    return [word for word in words if any(word.encode() in one for one in said)]


async def is_found(town: Town, patient: int) -> bool:
    """Whether a search by the name and birth date that the billing system has leads to the patient."""
    one = town.clinic.billing.patients[patient]
    person = Person(id="", first_name=one.first_name, last_name=one.last_name, birth_date=one.dob)
    people = await find_people(town.store, PracticeId("elm"), person)
    assert people.complete
    return billing_key(BillingPatientId(patient)) in {found.key for found in people.found}


async def status(town: Town) -> dict[str, Any]:
    (row,) = json.loads(await town.done("status", ELM, "--json"))
    return dict(row)


async def test_what_comes_to_a_held_practice_waits_and_goes_out_at_the_release(town: Town) -> None:
    chart, patient = await town.linked()
    before = city(town, chart)
    charts, patients = len(town.clinic.ehr.patients), len(town.clinic.billing.patients)

    assert "held by" in await town.done("hold", ELM, "--reason", "moving to another server")
    for one in ("Macon", "Rome", "Athens"):
        town.day.edit_kareo(patient, city=one)
        await town.rest.reached()
    visit = book(town, patient, 15)
    bill = town.day._sign(town.office, chart, [GOOD_LINE])
    stranger = town.day.kareo_patient(town.office)
    await town.rest.reached()
    assert city(town, chart) == before
    assert carrying(town, visit) == []
    assert sent(town, bill) == []
    assert (len(town.clinic.ehr.patients), len(town.clinic.billing.patients)) == (charts, patients + 1)

    item = await town.item(hold_slot(None, None))
    assert (item["code"], item["held"]) == ("on-hold", 4)
    assert item["command"] == f"chartwire release {ELM}"
    assert [(one["slot"], one["writes"]) for one in (await status(town))["held"]] == [(hold_slot(None, None), 4)]
    assert "everything, 4 writes wait" in await town.done("status", ELM)
    assert "release it" in await town.refused("dismiss", ELM, hold_slot(None, None), "--reason", "so be it")

    head = await town.store.head(ELM)
    assert "ended the hold" in await town.done(*item["command"].split()[1:], "--reason", "we have moved")
    await until(lambda: city(town, chart) == "Athens", 60)
    await until(lambda: bool(sent(town, bill)), 60)
    await until(lambda: len(town.clinic.ehr.patients) == charts + 1, 60)
    await town.rest.reached()
    assert len(carrying(town, visit)) == 1
    assert len(sent(town, bill)) == 1
    assert town.day.counterpart(town.office, stranger)
    attempts = await town.store.pool.fetchval(
        "SELECT count(*) FROM chartwire.event WHERE practice = 'elm' AND patient_key = $1 AND type = 'IntentAttempted' AND sequence > $2",
        billing_key(BillingPatientId(patient)),
        head,
    )
    assert attempts == 4, "the newest city, the appointment, the bill, and the bill's answer"
    assert await status_is_clear(town)
    assert "exactly this scope" in await town.refused("release", ELM)
    await town.sound()


async def status_is_clear(town: Town) -> bool:
    return (await status(town))["held"] == [] and "on-hold" not in dict((await status(town))["waiting"])


async def test_a_hold_of_a_resource_and_a_direction_holds_nothing_else(town: Town) -> None:
    chart, patient = await town.linked()
    await town.done("hold", ELM, "--resource", "appointment", "--direction", "to-ehr", "--reason", "a new calendar")
    visit = book(town, patient, 16)
    town.day.edit_kareo(patient, city="Savannah")
    await until(lambda: city(town, chart) == "Savannah", 60)
    await town.rest.reached()
    assert carrying(town, visit) == []
    assert "appointment" in (await town.item(hold_slot(Resource.APPOINTMENT, System.EHR)))["reason"]
    assert "exactly this scope" in await town.refused("release", ELM, "--resource", "appointment")
    await town.done("release", ELM, "--resource", "appointment", "--direction", "to-ehr")
    await until(lambda: len(carrying(town, visit)) == 1, 60)
    await town.sound()


async def test_a_hold_of_one_patient_ends_by_itself(town: Town) -> None:
    chart, patient = await town.linked()
    other, beside = await town.linked()
    until_then = datetime.now(UTC) + timedelta(seconds=20)
    out = await town.done(
        "hold", ELM, "--patient", f"elation:{chart}", "--until", until_then.isoformat(), "--reason", "she asked for it"
    )
    assert "wait until" in out
    town.day.edit_kareo(patient, city="Valdosta")
    town.day.edit_kareo(beside, city="Valdosta")
    await until(lambda: city(town, other) == "Valdosta", 60)
    slot = hold_slot(None, None, PatientKey(f"K:{patient}"))
    assert await town.waits(slot, "on-hold") or datetime.now(UTC) > until_then
    assert city(town, chart) != "Valdosta" or datetime.now(UTC) > until_then

    async def over() -> bool:
        return not await town.waits(slot)

    await until(over, 60)
    assert datetime.now(UTC) >= until_then
    await until(lambda: city(town, chart) == "Valdosta", 60)
    assert "its time is over" in await town.done("history", ELM, f"kareo:{patient}")
    await town.sound()


async def test_a_patient_kept_out_is_left_alone_until_taken_in_again(town: Town) -> None:
    chart, patient = await town.linked()
    assert await is_found(town, patient)
    assert "is kept out from now on" in await town.done("keep-out", ELM, f"kareo:{patient}", "--reason", "our own nurse")
    town.day.edit_kareo(patient, city="Albany")
    town.day.edit_elation(chart, middle_name="Quincy")
    visit = book(town, patient, 17)
    faulty = town.day._sign(town.office, chart, [{**GOOD_LINE, "cpt": "99998"}])
    await town.rest.reached()
    assert city(town, chart) != "Albany"
    assert town.clinic.billing.patients[patient].middle_name != "Quincy"
    assert carrying(town, visit) == []
    assert not await town.waits(f"bill:{faulty}")
    assert not [one for one in await town.waiting() if f"kareo:{patient}" in one["patient"]]
    assert "recorded no more of it" in await town.done("history", ELM, f"kareo:{patient}")
    assert not await recorded_of(town, patient, "Albany", "Quincy", "99998"), "no more than the id is known"
    assert not await is_found(town, patient)
    assert "kept out already" in await town.refused("keep-out", ELM, f"elation:{chart}", "--reason", "once more")

    await town.done("keep-out", ELM, f"elation:{chart}", "--undo", "--reason", "she is a patient now")
    await until(lambda: city(town, chart) == "Albany", 60)
    await until(lambda: len(carrying(town, visit)) == 1, 60)
    await until(lambda: town.waits(f"bill:{faulty}", "bill-error"), 60)
    assert await is_found(town, patient)
    await town.sound()


async def test_nothing_is_made_for_a_chart_kept_out_before_it_is_seen(town: Town) -> None:
    """Who enters a test patient says so first."""
    number = max(town.clinic.billing.patients) + 1
    await town.done("keep-out", ELM, f"kareo:{number}", "--reason", "for training")
    before = len(town.clinic.ehr.patients)
    assert town.day.kareo_patient(town.office) == number
    await town.rest.reached()
    assert len(town.clinic.ehr.patients) == before
    assert not [one for one in await town.waiting() if f"kareo:{number}" in one["patient"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("hold", ELM), 2, "--reason"),
        (("hold", ELM, "--reason", "x", "--until", "2020-01-01"), 2, "over already"),
        (("hold", ELM, "--reason", "x", "--until", "tea"), 2, "neither"),
        (("hold", ELM, "--reason", "x", "--patient", "kareo:1"), 1, "never been seen"),
        (("release", ELM, "--resource", "bill"), 1, "exactly this scope"),
        (("keep-out", ELM, "kareo:1"), 2, "--reason"),
        (("keep-out", ELM, "kareo:1", "--undo", "--reason", "x"), 1, "not kept out"),
    ],
)
async def test_what_cannot_be_asked_is_said(town: Town, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = await town.run(*arguments)
    assert done.code == code, done
    assert said in done.err
