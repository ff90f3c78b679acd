"""What the sink makes of answers: what was tried is known before it is tried, and nothing is done twice."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.runtime.attempt import DEFECT_AFTER
from daemon.vendors.ports.errors import ChangedMeanwhile, Malformed, NotAsWritten, PracticeHidden, Throttled, Unauthorized
from events.codec import Keyring
from events.ids import BillingPatientId
from events.schema import (
    BillingChartObserved,
    EhrChartObserved,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    WaitingCleared,
    WaitingRaised,
)
from events.store import Fenced, Store
from events.writes import (
    AnyResult,
    AnyWrite,
    EhrChartWritten,
)
from tests.conftest import PRACTICE, until
from tests.integration.recorder_driver import hinted
from tests.integration.sink_driver import AWAY, LOST, NO, SLOT, SinkDriver, opened
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture
async def driver(store: Store, keyring: Keyring) -> SinkDriver:
    """Ada is linked and agrees; nothing is to do."""
    return await opened(store, keyring, patients=1)


# -- outcomes ---------------------------------------------------------------------------------------------------------


async def test_an_attempt_is_recorded_before_the_call(driver: SinkDriver) -> None:
    states: list[tuple[str, int]] = []

    async def look(write: AnyWrite) -> AnyResult:
        open_ = (await driver.source.intents())[SLOT]
        states.append((open_.state, open_.attempt))
        return driver.writer.done(write)

    driver.writer.answers = [look]
    await driver.move_to("Macon")
    await driver.finish()
    assert states == [("attempted", 1)]
    (attempted,) = await driver.recorded(IntentAttempted)
    assert attempted.epoch == driver.source.recorder.epoch


async def test_success_ends_the_intent_and_is_the_new_agreement(driver: SinkDriver) -> None:
    await driver.move_to("Macon")
    await driver.finish()
    (succeeded,) = await driver.recorded(IntentSucceeded)
    assert (succeeded.attempt, succeeded.settled_by) == (1, "answer")
    patient = await driver.source.patient()
    assert patient.intents == {}
    assert patient.base["city"] == "Macon"
    await driver.source.sound()


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (NO, "refused", "city is not a city"),
        (NotAsWritten(("city",)), "not-kept", "Elation took the write but shows another value in: city"),
        (RuntimeError("Macon"), "defect", "chartwire could not carry this out (RuntimeError); report it"),
    ],
    ids=["refused", "not as written", "a defect of ours"],
)
async def test_what_cannot_be_done_waits_for_a_person_and_is_not_tried_again(
    driver: SinkDriver, answer: Exception, code: str, text: str
) -> None:
    driver.writer.answers = [answer] * (tries := DEFECT_AFTER if code == "defect" else 1)
    await driver.move_to("Macon")
    await driver.finish()
    (refused,) = await driver.recorded(IntentRefused)
    assert (refused.code, refused.text) == (code, text)
    patient = await driver.source.patient()
    assert patient.intents[SLOT].state == "refused"
    assert patient.waiting[SLOT].code == "refused"
    await driver.source.see(EhrChartObserved(chart=hinted(ADA, ADA_THERE)))
    await driver.finish()
    assert len([one for one in driver.writer.did if one == "carry out"]) == tries
    await driver.move_to("Savannah")
    await driver.finish()
    assert len([one for one in driver.writer.did if one == "carry out"]) == tries + 1, "another value is another write"
    assert (await driver.source.patient()).waiting == {}
    await driver.source.sound()


async def test_somebody_was_faster_so_it_is_decided_again(driver: SinkDriver) -> None:
    edited = replace(hinted(ADA, ADA_THERE), zip="30999")
    driver.writer.charts[ADA.id] = edited
    driver.writer.answers = [ChangedMeanwhile(EhrChartObserved(chart=edited), None, driver.source.now)]
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out"] * 2
    (superseded,) = await driver.recorded(IntentSuperseded)
    first, second, *_ = [one for one in await driver.recorded(IntentRequested) if one.slot == SLOT]
    assert (superseded.intent, second.intent != first.intent) == (first.intent, True)
    patient = await driver.source.patient()
    assert list(patient.intents) == ["demographics:kareo"], "the other's edit goes its own way"
    assert patient.ehr is not None
    assert (patient.ehr.chart.city, patient.ehr.chart.zip) == ("Macon", "30999")
    await driver.source.sound()


# -- answers that got lost --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [LOST, Malformed("elation.PATCH /patients/{id}/", "$.id")], ids=["lost", "unusable"])
async def test_a_lost_answer_is_looked_for_and_found(driver: SinkDriver, lost: Exception) -> None:
    driver.writer.answers = [lost]
    await driver.move_to("Macon")
    driver.writer.found = [EhrChartWritten(chart=replace(hinted(ADA, ADA_THERE), city="Macon"), read_at=driver.source.now)]
    await driver.finish()
    assert driver.writer.did == ["carry out", "look up"]
    assert (await driver.source.patient()).intents == {}
    (succeeded,) = await driver.recorded(IntentSucceeded)
    assert (succeeded.attempt, succeeded.settled_by) == (1, "lookup")
    assert len(await driver.recorded(IntentOutcomeUnknown)) == 1
    await driver.source.sound()


async def test_what_was_certainly_not_done_is_attempted_again(driver: SinkDriver) -> None:
    driver.writer.answers = [LOST]
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out", "look up", "look up", "carry out"]
    assert [one.attempt for one in await driver.recorded(IntentAttempted)] == [1, 2]
    assert [one.attempt for one in await driver.recorded(IntentSucceeded)] == [2]
    await driver.source.sound()


async def test_looking_goes_on_while_the_system_is_away(driver: SinkDriver) -> None:
    driver.writer.answers = [LOST]
    await driver.move_to("Macon")
    write = (await driver.source.intents())[SLOT].write
    driver.writer.found = [AWAY, LOST, Throttled("elation.GET", 0.0), driver.writer.done(write)]
    await driver.finish()
    assert driver.writer.did == ["carry out", *["look up"] * 4]
    await driver.source.sound()


@pytest.mark.parametrize(("trouble", "code"), [(NO, "refused"), (KeyError("Macon"), "defect")])
async def test_when_looking_is_impossible_a_person_has_to(driver: SinkDriver, trouble: Exception, code: str) -> None:
    """It may have been done, so it is not repeated; and the sink goes on."""
    driver.writer.answers = [LOST]
    driver.writer.found = [trouble] * (looks := DEFECT_AFTER if code == "defect" else 1)
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out", *["look up"] * looks]
    assert [one.code for one in await driver.recorded(IntentRefused)] == [code]
    assert (await driver.source.patient()).waiting[SLOT].code == "refused"


@pytest.mark.parametrize("lost", [LOST, Malformed("elation.GET /patients/", "$.results")], ids=["lost", "unusable"])
async def test_a_search_is_simply_repeated(driver: SinkDriver, lost: Exception) -> None:
    driver.writer.answers = [lost, lost]
    stranger = replace(ADA_THERE, id=BillingPatientId(950), first_name="Bob", last_name="Boole")
    driver.writer.answers.append(NO)
    await driver.source.see(BillingChartObserved(chart=stranger))
    await driver.finish()
    assert driver.writer.did == ["carry out"] * 3
    assert len(await driver.recorded(IntentAttempted)) == 1
    assert await driver.recorded(IntentOutcomeUnknown) == []


# -- taking over ------------------------------------------------------------------------------------------------------


async def test_who_takes_over_looks_before_anything_else(driver: SinkDriver) -> None:
    await driver.move_to("Macon")
    intent = (await driver.source.intents())[SLOT].intent
    attempted = IntentAttempted(intent=intent, slot=SLOT, attempt=1, epoch=driver.source.recorder.epoch)
    await driver.source.recorder.record_bodies([attempted], ehr=ADA.id, billing=None, cause=None, parts=(intent, 1))
    successor = SinkDriver(await driver.source.successor())
    outcome = await successor.source.recorder.load_open()
    successor.sink.offer(outcome)
    assert successor.sink.idle, "an attempt of one's own is not offered again"
    successor.sink.offer(outcome, resume=True)
    successor.writer.found = [None, EhrChartWritten(chart=replace(ADA, city="Macon"), read_at=successor.source.now)]
    await successor.finish()
    assert successor.writer.did == ["look up", "look up"]
    assert [one.settled_by for one in await successor.recorded(IntentSucceeded)] == ["lookup"]
    await successor.source.sound()


async def test_who_takes_over_repeats_what_was_certainly_not_done(driver: SinkDriver) -> None:
    await driver.move_to("Macon")
    intent = (await driver.source.intents())[SLOT].intent
    attempted = IntentAttempted(intent=intent, slot=SLOT, attempt=1, epoch=driver.source.recorder.epoch)
    await driver.source.recorder.record_bodies([attempted], ehr=ADA.id, billing=None, cause=None, parts=(intent, 1))
    successor = SinkDriver(await driver.source.successor())
    successor.sink.offer(await successor.source.recorder.load_open(), resume=True)
    await successor.finish()
    assert successor.writer.did == ["look up", "look up", "carry out"]
    assert [(one.attempt, one.epoch) for one in await successor.recorded(IntentAttempted)] == [(1, 1), (2, 2)]
    await successor.source.sound()


async def test_who_was_overtaken_calls_nobody_any_more(driver: SinkDriver) -> None:
    await driver.move_to("Macon")
    await driver.source.store.take_over(PRACTICE)
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(driver.sink.run(), 15)
    assert raised.group_contains(Fenced)
    assert driver.writer.asked == []


# -- trouble ----------------------------------------------------------------------------------------------------------


async def test_throttled_and_unreachable_repeat_the_same_attempt(driver: SinkDriver) -> None:
    driver.writer.answers = [Throttled("elation.PATCH", 0.0), AWAY, Throttled("elation.PATCH", 0.0)]
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out"] * 4
    assert [one.attempt for one in await driver.recorded(IntentAttempted)] == [1]
    assert [one.attempt for one in await driver.recorded(IntentSucceeded)] == [1]
    assert await driver.recorded(WaitingRaised) == []


@pytest.mark.parametrize(
    ("trouble", "times", "code"),
    [
        (AWAY, 3, "unreachable"),
        (Unauthorized("elation.PATCH"), 3, "credentials"),
        (PracticeHidden("elation.PATCH"), 3, "credentials"),
        (Throttled("elation.PATCH", 0.0), 5, "throttled"),
    ],
    ids=["unreachable", "credentials", "practice hidden", "throttled"],
)
async def test_a_system_that_keeps_failing_shows_until_it_works_again(
    driver: SinkDriver, trouble: Exception, times: int, code: str
) -> None:
    shown: list[dict[str, str]] = []

    async def look(write: AnyWrite) -> AnyResult:
        shown.append(await driver.source.waiting())
        return driver.writer.done(write)

    driver.writer.answers = [*[trouble] * times, look]
    await driver.move_to("Macon")
    await driver.finish()
    assert shown == [{"system:elation": code}]
    assert await driver.source.waiting() == {}
    assert len(await driver.recorded(WaitingRaised)) == len(await driver.recorded(WaitingCleared)) == 1
    await driver.source.sound()


async def test_a_refusal_is_an_answer_too(driver: SinkDriver) -> None:
    driver.writer.answers = [AWAY, AWAY, AWAY, NO]
    await driver.move_to("Macon")
    await driver.finish()
    assert await driver.source.waiting() == {}


async def test_trouble_that_the_owner_before_has_shown_is_over_when_it_works(driver: SinkDriver) -> None:
    async def enough(_: AnyWrite) -> AnyResult:
        await asyncio.Event().wait()
        raise AssertionError

    driver.writer.answers = [AWAY, AWAY, AWAY, enough]
    await driver.move_to("Macon")
    async with driver.at_work():
        await until(lambda: len(driver.writer.asked) == 4)
    assert await driver.source.waiting() == {"system:elation": "unreachable"}
    successor = SinkDriver(await driver.source.successor())
    successor.sink.offer(await successor.source.recorder.load_open(), resume=True)
    await successor.finish()
    assert await successor.source.waiting() == {}
    await successor.source.sound()


async def test_a_look_up_that_meets_wrong_credentials_says_so(driver: SinkDriver) -> None:
    """What it says is what people repair: a password, not the network."""
    driver.writer.answers = [LOST]
    await driver.move_to("Macon")
    write = (await driver.source.intents())[SLOT].write
    driver.writer.found = [*[Unauthorized("elation.GET")] * 3, driver.writer.done(write)]
    await driver.finish()
    assert [one.code for one in await driver.recorded(WaitingRaised)] == ["credentials"]
    assert await driver.source.waiting() == {}
    await driver.source.sound()


async def test_what_is_shown_follows_the_cause(driver: SinkDriver) -> None:
    """The network was away; since it is back the vendor wants other credentials. One failure alone changes no advice."""
    wrong = Unauthorized("elation.PATCH")
    shown: list[dict[str, str]] = []

    async def look(write: AnyWrite) -> AnyResult:
        shown.append(await driver.source.waiting())
        return driver.writer.done(write)

    driver.writer.answers = [AWAY, AWAY, AWAY, wrong, AWAY, wrong, wrong, wrong, look]
    await driver.move_to("Macon")
    await driver.finish()
    assert shown == [{"system:elation": "credentials"}]
    assert [one.code for one in await driver.recorded(WaitingRaised)] == ["unreachable", "credentials"]
    assert await driver.source.waiting() == {}
    assert len(await driver.recorded(WaitingCleared)) == 1
    await driver.source.sound()


async def test_what_the_owner_before_has_shown_follows_the_cause_too(driver: SinkDriver) -> None:
    async def enough(_: AnyWrite) -> AnyResult:
        await asyncio.Event().wait()
        raise AssertionError

    driver.writer.answers = [AWAY, AWAY, AWAY, enough]
    await driver.move_to("Macon")
    async with driver.at_work():
        await until(lambda: len(driver.writer.asked) == 4)
    successor = SinkDriver(await driver.source.successor())
    successor.sink.offer(await successor.source.recorder.load_open(), resume=True)
    successor.writer.found = [Unauthorized("elation.GET")] * 3
    await successor.finish()
    assert [one.code for one in await successor.recorded(WaitingRaised)] == ["unreachable", "credentials"]
    await successor.source.sound()


async def test_what_nobody_thought_of_is_looked_for_and_tried_again(driver: SinkDriver) -> None:
    """Out of memory, or a library's own trouble, may pass: nothing waits for a person because of it."""
    driver.writer.answers = [MemoryError(), OSError("Macon")]
    await driver.move_to("Macon")
    await driver.finish()
    assert driver.writer.did == ["carry out", "look up", "look up"] * 2 + ["carry out"]
    assert not await driver.recorded(IntentRefused)
    assert (await driver.source.patient()).base["city"] == "Macon"


async def test_a_cancellation_that_nobody_asked_for_ends_no_sink(driver: SinkDriver) -> None:
    driver.writer.answers = [asyncio.CancelledError()]  # type: ignore[list-item]
    await driver.move_to("Macon")
    await driver.finish()
    assert (await driver.source.patient()).base["city"] == "Macon"
