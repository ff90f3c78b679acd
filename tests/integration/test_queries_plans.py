"""Every query of the SQL files has an index made for it: what PostgreSQL plans on filled tables, three practices in each."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
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
    SELECT practice, key, n, CASE WHEN n % 50 = 0 THEN date '2026-01-01' + n END, 'k', repeat('x', 500)::bytea, n, n FROM one;
INSERT INTO chartwire.patient_day SELECT practice, n::text::bytea, key FROM one;
INSERT INTO chartwire.chart SELECT practice, n, key FROM one;
INSERT INTO chartwire.link SELECT practice, n, n FROM one;
INSERT INTO chartwire.open_intent SELECT practice, key, 's', 'i', 'kareo', 'requested' FROM one;
INSERT INTO chartwire.waiting SELECT practice, key, 's', 'c', now() FROM one;
INSERT INTO chartwire.dependency SELECT practice, 'location:' || n % 200, key FROM one;
INSERT INTO chartwire.match_key SELECT practice, 'kareo', n::text::bytea, n FROM one;
INSERT INTO chartwire.match_count SELECT practice, 'kareo', n::text::bytea, n FROM one;
INSERT INTO chartwire.history_term SELECT practice, (n % 50)::text::bytea, n FROM one;
INSERT INTO chartwire.history_head SELECT practice, 1, 'r' FROM chartwire.practice_head;
INSERT INTO chartwire.look_up SELECT practice, key, now(), 'k', 'x' FROM one;
INSERT INTO chartwire.duplicate SELECT practice, 'kareo', n, n + 1, 'x' FROM one;
INSERT INTO chartwire.duplicate_head SELECT practice, 1, 1, 'r' FROM chartwire.practice_head;
INSERT INTO chartwire.observed SELECT practice, system, resource, key, 'h', 1, ''
    FROM one, unnest(ARRAY['elation', 'kareo']) AS system, unnest(ARRAY['patients', 'bills']) AS resource;
INSERT INTO chartwire.checkpoint SELECT practice, key, 'v' FROM one;
INSERT INTO chartwire.report SELECT practice, 1, now(), '{}' FROM chartwire.practice_head;
INSERT INTO chartwire.subscription SELECT practice, key, n, 't', 'k' FROM one;
INSERT INTO chartwire.data_key SELECT practice, key, 'body', 'f', 'w' FROM one;
INSERT INTO chartwire.notice SELECT practice, key, 1, '{}' FROM one;
INSERT INTO chartwire.switch SELECT key FROM one ON CONFLICT DO NOTHING;
INSERT INTO chartwire_console.account SELECT DISTINCT key FROM one;
INSERT INTO chartwire_console.account_role SELECT key, practice, 'viewer' FROM one;
INSERT INTO chartwire_console.session (id_hash, name, ends_at) SELECT (practice || key)::bytea, key, now() + n * interval '1 s' FROM one;
INSERT INTO chartwire_console.attempt SELECT key::bytea, now() + n * interval '1 s' FROM one;
INSERT INTO chartwire_console.sign_in_link SELECT (practice || key)::bytea, key, now() FROM one;
INSERT INTO chartwire_console.second_factor (name, secret) SELECT DISTINCT key, 's'::bytea FROM one;
INSERT INTO chartwire_console.recovery_code SELECT key, practice::bytea FROM one;
INSERT INTO chartwire_console.identity SELECT practice, key, key FROM one;
INSERT INTO chartwire_console.sign_in_request SELECT (practice || key)::bytea, 'k', now() + n * interval '1 s' FROM one;
INSERT INTO chartwire_console.access SELECT practice, n, now(), 'w', 'a', 'K:' || n % 100, 'o', 'd', 'c' FROM one;
INSERT INTO chartwire_console.access_head SELECT practice, 1, 'c' FROM chartwire.practice_head;
ANALYZE;
"""

HEAD, EVENT, PATIENT, OBSERVED, ACCOUNT, FACTOR = (
    "practice_head_pkey", "event_pkey", "patient_pkey", "observed_pkey", "account_pkey", "second_factor_pkey",
)  # fmt: skip
EXPECTED: dict[str, dict[str, tuple[str, ...]]] = {
    "take_over": {},
    "lock_head": {HEAD: ("practice",)},
    "epoch": {HEAD: ("practice",)},
    "head": {HEAD: ("practice",)},
    "advance_head": {HEAD: ("practice",)},
    "stamp": {"event_practice_event_id_key": ("practice", "event_id")},
    "known": {"event_practice_event_id_key": ("practice", "event_id")},
    "read_one": {"event_practice_event_id_key": ("practice", "event_id")},
    "read": {EVENT: ("practice", "sequence")},
    "read_sealed": {EVENT: ("practice", "sequence")},
    "read_ehr": {"event_by_elation_chart": ("practice", "elation_chart", "sequence")},
    "read_billing": {"event_by_kareo_patient": ("practice", "kareo_patient", "sequence")},
    "load_patients": {PATIENT: ("practice", "patient_key")},
    "read_patients": {PATIENT: ("practice", "patient_key")},
    "save_patients": {},
    "delete_patients": {PATIENT: ("practice", "patient_key")},
    "patients_to_revisit": {"patient_to_revisit": ("practice", "revisit_on")},
    "mark_for_revisit": {"dependency_pkey": ("practice", "depends_on"), PATIENT: ("practice", "patient_key")},
    "mark_all_for_revisit": {PATIENT: ("practice",)},
    "count_to_revisit": {"patient_to_revisit": ("practice", "revisit_on")},
    "resolve_charts": {"chart_pkey": ("practice", "elation_chart")},
    "save_charts": {},
    "delete_links": {"link_pkey": ("practice", "kareo_patient")},
    "save_links": {},
    "links": {"link_pkey": ("practice",)},
    "load_directory": {"directory_pkey": ("practice",)},
    "save_directory": {},
    "clear_open": {
        "open_intent_pkey": ("practice", "patient_key"),
        "waiting_pkey": ("practice", "patient_key"),
        "dependency_by_patient": ("practice", "patient_key"),
    },
    "save_open_intents": {},
    "list_open_intents": {"open_intent_pkey": ("practice",)},
    "open_in_slot": {
        "open_intent_pkey": ("practice", "patient_key", "slot"),
        "waiting_pkey": ("practice", "patient_key", "slot"),
    },
    "holder_of_intent": {"open_intent_pkey": ("practice",)},
    "save_waiting": {},
    "waiting_patients": {"waiting_pkey": ("practice",)},
    "waiting_of_practice": {"waiting_pkey": ("practice", "patient_key")},
    "save_dependencies": {},
    "lookup_observed": {OBSERVED: ("practice", "system", "resource", "record")},
    "observed_records": {OBSERVED: ("practice", "system", "resource")},
    "save_observed": {},
    "get_checkpoint": {"checkpoint_pkey": ("practice", "source")},
    "set_checkpoint": {},
    "save_reports": {},
    "get_subscriptions": {"subscription_pkey": ("practice",)},
    "put_subscription": {},
    "status_head": {HEAD: ("practice",), "report_pkey": ("practice",)},
    "heads_at_a_glance": {HEAD: ("practice",), "report_pkey": ("practice",)},
    "waiting_at_a_glance": {"waiting_pkey": ("practice",)},
    "status_sources": {"checkpoint_pkey": ("practice",)},
    "status_intents": {"open_intent_pkey": ("practice",)},
    "status_waiting": {"waiting_pkey": ("practice",)},
    "waiting_by_code": {"waiting_pkey": ("practice",)},
    "heard_of_sources": {"checkpoint_pkey": ("practice",)},
    "waiting_longest": {"waiting_pkey": ("practice",)},
    "notices": {"notice_pkey": ("practice",)},
    "save_notice": {HEAD: ("practice",)},
    "waiting_of_each": {"waiting_pkey": ("practice",)},
    "link_of": {EVENT: ("practice", "sequence")},
    "read_types": {EVENT: ("practice", "sequence")},
    "read_practice": {"event_of_practice": ("practice", "sequence")},
    "heads": {HEAD: ()},
    "beyond": {HEAD: ("practice",), EVENT: ("practice", "sequence")},
    "mark_rebuilt": {HEAD: ("practice",)},
    "all_charts": {"chart_pkey": ("practice",)},
    "all_waiting": {"waiting_pkey": ("practice",)},
    "all_dependencies": {"dependency_by_patient": ("practice",)},
    "clear_patients": {PATIENT: ("practice",)},
    "clear_directory": {"directory_pkey": ("practice",)},
    "clear_charts": {"chart_pkey": ("practice",)},
    "clear_links": {"link_practice_elation_chart_key": ("practice",)},
    "clear_open_intents": {"open_intent_pkey": ("practice",)},
    "clear_waiting": {"waiting_pkey": ("practice",)},
    "clear_dependencies": {"dependency_by_patient": ("practice",)},
    "match_alike": {"match_key_pkey": ("practice", "system", "key")},
    "match_search": {
        "match_key_pkey": ("practice", "system", "key"),
        "match_count_pkey": ("practice", "system", "value"),
    },
    "match_counts": {"match_count_pkey": ("practice", "system", "value")},
    "save_match_keys": {},
    "delete_match_keys": {"match_key_pkey": ("practice", "system", "key", "chart")},
    "add_match_counts": {},
    "all_match_keys": {"match_key_pkey": ("practice",)},
    "all_match_counts": {"match_count_pkey": ("practice",)},
    "clear_match_keys": {"match_key_pkey": ("practice",)},
    "clear_match_counts": {"match_count_pkey": ("practice",)},
    "any_not_matched": {"patient_not_matched": ("practice",)},
    "mark_matched": {"patient_not_matched": ("practice",)},
    "patients_of_days": {
        "patient_day_pkey": ("practice", "day"),
        "patient_not_dayed": ("practice",),
        "patient_pkey": ("practice",),
    },
    "save_days": {},
    "delete_days": {"patient_day_pkey": ("practice", "day", "patient_key")},
    "all_days": {"patient_day_pkey": ("practice",)},
    "clear_days": {"patient_day_pkey": ("practice",)},
    "any_not_dayed": {"patient_not_dayed": ("practice",), "patient_day_pkey": ("practice", "day", "patient_key")},
    "mark_dayed": {"patient_not_dayed": ("practice",)},
    "save_look_up": {},
    "look_up": {"look_up_pkey": ("practice", "period")},
    "match_pairs": {"match_key_pkey": ("practice", "system", "key")},
    "duplicate_head": {"duplicate_head_pkey": ("practice",)},
    "save_duplicate_head": {},
    "charts_since": {EVENT: ("practice", "sequence")},
    "duplicates": {"duplicate_pkey": ("practice",)},
    "clear_duplicates": {"duplicate_pkey": ("practice",)},
    "delete_duplicates": {"duplicate_pkey": ("practice", "system", "one", "other")},
    "save_duplicates": {},
    "least_format": {"least_format_pkey": ("sole",)},
    "projected": {HEAD: ("practice",)},
    "require_format": {},
    "switch_on": {},
    "switched": {"switch_pkey": ("name",)},
    "practices": {HEAD: ()},
    "older_owners": {HEAD: ()},
    "owner": {HEAD: ("practice",)},
    "make_head": {},
    "lock_keys": {HEAD: ("practice",)},
    "keys_changed": {HEAD: ("practice",)},
    "keys_used": {EVENT: ("practice",), PATIENT: ("practice",), "directory_pkey": ("practice",)},
    "insert_keys": {},
    "rewrap_keys": {"data_key_pkey": ("practice", "key_id")},
    "delete_keys": {"data_key_pkey": ("practice",)},
    "mark_shredded": {HEAD: ("practice",)},
    "delete_signing_keys": {"subscription_pkey": ("practice",)},
    "delete_observed": {OBSERVED: ("practice",)},
    "plain_hashes": {OBSERVED: ("practice",)},
    "replace_hashes": {OBSERVED: ("practice", "system", "resource", "record")},
    "keys_in_force": {HEAD: (), "data_key_pkey": ("practice",)},
    "key_counts": {},
    "add_account": {},
    "account": {ACCOUNT: ("name",)},
    "accounts": {ACCOUNT: ()},
    "set_password": {ACCOUNT: ("name",)},
    "set_disabled": {ACCOUNT: ("name",)},
    "roles_of_account": {"account_role_pkey": ("name",)},
    "add_role": {},
    "remove_role": {"account_role_pkey": ("name", "practice", "role")},
    "add_session": {},
    "session": {"session_pkey": ("id_hash",), ACCOUNT: ("name",), FACTOR: ("name",)},
    "touch_session": {"session_pkey": ("id_hash",)},
    "end_session": {"session_pkey": ("id_hash",)},
    "end_sessions_of": {"session_of_account": ("name",)},
    "end_links_of": {"sign_in_link_of_account": ("name",)},
    "forget_sessions": {"session_by_end": ("ends_at",)},
    "add_attempt": {},
    "count_attempts": {"attempt_by_bucket": ("bucket", "at")},
    "forgive_attempt": {"attempt_by_bucket": ("bucket", "at")},
    "clear_attempts": {"attempt_by_bucket": ("bucket",)},
    "forget_attempts": {"attempt_by_time": ("at",)},
    "add_link": {},
    "use_link": {"sign_in_link_pkey": ("token_hash",)},
    "record_access": {},
    "record_views": {},
    "access_before": {"access_pkey": ("practice", "sequence")},
    "access_of_patient": {"access_of_patient": ("practice", "patient_key", "sequence")},
    "access_of_who": {"access_of_who": ("practice", "who", "sequence")},
    "history_head": {"history_head_pkey": ("practice",)},
    "advance_history_head": {},
    "clear_history_head": {"history_head_pkey": ("practice",)},
    "save_history_terms": {},
    "clear_history_terms": {"history_term_pkey": ("practice",)},
    "all_history_terms": {"history_term_pkey": ("practice",)},
    "last_of_ehr_charts": {"event_by_elation_chart": ("practice", "elation_chart", "sequence")},
    "last_of_billing_charts": {"event_by_kareo_patient": ("practice", "kareo_patient", "sequence")},
    "history_by_term": {"history_term_pkey": ("practice", "term", "sequence"), EVENT: ("practice", "sequence")},
    "history_of_charts": {
        "event_by_elation_chart": ("practice", "elation_chart", "sequence"),
        "event_by_kareo_patient": ("practice", "kareo_patient", "sequence"),
        "history_term_pkey": ("practice", "term", "sequence"),
    },
    "history_between": {EVENT: ("practice", "sequence")},
    "recorded_at": {EVENT: ("practice", "sequence")},
    "access_page": {"access_pkey": ("practice", "sequence")},
    "access_head": {"access_head_pkey": ("practice",)},
    "sessions_that_hold": {"session_pkey": ("id_hash",)},
    "heads_of": {HEAD: ("practice",)},
    "second_factor": {FACTOR: ("name",)},
    "offer_factor": {},
    "confirm_factor": {FACTOR: ("name",)},
    "use_step": {FACTOR: ("name",)},
    "remove_factor": {FACTOR: ("name",)},
    "add_recovery_codes": {},
    "use_recovery_code": {"recovery_code_pkey": ("name", "code_hash")},
    "remove_recovery_codes": {"recovery_code_pkey": ("name",)},
    "count_recovery_codes": {"recovery_code_pkey": ("name",)},
    "end_other_sessions": {"session_of_account": ("name",)},
    "known_as": {"identity_pkey": ("issuer", "subject")},
    "add_identity": {},
    "clear_roles": {"account_role_pkey": ("name",)},
    "add_sign_in_request": {},
    "take_sign_in_request": {"sign_in_request_pkey": ("state_hash",)},
    "forget_sign_in_requests": {"sign_in_request_by_end": ("ends_at",)},
    "reports_of": {"report_pkey": ("practice",)},
    "written_by_hour": {"event_written": ("practice", "recorded_at")},
    "waiting_by_hour": {"waiting_pkey": ("practice",)},
    "waiting_kinds": {"waiting_pkey": ("practice",)},
    "waiting_some": {"waiting_pkey": ("practice",)},
    "waiting_one": {"waiting_pkey": ("practice", "patient_key", "slot")},
    "waiting_in": {"waiting_pkey": ("practice",)},
    "patient_sequences": {PATIENT: ("practice", "patient_key")},
    "patients_who_wait": {"waiting_pkey": ("practice",)},
    "patients_waiting_for": {"dependency_pkey": ("practice", "depends_on")},
    "first_patients": {PATIENT: ("practice",)},
    "linked_patients": {"link_practice_elation_chart_key": ("practice",)},
}
"""The indexes each query goes in by, and by which of their columns; inserts find conflicts by the primary key."""

READS_ALL = {"read_types"}
"""Looks through all events of a practice, seldom and told so: an index for it would cost every recording."""
GUARDED = {
    "replace_hashes",
    "mark_matched",
    "save_notice",
    "confirm_factor",
    "use_step",
    "sessions_that_hold",
    "last_of_ehr_charts",
    "last_of_billing_charts",
}
"""Finds its rows by their key, then leaves alone those that somebody has changed meanwhile, or that are another owner's."""
ALL_HEADS = {"key_counts"}
"""Reads one row of every practice: there is nothing to look up."""
FILES = {one.name.removesuffix(".sql"): one.read_text() for one in files("events").joinpath("sql").iterdir()}
QUERIES = queries.load(*FILES)
OF_THE_SERVER = queries.load("server").keys()
"""Asked of the server, its settings and its catalog: no index is ours."""


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
    assert set(QUERIES) == set(EXPECTED) | OF_THE_SERVER
    assert not set(EXPECTED) & OF_THE_SERVER


def test_every_query_has_a_name_of_its_own_and_a_line_on_it() -> None:
    assert len(QUERIES) == sum(text.count("-- name: ") for text in FILES.values())
    for text in FILES.values():
        assert re.match(r"-- \w", text), "the file says what its queries are about"
        assert len(re.findall(r"^-- name: \w+\n-- .+\.\n[^-]", text, re.MULTILINE)) == text.count("-- name: ")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for name in QUERIES if name not in OF_THE_SERVER])
async def test_every_query_has_an_index_made_for_it(filled: Any, name: str) -> None:
    parameters = len((await filled.prepare(QUERIES[name])).get_parameters())
    await filled.execute(f"PREPARE explained AS {QUERIES[name]}")
    try:
        nothing = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        explained = await filled.fetchval(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE explained {nothing}")
    finally:
        await filled.execute("DEALLOCATE explained")
    plan = list(nodes(json.loads(explained)[0]["Plan"]))
    scanned = [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"]
    assert scanned == (["practice_head"] if name in ALL_HEADS else [])
    entered = {node["Index Name"]: node.get("Index Cond", "") for node in plan if "Index Name" in node}
    assert set(entered) == set(EXPECTED[name])
    for index, columns in EXPECTED[name].items():
        for column in columns:
            assert f".{column} " in entered[index], f"{index} is not entered by {column}: {entered[index]}"
    thrown = [node["Filter"] for node in plan if "Index Cond" in node and "Filter" in node]
    assert bool(thrown) is (name in READS_ALL | GUARDED), f"read, then thrown away: {thrown}"
