"""The projection tables on a real PostgreSQL: what is saved comes back, sealed at rest, one link per chart, every query indexed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from daemon.tables import documents as tables
from daemon.tables import observed as compared
from daemon.tables import open as still_open
from daemon.tables.documents import LinkTaken, PatientRow
from daemon.tables.observed import StoredSubscriptions
from daemon.tables.open import IntentRow, OpenRows, WaitingRow
from daemon.tables.status import practice_status
from events.codec import Keyring, UnreadableEvent
from events.ids import IntentId, PatientKey
from events.migrate import migrate
from events.store import Store
from events.topics import Note
from events.writes import System
from tests.conftest import OTHER, PRACTICE

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TODAY = NOW.date()
ONE, TWO = PatientKey("E:1"), PatientKey("K:2")


@pytest_asyncio.fixture
async def db(dsn: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    yield connection
    await connection.close()


def patient(key: PatientKey, doc: bytes = b"Jane Doe", revisit_on: date | None = None) -> PatientRow:
    return PatientRow(key=key, sequence=7, doc=doc, revisit_on=revisit_on)


# -- documents ------------------------------------------------------------------------------------------------------------


async def test_documents_come_back_and_are_sealed_at_rest(db: Any, keyring: Keyring) -> None:
    await tables.save_patients(db, PRACTICE, [patient(ONE), patient(TWO, b"")], keyring)
    await tables.save_patients(db, PRACTICE, [patient(TWO, b"John Doe")], keyring)
    await tables.save_directory(db, PRACTICE, 9, b"Dr. Who", keyring)
    expected = {ONE: (7, b"Jane Doe"), TWO: (7, b"John Doe")}
    assert await tables.load_patients(db, PRACTICE, [ONE, TWO, PatientKey("K:9")], keyring) == expected
    assert await tables.read_patients(db, PRACTICE, keyring, batch=1) == expected
    assert await tables.stored_directory(db, PRACTICE, keyring) == (9, b"Dr. Who", False)
    stored = await db.fetchval("SELECT string_agg(doc, '') FROM (TABLE chartwire.patient) p")
    assert b"Doe" not in stored
    assert await tables.load_patients(db, OTHER, [ONE], keyring) == {}
    assert await tables.stored_directory(db, OTHER, keyring) is None
    await tables.delete_patients(db, PRACTICE, [ONE])
    assert list(await tables.read_patients(db, PRACTICE, keyring)) == [TWO]


async def test_a_document_moved_to_another_patient_is_noticed(db: Any, keyring: Keyring) -> None:
    await tables.save_patients(db, PRACTICE, [patient(ONE), patient(TWO)], keyring)
    await db.execute("UPDATE chartwire.patient SET doc = (SELECT doc FROM chartwire.patient WHERE patient_key = 'E:1')")
    assert await tables.load_patients(db, PRACTICE, [ONE], keyring)
    with pytest.raises(UnreadableEvent):
        await tables.load_patients(db, PRACTICE, [TWO], keyring)


async def test_patients_are_due_on_their_day_the_longest_due_first(db: Any, keyring: Keyring) -> None:
    days = {"K:1": 0, "K:2": -3, "K:3": 1, "K:4": -1}
    rows = [patient(PatientKey(key), revisit_on=TODAY + timedelta(days=shift)) for key, shift in days.items()]
    await tables.save_patients(db, PRACTICE, [*rows, patient(PatientKey("K:5"))], keyring)
    assert await still_open.patients_to_revisit(db, PRACTICE, TODAY, 10) == ["K:2", "K:4", "K:1"]
    assert await still_open.patients_to_revisit(db, PRACTICE, TODAY, 2) == ["K:2", "K:4"]
    assert await still_open.patients_to_revisit(db, OTHER, TODAY, 10) == []


# -- charts and links -----------------------------------------------------------------------------------------------------


async def test_charts_are_resolved_to_the_patient_they_belong_to_now(db: Any) -> None:
    await tables.save_charts(db, PRACTICE, {1: ONE, 5: TWO})
    await tables.save_charts(db, PRACTICE, {1: TWO})
    assert await tables.resolve_charts(db, PRACTICE, [1, 5, 6]) == {1: TWO, 5: TWO}
    assert await tables.resolve_charts(db, OTHER, [1]) == {}
    assert await tables.resolve_charts(db, PRACTICE, []) == {}


async def test_a_link_moves_and_never_doubles(db: Any) -> None:
    await tables.replace_links(db, PRACTICE, [(1, 10), (2, 20)])
    await tables.replace_links(db, PRACTICE, [(3, 10)])
    assert await tables.links(db, PRACTICE) == [(3, 10), (2, 20)]
    await tables.replace_links(db, PRACTICE, [(2, 10), (3, 20)])
    assert await tables.links(db, PRACTICE) == [(2, 10), (3, 20)], "two links change places"
    await tables.replace_links(db, OTHER, [(2, 10)])
    with pytest.raises(LinkTaken):
        await tables.replace_links(db, PRACTICE, [(2, 30)])
    with pytest.raises(LinkTaken):
        await tables.replace_links(db, PRACTICE, [(8, 40), (9, 40)])


async def test_a_taken_link_undoes_its_transaction(db: Any) -> None:
    await tables.replace_links(db, PRACTICE, [(1, 10), (2, 20)])

    async def take() -> None:
        async with db.transaction():
            await tables.save_charts(db, PRACTICE, {1: TWO})
            await tables.replace_links(db, PRACTICE, [(5, 50), (1, 20)])

    with pytest.raises(LinkTaken):
        await take()
    assert await tables.links(db, PRACTICE) == [(1, 10), (2, 20)]
    assert await tables.resolve_charts(db, PRACTICE, [1]) == {}


# -- what is open and what waits ------------------------------------------------------------------------------------------


def intent(slot: str, state: str = "requested", system: System = System.BILLING, since: datetime | None = NOW) -> IntentRow:
    return IntentRow(intent=IntentId(f"i-{slot}"), slot=slot, system=system, state=state, since=since)


async def test_open_intents_are_replaced_per_patient(db: Any) -> None:
    await still_open.replace_open(
        db, PRACTICE, {ONE: OpenRows([intent("a"), intent("b")]), TWO: OpenRows([intent("a")])}, NOW
    )
    await still_open.replace_open(db, PRACTICE, {ONE: OpenRows([intent("b", "attempted", since=None)])}, NOW)
    await still_open.replace_open(db, PRACTICE, {}, NOW)
    found = {(one.patient_key, one.slot): one.state for one in await still_open.list_open_intents(db, PRACTICE)}
    assert found == {(ONE, "b"): "attempted", (TWO, "a"): "requested"}
    await still_open.replace_open(db, PRACTICE, {ONE: OpenRows(), TWO: OpenRows()}, NOW)
    assert await still_open.list_open_intents(db, PRACTICE) == []


async def test_who_waits_is_looked_at_again_when_what_it_depends_on_changes(db: Any, keyring: Keyring) -> None:
    await tables.save_patients(db, PRACTICE, [patient(ONE), patient(TWO)], keyring)
    waits = {
        ONE: OpenRows((), [WaitingRow(slot="bill:1", code="location_unmapped")], ("location:5", "location:6")),
        TWO: OpenRows((), [WaitingRow(slot="bill:2", code="location_unmapped", since=NOW)], ("location:6",)),
    }
    await still_open.replace_open(db, PRACTICE, waits, NOW)
    await still_open.mark_for_revisit(db, PRACTICE, ["location:5", "location:99"], TODAY)
    assert await still_open.patients_to_revisit(db, PRACTICE, TODAY, 9) == [ONE]
    await still_open.mark_for_revisit(db, OTHER, ["location:6"], TODAY)
    assert await still_open.patients_to_revisit(db, PRACTICE, TODAY, 9) == [ONE], "another practice's map is not ours"
    await still_open.replace_open(db, PRACTICE, {TWO: OpenRows()}, NOW)
    await still_open.mark_for_revisit(db, PRACTICE, ["location:6"], TODAY)
    assert await still_open.patients_to_revisit(db, PRACTICE, TODAY, 9) == [ONE], "who no longer waits is not woken"


async def test_the_status_counts_what_is_open(db: Any, store: Store) -> None:
    epoch = await store.take_over(PRACTICE)
    early = NOW - timedelta(hours=2)
    intents = [intent("a"), intent("b", since=early), intent("c", "refused", System.EHR, None)]
    waits = [WaitingRow(slot=slot, code=code) for slot, code in (("a", "x"), ("b", "x"), ("c", "y"))]
    await still_open.replace_open(db, PRACTICE, {ONE: OpenRows(intents, waits)}, NOW)
    status = await practice_status(db, PRACTICE)
    assert (status.events, status.epoch) == (0, epoch)
    assert status.open_intents == (("elation", "refused", 1, None), ("kareo", "requested", 2, early))
    assert status.waiting == (("x", 2), ("y", 1))
    assert (await practice_status(db, OTHER)).open_intents == ()


# -- what connectors compare with -----------------------------------------------------------------------------------------


def note(record: str, content_hash: str, parent: str = "", resource: str = "patients") -> Note:
    return Note(system=System.BILLING, resource=resource, record=record, content_hash=content_hash, parent=parent)


async def test_an_observed_record_counts_its_contents(db: Any) -> None:
    await compared.save_observed(db, PRACTICE, [note("1", "old"), note("2", "x"), note("1", "new", "K:1")])
    pairs = [("patients", "1"), ("patients", "2"), ("patients", "3"), ("appointments", "1")]
    first = await compared.lookup_observed(db, PRACTICE, System.BILLING, pairs)
    assert {record: (one.content_hash, one.revision, one.parent) for (_, record), one in first.items()} == {
        "1": ("new", 1, "K:1"),
        "2": ("x", 1, ""),
    }
    await compared.save_observed(db, PRACTICE, [note("1", "new"), note("2", "y"), note("1", "z", resource="appointments")])
    again = await compared.lookup_observed(db, PRACTICE, System.BILLING, pairs)
    assert {key: one.revision for key, one in again.items()} == {
        ("patients", "1"): 1,
        ("patients", "2"): 2,
        ("appointments", "1"): 1,
    }
    assert await compared.observed_records(db, PRACTICE, System.BILLING, "patients") == [("1", "new", ""), ("2", "y", "")]
    assert await compared.lookup_observed(db, PRACTICE, System.EHR, pairs) == {}
    assert await compared.observed_records(db, OTHER, System.BILLING, "patients") == []


async def test_checkpoints_and_subscriptions_keep_the_latest(db: Any, store: Store) -> None:
    assert await compared.get_checkpoint(db, PRACTICE, "kareo.patients") is None
    for value in ("1", "2"):
        await compared.set_checkpoint(db, PRACTICE, "kareo.patients", value)
    assert await compared.get_checkpoint(db, PRACTICE, "kareo.patients") == "2"
    assert await compared.get_checkpoint(db, OTHER, "kareo.patients") is None
    subscriptions = StoredSubscriptions(store.pool, PRACTICE, store.keyring)
    await subscriptions.save("patients", 1, "https://a.test", "key-1")
    await subscriptions.save("patients", 2, "https://a.test", "key-2")
    assert await subscriptions.get() == {"patients": (2, "key-2")}
    assert await StoredSubscriptions(store.pool, OTHER, store.keyring).get() == {}


# -- roles, migrations, indexes -------------------------------------------------------------------------------------------

PROJECTIONS = (
    "patient", "directory", "chart", "link", "open_intent", "waiting", "dependency", "observed", "checkpoint", "subscription",
    "match_key", "match_count", "duplicate", "duplicate_head", "patient_day", "look_up", "history_term",
    "history_head",
)  # fmt: skip


async def test_the_daemons_role_has_what_it_needs_and_no_more(db: Any) -> None:
    allowed = {"event": "SI", "practice_head": "SIU", "schema_migration": "S", "report": "SIU", "notice": "SIU"}
    allowed |= {"data_key": "SI", "switch": "S", "least_format": "S"} | dict.fromkeys(PROJECTIONS, "SIUD")
    existing = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'chartwire'")
    assert {row["tablename"] for row in existing} == set(allowed)
    for table, expected in allowed.items():
        had = ""
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            if await db.fetchval("SELECT has_table_privilege($1, $2)", f"chartwire.{table}", right):
                had += right[0]
        assert had == expected, table


async def test_migrating_again_changes_nothing(owner_dsn: str) -> None:
    assert await migrate(owner_dsn) == []


async def test_what_older_workers_kept_of_nudges_is_removed_and_never_comes_again(owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(
        "DROP TRIGGER checkpoint_of_no_pass ON chartwire.checkpoint; DROP FUNCTION chartwire.drop_row;"
        "DELETE FROM chartwire.schema_migration WHERE name = '0010_nudges_are_not_kept.sql'"
    )
    await compared.set_checkpoint(owner, PRACTICE, "nudge.elation.patient:7", "then")
    await compared.set_checkpoint(owner, PRACTICE, "kareo.patients", "then")
    assert await migrate(owner_dsn) == ["0010_nudges_are_not_kept.sql"]
    await compared.set_checkpoint(owner, PRACTICE, "nudge.elation.patient:8", "now")
    await compared.set_checkpoint(owner, PRACTICE, "kareo.patients", "now")
    rows = await owner.fetch("SELECT source, value FROM chartwire.checkpoint")
    assert [tuple(row) for row in rows] == [("kareo.patients", "now")]
    await owner.close()
