"""What every vendor's folder has to keep to behind the port (daemon/vendors/ports/vendor.py), whichever role it plays.

A vendor's own file is three lines: a class of this one, with the vendor and its stand: the sandbox, and how people act in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import msgspec
import pytest

from daemon.demo.embedded import free_port
from daemon.findings import Severity
from daemon.sections import VendorSection
from daemon.telemetry import Meter
from daemon.vendors.ports.errors import ChangedMeanwhile, Unreachable, VendorError
from daemon.vendors.ports.intake import Intake
from daemon.vendors.ports.vendor import Means, Opened, Side, Vendor
from events.ids import PracticeId, event_id
from events.schema import (
    BillingChartObserved,
    BillingDirectoryObserved,
    Body,
    EhrChartObserved,
    EhrDirectoryObserved,
)
from events.store import Fenced
from events.topics import Change, Checkpoint, Message, Seen
from events.writes import AnyWrite, System
from tests.conftest import PRACTICE, at_work, until

CHARTS = {System.EHR: EhrChartObserved, System.BILLING: BillingChartObserved}
DIRECTORIES = {System.EHR: EhrDirectoryObserved, System.BILLING: BillingDirectoryObserved}


class Stand(Protocol):
    """A vendor's sandbox with one practice in it."""

    async def start(self, folder: Path) -> None:
        """Listen; the secrets' files go into `folder`."""

    async def stop(self) -> None: ...

    @property
    def section(self) -> VendorSection:
        """What a practice configures of it; passes come round within a second."""

    def astray(self, port: int) -> VendorSection:
        """The same, with addresses at which nobody listens."""

    def make_person(self, first: str, last: str) -> int:
        """Staff registers somebody; returns the id."""

    def people(self) -> dict[int, tuple[str, str]]:
        """Everybody, as (first name, last name)."""

    def creation(self, first: str, last: str) -> AnyWrite:
        """The write that creates a chart."""

    def update(self, id_: int, *, expected: str, first: str) -> AnyWrite:
        """The write that gives somebody, as yet called `expected`, another first name."""


@dataclass
class Recorded:
    """What was published, and what a recorder remembers of it: the intake's `known`, and the side's memory."""

    system: System
    bodies: list[Body] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    kept: dict[str, tuple[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.intake = Intake(PRACTICE, self.system, self._publish, self._look)
        self.subscriptions = self

    async def _publish(self, practice: PracticeId, messages: Sequence[Message]) -> None:
        assert practice == PRACTICE
        for message in messages:
            if isinstance(message, Checkpoint):
                self.marks[message.source] = message.value
                self.intake.recorded(message.source)
            elif isinstance(message, Change):
                if message.event is not None:
                    self.bodies.append(message.event.body)
                for note in message.notes:
                    before = self.seen.get((note.resource, note.record), Seen())
                    self.seen[note.resource, note.record] = Seen(
                        content_hash=note.content_hash, revision=before.revision + 1, parent=note.parent
                    )

    async def _look(self, records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        return {key: self.seen[key] for key in records if key in self.seen}

    async def known(self, resource: str) -> list[tuple[str, str]]:
        return [(record, one.parent) for (kind, record), one in self.seen.items() if kind == resource]

    async def watermark(self, source: str) -> str | None:
        return self.marks.get(source)

    async def get(self) -> dict[str, tuple[int, str]]:
        return self.kept

    async def save(self, resource: str, subscription: int, target: str, key: str) -> None:
        self.kept[resource] = (subscription, key)

    def taken(self) -> list[Body]:
        """What was published since the last time."""
        taken, self.bodies = self.bodies, []
        return taken

    def charts(self) -> list[int]:
        """Whose charts were published, in order."""
        return [int(one.chart.id) for one in self.bodies if isinstance(one, EhrChartObserved | BillingChartObserved)]


def unhurried(section: VendorSection) -> VendorSection:
    """The section of passes that come round once in a test."""
    names = [name for name in type(section).__struct_fields__ if name.endswith("_seconds")]
    return msgspec.structs.replace(section, **dict.fromkeys(names, 3600.0))


class Open:
    """A vendor opened on its stand."""

    def __init__(self, vendor: Vendor[Any], stand: Stand, means: Means) -> None:
        self.vendor = vendor
        self.stand = stand
        self.means = means
        self.recorded = Recorded(stand.section.role)
        self.guarded = 0
        self.fenced = False

    async def guard(self) -> None:
        self.guarded += 1
        if self.fenced:
            raise Fenced("another owner has the practice")

    @property
    def side(self) -> Side:
        return Side(time_zone="America/Denver", intake=self.recorded.intake, memory=self.recorded, guard=self.guard)

    async def opened(self, section: VendorSection | None = None) -> Opened:
        return (await self.vendor.prepare(section or self.stand.section, self.means))(self.side)

    def observing(self, opened: Opened) -> AbstractAsyncContextManager[None]:
        return at_work(opened.connector.run())


class VendorCase:
    """Give `vendor` and `stand`."""

    vendor: type[Vendor[Any]]
    stand: type[Stand]

    @pytest.fixture
    async def open_(self, tmp_path: Path) -> AsyncIterator[Open]:
        stand = self.stand()
        await stand.start(tmp_path)
        try:
            async with aiohttp.ClientSession() as session:
                means = Means(session=session, folder=tmp_path, now=lambda: datetime.now(UTC), meter=Meter(), patience=5.0)
                yield Open(self.vendor(), stand, means)
        finally:
            await stand.stop()

    # -- what it says of itself -------------------------------------------------------------------------------------------

    async def test_its_section_says_what_it_is(self, open_: Open) -> None:
        section = open_.stand.section
        assert type(section) is self.vendor.section
        assert section.role in System
        assert section.system.label
        assert section.system.prefix == section.system.prefix.casefold()
        assert section.first_reads
        assert all(source.startswith(f"{section.system.prefix}.") for source in section.first_reads)
        assert {*section.secrets, *section.restart} <= set(type(section).__struct_fields__)

    async def test_its_section_names_a_secret_that_is_missing(self, open_: Open, tmp_path: Path) -> None:
        section = open_.stand.section
        assert section.check("here", tmp_path) == []
        for name in section.secrets:
            (tmp_path / getattr(section, name)).write_text("")
        assert {key for key, _ in section.check("here", tmp_path)} == {f"here.{name}" for name in section.secrets}

    # -- check-config -----------------------------------------------------------------------------------------------------

    async def test_a_probe_of_what_answers_finds_nothing(self, open_: Open) -> None:
        assert await open_.vendor.probe(open_.stand.section, "here", open_.means) == []

    async def test_a_probe_names_the_key_of_what_is_wrong(self, open_: Open, tmp_path: Path) -> None:
        for section in (open_.stand.astray(free_port()), open_.stand.section):
            if section == open_.stand.section:
                for name in section.secrets:
                    (tmp_path / getattr(section, name)).write_text("wrong")
            (problem,) = await self.vendor().probe(section, "here", open_.means)
            assert problem[0].startswith("here")
            assert section.system.label in problem[1] or "." in problem[0]

    async def test_an_examination_of_what_answers_finds_nothing_that_is_wrong(self, open_: Open) -> None:
        found = await open_.vendor.examine(open_.stand.section, "here", open_.means, PRACTICE, "Elm Clinic")
        assert [one for one in found if one.severity is not Severity.NOTE] == []

    async def test_an_examination_says_where_what_and_how_it_is_repaired(self, open_: Open, tmp_path: Path) -> None:
        for section in (open_.stand.astray(free_port()), open_.stand.section):
            if section == open_.stand.section:
                for name in section.secrets:
                    (tmp_path / getattr(section, name)).write_text("wrong")
            (finding,) = await self.vendor().examine(section, "here", open_.means, PRACTICE, "Elm Clinic")
            assert (finding.severity, finding.practice) == (Severity.ERROR, PRACTICE)
            assert finding.key.startswith("here")
            assert finding.repair

    # -- observing --------------------------------------------------------------------------------------------------------

    async def test_it_observes_the_directory_first_and_everybody_once(self, open_: Open) -> None:
        somebody = [open_.stand.make_person("Ada", "Byron"), open_.stand.make_person("Grace", "Murray")]
        opened, recorded = await open_.opened(), open_.recorded
        async with open_.observing(opened):
            await until(lambda: set(open_.stand.section.first_reads) <= set(recorded.marks))
            assert isinstance(recorded.bodies[0], DIRECTORIES[recorded.system])
            assert sorted(recorded.charts()) == sorted(somebody)
            before = dict(opened.connector.passes.done)
            await until(lambda: any(opened.connector.passes.done[name] > count + 1 for name, count in before.items()))
            assert sorted(recorded.charts()) == sorted(somebody), "what says what it said is not published again"
            assert opened.connector.passes.failing == {}
        assert open_.guarded, "each call is allowed by the guard first"

    async def test_somebody_new_is_seen(self, open_: Open) -> None:
        opened, recorded = await open_.opened(), open_.recorded
        async with open_.observing(opened):
            await until(lambda: set(open_.stand.section.first_reads) <= set(recorded.marks))
            new = open_.stand.make_person("Ada", "Byron")
            await until(lambda: recorded.charts() == [new])

    async def test_what_somebody_asks_for_is_read_and_published_again(self, open_: Open) -> None:
        somebody = open_.stand.make_person("Ada", "Byron")
        opened, recorded = await open_.opened(unhurried(open_.stand.section)), open_.recorded
        async with open_.observing(opened):
            await until(lambda: set(open_.stand.section.first_reads) <= set(recorded.marks))
            assert recorded.charts() == [somebody]
            opened.connector.look("patients", str(somebody), event_id(PRACTICE, "asked", 1))
            await until(lambda: recorded.charts() == [somebody, somebody])

    async def test_a_record_in_doubt_is_read_again(self, open_: Open) -> None:
        somebody = open_.stand.make_person("Ada", "Byron")
        opened, recorded = await open_.opened(unhurried(open_.stand.section)), open_.recorded
        async with open_.observing(opened):
            await until(lambda: set(open_.stand.section.first_reads) <= set(recorded.marks))
            assert recorded.charts() == [somebody]
            recorded.seen.clear()
            opened.connector.reread("patients", str(somebody))
            await until(lambda: recorded.charts()[:2] == [somebody, somebody])

    async def test_while_it_is_away_passes_fail_visibly(self, open_: Open) -> None:
        opened = await open_.opened()
        await open_.stand.stop()
        async with open_.observing(opened):
            await until(lambda: opened.connector.passes.failing)

    # -- writing ----------------------------------------------------------------------------------------------------------

    async def test_what_is_created_is_found_again(self, open_: Open) -> None:
        """Effectively once: whoever lost the answer looks, or does it again, and there is one chart."""
        writer, write = (await open_.opened()).writer, open_.stand.creation("Ada", "Byron")
        assert await writer.look_up(write) is None
        made: Any = await writer.write(lambda: write)
        (id_,) = open_.stand.people()
        assert made.chart.id == id_
        again: Any = await writer.look_up(write) or await writer.write(lambda: write)
        assert again.chart.id == id_
        assert open_.stand.people() == {id_: ("Ada", "Byron")}

    async def test_an_update_says_what_is_there_now(self, open_: Open) -> None:
        somebody = open_.stand.make_person("Ada", "Byron")
        writer, write = (await open_.opened()).writer, open_.stand.update(somebody, expected="Ada", first="Augusta")
        assert await writer.look_up(write) is None
        done: Any = await writer.write(lambda: write)
        assert (done.chart.id, done.chart.first_name, done.sent) == (somebody, "Augusta", {"first_name": "Augusta"})
        assert open_.stand.people() == {somebody: ("Augusta", "Byron")}
        assert await writer.look_up(write) is not None

    async def test_nobody_elses_edit_is_written_over(self, open_: Open) -> None:
        somebody = open_.stand.make_person("Adelaide", "Byron")
        writer, write = (await open_.opened()).writer, open_.stand.update(somebody, expected="Ada", first="Augusta")
        with pytest.raises(ChangedMeanwhile):
            await writer.write(lambda: write)
        assert open_.stand.people() == {somebody: ("Adelaide", "Byron")}

    async def test_nothing_is_written_for_another_owners_practice(self, open_: Open) -> None:
        writer = (await open_.opened()).writer
        open_.fenced = True
        with pytest.raises(Fenced):
            await writer.write(lambda: open_.stand.creation("Ada", "Byron"))
        assert open_.stand.people() == {}

    async def test_a_write_while_it_is_away_may_be_repeated(self, open_: Open) -> None:
        writer, write = (await open_.opened()).writer, open_.stand.creation("Ada", "Byron")
        await open_.stand.stop()
        with pytest.raises(Unreachable):
            await writer.write(lambda: write)

    # -- being opened -----------------------------------------------------------------------------------------------------

    async def test_there_is_room_for_writes_and_limits_are_shared(self, open_: Open) -> None:
        first, second = await open_.opened(), await open_.opened()
        assert first.concurrency > 0
        assert first.limits is second.limits

    async def test_where_it_cannot_be_prepared_it_says_so_as_the_port_does(self, open_: Open) -> None:
        try:
            await open_.opened(open_.stand.astray(free_port()))
        except (VendorError, OSError, ValueError):
            return

    # -- verify -----------------------------------------------------------------------------------------------------------

    async def test_a_reader_reads_everybody_whole(self, open_: Open) -> None:
        somebody = [open_.stand.make_person("Ada", "Byron"), open_.stand.make_person("Grace", "Murray")]
        reader = await open_.vendor.reader(open_.stand.section, open_.means, replace(open_.side, guard=None))
        for step, _ in reader.steps:
            await step()
        assert sorted(open_.recorded.charts()) == sorted(somebody)
        assert any(isinstance(one, DIRECTORIES[open_.recorded.system]) for one in open_.recorded.bodies)

    # -- webhooks ---------------------------------------------------------------------------------------------------------

    async def test_a_delivery_that_nobody_signed_is_not_taken(self, open_: Open) -> None:
        delivery = open_.vendor.delivery(open_.stand.section, open_.means, open_.side)
        assert (delivery is None) == (not open_.vendor.delivered)
        if delivery is not None:
            for resource in open_.vendor.delivered:
                assert await delivery.take(resource, b"{}", None) == 404, "nothing is subscribed to"
                open_.recorded.kept[resource] = (1, "AAAA")
            assert {await delivery.take(one, b"{}", "AAAA") for one in open_.vendor.delivered} == {401}
            assert open_.recorded.bodies == []
