"""The whole recording step: decode, fold, decide, append, projections, in one transaction a batch; and a very long history."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from daemon.demo.embedded import EmbeddedPostgres
from events.backlog import BATCH
from events.codec import Keyring
from events.ids import BillingPatientId, EhrChartId
from events.records import EhrChart, Phone
from events.schema import BillingChartObserved, EhrChartObserved
from events.store import Store
from events.topics import Change
from tests.bench import material
from tests.bench.peers import Peer
from tests.bench.rounds import in_turns, repeated
from tests.bench.storage import save
from tests.bench.table import Clock, Line, progress
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver, hinted

SAVED = 3
"""Events that the library saves in a round for each patient, as many as a change makes of ours: what was seen, the write that it
replaces, the write."""
FOREVER = 1_000_000_000


async def _linked(server: EmbeddedPostgres, folder: Path, name: str, patients: int) -> tuple[Store, RecorderDriver]:
    """A recorder with this many linked patients, in a database of its own."""
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    Keyring.create_key(folder / "keys", PRACTICE)
    return await linked(await material.database(server, name), folder / "keys", patients)


async def linked(dsn: str, keys: Path, patients: int) -> tuple[Store, RecorderDriver]:
    """A recorder with this many linked patients; the folder has the practice's key."""
    ring = Keyring.from_directory(keys)
    store = await Store.open(dsn, ring, max_size=2)
    driver = RecorderDriver(store, ring, await store.take_over(PRACTICE))
    await driver.open()
    people = [(material.chart(number, 0), _here(number)) for number in range(1, patients + 1)]
    changes = [driver.change(BillingChartObserved(chart=there)) for there, _ in people]
    changes += [driver.change(EhrChartObserved(chart=hinted(here, there))) for there, here in people]
    for batch in _batched(changes):
        await driver.recorder.record_messages(batch)
    return store, driver


def _batched(changes: list[Change]) -> list[list[Change]]:
    return [changes[start : start + BATCH] for start in range(0, len(changes), BATCH)]


async def recorded(driver: RecorderDriver, changes: list[Change]) -> AsyncIterator[float]:
    """Seconds of each batch."""
    for batch in _batched(changes):
        clock = Clock()
        await driver.recorder.record_messages(batch)
        yield clock.lap()


def moved(driver: RecorderDriver, patients: int, version: int) -> list[Change]:
    """Every patient has moved house."""
    return [driver.change(BillingChartObserved(chart=material.chart(one, version))) for one in range(1, patients + 1)]


def _here(number: int) -> EhrChart:
    """The same person in Elation, in agreement but for what Elation cannot hold, as a running practice's charts are."""
    there = material.chart(number, 0)
    return EhrChart(
        id=EhrChartId(10_000_000 + number),
        first_name=there.first_name,
        last_name=there.last_name,
        birth_date=there.birth_date,
        sex=there.sex,
        phones=(Phone(kind="Home", number=there.home_phone), Phone(kind="Mobile", number=there.mobile_phone)),
        emails=(there.email,),
        address1=there.address1,
        city=there.city,
        state=there.state,
        zip=there.zip,
    )


async def recording(server: EmbeddedPostgres, folder: Path, patients: int, rounds: int) -> list[Line]:
    """Every patient moves house in each round; a write is decided about each time. The library saves as many events."""
    progress(f"recording: {patients} patients are linked")
    store, driver = await _linked(server, folder, "recording", patients)
    peer = Peer(await material.database(server, "recording_peer"))
    stream = peer.events(patients, FOREVER, material.as_json)

    async for _ in recorded(driver, moved(driver, patients, 1)):
        pass  # after it every round finds the write of the one before, and has the same work

    async def work(number: int) -> list[Line]:
        changes = moved(driver, patients, number + 2)
        before = await store.head(PRACTICE)
        await material.settle(server)
        took = await in_turns(
            number, {"ours": recorded(driver, changes), "theirs": save(peer, islice(stream, patients * SAVED))}
        )
        count = await store.head(PRACTICE) - before
        rates = {"ours": count / took["ours"], "theirs": patients * SAVED / took["theirs"]}
        return [
            Line(subject="recording", what=f"changes recorded whole, batches of {BATCH}: events", rounds=(rates["ours"],), unit="1/s"),
            Line(subject="recording", what="ratio to eventsourcing's bare batched save", rounds=(rates["ours"] / rates["theirs"],), unit="x", aim=1.5),
        ]  # fmt: skip

    try:
        return await repeated(f"recording, {patients} changes", rounds, work)
    finally:
        peer.close()
        await store.close()


async def long_history(server: EmbeddedPostgres, folder: Path, count: int, rounds: int) -> list[Line]:
    """`chartwire history` of a patient with this many events, as a process of its own."""
    from daemon.sandbox.clinic import Clinic

    progress(f"long: one patient with {count} events")
    store, driver = await _linked(server, folder, "long", 1)
    there = material.chart(1, 0)
    changes = [
        driver.change(BillingChartObserved(chart=replace(there, address1=f"{number} Elm"))) for number in range(count)
    ]
    for batch in _batched(changes):
        await driver.recorder.record_messages(batch)
    events = await store.head(PRACTICE)
    await store.close()
    clinic = Clinic(offices=1)
    await clinic.start()
    dsn = server.dsn("long")
    config = clinic.write_config(folder, dsn=dsn, bootstrap_servers="127.0.0.1:1", listen="127.0.0.1:1")
    await clinic.stop()
    command = [sys.executable, "-m", "daemon", "history", PRACTICE, f"kareo:{BillingPatientId(1)}", "--config", str(config)]

    async def work(_number: int) -> list[Line]:
        clock = Clock()
        process = await asyncio.create_subprocess_exec(
            *command, cwd=Path(__file__).resolve().parents[2], stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        seconds = clock.lap()
        assert len(out.splitlines()) >= events - 10, out[-2000:]
        what = f"chartwire history of {events} events, whole process"
        return [Line(subject="history", what=what, rounds=(seconds,), unit="s", aim=1.0, more=False)]

    return await repeated("long", rounds, work)
