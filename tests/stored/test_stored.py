"""What b260bfb stored is read as it was meant, byte for byte: events, projections, messages, an archive.

A name that is stored stays as it is, whatever the code calls the thing today.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.config import load, policy_of
from daemon.demo.embedded import EmbeddedPostgres
from daemon.history.chain import inspect, marks_of
from daemon.history.compare import verify
from daemon.history.fold import Replay, replayed
from daemon.history.rebuild import rebuild
from daemon.runtime.recorder import PracticeRecorder
from daemon.tables import documents as tables
from daemon.tables import observed as compared
from daemon.tables import open as still_open
from daemon.tables.rows import LISTS
from daemon.tables.status import Report, practice_status
from daemon.telemetry import Meter
from daemon.vendors.registry import SECTIONS
from events.codec import decode_body, encode_body
from events.commands import Command
from events.evidence import decode_checkpoint
from events.feed import decode_published
from events.migrate import migrate
from events.schema import TYPES
from events.store import Store, open_row
from events.topics import Nudge, decode_message, encode_message
from events.writes import AnyResult, AnyWrite, System
from projections.state.directory import decode_directory, encode_directory
from projections.state.patient import decode_patient, encode_patient
from tests.stored.clinic_day import ARCHIVE, ClinicDay, clinic_day, restore
from tests.stored.older import unpacked

CLOSED_SETS = """
import json
from events import commands, schema, writes

def names(union):
    return sorted(one.__name__ for one in union.__args__)

print(json.dumps({
    "types": sorted(schema.TYPES),
    "commands": names(commands.Command),
    "writes": names(writes.AnyWrite),
    "results": names(writes.AnyResult),
}))
"""
"""What a version could write, asked of its own code."""


@pytest.fixture(scope="module")
def day() -> ClinicDay:
    return clinic_day()


@pytest_asyncio.fixture
async def restored(day: ClinicDay, postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Store]:
    """The database as it was, brought to this version's schema, opened as the daemon opens it."""
    name = f"stored_{tmp_path.name}"
    owner = await postgres.create_database(name)
    await restore(day, owner)
    applied = await migrate(owner)
    assert not set(applied) & set(day.stored["migrations"]), "a migration of then has another name now"
    store = await Store.open(postgres.dsn(name, "chartwire"), day.keyring)
    yield store
    await store.close()


def plain(encoded: bytes) -> Any:
    """Names and values as they are stored, without any type."""
    return msgspec.msgpack.decode(encoded)


def as_json(value: object) -> bytes:
    return msgspec.json.encode(value)


def tags(union: Any) -> set[str]:
    """The names that the members of a union are stored under."""
    return {str(one.__struct_config__.tag) for one in union.__args__}


def test_the_day_holds_every_event_command_write_and_result(day: ClinicDay) -> None:
    bodies = [(row["type"], plain(day.body(row))) for row in day.events()]
    types = {type_ for type_, _ in bodies}
    writes = {body["write"]["type"] for type_, body in bodies if type_ == "IntentRequested"}
    results = {body["result"]["type"] for type_, body in bodies if type_ == "IntentSucceeded"}
    assert types == set(day.stored["types"])
    assert types >= set(day.stored["commands"])
    assert writes == set(day.stored["writes"])
    assert results == set(day.stored["results"])
    states = {row["state"] for row in day.rows("open_intent")}
    assert states == {"requested", "attempted", "unknown", "refused"}
    created = re.findall(r"CREATE TABLE chartwire\.(\w+)", "".join(day.stored["migrations"].values()))
    assert set(day.stored["tables"]) == set(created)
    assert all(day.stored["tables"].values()), "a table is empty"


def test_what_the_day_is_asked_to_hold_is_all_that_its_version_could_write(day: ClinicDay, tmp_path: Path) -> None:
    """The lists in the fixture are b260bfb's own closed sets, and its migrations, not what the day happened to write."""
    folder = unpacked(day.stored["commit"], tmp_path, "events")
    told = subprocess.run(
        [sys.executable, "-c", CLOSED_SETS], cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, check=True
    )
    assert msgspec.json.decode(told.stdout) == {
        name: day.stored[name] for name in ("types", "commands", "writes", "results")
    }
    migrations = {file.name: file.read_text() for file in sorted((folder / "events" / "migrations").glob("*.sql"))}
    assert migrations == day.stored["migrations"]


def test_what_was_stored_is_still_known_by_its_name(day: ClinicDay) -> None:
    assert set(TYPES) >= set(day.stored["types"])
    assert {name for name, kind in TYPES.items() if kind in Command.__args__} >= set(day.stored["commands"])
    assert tags(AnyWrite) >= set(day.stored["writes"])
    assert tags(AnyResult) >= set(day.stored["results"])


def test_every_event_decodes_and_encodes_to_the_same_bytes(day: ClinicDay) -> None:
    keyring = day.keyring
    for row, expected in zip(day.events(), day.expected["events"], strict=True):
        stored = day.body(row)
        assert (row["sequence"], row["type"]) == (expected["sequence"], expected["type"])
        assert as_json(plain(stored)) == as_json(expected["body"]), f"the fixture's event #{row['sequence']}"
        body = decode_body(row["type"], row["version"], stored)
        assert encode_body(body) == stored, f"event #{row['sequence']} {row['type']}"
        assert open_row(row, keyring).event.body == body


def folded(day: ClinicDay) -> tuple[Replay, list[str]]:
    """The projections from the events alone as they were then, and the beginning of their digest after each event."""
    keyring, replay, digests = day.keyring, Replay(day.practice), []
    quarantined: dict[str, str] = {}
    for row in day.events():
        replay.take(open_row(row, keyring))
        quarantined |= replay.state.directory.quarantined
        replay.state.directory = replace(replay.state.directory, quarantined=quarantined)  # nothing left it then
        digests.append(replay.digest()[:16])
    return replay, digests


def folded_now(day: ClinicDay) -> Replay:
    """The projections from the events alone: what was cleared has left quarantine."""
    replay = Replay(day.practice)
    for row in day.events():
        replay.take(open_row(row, day.keyring))
    return replay


def test_what_was_cleared_has_left_quarantine_and_nothing_else_is_otherwise(day: ClinicDay) -> None:
    then, now = folded(day)[0].state, folded_now(day).state
    open_ = {**now.directory.waiting, **now.directory.dismissed}
    assert set(now.directory.quarantined) == set(then.directory.quarantined) & set(open_)
    assert set(now.directory.quarantined) < set(then.directory.quarantined)
    assert replace(now.directory, quarantined={}) == replace(then.directory, quarantined={})
    assert now.patients == then.patients


def test_all_events_fold_to_the_stored_documents_byte_for_byte(day: ClinicDay) -> None:
    replay, digests = folded(day)
    expected, stored = day.expected, day.documents()
    wrong = [number for number, pair in enumerate(zip(digests, expected["digests"], strict=True), 1) if len(set(pair)) > 1]
    assert not wrong, f"from event #{wrong[0]} on the projections are others"
    assert replay.digest() == expected["digest"]
    documents = {str(key): encode_patient(patient) for key, patient in replay.state.patients.items()}
    assert documents | {"": encode_directory(replay.state.directory)} == stored
    assert as_json({key: plain(stored[key]) for key in sorted(documents)}) == as_json(expected["patients"])
    assert as_json(plain(stored[""])) == as_json(expected["directory"])


def test_every_document_decodes_and_encodes_to_the_same_bytes(day: ClinicDay) -> None:
    for key, stored in day.documents().items():
        again = encode_patient(decode_patient(stored)) if key else encode_directory(decode_directory(stored))
        assert again == stored, key or "the directory"


def test_links_open_intents_and_what_waits_are_those_of_then(day: ClinicDay) -> None:
    replay, _ = folded(day)
    for one in LISTS:
        rows = one.rows_of(replay.state)
        assert sorted(map(as_json, rows)) == sorted(map(as_json, day.expected[one.table])), one.table
        assert len(day.rows(one.table)) == len(rows), one.table


async def test_a_restored_database_verifies(day: ClinicDay, restored: Store) -> None:
    replay = await replayed(restored, day.practice)
    found = await verify(restored, replay, day.today)
    assert [(one.table, one.what) for one in found] == [("directory", "quarantined differs")], "until somebody owns it"
    assert replay.sequence == len(day.rows("event"))
    marks = marks_of(day.practice, decode_checkpoint(day.stored["audit_checkpoint"].encode()).marks)
    inspected = await inspect(restored, day.practice, marks)
    assert inspected.problem is None
    assert marks
    assert len(inspected.marks) == len(marks)


async def test_checkpoints_subscriptions_notes_and_reports_are_read(day: ClinicDay, restored: Store) -> None:
    for row in day.rows("checkpoint"):
        kept_value = None if row["source"].startswith("nudge.") else row["value"]
        assert await compared.get_checkpoint(restored.pool, day.practice, row["source"]) == kept_value
    kept = await compared.StoredSubscriptions(restored.pool, day.practice, restored.keyring).get()
    assert kept == {row["resource"]: (row["subscription"], row["signing_key"]) for row in day.rows("subscription")}
    for row in await restored.pool.fetch("SELECT DISTINCT system, resource FROM chartwire.observed"):
        found = await compared.observed_records(restored.pool, day.practice, System(row["system"]), row["resource"])
        assert sorted(found) == sorted(
            (one["record"], one["content_hash"], one["parent"])
            for one in day.rows("observed")
            if (one["system"], one["resource"]) == (row["system"], row["resource"])
        )
    (report,), (head,) = day.rows("report"), day.rows("practice_head")
    told = report["doc"] | {"standing": "", "account": "", "first_day": ""}  # later members, which an old report lacks
    assert msgspec.to_builtins(msgspec.convert(report["doc"], Report)) == told
    await restored.pool.execute("UPDATE chartwire.report SET epoch = $1", head["epoch"])
    status = await practice_status(restored.pool, day.practice)
    assert (status.owner, msgspec.to_builtins(status.report)) == (head["owner"], told)


async def test_a_worker_of_now_takes_the_practice_over(day: ClinicDay, restored: Store, tmp_path: Path) -> None:
    """It finds every open intent, looks at everybody again without a want of its own, and leaves what replays equal."""
    policy = policy_of(configuration(day, tmp_path))
    epoch = await restored.take_over(day.practice)
    now = datetime.combine(day.today, time(12), UTC)
    told: list[Any] = []
    recorder = PracticeRecorder(
        restored, restored.keyring, policy, epoch, now=lambda: now, meter=Meter(), on_recorded=told.append
    )
    listed = await still_open.list_open_intents(restored.pool, day.practice)
    stored = {(row["patient_key"], row["slot"], row["intent"], row["state"]) for row in day.rows("open_intent")}
    assert {(one.patient_key, one.slot, one.intent, one.state) for one in listed} == stored
    loaded = await recorder.load_open()
    holders = {**loaded.patients, "": loaded.directory}
    assert {
        (str(key), slot, one.intent, one.state) for key, each in holders.items() for slot, one in each.intents.items()
    } == stored
    await restored.pool.execute("UPDATE chartwire.patient SET revisit_on = $1", day.today)
    while await recorder.revisit("the version has changed"):
        pass
    types = {one.event.type for each in told for one in each.recorded}
    said = {"RevisitDue", "CounterpartsFound", "WaitingRaised", "InsurersLearnt"}
    assert types <= said, "what waited says how alike the two are, policies tell of their companies' addresses; no more"
    assert [str(one) for one in await verify(restored, await replayed(restored, day.practice), day.today)] == []


async def test_a_rebuild_gives_the_same_documents(day: ClinicDay, restored: Store, tmp_path: Path) -> None:
    policy = policy_of(configuration(day, tmp_path))
    await rebuild(restored, policy, datetime.combine(day.today, time(12), UTC))
    rebuilt = {
        str(key): doc for key, (_, doc) in (await tables.read_patients(restored.pool, day.practice, day.keyring)).items()
    }
    directory = await tables.stored_directory(restored.pool, day.practice, day.keyring)
    assert directory is not None
    now = encode_directory(folded_now(day).state.directory)
    assert rebuilt | {"": directory.doc} == day.documents() | {"": now}
    for one in LISTS:
        count = await restored.pool.fetchval(f"SELECT count(*) FROM chartwire.{one.table}")
        assert count == len(day.rows(one.table)), one.table


def test_the_archive_is_verified_and_replayed(day: ClinicDay, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passphrase, checkpoint = tmp_path / "passphrase", tmp_path / "checkpoint"
    passphrase.write_text(day.stored["passphrase"])
    checkpoint.write_text(day.stored["audit_checkpoint"])
    opened = ["--archive", str(ARCHIVE), "--passphrase-file", str(passphrase)]
    assert main(["audit", "verify", day.practice, "--checkpoint", str(checkpoint), *opened]) == 0
    assert day.rows("practice_head")[0]["chain"].removeprefix("\\x") in capsys.readouterr().out
    assert main(["replay", day.practice, *opened]) == 0
    assert folded_now(day).digest() in capsys.readouterr().out


def test_messages_of_then_are_read_and_written_alike(day: ClinicDay) -> None:
    """What a worker of then left in Kafka: changes with their notes, commands, checkpoints."""
    kinds = set()
    for message in map(bytes.fromhex, day.stored["changes"]):
        read = decode_message(message, day.keyring)
        if isinstance(read, Nudge):  # a checkpoint then
            assert _unsealed(day, message)[2][0] == f"nudge.{read.system}.{read.what}"
            continue
        again = encode_message(read, day.keyring)
        assert _unsealed(day, again) == _unsealed(day, message)
        (_, type_, _), notes, (source, _) = _unsealed(day, message)
        kinds.add(type_ or source or f"{len(notes)} notes")
    assert kinds >= set(day.stored["commands"])
    assert kinds >= {"ElationChartObserved", "KareoChartObserved", "BillObserved", "kareo.sweep", "elation.sweep"}


def _unsealed(day: ClinicDay, message: bytes) -> Any:
    """A message of the changes topic with its event in the clear: ((practice, type, envelope and body), notes, source and value)."""
    practice, event, notes, source, value, *_ = plain(message)
    if not event:
        return (practice, "", b""), notes, (source, value)
    envelope, key_id, body = plain(event)
    names = ("event_id", "practice", "type", "version", "origin", "observed_at", "elation_chart", "kareo_patient")
    row = dict(zip((*names, "patient_key", "modified_at", "cause", "correlation"), envelope, strict=True))
    clear = day.body({**row, "key_id": key_id, "body": body})
    return (practice, row["type"], as_json(envelope) + clear), notes, (source, value)


def test_the_outward_feed_of_then_is_read(day: ClinicDay) -> None:
    rows = {row["sequence"]: row for row in day.events()}
    for message in map(bytes.fromhex, day.stored["outward"]):
        published = decode_published(message)
        recorded = published.open(day.keyring)
        assert encode_body(recorded.event.body) == day.body(rows[recorded.sequence])


def configuration(day: ClinicDay, folder: Path) -> Any:
    """The practice in the configuration file of then, as this version reads it."""
    file = folder / "chartwire.toml"
    file.write_text(day.stored["configuration"])
    (folder / "keys").mkdir()
    for name, key in day.stored["keys"].items():
        (folder / "keys" / f"{name}.key").write_text(key)
    for secret in re.findall(r'_file = "(.+)"', day.stored["configuration"]):
        (folder / secret).write_text("a secret")
    for written in (one for one in folder.rglob("*") if one.is_file()):
        written.chmod(0o600)
    (practice,) = load(file, SECTIONS).practice
    return practice
