"""The named queries of `events/sql` as functions of a `Statement`: one each, of the query's name, in the order of the files.

A query that is changed or added there has to be followed here; tests/simulation/test_postgres_answers.py compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

from events import queries
from events.chain import COVERED
from tests.simulation.rows import Statement, Values

Answer = list[Values]
Function = Callable[..., Answer | None]
NOT_SIMULATED = {"data_keys.sql", "console.sql", "duplicates.sql", "identity.sql", "maps.sql", "history.sql", "server.sql"}
"""The simulated practices have no data keys, and nobody looks at them or for duplicates."""
FILES = sorted(
    one.name.removesuffix(".sql") for one in files("events").joinpath("sql").iterdir() if one.name not in NOT_SIMULATED
)
SQL = queries.load(*FILES)
"""All queries by name, without those of `NOT_SIMULATED`."""

ANSWERS: dict[str, tuple[str, Function]] = {}
"""By the query's text: its name and its function."""


def answers(function: Function) -> Function:
    """Makes a function the answer to the query of its name."""
    name = function.__name__
    ANSWERS[SQL[name]] = (name, function)
    return function


def only(rows: Iterable[Values], *columns: str) -> Answer:
    return [{name: row[name] for name in columns} for row in rows]


COLUMNS = {"ehr": "elation_chart", "billing": "kareo_patient", "patient_key": "patient_key"}


def by_role(rows: Iterable[Values], *names: str) -> Answer:
    """As the queries name the charts' columns."""
    return [{name: row[COLUMNS[name]] for name in names} for row in rows]


def present(rows: Iterable[Values | None]) -> list[Values]:
    return [row for row in rows if row is not None]


def _delete(at: Statement, table: str, practice: str, column: str, values: Sequence[Any]) -> None:
    for row in at.rows(table, practice):
        if row[column] in values:
            at.delete(table, row)


# -- keys.sql -------------------------------------------------------------------------------------------------------------


@answers
def keys_in_force(at: Statement, practice: str | None) -> Answer:
    return []


@answers
def key_counts(at: Statement) -> Answer:
    return []


@answers
def switched(at: Statement, name: str) -> Answer:
    return [{"exists": at.get("switch", name) is not None}]


# -- events.sql -----------------------------------------------------------------------------------------------------------


@answers
def stamp(at: Statement, practice: str, ids: Sequence[Any]) -> Answer:
    return [{"now": at.clock(), "known": [row["event_id"] for row in known(at, practice, ids)]}]


@answers
def known(at: Statement, practice: str, ids: Sequence[Any]) -> Answer:
    columns = ("practice", "event_id")
    return only(present(at.find("event", columns, practice, one) for one in dict.fromkeys(ids)), "event_id")


@answers
def read_one(at: Statement, practice: str, event_id: Any) -> Answer:
    return present([at.find("event", ("practice", "event_id"), practice, event_id)])


def events(at: Statement, practice: str, after: int, up_to: int | None, limit: int, **equal: Any) -> Answer:
    rows = at.rows("event", practice, **equal)
    found = [row for row in rows if row["sequence"] > after and (up_to is None or row["sequence"] <= up_to)]
    return sorted(found, key=lambda row: row["sequence"])[:limit]


@answers
def read(at: Statement, practice: str, after: int, up_to: int, limit: int) -> Answer:
    return events(at, practice, after, up_to, limit)


@answers
def read_sealed(at: Statement, practice: str, after: int, up_to: int, limit: int) -> Answer:
    return only(events(at, practice, after, up_to, limit), *(name for name in COVERED if name != "epoch"))


@answers
def read_ehr(at: Statement, practice: str, chart: int, after: int, limit: int) -> Answer:
    return events(at, practice, after, None, limit, elation_chart=chart)


@answers
def read_billing(at: Statement, practice: str, patient: int, after: int, limit: int) -> Answer:
    return events(at, practice, after, None, limit, kareo_patient=patient)


# -- documents.sql, links.sql, open.sql, observed.sql and status.sql -----------------------------------------------------------------------------------------------------------

_PATIENT = ("patient_key", "sequence", "key_id", "doc")
_PATIENTS = ("patient_key", "sequence", "revisit_on", "key_id", "doc")


@answers
def load_patients(at: Statement, practice: str, keys: Sequence[str]) -> Answer:
    return only(present(at.get("patient", practice, key) for key in dict.fromkeys(keys)), *_PATIENT)


@answers
def read_patients(at: Statement, practice: str, after: str, limit: int) -> Answer:
    rows = [row for row in at.rows("patient", practice) if row["patient_key"] > after]
    return only(sorted(rows, key=lambda row: row["patient_key"])[:limit], *_PATIENTS)


@answers
def save_patients(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for key, sequence, revisit_on, key_id, doc in zip(*columns, strict=True):
        known = at.get("patient", practice, key)
        kept = {one: known is None or known[one] == known["sequence"] for one in ("matched", "dayed")}
        at.upsert(
            "patient", ("sequence", "revisit_on", "key_id", "doc", "matched", "dayed"),
            practice=practice, patient_key=key, sequence=sequence, revisit_on=revisit_on, key_id=key_id, doc=doc,
            **{one: sequence if fresh or known is None else known[one] for one, fresh in kept.items()},
        )  # fmt: skip


@answers
def delete_patients(at: Statement, practice: str, keys: Sequence[str]) -> None:
    _delete(at, "patient", practice, "patient_key", keys)


@answers
def patients_to_revisit(at: Statement, practice: str, today: Any, limit: int) -> Answer:
    rows = [row for row in at.rows("patient", practice) if row["revisit_on"] is not None and row["revisit_on"] <= today]
    return only(sorted(rows, key=lambda row: (row["revisit_on"], row["patient_key"]))[:limit], "patient_key")


@answers
def mark_for_revisit(at: Statement, practice: str, depends_on: Sequence[str], today: Any) -> None:
    waiting = {row["patient_key"] for row in at.rows("dependency", practice) if row["depends_on"] in depends_on}
    for row in at.rows("patient", practice):
        if row["patient_key"] in waiting:
            at.update("patient", row, revisit_on=today)


@answers
def mark_all_for_revisit(at: Statement, practice: str, today: Any) -> None:
    for row in at.rows("patient", practice):
        at.update("patient", row, revisit_on=today)


@answers
def count_to_revisit(at: Statement, practice: str, today: Any) -> Answer:
    due = [row for row in at.rows("patient", practice) if row["revisit_on"] is not None and row["revisit_on"] <= today]
    return [{"count": len(due)}]


@answers
def resolve_charts(at: Statement, practice: str, charts: Sequence[int]) -> Answer:
    return by_role(present(at.get("chart", practice, one) for one in dict.fromkeys(charts)), "ehr", "patient_key")


@answers
def save_charts(at: Statement, practice: str, charts: Sequence[int], keys: Sequence[str]) -> None:
    for chart, key in zip(charts, keys, strict=True):
        at.upsert("chart", ("patient_key",), practice=practice, elation_chart=chart, patient_key=key)


@answers
def delete_links(at: Statement, practice: str, billing: Sequence[int]) -> None:
    _delete(at, "link", practice, "kareo_patient", billing)


@answers
def save_links(at: Statement, practice: str, ehr: Sequence[int], billing: Sequence[int]) -> None:
    for chart, patient in zip(ehr, billing, strict=True):
        at.insert("link", practice=practice, elation_chart=chart, kareo_patient=patient)


@answers
def links(at: Statement, practice: str) -> Answer:
    rows = sorted(at.rows("link", practice), key=lambda row: row["kareo_patient"])
    return by_role(rows, "ehr", "billing")


@answers
def load_directory(at: Statement, practice: str) -> Answer:
    known = present([at.get("directory", practice)])
    return [
        {**one, "outdated": row["folded"] != row["sequence"]}
        for row in known
        for one in only([row], "sequence", "key_id", "doc")
    ]


@answers
def save_directory(at: Statement, practice: str, sequence: int, key_id: str, doc: bytes) -> None:
    changed = ("sequence", "key_id", "doc", "folded")
    at.upsert("directory", changed, practice=practice, sequence=sequence, key_id=key_id, doc=doc, folded=sequence)


@answers
def clear_open(at: Statement, practice: str, intents: Sequence[str], waiting: Sequence[str]) -> None:
    _delete(at, "open_intent", practice, "patient_key", intents)
    for table in ("waiting", "dependency"):
        _delete(at, table, practice, "patient_key", waiting)


@answers
def save_open_intents(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for key, slot, intent, system, state, since in zip(*columns, strict=True):
        at.insert(
            "open_intent", practice=practice, patient_key=key, slot=slot, intent=intent, system=system, state=state,
            since=since,
        )  # fmt: skip


@answers
def list_open_intents(at: Statement, practice: str) -> Answer:
    columns = ("patient_key", "slot", "intent", "system", "state", "since")
    return only(at.rows("open_intent", practice), *columns)


@answers
def open_in_slot(at: Statement, practice: str, keys: Sequence[str], slot: str) -> Answer:
    rows = [*at.rows("open_intent", practice), *at.rows("waiting", practice)]
    found = sorted({row["patient_key"] for row in rows if row["patient_key"] in keys and row["slot"] == slot})
    return [{"patient_key": key} for key in found]


@answers
def holder_of_intent(at: Statement, practice: str, intent: str) -> Answer:
    return only([row for row in at.rows("open_intent", practice) if row["intent"] == intent], "patient_key")


@answers
def save_waiting(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for key, slot, code, since in zip(*columns, strict=True):
        at.insert("waiting", practice=practice, patient_key=key, slot=slot, code=code, since=since)


@answers
def save_dependencies(at: Statement, practice: str, depends_on: Sequence[str], keys: Sequence[str]) -> None:
    for on, key in zip(depends_on, keys, strict=True):
        if at.get("dependency", practice, on, key) is None:
            at.insert("dependency", practice=practice, depends_on=on, patient_key=key)


@answers
def lookup_observed(at: Statement, practice: str, system: str, resources: Sequence[str], records: Sequence[str]) -> Answer:
    wanted = dict.fromkeys(zip(resources, records, strict=True))
    rows = present(at.get("observed", practice, system, *one) for one in wanted)
    return only(rows, "resource", "record", "content_hash", "revision", "parent", "seen_at")


@answers
def observed_records(at: Statement, practice: str, system: str, resource: str) -> Answer:
    rows = at.rows("observed", practice, system=system, resource=resource)
    return only(sorted(rows, key=lambda row: row["record"]), "record", "content_hash", "parent")


@answers
def save_observed(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for system, resource, record, content_hash, parent in zip(*columns, strict=True):
        old = at.get("observed", practice, system, resource, record)
        revision = 1 if old is None else old["revision"] + (old["content_hash"] != content_hash)
        at.upsert(
            "observed", ("content_hash", "parent", "seen_at", "revision"),
            practice=practice, system=system, resource=resource, record=record, content_hash=content_hash,
            revision=revision, parent=parent, seen_at=at.clock(),
        )  # fmt: skip


@answers
def get_checkpoint(at: Statement, practice: str, source: str) -> Answer:
    return only(present([at.get("checkpoint", practice, source)]), "value")


@answers
def set_checkpoint(at: Statement, practice: str, source: str, value: str) -> None:
    changed = ("value", "updated_at")
    at.upsert("checkpoint", changed, practice=practice, source=source, value=value, updated_at=at.clock())


@answers
def get_subscriptions(at: Statement, practice: str) -> Answer:
    return only(at.rows("subscription", practice), "resource", "subscription", "target", "signing_key")


@answers
def put_subscription(at: Statement, practice: str, resource: str, subscription: int, target: str, key: str) -> None:
    at.upsert(
        "subscription", ("subscription", "target", "signing_key"),
        practice=practice, resource=resource, subscription=subscription, target=target, signing_key=key,
    )  # fmt: skip


@answers
def save_reports(at: Statement, practices: Sequence[str], epochs: Sequence[int], docs: Sequence[str]) -> None:
    for practice, epoch, doc in zip(practices, epochs, docs, strict=True):
        if (old := at.get("report", practice)) is not None and old["epoch"] > epoch:
            at.lock("report", old)
            continue
        changed = ("epoch", "doc", "reported_at")
        at.upsert("report", changed, practice=practice, epoch=epoch, doc=doc, reported_at=at.clock())


@answers
def status_head(at: Statement, practice: str) -> Answer:
    head = at.get("practice_head", practice)
    if head is None:
        return []
    report = at.get("report", practice)
    if report is not None and report["epoch"] != head["epoch"]:
        report = None
    age = None if report is None else (at.clock() - report["reported_at"]).total_seconds()
    known = only([head], "sequence", "epoch", "owner", "taken_at")[0]
    return [{**known, "doc": report and report["doc"], "report_age": age}]


@answers
def status_sources(at: Statement, practice: str) -> Answer:
    rows = sorted(at.rows("checkpoint", practice), key=lambda row: row["source"])
    return [
        {"source": row["source"], "value": row["value"], "age": (at.clock() - row["updated_at"]).total_seconds()}
        for row in rows
    ]


@answers
def status_intents(at: Statement, practice: str) -> Answer:
    groups: dict[tuple[str, str], list[Values]] = {}
    for row in at.rows("open_intent", practice):
        groups.setdefault((row["system"], row["state"]), []).append(row)
    return [
        {
            "system": system,
            "state": state,
            "count": len(rows),
            "oldest": min((row["since"] for row in rows if row["since"] is not None), default=None),
        }
        for (system, state), rows in sorted(groups.items())
    ]


@answers
def status_waiting(at: Statement, practice: str) -> Answer:
    codes = sorted(row["code"] for row in at.rows("waiting", practice))
    return [{"code": code, "count": codes.count(code)} for code in dict.fromkeys(codes)]
