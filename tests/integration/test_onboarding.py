"""The first day of a practice with years of charts on both sides: observed, matched, rehearsed, live.

The whole of it with the real daemon and both sandboxes is in tests/acceptance/test_onboarding_first_day.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from daemon.cli.onboard import document, lines
from daemon.history.rebuild import rebuild
from daemon.operator.onboarding import progress
from daemon.runtime import go_live as first_day
from daemon.runtime import recorder
from daemon.runtime.recorder import PracticeRecorder
from daemon.tables import documents as tables
from daemon.tables import open as still_open
from daemon.telemetry import Meter
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.kareo.section import KareoConfig
from events.codec import Keyring
from events.commands import LinkRequested, UnlinkRequested
from events.ids import BillingPatientId, EhrChartId, PatientKey
from events.records import Location, type_of
from events.schema import (
    BillingChartObserved,
    BillingDirectoryObserved,
    Body,
    ChartLinked,
    EhrChartObserved,
    EhrDirectoryObserved,
    IntentRequested,
    ObservingBegan,
    Origin,
    Recorded,
    WentLive,
)
from events.store import Store
from events.topics import Checkpoint
from events.writes import SearchBilling
from projections.rules.holds import FirstDay
from projections.state.patient import Patient
from projections.terms.policy import Policy
from projections.trial.dry_run import DryRun, rehearse
from projections.words.shown import Shown
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import POLICY, Crash, RecorderDriver, elation_directory
from tests.integration.sink_driver import SinkDriver, opened
from tests.invented_practice import Town, found
from tests.unit.records import ADA, ADA_THERE, KAREO_MAIN_STREET, PROVIDERS

OBSERVING = msgspec.structs.replace(POLICY, observes=True)
TOGETHER = 250
BIG = 5_000


FIRST_READS = (*ElationConfig.first_reads, *KareoConfig.first_reads)


class Office(RecorderDriver):
    """A recorder whose practice is observed first; `live` is the worker that takes it over with the other configuration."""

    def __init__(self, store: Store, keyring: Keyring, epoch: int, policy: Policy = OBSERVING) -> None:
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
            BillingDirectoryObserved(providers=PROVIDERS, locations=(Location(id=KAREO_MAIN_STREET, name="Main Street"),)),
        )

    async def all_read(self) -> None:
        """Every first sweep has come to its end."""
        passes = [Checkpoint(practice=PRACTICE, source=one, value="done") for one in FIRST_READS]
        await self.recorder.record_messages(passes)

    async def go_live(self) -> None:
        assert await self.recorder.first_day() is not FirstDay.OVER
        await first_day.go_live(self.recorder, self.store, self.keyring, FIRST_READS)
        while await self.recorder.revisit("went live"):
            pass

    async def go_on(self) -> None:
        """What a worker does that takes over, whatever was done before."""
        if await self.recorder.first_day() is not FirstDay.OVER:
            await first_day.go_live(self.recorder, self.store, self.keyring, FIRST_READS)
        while await self.recorder.revisit("went live"):
            pass

    async def operator(self, body: Body, ehr: EhrChartId, billing: BillingPatientId) -> None:
        self.now += timedelta(minutes=1)
        bodies = [body]
        await self.recorder.record_bodies(
            bodies, ehr=ehr, billing=billing, cause=None, origin=Origin.OPERATOR, parts=(self.now,)
        )

    async def patients(self) -> dict[str, Patient]:
        return await first_day.read_all(self.store, PRACTICE, self.keyring)

    async def rehearsed(self) -> DryRun:
        patients = await first_day.read_all(self.store, PRACTICE, self.keyring)
        directory = await tables.directory(self.store.pool, PRACTICE, self.keyring)
        return rehearse(patients, directory, first_day.counterparts(patients), POLICY, self.now)


@pytest.fixture
async def office(store: Store, keyring: Keyring) -> Office:
    office = Office(store, keyring, await store.take_over(PRACTICE))
    assert await office.recorder.first_day() is not FirstDay.OVER
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
            if patient.in_billing and kind == "chart":
                asked.add((int(number), patient.billing.chart.id))
            elif not patient.in_billing and kind == "patient":
                asked.add((patient.ehr.chart.id, int(number)))
    return Score(links, asked, town.pairs)


async def test_five_thousand_charts_on_each_side_get_no_wrong_link(office: Office, capsys: pytest.CaptureFixture[str]):
    town = found(BIG)
    await office.directories()
    await office.read([EhrChartObserved(chart=chart) for chart in town.ehr])
    await office.read([BillingChartObserved(chart=chart) for chart in town.billing])
    await office.all_read()
    assert await still_open.list_open_intents(office.store.pool, PRACTICE) == []
    dry = await office.rehearsed()

    worker = await office.live()
    await worker.go_live()

    patients = await worker.patients()
    links = {(one.link.ehr, one.link.billing) for one in patients.values() if one.link is not None}
    score = scored(town, patients, links)
    with capsys.disabled():
        print(f"\n{BIG} + {BIG} charts, difficult: {dict(sorted(town.kinds.items()))}\n{score}")
    assert score.wrong == set()
    assert score.missed == set()
    assert links == {(one.ehr, one.billing) for one in dry.links if "created" not in one.how}
    assert len(links & town.pairs) / len(town.pairs) > 0.95
    assert len(score.asked) < 2 * sum(town.kinds.values())
    requested = {one.event.patient for one in await _all(worker) if isinstance(one.event.body, IntentRequested)}
    waiting = {key for key, one in patients.items() if "chart" in one.waiting}
    assert not requested & waiting, "whom a person decides about, nothing is written for"


async def test_while_observing_nothing_is_decided(office: Office):
    await office.directories()
    await office.see(BillingChartObserved(chart=ADA_THERE), EhrChartObserved(chart=ADA))
    await office.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))

    assert await office.recorder.revisit("a day has passed") == 0
    assert {type(body) for body in await office.bodies()} == {
        ObservingBegan,
        EhrDirectoryObserved,
        BillingDirectoryObserved,
        BillingChartObserved,
        EhrChartObserved,
    }


async def test_going_live_matches_and_writes_what_the_dry_run_said(office: Office):
    await office.directories()
    await office.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")), EhrChartObserved(chart=ADA))
    await office.see(EhrChartObserved(chart=replace(ADA, id=EhrChartId(102), first_name="Mary")))
    await office.all_read()
    dry = await office.rehearsed()
    assert [(one.patient, type_of(one.write)) for one in dry.writes] == [
        ("K:901", "UpdateElationChart"),
        ("E:102", "CreateKareoChart"),
    ]

    worker = await office.live()
    await worker.go_live()

    assert await tables.links(office.store.pool, PRACTICE) == [(101, 901)]
    assert (await worker.intents())["demographics:elation"].write == dry.writes[0].write
    assert isinstance((await worker.intents(PatientKey("E:102")))["chart"].write, SearchBilling)
    await worker.sound()


async def test_nothing_is_decided_before_both_systems_were_read_whole(office: Office, monkeypatch: pytest.MonkeyPatch):
    """Live too early: half of the charts would be created a second time."""
    await office.directories()
    await office.see(BillingChartObserved(chart=ADA_THERE))
    looked: list[float] = []

    async def sleep(seconds: float) -> None:
        if not seconds:
            return  # others only let the loop go round
        looked.append(seconds)
        if len(looked) == 2:
            await worker.see(EhrChartObserved(chart=ADA))
            assert await still_open.list_open_intents(office.store.pool, PRACTICE) == []
            await worker.all_read()

    monkeypatch.setattr(first_day.asyncio, "sleep", sleep)
    worker = await office.live()
    await worker.go_live()

    assert len(looked) == 2
    assert await tables.links(office.store.pool, PRACTICE) == [(101, 901)]


async def test_a_person_links_and_says_no_while_observing(office: Office):
    """Decisions of people are recorded at once; what follows from them waits until the practice is live."""
    married = replace(ADA, last_name="Lovelace")
    other = replace(ADA, id=EhrChartId(102), birth_date=date(1985, 12, 11), middle_name="")
    await office.directories()
    await office.see(BillingChartObserved(chart=replace(ADA_THERE, city="Macon")))
    await office.see(EhrChartObserved(chart=married), EhrChartObserved(chart=other))
    await office.all_read()
    told, _ = await progress(office.store, OBSERVING, office.now, FIRST_READS)
    assert told.matching is not None
    assert [(one.ehr, one.billing, one.differ[0]) for one in told.matching.candidates] == [
        (101, 901, "last name: other"),
        (102, 901, "birth date: one digit"),
    ]
    assert all("two charts of one system look like it" in one.differ for one in told.matching.candidates)

    await office.operator(UnlinkRequested(ehr=other.id, billing=ADA_THERE.id, who="pat"), other.id, ADA_THERE.id)
    await office.operator(
        LinkRequested(ehr=married.id, billing=ADA_THERE.id, who="pat", force=True), married.id, ADA_THERE.id
    )
    assert await tables.links(office.store.pool, PRACTICE) == [(101, 901)]
    assert await still_open.list_open_intents(office.store.pool, PRACTICE) == []
    told, dry = await progress(office.store, OBSERVING, office.now, FIRST_READS)
    assert told.matching is not None
    assert (told.linked, told.matching.candidates) == (1, ())
    assert dry is not None
    assert {(one.patient, one.slot) for one in dry.writes} == {("K:901", "demographics:elation"), ("E:102", "chart")}

    worker = await office.live()
    await worker.go_live()
    assert (await worker.intents())["demographics:elation"].write in [one.write for one in dry.writes]


async def test_names_are_shown_only_when_asked_for(office: Office):
    married = replace(ADA, last_name="Lovelace", middle_name="Noel")
    await office.directories()
    await office.see(BillingChartObserved(chart=ADA_THERE), EhrChartObserved(chart=married))
    mary = {"id": EhrChartId(102), "first_name": "Mary", "last_name": "Shelley", "city": "Macon"}
    apart = {"birth_date": date(1997, 8, 30), "phones": (), "emails": (), "address1": "9 Elm Road"}
    await office.see(EhrChartObserved(chart=replace(ADA, **mary, **apart)))
    told, run = await progress(office.store, OBSERVING, office.now, FIRST_READS)
    asked = argparse.Namespace(candidates=True, dry_run=True)

    shy = "\n".join(lines(told, run, asked, Shown()))
    assert "elation:101 kareo:901: differ in middle name: other, last name: other" in shy
    assert "elation:102 chart: to create the patient in Kareo" in shy
    assert "still to be read whole before anything is decided: elation.sweep, kareo.sweep, kareo.appointment-sweep" in shy
    for private in ("Ada", "Byron", "Lovelace", "Mary", "Macon", "1985"):
        assert private not in shy
        assert private not in msgspec.json.encode(document(told, run, asked, Shown())).decode()
    assert "(Ada Lovelace | Ada Byron)" in "\n".join(lines(told, run, asked, Shown(names=True)))


async def test_whoever_dies_while_going_live_is_followed_by_one_that_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A worker a step: each dies after its first recording, from matching to the last patient looked at."""
    monkeypatch.setattr(first_day, "TOGETHER", 20)
    monkeypatch.setattr(recorder, "REVISIT_CHUNK", 10)
    town = found(80, seed=3, share=0.2)
    await office.directories()
    await office.read([EhrChartObserved(chart=chart) for chart in town.ehr])
    await office.read([BillingChartObserved(chart=chart) for chart in town.billing])
    await office.all_read()
    dry = await office.rehearsed()

    deaths, worker = 0, await office.live()
    while True:
        worker.crash = True
        try:
            await worker.go_on()
            break
        except Crash:
            deaths += 1
            worker = await worker.live()

    with capsys.disabled():
        print(f"\n{deaths} workers died while going live")
    assert deaths > 15
    bodies = await office.bodies()
    assert sum(isinstance(body, WentLive) for body in bodies) == 1
    links = {(body.ehr, body.billing) for body in bodies if isinstance(body, ChartLinked)}
    assert links == {(one.ehr, one.billing) for one in dry.links if not one.how.startswith("created")}
    assert links <= town.pairs
    patients = await worker.patients()
    assert {key for key, one in patients.items() if one.link is None and not one.intents and not one.waiting} == set()
    await worker.sound()


async def test_a_rebuild_while_going_live_forgets_nobody(office: Office):
    await office.directories()
    await office.see(BillingChartObserved(chart=ADA_THERE), EhrChartObserved(chart=ADA))
    await office.all_read()
    worker = await office.live()
    await first_day.go_live(worker.recorder, worker.store, worker.keyring, FIRST_READS)

    await rebuild(worker.store, POLICY, worker.now)
    await worker.go_on()

    assert await tables.links(office.store.pool, PRACTICE) == [(101, 901)]


async def test_the_sink_makes_no_call_for_a_practice_that_is_only_observed(store: Store, keyring: Keyring):
    """Also not what was wanted before it was put back to observing."""
    driver = await opened(store, keyring, patients=1)
    await driver.move_to("Macon")
    office = Office(store, keyring, await store.take_over(PRACTICE))
    assert await office.recorder.first_day() is not FirstDay.OVER
    held = SinkDriver(office)
    held.sink.offer(await office.recorder.load_open(), resume=True)
    await held.finish()
    assert held.writer.asked == []

    await office.all_read()
    worker = await office.live()
    working = SinkDriver(worker)
    working.sink.offer(await worker.recorder.load_open(), resume=True)
    await working.finish()
    assert working.writer.asked == [], "the configuration says live, but nothing was decided yet"
    await worker.go_live()
    await working.finish()
    assert working.writer.did == ["carry out"]
    await worker.sound()


async def test_a_practice_that_was_never_observed_decides_from_the_start(store: Store, keyring: Keyring):
    source = Office(store, keyring, await store.take_over(PRACTICE), POLICY)
    assert await source.recorder.first_day() is FirstDay.OVER
    await source.directories()
    await source.see(EhrChartObserved(chart=ADA))
    assert "chart" in await source.intents(PatientKey("E:101"))


async def _all(office: Office) -> list[Recorded]:
    return [one async for one in office.store.read(PRACTICE)]
