"""EHR_LED section 3, rules 11 to 13: how edits of insurance in Elation are seen, and what that costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import aiohttp
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.sandbox.elation import ElationSandbox
from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.policy_reading import (
    BUDGET,
    DAY,
    HINTS,
    HINTS_EVERY,
    HOUR,
    KEPT_EVERY,
    LATER,
    MOST_HINTS,
    OPERATION,
    PolicyBudget,
    PolicyReader,
)
from daemon.vendors.elation.writer import ElationWriter
from daemon.vendors.ports.errors import ChangedMeanwhile
from daemon.vendors.ports.intake import Intake
from daemon.vendors.ports.passes import Passes
from events.ids import EhrChartId, PracticeId
from events.insurance import EhrPoliciesObserved
from events.terms import PolicyTerms
from events.topics import Change, Checkpoint, Message, Seen
from events.writes import PoliciesWritten, SyncPolicies, System
from projections.rules.pairing import EVERYTHING
from tests.conftest import PRACTICE

NOON = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


class Reading:
    """A sandbox with a practice, a reader of its policies, and what the reader published."""

    def __init__(self, session: aiohttp.ClientSession, charts: int = 0, per_day: int = 6000) -> None:
        self.seconds = 0.0
        self.session = session
        self.sandbox = ElationSandbox(now=lambda: NOON)
        self.elm = int(self.sandbox.add_practice(name="Elm", time_zone="America/Denver")["id"])
        self.sandbox.add_credential("id", "hush", practices=[self.elm])
        self.doctor = int(self.sandbox.add_physician(self.elm, first_name="Ruth", last_name="Okafor", npi="1")["id"])
        self.charts = [str(number) for number in range(1, charts + 1)]
        self.seen: dict[tuple[str, str], Seen] = {}
        self.published: list[EhrPoliciesObserved] = []
        self.kept: dict[str, str] = {}
        self.budget = PolicyBudget(per_day, lambda: self.seconds)
        self.client: ElationClient
        self.reader: PolicyReader

    async def start(self) -> None:
        await self.sandbox.start()
        self.client = ElationClient(
            base_url=self.sandbox.url,
            client_id="id",
            client_secret="hush",
            session=self.session,
            practice_id=self.elm,
            concurrency=2,
        )
        await self.start_reader()

    async def start_reader(self) -> None:
        intake = Intake(PRACTICE, System.EHR, self._publish, self._known)
        self.reader = PolicyReader(
            self.client,
            intake,
            Passes("elation", PRACTICE),
            self.budget,
            known_charts=self._charts,
            kept=self._kept,
            looks=(120.0, 900.0),
            round_seconds=3600.0,
            now=lambda: NOON + timedelta(seconds=self.seconds),
            clock=lambda: self.seconds,
        )

    async def _kept(self, source: str) -> str | None:
        return self.kept.get(source)

    async def _charts(self) -> list[str]:
        return self.charts

    async def _publish(self, _practice: PracticeId, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, Checkpoint):
                assert message.source in (BUDGET, HINTS)
                self.kept[message.source] = message.value
            if isinstance(message, Change) and message.event is not None:
                assert isinstance(message.event.body, EhrPoliciesObserved)
                self.published.append(message.event.body)
                for note in message.notes:
                    self.seen[note.resource, note.record] = Seen(content_hash=note.content_hash, revision=1)

    async def _known(self, records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        return {key: self.seen[key] for key in records if key in self.seen}

    async def due(self) -> list[tuple[float, EhrChartId]]:
        """What is due from now on, in the order of time, for a day; each reading is spent from the budget."""
        found: list[tuple[float, EhrChartId]] = []
        end = self.seconds + DAY
        while self.seconds < end:
            chart, pause = await self.reader._due()
            if chart is None:
                self.seconds += pause
            else:
                self.budget.spend()
                found.append((self.seconds, chart))
        return found

    def ada(self) -> EhrChartId:
        chart = self.sandbox.people.create_patient(self.elm, "Ada", "Byrne", "Female", "1980-02-29", self.doctor)
        return EhrChartId(int(chart["id"]))


@pytest_asyncio.fixture
async def reading() -> AsyncIterator[Reading]:
    async with aiohttp.ClientSession() as session:
        one = Reading(session)
        await one.start()
        yield one
        await one.sandbox.stop()


async def of(charts: int, per_day: int = 6000) -> Reading:
    """A practice of so many charts; nothing is asked of its vendor."""
    async with aiohttp.ClientSession() as session:
        one = Reading(session, charts, per_day)
        await one.start()
        await one.sandbox.stop()
        return one


async def test_a_practice_of_5000_is_read_once_a_day_within_6000_readings() -> None:
    one = await of(5000)
    await one.due()  # the first day begins where the clock says
    second = await one.due()
    assert len(second) <= 6000
    assert len({chart for _, chart in second}) >= 4999
    assert one.budget.calls == {OPERATION: one.budget.calls[OPERATION]}
    assert one.budget.interval(OPERATION) == pytest.approx(14.4), "what `chartwire status` shows shares of"


async def test_the_round_waits_for_a_database_that_is_away() -> None:
    """It runs beside the recorder: an error that left it would end the practice's work."""
    reading = await of(3)

    async def away() -> list[str]:
        raise ConnectionRefusedError

    reader = reading.reader
    known, reader._known_charts = reader._known_charts, away
    chart, pause = await reader._due()
    assert chart is None
    assert pause > 0
    reading.seconds += LATER
    reader._known_charts = known
    assert (await reader._due())[0] is not None


async def test_a_small_practice_is_read_every_hour() -> None:
    one = await of(10)
    await one.due()
    read = [at for at, chart in await one.due() if chart == 3]
    assert max(later - earlier for earlier, later in pairwise(read)) <= 3700


@pytest.mark.parametrize("at", [100.0, 1_777.0, 3_500.0, 5_000.0])
async def test_another_owner_goes_on_where_the_round_was(at: float) -> None:
    """Whoever owns the practice, no chart waits longer than a round takes."""
    one = await of(30)
    read: dict[EhrChartId, list[float]] = {}
    until, restarted = 4 * 3600.0, False
    while one.seconds < until:
        if one.seconds >= 3600.0 + at and not restarted:
            restarted = True
            await one.start_reader()
        chart, pause = await one.reader._due()
        if chart is None:
            one.seconds += pause
        else:
            read.setdefault(chart, []).append(one.seconds)
    longest = max(later - before for times in read.values() for before, later in pairwise(times))
    assert len(read) == 30
    assert longest <= 3600.0 + 3 * 120.0


async def test_a_flood_of_hints_stays_within_the_budget() -> None:
    one = await of(5000)
    for chart in range(1, 9000):
        one.reader.soon(EhrChartId(chart))
    assert len(await one.due()) <= 6000


async def test_a_check_in_is_looked_at_after_2_and_15_minutes() -> None:
    one = await of(0)
    one.reader.checked_in(EhrChartId(7))
    found = await one.due()
    assert [chart for _, chart in found] == [7, 7]
    assert [round(at / 60) for at, _ in found] == [2, 15]
    assert found[-1][0] <= 20 * 60


async def test_a_reading_is_published_when_it_says_something_new(reading: Reading) -> None:
    chart = reading.ada()
    reading.sandbox.people.add_policy(chart, 1, carrier_name="Blue", member_id="X1", insured_person_dob="02/03/1960")
    await reading.reader.read(chart)
    await reading.reader.read(chart)
    (seen,) = reading.published
    (policy,) = seen.policies
    assert (policy.member_id, policy.rank, policy.active) == ("X1", 1, True)
    assert policy.insured_birth_date == date(1960, 2, 3), "a day in free text"


async def test_a_day_in_words_is_none(reading: Reading) -> None:
    chart = reading.ada()
    reading.sandbox.people.add_policy(chart, 1, member_id="X1", insured_person_dob="spring of 1960")
    await reading.reader.read(chart)
    assert reading.published[0].policies[0].insured_birth_date is None


async def test_a_chart_that_is_not_there_stops_nothing(reading: Reading) -> None:
    await reading.reader.read(EhrChartId(12345))
    assert reading.published == []


# A budget that outlives its owner


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def budget(seconds: list[float], per_day: int = 100) -> PolicyBudget:
    return PolicyBudget(per_day, lambda: seconds[0])


def test_the_next_owner_goes_on_from_what_was_spent() -> None:
    """On a clock of its own: what is kept is by the time of day."""
    before, clock = [0.0], [5_000.0]
    spent = budget(before)
    for before[0] in (0.0, HOUR, HOUR, 2 * HOUR):
        spent.spend()
    later = budget(clock)
    later.restore(spent.kept(at(2 * HOUR)), at(2 * HOUR + 60))
    assert not later.allows(4 / 100)
    assert later.allows(5 / 100)
    clock[0] += DAY - HOUR
    assert not later.allows(3 / 100)
    assert later.allows(4 / 100), "the oldest is a day old"
    clock[0] += 2 * HOUR
    assert later.allows(1 / 100), "none of them counts any more"


def test_what_was_kept_and_restored_is_kept_the_same() -> None:
    clock = [0.0]
    first = budget(clock)
    for _ in range(7):
        first.spend()
    kept = first.kept(at(30 * 60))
    for _ in range(5):
        again = budget(clock)
        again.restore(kept, at(50 * 60))
        kept = again.kept(at(50 * 60))
    assert kept == first.kept(at(30 * 60))


@pytest.mark.parametrize("kept", ["", "nonsense", "1:2:3", "9:-1", "-5:7", "999999999:7", "5"])
def test_what_cannot_be_a_budget_never_lends_one(kept: str) -> None:
    later = budget([0.0])
    later.restore(kept, at(0.0))
    assert later.allows()


async def test_the_reader_keeps_the_budget_and_begins_with_it(reading: Reading) -> None:
    chart = reading.ada()
    for _ in range(KEPT_EVERY):
        await reading.reader.read(chart)
    assert reading.kept[BUDGET]
    reading.budget = PolicyBudget(KEPT_EVERY, lambda: reading.seconds)
    await reading.start_reader()
    await reading.reader._restore()
    assert not reading.budget.allows()


async def test_what_a_killed_worker_was_to_read_is_read_by_the_next(reading: Reading) -> None:
    """A chart whose turn came while Elation was away, one that was saved, one that checks in: else each waits for a whole round."""
    unanswered, saved, arriving = (EhrChartId(number) for number in (7, 8, 9))
    await reading.sandbox.stop()
    await reading.reader._read_one(unanswered)
    reading.reader.soon(saved)
    reading.reader.checked_in(arriving)
    reading.seconds = 60.0
    await reading.reader._keep_hints()
    await reading.start_reader()
    await reading.reader._restore()
    due = await reading.due()
    assert {chart for _, chart in due} == {unanswered, saved, arriving}
    assert [round(at / 60) for at, chart in due if chart == arriving] == [2, 15]
    await reading.sandbox.start()


async def test_hints_are_kept_as_they_come_and_not_all_the_time(reading: Reading) -> None:
    kept: list[str] = []

    async def publish(_practice: PracticeId, messages: Sequence[Message]) -> None:
        kept.extend(one.value for one in messages if isinstance(one, Checkpoint) and one.source == HINTS)

    reading.reader._intake._publish = publish
    reader = reading.reader
    for second in range(60):
        reading.seconds = float(second)
        reader.soon(EhrChartId(second + 1))
        if reader._is_to_keep():
            await reader._keep_hints()
    assert [len(one.split()) for one in kept] == [1, 16, 31, 46]
    for number in range(3 * MOST_HINTS):
        reader.soon(EhrChartId(number + 1))
    reading.seconds += HINTS_EVERY
    await reader._keep_hints()
    assert len(kept[-1].split()) == MOST_HINTS


@pytest.mark.parametrize("kept", ["7", "7@", "@7", "7@x", "x@7", "7@-1", "\u0667@7", "7@9999999999999", "-7@1"])
async def test_what_cannot_be_a_hint_is_none(reading: Reading, kept: str) -> None:
    reading.kept[HINTS] = kept
    await reading.reader._restore()
    assert await reading.due() == []


# Writes where insurance goes both ways


def terms(reading: Reading, **values: object) -> PolicyTerms:
    carrier = int(reading.sandbox.people.create_insurance_company(reading.elm, "Blue")["id"])
    plan = int(reading.sandbox.people.create_insurance_plan(reading.elm, carrier, "Gold")["id"])
    made = PolicyTerms(
        billing_policy=1, rank=1, carrier_id=carrier, carrier_name="Blue", plan_id=plan, plan_name="Gold", member_id="X1"
    )
    return replace(made, **values)


async def test_a_write_names_only_what_changes_and_says_what_it_left(reading: Reading) -> None:
    chart = reading.ada()
    own = reading.sandbox.people.add_policy(
        chart, 1, member_id="X1", group_id="THEIRS", copay="5.00", front_image_path="/card.png", surprise="kept"
    )
    seen = translate.chart_policies(await reading.client.list_policies(chart))
    changed = terms(reading, copay="30.00", keeps=tuple(name for name in EVERYTHING if name != "copay"))
    hinted: list[EhrChartId] = []
    writer = ElationWriter(reading.client, zone="UTC", now=lambda: NOON, policies_written=hinted.append)
    write = SyncPolicies(
        chart=chart,
        first_name="Ada",
        last_name="Byrne",
        birth_date=date(1980, 2, 29),
        terms=(changed,),
        known={"1": int(own["id"])},
        seen=seen,
        brings={"1": ("copay",)},
    )
    written = await writer.write(lambda: write)
    assert isinstance(written, PoliciesWritten)
    (held,) = reading.sandbox.policies.values()
    assert (held["copay"], held["group_id"], held["front_image_path"], held["surprise"]) == (
        "30.00",
        "THEIRS",
        "/card.png",
        "kept",
    )
    assert (written.read[0].copay, written.read_at) == ("30.00", NOON)
    assert hinted == [chart], "read back, so that whatever comes after it is news"


async def test_policies_that_are_not_as_decided_on_are_decided_on_anew(reading: Reading) -> None:
    chart = reading.ada()
    reading.sandbox.people.add_policy(chart, 1, member_id="STAFF")
    writer = ElationWriter(reading.client, zone="UTC", now=lambda: NOON)
    write = SyncPolicies(
        chart=chart, first_name="Ada", last_name="Byrne", birth_date=date(1980, 2, 29), terms=(terms(reading),), seen=()
    )
    with pytest.raises(ChangedMeanwhile) as caught:
        await writer.write(lambda: write)
    assert isinstance(caught.value.seen, EhrPoliciesObserved)
    assert caught.value.seen.policies[0].member_id == "STAFF"
    assert len(reading.sandbox.policies) == 1
