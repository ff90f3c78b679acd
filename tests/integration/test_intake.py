"""The way in: what is published of what was read, against what was recorded before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from daemon.vendors.ports.intake import Intake, Observation, fingerprint
from events.ids import EhrChartId, PracticeId
from events.records import EhrChart
from events.schema import EhrChartObserved
from events.topics import Change, Message, Seen
from events.writes import System
from tests.conftest import PRACTICE

SAVED = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHART = EhrChartId(1001)


def observed(city: str, read_at: datetime = SAVED) -> Observation:
    return Observation(
        body=EhrChartObserved(chart=EhrChart(id=CHART, first_name="Ada", city=city)),
        resource="patients",
        record=str(CHART),
        ehr=CHART,
        modified=SAVED,
        read_at=read_at,
        parent=str(CHART),
    )


class Recorded:
    """What the database knows of records; `record` is the recorder taking what was published."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], Seen] = {}
        self.published: list[Change] = []
        self.ids: set[object] = set()
        self.intake = Intake(PRACTICE, System.EHR, self._publish, self._known)

    async def _known(self, records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        return {key: self.seen[key] for key in records if key in self.seen}

    async def _publish(self, _practice: PracticeId, messages: Sequence[Message]) -> None:
        self.published += [one for one in messages if isinstance(one, Change)]

    def record(self) -> list[str]:
        """The cities of the events that are new; their notes are kept as the database keeps them."""
        new = []
        for change in self.published:
            for note in change.notes:
                before = self.seen.get((note.resource, note.record), Seen())
                moved = before.content_hash != note.content_hash
                self.seen[note.resource, note.record] = Seen(
                    content_hash=note.content_hash, revision=before.revision + moved, parent=note.parent
                )
            if change.event is not None and change.event.id not in self.ids:
                self.ids.add(change.event.id)
                assert isinstance(change.event.body, EhrChartObserved)
                new.append(change.event.body.chart.city)
        self.published = []
        return new


def webhook(recorded: Recorded, city: str) -> Change:
    one = observed(city)
    return recorded.intake.change(one, fingerprint(one.body, one.modified), 0)


async def test_a_record_that_is_again_what_it_was_within_one_second_is_a_new_event() -> None:
    """Two saves in one second, their webhooks in the wrong order, then a poll that reads what holds."""
    recorded = Recorded()
    recorded.published = [webhook(recorded, "Macon"), webhook(recorded, "")]
    assert recorded.record() == ["Macon", ""]
    await recorded.intake.observe([observed("Macon", SAVED + timedelta(minutes=1))])
    assert recorded.record() == ["Macon"], "else it would never be learnt that the later webhook was the older save"


async def test_a_webhook_and_a_poll_of_a_new_record_are_one_event() -> None:
    recorded = Recorded()
    await recorded.intake.observe([observed("Macon", SAVED + timedelta(seconds=3))])
    recorded.published.append(webhook(recorded, "Macon"))
    assert recorded.record() == ["Macon"]


async def test_what_was_recorded_is_not_published_again() -> None:
    recorded = Recorded()
    assert await recorded.intake.observe([observed("Macon")]) == 1
    recorded.record()
    assert await recorded.intake.observe([observed("Macon", SAVED + timedelta(hours=1))]) == 0
    assert recorded.published == []


async def test_a_redelivered_webhook_is_the_same_event() -> None:
    recorded = Recorded()
    recorded.published = [webhook(recorded, "Macon")]
    assert recorded.record() == ["Macon"]
    recorded.published = [webhook(recorded, "Macon")]
    assert recorded.record() == []
