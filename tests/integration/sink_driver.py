"""A sink for Elation behind a recorder (see `recorder_driver`), with a writer that answers as a test says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from daemon.runtime.pace import Pace
from daemon.runtime.recovery import Caution
from daemon.runtime.sink import Sink
from daemon.vendors.ports.errors import OutcomeUnknown, Refused, Unreachable
from events.codec import Keyring
from events.ids import BillingPatientId, EhrChartId
from events.schema import (
    BillingChartObserved,
    Body,
)
from events.store import Store
from events.writes import (
    AnyResult,
    AnyWrite,
    CreateEhrAppointment,
    EhrChartWritten,
    RecordCreated,
    Searched,
    SearchEhr,
    System,
    UpdateEhrChart,
)
from projections.trial.dry_run import told_update
from tests.conftest import PRACTICE, at_work, until
from tests.integration.recorder_driver import RecorderDriver, hinted
from tests.unit.records import ADA, ADA_THERE

B = TypeVar("B", bound=Body)
Answer = AnyResult | Exception | Callable[[AnyWrite], Awaitable[AnyResult]]

SLOT = "demographics:elation"
PACE = Pace(first=0.001, longest=0.002, lookups=(0.0, 0.0))
LOST = OutcomeUnknown("elation.PATCH /patients/{id}/")
AWAY = Unreachable("elation.PATCH /patients/{id}/")
NO = Refused("elation.PATCH /patients/{id}/", problems=(("city", "", "is not a city"),), vendor_text="city: is not a city")


class ScriptedWriter:
    """Answers as scripted, then as a good vendor would. `asked` is what it was asked, in order."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.asked: list[tuple[str, AnyWrite]] = []
        self.answers: list[Answer] = []
        self.found: list[AnyResult | Exception | None] = []
        self.charts = {ADA.id: ADA}

    async def write(self, wanted: Callable[[], AnyWrite]) -> AnyResult:
        write = wanted()
        self.asked.append(("carry out", write))
        answer = self.answers.pop(0) if self.answers else self.done(write)
        if isinstance(answer, BaseException):
            raise answer
        return await answer(write) if callable(answer) else answer

    async def look_up(self, write: AnyWrite) -> AnyResult | None:
        self.asked.append(("look up", write))
        answer = self.found.pop(0) if self.found else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def done(self, write: AnyWrite) -> AnyResult:
        match write:
            case UpdateEhrChart():
                self.charts[write.chart] = told_update(self.charts[write.chart], write)
                return EhrChartWritten(chart=self.charts[write.chart], read_at=self.now())
            case SearchEhr():
                return Searched()
        return RecordCreated(id=8000 + len(self.asked))

    @property
    def did(self) -> list[str]:
        return [what for what, _ in self.asked]


class SinkDriver:
    """A sink for Elation; `source` is the recorder whose recordings reach it."""

    def __init__(self, source: RecorderDriver, *, workers: int = 3, caution: Caution | None = None) -> None:
        self.source = source
        self.writer = ScriptedWriter(self._now)
        self.sink = Sink(
            System.EHR,
            self.writer,
            source.recorder,
            workers=workers,
            pace=PACE,
            now=self._now,
            meter=source.meter,
            caution=caution,
        )
        source.listeners.append(self.sink.offer)

    def _now(self) -> datetime:
        return self.source.now

    async def move_to(self, city: str, number: int = 0) -> None:
        """The patient moves, in Kareo: Elation has to follow."""
        await self.source.see(BillingChartObserved(chart=replace(there(number), city=city)))

    def at_work(self) -> AbstractAsyncContextManager[None]:
        return at_work(self.sink.run())

    async def finish(self) -> None:
        """Work until there is nothing left to do."""
        async with self.at_work():
            await until(lambda: self.sink.idle)

    async def recorded(self, kind: type[B]) -> list[B]:
        return [body for body in await self.source.bodies() if isinstance(body, kind)]


def here(number: int = 0) -> EhrChartId:
    return EhrChartId(ADA.id + number)


def there(number: int = 0) -> object:
    return replace(
        ADA_THERE, id=BillingPatientId(ADA_THERE.id + number), last_name=f"Byron{'abcdef'[number - 1] if number else ''}"
    )


async def opened(
    store: Store, keyring: Keyring, *, patients: int, workers: int = 3, caution: Caution | None = None
) -> SinkDriver:
    source = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    driver = SinkDriver(source, workers=workers, caution=caution)
    await source.open()
    for number in range(patients):
        billing = there(number)
        chart = replace(hinted(ADA, billing), id=here(number), last_name=billing.last_name)
        driver.writer.charts[chart.id] = chart
        await source.link(chart, billing)
    assert driver.sink.idle
    return driver


class Gate:
    """Calls that wait until they are let through; `most` is how many were inside at once, by chart and in all."""

    def __init__(self, writer: ScriptedWriter) -> None:
        self.open = asyncio.Event()
        self.inside: Counter[int] = Counter()
        self.most: Counter[int] = Counter()
        self._writer = writer

    async def __call__(self, write: AnyWrite) -> AnyResult:
        assert isinstance(write, UpdateEhrChart | CreateEhrAppointment)
        for name in (write.chart, 0):
            self.inside[name] += 1
            self.most[name] = max(self.most[name], self.inside[name])
        await self.open.wait()
        for name in (write.chart, 0):
            self.inside[name] -= 1
        return self._writer.done(write)
