"""Writes the fixture: `python -m tests.stored.write FOLDER`, run at commit b260bfb and never again.

It plays the clinic day of the demo (`tests.rehearsed`), has the practice's own recorder add what the day leaves out
(`tests.stored.evening`), and writes down all that the database holds of the practice, what its Kafka topic held, an archive and an
audit checkpoint as `chartwire` makes them, and what this very code reads out of all that. Nothing is written unless every
event, command, write and result was there, and every member of every value that is stored. Later commits only read the
files: this script and the code that it ran with (`git show b260bfb`) say how they came about.
"""

from __future__ import annotations

import asyncio
import base64
import lzma
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from daemon.config import load, policy_of
from daemon.rehearsal import opened_store
from daemon.replay import Replay, expected_lists, today_in, verify
from daemon.rows import encode_directory
from events import commands, schema, writes
from events.codec import encode_body
from events.store import Store
from events.topics import CHANGES, EVENTS, Change, Message, decode_message, encode_message
from projections.patient import encode_patient
from tests.rehearsed import Rehearsed, played
from tests.stored.evening import OWNER, Evening

COMMIT = "b260bfb"
PASSPHRASE = "an evening in Silverpine"
TABLES = {
    "practice_head": "practice",
    "event": "sequence",
    "patient": "patient_key",
    "directory": "practice",
    "chart": "elation_chart",
    "link": "kareo_patient",
    "open_intent": "patient_key, slot",
    "waiting": "patient_key, slot",
    "dependency": "depends_on, patient_key",
    "observed": "system, resource, record",
    "checkpoint": "source",
    "subscription": "resource",
    "report": "practice",
}
"""Every table of the practice, and what its rows are sorted by."""
DIGEST_DIGITS = 16

NEVER = {"MarkBillError.raw"}
"""Members that no decision fills, by value."""

Plain = Any
"""What msgspec makes of encoded bytes without a type: names and values as they are stored."""


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, played(Path(scratch) / "log") as day:
        asyncio.run(write(day, folder, Path(scratch)))


async def write(day: Rehearsed, folder: Path, scratch: Path) -> None:
    text, override = day.config.read_text(), 'payer_scenario = "Insurance"\n'
    day.config.write_text(text.replace(override, override + 'encounter_status = "Submitted"\n', 1))
    config = load(day.config)
    practice = policy_of(config.practice[0])
    store = await opened_store(config, day.config.parent)
    evening = Evening(store, practice, await store.take_over(practice.practice, OWNER))
    await evening.play()
    filled: defaultdict[type, set[str]] = defaultdict(set)
    replay, events, digests = await folded(store, practice.practice, filled)
    today = today_in(practice.time_zone, datetime.now(UTC))
    assert [str(one) for one in await verify(store, replay, today)] == []
    assert_complete(replay, [one.event.body for one in events], filled)

    archive, checkpoint = folder / "clinic_day.archive", scratch / "checkpoint.json"
    archive.unlink(missing_ok=True)
    (scratch / "passphrase").write_text(PASSPHRASE)
    run("export", practice.practice, "--out", archive, "--passphrase-file", scratch / "passphrase", "--config", day.config)
    run("audit", "checkpoint", practice.practice, "--out", checkpoint, "--config", day.config)
    keys = {name: base64.b64encode(key).decode() for name, key in store.keyring.keys_of(practice.practice).items()}
    changes, outward = await published(config.kafka.bootstrap_servers, practice.practice, config.kafka.partitions)
    stored = {
        "commit": COMMIT,
        "practice": practice.practice,
        "time_zone": practice.time_zone,
        "today": today.isoformat(),
        "configuration": day.config.read_text().rpartition("[[practice]]")[0],
        "keys": keys,
        "passphrase": PASSPHRASE,
        "types": sorted(schema.TYPES),
        "writes": sorted(one.__name__ for one in writes.AnyWrite.__args__),
        "results": sorted(one.__name__ for one in writes.AnyResult.__args__),
        "commands": sorted(one.__name__ for one in commands.Command.__args__),
        "migrations": migrations(),
        "tables": await tables(config.postgres.migrate_dsn, practice.practice),
        "changes": [one.hex() for one in telling(store, changes, evening.changes)],
        "outward": [one.hex() for one in outward[:3]],
        "audit_checkpoint": checkpoint.read_text(),
    }
    expected = {
        "events": [
            {"sequence": one.sequence, "type": one.event.type, "body": plain(encode_body(one.event.body))} for one in events
        ],
        "digests": digests,
        "digest": replay.digest(),
        "patients": {key: plain(encode_patient(replay.state.patients[key])) for key in sorted(replay.state.patients)},
        "directory": plain(encode_directory(replay.state.directory)),
        **{name: sorted(map(list, rows), key=repr) for name, rows in expected_lists(replay).items()},
    }
    await store.close()
    for name, value in (("clinic_day", stored), ("expected", expected)):
        file = folder / f"{name}.json.xz"
        file.write_bytes(lzma.compress(msgspec.json.encode(value), preset=9))
        print(f"{file.name}: {file.stat().st_size:,} bytes")
    print(f"{archive.name}: {archive.stat().st_size:,} bytes; {len(events)} events, {len(replay.state.patients)} patients")


def plain(encoded: bytes) -> Plain:
    return msgspec.msgpack.decode(encoded)


def run(*command: object) -> None:
    subprocess.run([sys.executable, "-m", "daemon", *map(str, command)], check=True)


# -- what is there --------------------------------------------------------------------------------------------------------


async def folded(
    store: Store, practice: Any, filled: defaultdict[type, set[str]]
) -> tuple[Replay, list[schema.Recorded], list[str]]:
    """The projections at the end, every event, and the beginning of the projections' digest after each of them."""
    replay, events, digests = Replay(practice), [], []
    async for one in store.read(practice):
        replay.take(one)
        events.append(one)
        digests.append(replay.digest()[:DIGEST_DIGITS])
        note_members((one.event.body, replay.state.directory, replay.state.patients.get(one.event.patient)), filled)
    return replay, events, digests


async def tables(dsn: str, practice: str) -> dict[str, list[Any]]:
    """Each table's rows as PostgreSQL writes them in JSON: bytes as hexadecimal text, times with their zone."""
    owner = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    known = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'chartwire'"
    assert {row["table_name"] for row in await owner.fetch(known)} == {*TABLES, "schema_migration"}
    found = {}
    for table, order in TABLES.items():
        rows = await owner.fetch(
            f"SELECT to_jsonb(t) AS row FROM chartwire.{table} t WHERE practice = $1 ORDER BY {order}", practice
        )
        found[table] = [msgspec.json.decode(row["row"]) for row in rows]
        assert found[table], f"{table} is empty"
    await owner.close()
    return found


def migrations() -> dict[str, str]:
    """The scripts that made the schema, in order."""
    scripts = sorted(files("events").joinpath("migrations").iterdir(), key=lambda one: one.name)
    return {one.name: one.read_text() for one in scripts if one.name.endswith(".sql")}


async def published(servers: str, practice: str, partitions: int) -> tuple[list[bytes], list[bytes]]:
    """What both topics hold of the practice."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers)
    await consumer.start()
    found: dict[str, list[bytes]] = {CHANGES: [], EVENTS: []}
    for topic, messages in found.items():
        for number in range(partitions):
            partition = TopicPartition(topic, number)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            while await consumer.position(partition) < end:
                one = await consumer.getone()
                if one.key == practice.encode():
                    messages.append(one.value)
    await consumer.stop()
    return found[CHANGES], found[EVENTS]


def telling(store: Store, changes: Iterable[bytes], evening: Iterable[Change]) -> Iterator[bytes]:
    """The first message of each kind: by type of event, by source of a checkpoint, and a change without an event."""
    kinds: set[str] = set()
    for encoded in [*changes, *(encode_message(one, store.keyring) for one in evening)]:
        kind = kind_of(decode_message(encoded, store.keyring))
        if kind not in kinds:
            kinds.add(kind)
            yield encoded


def kind_of(message: Message) -> str:
    if not isinstance(message, Change):
        return f"checkpoint {message.source}"
    return message.event.type if message.event is not None else "notes"


# -- whether it is all ----------------------------------------------------------------------------------------------------


def assert_complete(replay: Replay, bodies: list[schema.Body], filled: defaultdict[type, set[str]]) -> None:
    """Every event, command, write and result, and every member of every value in events and documents."""
    requested = [one for one in bodies if isinstance(one, schema.IntentRequested)]
    results = [one.result for one in bodies if isinstance(one, schema.IntentSucceeded)]
    for union, there in (
        (schema.Body, bodies),
        (commands.Command, bodies),
        (writes.AnyWrite, [one.write for one in requested]),
        (writes.AnyResult, results),
    ):
        missing = {one.__name__ for one in union.__args__} - {type(one).__name__ for one in there}
        assert not missing, f"missing: {sorted(missing)}"
    states = {one.state for patient in replay.state.patients.values() for one in patient.intents.values()}
    assert states == {"requested", "attempted", "unknown", "refused"}, states
    empty = {f"{kind.__name__}.{name}" for kind, names in filled.items() for name in set(kind.__struct_fields__) - names}
    assert empty == NEVER, f"never filled: {sorted(empty - NEVER)}; filled after all: {sorted(NEVER - empty)}"


def note_members(value: object, filled: defaultdict[type, set[str]]) -> None:
    """Note which members of a value, and of the values in it, hold anything but their default."""
    if isinstance(value, msgspec.Struct):
        kind = type(value)
        defaults = {one.name: one.default for one in msgspec.structs.fields(kind)}
        filled[kind] |= {name for name in kind.__struct_fields__ if getattr(value, name) not in (defaults[name], {}, ())}
        value = [getattr(value, name) for name in kind.__struct_fields__]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            note_members(one, filled)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
