"""What the sink makes of answers: what was tried is known before it is tried, and nothing is done twice."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.runtime.attempt import DEFECT_AFTER
from daemon.vendors.ports.errors import ChangedMeanwhile, Malformed, NotAsWritten, Throttled, Unauthorized
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
from tests.integration.desk import hinted
from tests.integration.ward import AWAY, LOST, NO, SLOT, Ward, opened
from tests.unit.records import ADA, ADA_THERE


@pytest_asyncio.fixture
async def ward(store: Store, keyring: Keyring) -> Ward:
    """Ada is linked and agrees; nothing is to do."""
    return await opened(store, keyring, patients=1)


# -- outcomes ---------------------------------------------------------------------------------------------------------


async def test_an_attempt_is_recorded_before_the_call(ward: Ward) -> None:
    states: list[tuple[str, int]] = []

    async def look(write: AnyWrite) -> AnyResult:
        open_ = (await ward.desk.intents())[SLOT]
        states.append((open_.state, open_.attempt))
        return ward.writer.done(write)

    ward.writer.answers = [look]
    await ward.move_to("Macon")
    await ward.finish()
    assert states == [("attempted", 1)]
    (attempted,) = await ward.recorded(IntentAttempted)
    assert attempted.epoch == ward.desk.recorder.epoch


async def test_success_ends_the_intent_and_is_the_new_agreement(ward: Ward) -> None:
    await ward.move_to("Macon")
    await ward.finish()
    (succeeded,) = await ward.recorded(IntentSucceeded)
    assert (succeeded.attempt, succeeded.settled_by) == (1, "answer")
    patient = await ward.desk.patient()
    assert patient.intents == {}
    assert patient.base["city"] == "Macon"
    await ward.desk.sound()


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
    ward: Ward, answer: Exception, code: str, text: str
) -> None:
    ward.writer.answers = [answer] * (tries := DEFECT_AFTER if code == "defect" else 1)
    await ward.move_to("Macon")
    await ward.finish()
    (refused,) = await ward.recorded(IntentRefused)
    assert (refused.code, refused.text) == (code, text)
    patient = await ward.desk.patient()
    assert patient.intents[SLOT].state == "refused"
    assert patient.waiting[SLOT].code == "refused"
    await ward.desk.see(EhrChartObserved(chart=hinted(ADA, ADA_THERE)))
    await ward.finish()
    assert len([one for one in ward.writer.did if one == "carry out"]) == tries
    await ward.move_to("Savannah")
    await ward.finish()
    assert len([one for one in ward.writer.did if one == "carry out"]) == tries + 1, "another value is another write"
    assert (await ward.desk.patient()).waiting == {}
    await ward.desk.sound()


async def test_somebody_was_faster_so_it_is_decided_again(ward: Ward) -> None:
    edited = replace(hinted(ADA, ADA_THERE), zip="30999")
    ward.writer.charts[ADA.id] = edited
    ward.writer.answers = [ChangedMeanwhile(EhrChartObserved(chart=edited), None, ward.desk.now)]
    await ward.move_to("Macon")
    await ward.finish()
    assert ward.writer.did == ["carry out"] * 2
    (superseded,) = await ward.recorded(IntentSuperseded)
    first, second, *_ = [one for one in await ward.recorded(IntentRequested) if one.slot == SLOT]
    assert (superseded.intent, second.intent != first.intent) == (first.intent, True)
    patient = await ward.desk.patient()
    assert list(patient.intents) == ["demographics:kareo"], "the other's edit goes its own way"
    assert patient.ehr is not None
    assert (patient.ehr.chart.city, patient.ehr.chart.zip) == ("Macon", "30999")
    await ward.desk.sound()


# -- answers that got lost --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [LOST, Malformed("elation.PATCH /patients/{id}/", "$.id")], ids=["lost", "unusable"])
async def test_a_lost_answer_is_looked_for_and_found(ward: Ward, lost: Exception) -> None:
    ward.writer.answers = [lost]
    await ward.move_to("Macon")
    ward.writer.found = [EhrChartWritten(chart=replace(hinted(ADA, ADA_THERE), city="Macon"), read_at=ward.desk.now)]
    await ward.finish()
    assert ward.writer.did == ["carry out", "look up"]
    assert (await ward.desk.patient()).intents == {}
    (succeeded,) = await ward.recorded(IntentSucceeded)
    assert (succeeded.attempt, succeeded.settled_by) == (1, "lookup")
    assert len(await ward.recorded(IntentOutcomeUnknown)) == 1
    await ward.desk.sound()


async def test_what_was_certainly_not_done_is_attempted_again(ward: Ward) -> None:
    ward.writer.answers = [LOST]
    await ward.move_to("Macon")
    await ward.finish()
    assert ward.writer.did == ["carry out", "look up", "look up", "carry out"]
    assert [one.attempt for one in await ward.recorded(IntentAttempted)] == [1, 2]
    assert [one.attempt for one in await ward.recorded(IntentSucceeded)] == [2]
    await ward.desk.sound()


async def test_looking_goes_on_while_the_system_is_away(ward: Ward) -> None:
    ward.writer.answers = [LOST]
    await ward.move_to("Macon")
    write = (await ward.desk.intents())[SLOT].write
    ward.writer.found = [AWAY, LOST, Throttled("elation.GET", 0.0), ward.writer.done(write)]
    await ward.finish()
    assert ward.writer.did == ["carry out", *["look up"] * 4]
    await ward.desk.sound()


@pytest.mark.parametrize(("trouble", "code"), [(NO, "refused"), (KeyError("Macon"), "defect")])
async def test_when_looking_is_impossible_a_person_has_to(ward: Ward, trouble: Exception, code: str) -> None:
    """It may have been done, so it is not repeated; and the sink goes on."""
    ward.writer.answers = [LOST]
    ward.writer.found = [trouble] * (looks := DEFECT_AFTER if code == "defect" else 1)
    await ward.move_to("Macon")
    await ward.finish()
    assert ward.writer.did == ["carry out", *["look up"] * looks]
    assert [one.code for one in await ward.recorded(IntentRefused)] == [code]
    assert (await ward.desk.patient()).waiting[SLOT].code == "refused"


@pytest.mark.parametrize("lost", [LOST, Malformed("elation.GET /patients/", "$.results")], ids=["lost", "unusable"])
async def test_a_search_is_simply_repeated(ward: Ward, lost: Exception) -> None:
    ward.writer.answers = [lost, lost]
    stranger = replace(ADA_THERE, id=BillingPatientId(950), first_name="Bob", last_name="Boole")
    ward.writer.answers.append(NO)
    await ward.desk.see(BillingChartObserved(chart=stranger))
    await ward.finish()
    assert ward.writer.did == ["carry out"] * 3
    assert len(await ward.recorded(IntentAttempted)) == 1
    assert await ward.recorded(IntentOutcomeUnknown) == []


# -- taking over ------------------------------------------------------------------------------------------------------


async def test_who_takes_over_looks_before_anything_else(ward: Ward) -> None:
    await ward.move_to("Macon")
    intent = (await ward.desk.intents())[SLOT].intent
    attempted = IntentAttempted(intent=intent, slot=SLOT, attempt=1, epoch=ward.desk.recorder.epoch)
    await ward.desk.recorder.record_bodies([attempted], ehr=ADA.id, billing=None, cause=None, parts=(intent, 1))
    successor = Ward(await ward.desk.successor())
    outcome = await successor.desk.recorder.load_open()
    successor.sink.offer(outcome)
    assert successor.sink.idle, "an attempt of one's own is not offered again"
    successor.sink.offer(outcome, resume=True)
    successor.writer.found = [None, EhrChartWritten(chart=replace(ADA, city="Macon"), read_at=successor.desk.now)]
    await successor.finish()
    assert successor.writer.did == ["look up", "look up"]
    assert [one.settled_by for one in await successor.recorded(IntentSucceeded)] == ["lookup"]
    await successor.desk.sound()


async def test_who_takes_over_repeats_what_was_certainly_not_done(ward: Ward) -> None:
    await ward.move_to("Macon")
    intent = (await ward.desk.intents())[SLOT].intent
    attempted = IntentAttempted(intent=intent, slot=SLOT, attempt=1, epoch=ward.desk.recorder.epoch)
    await ward.desk.recorder.record_bodies([attempted], ehr=ADA.id, billing=None, cause=None, parts=(intent, 1))
    successor = Ward(await ward.desk.successor())
    successor.sink.offer(await successor.desk.recorder.load_open(), resume=True)
    await successor.finish()
    assert successor.writer.did == ["look up", "look up", "carry out"]
    assert [(one.attempt, one.epoch) for one in await successor.recorded(IntentAttempted)] == [(1, 1), (2, 2)]
    await successor.desk.sound()


async def test_who_was_overtaken_calls_nobody_any_more(ward: Ward) -> None:
    await ward.move_to("Macon")
    await ward.desk.store.take_over(PRACTICE)
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(ward.sink.run(), 15)
    assert raised.group_contains(Fenced)
    assert ward.writer.asked == []


# -- trouble ----------------------------------------------------------------------------------------------------------


async def test_throttled_and_unreachable_repeat_the_same_attempt(ward: Ward) -> None:
    ward.writer.answers = [Throttled("elation.PATCH", 0.0), AWAY, Throttled("elation.PATCH", 0.0)]
    await ward.move_to("Macon")
    await ward.finish()
    assert ward.writer.did == ["carry out"] * 4
    assert [one.attempt for one in await ward.recorded(IntentAttempted)] == [1]
    assert [one.attempt for one in await ward.recorded(IntentSucceeded)] == [1]
    assert await ward.recorded(WaitingRaised) == []


@pytest.mark.parametrize(
    ("trouble", "times", "code"),
    [
        (AWAY, 3, "unreachable"),
        (Unauthorized("elation.PATCH"), 3, "credentials"),
        (Throttled("elation.PATCH", 0.0), 5, "throttled"),
    ],
    ids=["unreachable", "credentials", "throttled"],
)
async def test_a_system_that_keeps_failing_shows_until_it_works_again(
    ward: Ward, trouble: Exception, times: int, code: str
) -> None:
    shown: list[dict[str, str]] = []

    async def look(write: AnyWrite) -> AnyResult:
        shown.append(await ward.desk.waiting())
        return ward.writer.done(write)

    ward.writer.answers = [*[trouble] * times, look]
    await ward.move_to("Macon")
    await ward.finish()
    assert shown == [{"system:elation": code}]
    assert await ward.desk.waiting() == {}
    assert len(await ward.recorded(WaitingRaised)) == len(await ward.recorded(WaitingCleared)) == 1
    await ward.desk.sound()


async def test_a_refusal_is_an_answer_too(ward: Ward) -> None:
    ward.writer.answers = [AWAY, AWAY, AWAY, NO]
    await ward.move_to("Macon")
    await ward.finish()
    assert await ward.desk.waiting() == {}


async def test_trouble_that_the_owner_before_has_shown_is_over_when_it_works(ward: Ward) -> None:
    async def enough(_: AnyWrite) -> AnyResult:
        await asyncio.Event().wait()
        raise AssertionError

    ward.writer.answers = [AWAY, AWAY, AWAY, enough]
    await ward.move_to("Macon")
    async with ward.at_work():
        await until(lambda: len(ward.writer.asked) == 4)
    assert await ward.desk.waiting() == {"system:elation": "unreachable"}
    successor = Ward(await ward.desk.successor())
    successor.sink.offer(await successor.desk.recorder.load_open(), resume=True)
    await successor.finish()
    assert await successor.desk.waiting() == {}
    await successor.desk.sound()


async def test_a_look_up_that_meets_wrong_credentials_says_so(ward: Ward) -> None:
    """What it says is what people repair: a password, not the network."""
    ward.writer.answers = [LOST]
    await ward.move_to("Macon")
    write = (await ward.desk.intents())[SLOT].write
    ward.writer.found = [*[Unauthorized("elation.GET")] * 3, ward.writer.done(write)]
    await ward.finish()
    assert [one.code for one in await ward.recorded(WaitingRaised)] == ["credentials"]
    assert await ward.desk.waiting() == {}
    await ward.desk.sound()


async def test_what_is_shown_follows_the_cause(ward: Ward) -> None:
    """The network was away; since it is back the vendor wants other credentials. One failure alone changes no advice."""
    wrong = Unauthorized("elation.PATCH")
    shown: list[dict[str, str]] = []

    async def look(write: AnyWrite) -> AnyResult:
        shown.append(await ward.desk.waiting())
        return ward.writer.done(write)

    ward.writer.answers = [AWAY, AWAY, AWAY, wrong, AWAY, wrong, wrong, wrong, look]
    await ward.move_to("Macon")
    await ward.finish()
    assert shown == [{"system:elation": "credentials"}]
    assert [one.code for one in await ward.recorded(WaitingRaised)] == ["unreachable", "credentials"]
    assert await ward.desk.waiting() == {}
    assert len(await ward.recorded(WaitingCleared)) == 1
    await ward.desk.sound()


async def test_what_the_owner_before_has_shown_follows_the_cause_too(ward: Ward) -> None:
    async def enough(_: AnyWrite) -> AnyResult:
        await asyncio.Event().wait()
        raise AssertionError

    ward.writer.answers = [AWAY, AWAY, AWAY, enough]
    await ward.move_to("Macon")
    async with ward.at_work():
        await until(lambda: len(ward.writer.asked) == 4)
    successor = Ward(await ward.desk.successor())
    successor.sink.offer(await successor.desk.recorder.load_open(), resume=True)
    successor.writer.found = [Unauthorized("elation.GET")] * 3
    await successor.finish()
    assert [one.code for one in await successor.recorded(WaitingRaised)] == ["unreachable", "credentials"]
    await successor.desk.sound()


async def test_what_nobody_thought_of_is_looked_for_and_tried_again(ward: Ward) -> None:
    """Out of memory, or a library's own trouble, may pass: nothing waits for a person because of it."""
    ward.writer.answers = [MemoryError(), OSError("Macon")]
    await ward.move_to("Macon")
    await ward.finish()
    assert ward.writer.did == ["carry out", "look up", "look up"] * 2 + ["carry out"]
    assert not await ward.recorded(IntentRefused)
    assert (await ward.desk.patient()).base["city"] == "Macon"


async def test_a_cancellation_that_nobody_asked_for_ends_no_sink(ward: Ward) -> None:
    ward.writer.answers = [asyncio.CancelledError()]  # type: ignore[list-item]
    await ward.move_to("Macon")
    await ward.finish()
    assert (await ward.desk.patient()).base["city"] == "Macon"
