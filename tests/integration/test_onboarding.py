"""The first day of a practice with years of charts on both sides: observed, matched, rehearsed, live (issue 4).

The whole of it with the real daemon and both sandboxes is in tests/acceptance/test_first_day.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest

from daemon import first_day, tables
from daemon.dry_run import DryRun, rehearse
from daemon.recorder import PracticeRecorder
from daemon.rows import decode_directory
from daemon.telemetry import Meter
from events.codec import Keyring
from events.records import Location
from events.schema import (
    Body,
    ElationChartObserved,
    IntentRequested,
    KareoChartObserved,
    KareoDirectoryObserved,
)
from events.store import Store
from events.topics import Checkpoint
from projections.patient import Patient
from tests.conftest import PRACTICE
from tests.crowded import Town, found
from tests.integration.desk import POLICY, Desk, elation_directory
from tests.unit.clinic import KAREO_MAIN_STREET, PROVIDERS

OBSERVING = msgspec.structs.replace(POLICY, observes=True)
TOGETHER = 250
BIG = 5_000


class Office(Desk):
    """A desk whose practice is observed first; `live` is the worker that takes it over with the other configuration."""

    def __init__(self, store: Store, keyring: Keyring, epoch: int, policy: object = OBSERVING) -> None:
        super().__init__(store, keyring, epoch)
        self.keyring = keyring
        self.recorder = PracticeRecorder(
            store, keyring, policy, epoch, now=lambda: self.now, meter=Meter(), on_recorded=self._recorded
        )

    async def live(self) -> Office:
        office = Office(self.store, self.keyring, await self.store.take_over(PRACTICE), POLICY)
        office.now = self.now + timedelta(hours=1)
        return office

    async def read(self, bodies: Sequence[Body]) -> None:
        """As a first sweep brings them."""
        for start in range(0, len(bodies), TOGETHER):
            await self.see(*bodies[start : start + TOGETHER])

    async def directories(self) -> None:
        await self.see(
            elation_directory(),
            KareoDirectoryObserved(providers=PROVIDERS, locations=(Location(id=KAREO_MAIN_STREET, name="Main Street"),)),
        )

    async def all_read(self) -> None:
        """Every first sweep has come to its end."""
        passes = [Checkpoint(practice=PRACTICE, source=one, value="done") for one in first_day.FIRST_READS]
        await self.recorder.record_messages(passes)

    async def go_live(self) -> None:
        assert await self.recorder.observing()
        await first_day.go_live(self.recorder, self.store, self.keyring)
        while await self.recorder.revisit("went live"):
            pass

    async def patients(self) -> dict[str, Patient]:
        return await first_day.read_all(self.store, PRACTICE, self.keyring)

    async def rehearsed(self) -> DryRun:
        patients = await first_day.read_all(self.store, PRACTICE, self.keyring)
        directory = decode_directory(await tables.load_directory(self.store.pool, PRACTICE, self.keyring))
        return rehearse(patients, directory, first_day.counterparts(patients), POLICY, self.now)


@pytest.fixture
async def office(store: Store, keyring: Keyring) -> Office:
    office = Office(store, keyring, await store.take_over(PRACTICE))
    assert await office.recorder.observing()
    return office


@dataclass(frozen=True)
class Score:
    """How good the links are that were set without a person, and what was left to one."""

    links: set[tuple[int, int]]
    asked: set[tuple[int, int]]
    truth: set[tuple[int, int]]

    @property
    def wrong(self) -> set[tuple[int, int]]:
        return self.links - self.truth

    @property
    def missed(self) -> set[tuple[int, int]]:
        """Pairs that were neither linked nor shown to a person: they would become duplicates."""
        return self.truth - self.links - self.asked

    def __str__(self) -> str:
        right = len(self.links & self.truth)
        return (
            f"{len(self.truth)} true pairs: {len(self.links)} certain, precision {right / len(self.links):.5f}, "
            f"recall {right / len(self.truth):.5f}; {len(self.asked)} candidate pairs go to a person "
            f"({len(self.asked & self.truth)} of them true); {len(self.missed)} missed"
        )


def scored(town: Town, patients: dict[str, Patient], links: set[tuple[int, int]]) -> Score:
    asked: set[tuple[int, int]] = set()
    for patient in patients.values():
        waiting = patient.waiting.get("chart")
        if waiting is None or waiting.code != "candidates":
            continue
        for one in waiting.depends_on:
            kind, _, number = one.partition(":")
            if patient.in_kareo and kind == "chart":
                asked.add((int(number), patient.kareo.chart.id))
            elif not patient.in_kareo and kind == "patient":
                asked.add((patient.elation.chart.id, int(number)))
    return Score(links, asked, town.pairs)


async def test_five_thousand_charts_on_each_side_get_no_wrong_link(office: Office, capsys: pytest.CaptureFixture[str]):
    town = found(BIG)
    await office.directories()
    await office.read([ElationChartObserved(chart=chart) for chart in town.elation])
    await office.read([KareoChartObserved(chart=chart) for chart in town.kareo])
    await office.all_read()
    assert await tables.list_open_intents(office.store.pool, PRACTICE) == []
    dry = await office.rehearsed()

    worker = await office.live()
    await worker.go_live()

    patients = await worker.patients()
    links = {(one.link.elation, one.link.kareo) for one in patients.values() if one.link is not None}
    score = scored(town, patients, links)
    with capsys.disabled():
        print(f"\n{BIG} + {BIG} charts, difficult: {dict(sorted(town.kinds.items()))}\n{score}")
    assert score.wrong == set()
    assert score.missed == set()
    assert links == {(one.elation, one.kareo) for one in dry.links if "created" not in one.how}
    assert len(links & town.pairs) / len(town.pairs) > 0.95
    assert len(score.asked) < 2 * sum(town.kinds.values())
    requested = {one.event.patient for one in await _all(worker) if isinstance(one.event.body, IntentRequested)}
    waiting = {key for key, one in patients.items() if "chart" in one.waiting}
    assert not requested & waiting, "whom a person decides about, nothing is written for"


async def _all(office: Office):
    return [one async for one in office.store.read(PRACTICE)]
