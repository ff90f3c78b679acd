"""Every query of the SQL files has an index made for it: what PostgreSQL plans on filled tables, three practices in each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from daemon.demo.embedded import EmbeddedPostgres
from events import queries
from tests.conftest import TEMPLATE

FILLED = """
CREATE TEMPORARY VIEW one AS SELECT 'p' || p AS practice, n, 'K:' || n AS key
    FROM generate_series(1, 3) AS p, generate_series(1, 4000) AS n;
INSERT INTO chartwire.practice_head (practice) SELECT 'p' || n FROM generate_series(1, 1000) AS n;
INSERT INTO chartwire.directory SELECT practice, 1, 'k', 'x' FROM chartwire.practice_head;
INSERT INTO chartwire.event (practice, sequence, event_id, type, version, origin, patient_key, elation_chart, kareo_patient,
        observed_at, key_id, body, epoch)
    SELECT practice, n, gen_random_uuid(), 'T', 1, 'kareo', key, n % 400, n % 500, now(), 'k', 'x', 1 FROM one;
INSERT INTO chartwire.patient
    SELECT practice, key, n, CASE WHEN n % 50 = 0 THEN date '2026-01-01' + n END, 'k', repeat('x', 500)::bytea FROM one;
INSERT INTO chartwire.chart SELECT practice, n, key FROM one;
INSERT INTO chartwire.link SELECT practice, n, n FROM one;
INSERT INTO chartwire.open_intent SELECT practice, key, 's', 'i', 'kareo', 'requested' FROM one;
INSERT INTO chartwire.waiting SELECT practice, key, 's', 'c', now() FROM one;
INSERT INTO chartwire.dependency SELECT practice, 'location:' || n % 200, key FROM one;
INSERT INTO chartwire.observed SELECT practice, system, resource, key, 'h', 1, ''
    FROM one, unnest(ARRAY['elation', 'kareo']) AS system, unnest(ARRAY['patients', 'bills']) AS resource;
INSERT INTO chartwire.checkpoint SELECT practice, key, 'v' FROM one;
INSERT INTO chartwire.report SELECT practice, 1, now(), '{}' FROM chartwire.practice_head;
INSERT INTO chartwire.subscription SELECT practice, key, n, 't', 'k' FROM one;
ANALYZE;
"""

HEAD, EVENT, PATIENT, OBSERVED = "practice_head_pkey", "event_pkey", "patient_pkey", "observed_pkey"
EXPECTED: dict[str, dict[str, tuple[str, ...]]] = {
    "store.take_over": {},
    "store.lock_head": {HEAD: ("practice",)},
    "store.epoch": {HEAD: ("practice",)},
    "store.head": {HEAD: ("practice",)},
    "store.advance_head": {HEAD: ("practice",)},
    "store.stamp": {"event_practice_event_id_key": ("practice", "event_id")},
    "store.known": {"event_practice_event_id_key": ("practice", "event_id")},
    "store.read_one": {"event_practice_event_id_key": ("practice", "event_id")},
    "store.read": {EVENT: ("practice", "sequence")},
    "store.read_sealed": {EVENT: ("practice", "sequence")},
    "store.read_ehr": {"event_by_elation_chart": ("practice", "elation_chart", "sequence")},
    "store.read_billing": {"event_by_kareo_patient": ("practice", "kareo_patient", "sequence")},
    "tables.load_patients": {PATIENT: ("practice", "patient_key")},
    "tables.read_patients": {PATIENT: ("practice", "patient_key")},
    "tables.save_patients": {},
    "tables.delete_patients": {PATIENT: ("practice", "patient_key")},
    "tables.patients_to_revisit": {"patient_to_revisit": ("practice", "revisit_on")},
    "tables.mark_for_revisit": {"dependency_pkey": ("practice", "depends_on"), PATIENT: ("practice", "patient_key")},
    "tables.mark_all_for_revisit": {PATIENT: ("practice",)},
    "tables.count_to_revisit": {"patient_to_revisit": ("practice", "revisit_on")},
    "tables.resolve_charts": {"chart_pkey": ("practice", "elation_chart")},
    "tables.save_charts": {},
    "tables.delete_links": {"link_pkey": ("practice", "kareo_patient")},
    "tables.save_links": {},
    "tables.links": {"link_pkey": ("practice",)},
    "tables.load_directory": {"directory_pkey": ("practice",)},
    "tables.save_directory": {},
    "tables.clear_open": {
        "open_intent_pkey": ("practice", "patient_key"),
        "waiting_pkey": ("practice", "patient_key"),
        "dependency_by_patient": ("practice", "patient_key"),
    },
    "tables.save_open_intents": {},
    "tables.list_open_intents": {"open_intent_pkey": ("practice",)},
    "tables.save_waiting": {},
    "tables.waiting_patients": {"waiting_pkey": ("practice",)},
    "tables.save_dependencies": {},
    "tables.lookup_observed": {OBSERVED: ("practice", "system", "resource", "record")},
    "tables.observed_records": {OBSERVED: ("practice", "system", "resource")},
    "tables.save_observed": {},
    "tables.get_checkpoint": {"checkpoint_pkey": ("practice", "source")},
    "tables.set_checkpoint": {},
    "tables.save_reports": {},
    "tables.get_subscriptions": {"subscription_pkey": ("practice",)},
    "tables.put_subscription": {},
    "tables.status_head": {HEAD: ("practice",), "report_pkey": ("practice",)},
    "tables.status_sources": {"checkpoint_pkey": ("practice",)},
    "tables.status_intents": {"open_intent_pkey": ("practice",)},
    "tables.status_waiting": {"waiting_pkey": ("practice",)},
    "replay.by_id": {"event_practice_event_id_key": ("practice", "event_id")},
    "replay.by_type": {EVENT: ("practice", "sequence")},
    "replay.practice_events": {"event_of_practice": ("practice", "sequence")},
    "replay.heads": {HEAD: ()},
    "replay.head": {HEAD: ("practice",)},
    "replay.beyond": {HEAD: ("practice",), EVENT: ("practice", "sequence")},
    "replay.lock_head": {HEAD: ("practice",)},
    "replay.mark_rebuilt": {HEAD: ("practice",)},
    "replay.patients": {PATIENT: ("practice",)},
    "replay.directory": {"directory_pkey": ("practice",)},
    "replay.chart": {"chart_pkey": ("practice",)},
    "replay.link": {"link_pkey": ("practice",)},
    "replay.open_intent": {"open_intent_pkey": ("practice",)},
    "replay.waiting": {"waiting_pkey": ("practice",)},
    "replay.dependency": {"dependency_by_patient": ("practice",)},
}
"""The indexes each query goes in by, and by which of their columns; inserts find conflicts by the primary key."""

READS_ALL = {"replay.by_type"}
"""Looks through all events of a practice, seldom and told so: an index for it would cost every recording."""
QUERIES = {f"{file}.{name}": query for file in ("store", "tables", "replay") for name, query in queries.load(file).items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(postgres: EmbeddedPostgres) -> AsyncIterator[Any]:
    """A connection that prefers any index to reading a table, and plans without knowing the values asked for."""
    dsn = await postgres.create_database("test_plans", template=TEMPLATE)
    connection = await asyncpg.connect(
        dsn, server_settings={"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
    )
    await connection.execute(FILLED)
    yield connection
    await connection.close()


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from nodes(inner)


def test_no_query_is_left_out() -> None:
    assert set(QUERIES) == set(EXPECTED)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", list(QUERIES))
async def test_every_query_has_an_index_made_for_it(filled: Any, name: str) -> None:
    parameters = len((await filled.prepare(QUERIES[name])).get_parameters())
    await filled.execute(f"PREPARE explained AS {QUERIES[name]}")
    try:
        nothing = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        explained = await filled.fetchval(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE explained {nothing}")
    finally:
        await filled.execute("DEALLOCATE explained")
    plan = list(nodes(json.loads(explained)[0]["Plan"]))
    assert [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"] == []
    entered = {node["Index Name"]: node.get("Index Cond", "") for node in plan if "Index Name" in node}
    assert set(entered) == set(EXPECTED[name])
    for index, columns in EXPECTED[name].items():
        for column in columns:
            assert f".{column} " in entered[index], f"{index} is not entered by {column}: {entered[index]}"
    thrown = [node["Filter"] for node in plan if "Index Cond" in node and "Filter" in node]
    assert bool(thrown) is (name in READS_ALL), f"read, then thrown away: {thrown}"
