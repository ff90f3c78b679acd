"""The whole recording step: decode, fold, decide, append, projections, in one transaction a batch; and a very long history."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

import msgspec
from msgspec.structs import replace

from daemon.demo.embedded import EmbeddedPostgres
from events.backlog import BATCH
from events.ids import BillingPatientId, EhrChartId
from events.records import EhrChart, Phone
from events.schema import BillingChartObserved, EhrChartObserved
from events.store import Store
from events.topics import Change
from tests.bench import material
from tests.bench.peers import Peer
from tests.bench.table import Clock, Line, progress
from tests.conftest import PRACTICE
from tests.integration.desk import Desk, hinted

ROUNDS = 4


async def _linked(server: EmbeddedPostgres, folder: Path, name: str, patients: int) -> tuple[Store, Desk]:
    """A recorder with this many linked patients."""
    from events.codec import Keyring

    (folder / "keys").mkdir(parents=True, exist_ok=True)
    Keyring.create_key(folder / "keys", PRACTICE)
    ring = Keyring.from_directory(folder / "keys")
    store = await Store.open(await material.database(server, name), ring, max_size=2)
    desk = Desk(store, ring, await store.take_over(PRACTICE))
    await desk.open()
    people = [(material.chart(number, 0), _here(number)) for number in range(1, patients + 1)]
    changes = [desk.change(BillingChartObserved(chart=there)) for there, _ in people]
    changes += [desk.change(EhrChartObserved(chart=hinted(here, there))) for there, here in people]
    for batch in itertools.batched(changes, BATCH) if sys.version_info >= (3, 12) else _batched(changes):
        await desk.recorder.record_messages(list(batch))
    return store, desk


def _batched(changes: list[Change]) -> list[list[Change]]:
    return [changes[start : start + BATCH] for start in range(0, len(changes), BATCH)]


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


async def recording(server: EmbeddedPostgres, folder: Path, patients: int) -> list[Line]:
    """Every patient moves house a few times; a write is decided about each time."""
    progress(f"recording: {patients} linked patients, {ROUNDS} changes each")
    store, desk = await _linked(server, folder, "recording", patients)
    before = await store.head(PRACTICE)
    rounds = [
        [desk.change(BillingChartObserved(chart=material.chart(number, version))) for number in range(1, patients + 1)]
        for version in range(1, ROUNDS + 1)
    ]
    clock = Clock()
    for changes in rounds:
        for batch in _batched(changes):
            await desk.recorder.record_messages(batch)
    seconds = clock.lap()
    count = await store.head(PRACTICE) - before
    await store.close()
    peer, peer_seconds = Peer(await material.database(server, "recording_peer")), 0.0
    stream = peer.events(max(1, count // 100), 100, lambda record: msgspec.json.encode(record).decode())
    saved = 0
    while batch := list(itertools.islice(stream, 500)):
        clock = Clock()
        peer.save(batch)
        peer_seconds += clock.lap()
        saved += len(batch)
    peer.close()
    rate, other = count / seconds, saved / peer_seconds
    return [
        Line(subject="recording", what=f"changes recorded whole, batches of {BATCH}: events", value=rate, unit="1/s"),
        Line(subject="recording", what="ratio to eventsourcing's bare batched save", value=rate / other, unit="x", aim=1.5),
    ]


async def long_history(server: EmbeddedPostgres, folder: Path, count: int) -> list[Line]:
    """`chartwire history` of a patient with this many events, as a process of its own."""
    from daemon.sandbox.clinic import Clinic

    progress(f"long: one patient with {count} events")
    store, desk = await _linked(server, folder, "long", 1)
    there = material.chart(1, 0)
    changes = [desk.change(BillingChartObserved(chart=replace(there, address1=f"{number} Elm"))) for number in range(count)]
    for batch in _batched(changes):
        await desk.recorder.record_messages(batch)
    events = await store.head(PRACTICE)
    await store.close()
    clinic = Clinic(offices=1)
    await clinic.start()
    dsn = server.dsn("long")
    config = clinic.write_config(folder, dsn=dsn, bootstrap_servers="127.0.0.1:1", listen="127.0.0.1:1")
    await clinic.stop()
    command = [sys.executable, "-m", "daemon", "history", PRACTICE, f"kareo:{BillingPatientId(1)}", "--config", str(config)]
    clock = Clock()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=Path(__file__).resolve().parents[2], stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    seconds = clock.lap()
    assert len(out.splitlines()) >= events - 10, out[-2000:]
    return [
        Line(
            subject="history", what=f"chartwire history of {events} events, whole process", value=seconds, unit="s",
            aim=1.0, more=False,
        )
    ]  # fmt: skip
