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
SQL = {
    (file, name): text
    for file in sorted(one.name.removesuffix(".sql") for one in files("events").joinpath("sql").iterdir())
    if file != "data_keys"
    for name, text in queries.load(file).items()
}
"""All queries by file and name, without those of the commands that work on data keys: the simulated practices have none."""

ANSWERS: dict[str, tuple[str, Callable[..., Answer | None]]] = {}
"""By the query's text: its name and its function."""


def answers(file: str) -> Callable[[Function], Function]:
    """Makes a function the answer to the query of its name (a trailing _ does not count) in this file."""

    def register(function: Function) -> Function:
        name = function.__name__.rstrip("_")
        ANSWERS.setdefault(SQL[file, name], (name, function))  # some texts have two names
        return function

    return register


def only(rows: Iterable[Values], *columns: str) -> Answer:
    return [{name: row[name] for name in columns} for row in rows]


def present(rows: Iterable[Values | None]) -> list[Values]:
    return [row for row in rows if row is not None]


def _delete(at: Statement, table: str, practice: str, column: str, values: Sequence[Any]) -> None:
    for row in at.rows(table, practice):
        if row[column] in values:
            at.delete(table, row)


# -- keys.sql ---------------------------------------------------------------------------------------------------------------


@answers("keys")
def keys_in_force(at: Statement, practice: str | None) -> Answer:
    return []


@answers("keys")
def key_counts(at: Statement) -> Answer:
    return []


@answers("keys")
def switched(at: Statement, name: str) -> Answer:
    return [{"exists": at.get("switch", name) is not None}]


# -- store.sql ------------------------------------------------------------------------------------------------------------


@answers("store")
def take_over(at: Statement, practice: str, owner: str) -> Answer:
    old = at.get("practice_head", practice)
    epoch = 1 if old is None else old["epoch"] + 1
    changed = ("epoch", "reader_epoch", "owner", "taken_at")
    at.upsert("practice_head", changed, practice=practice, epoch=epoch, reader_epoch=epoch, owner=owner, taken_at=at.clock())
    return [{"epoch": epoch}]


@answers("store")
def lock_head(at: Statement, practice: str) -> Answer:
    head = at.get("practice_head", practice)
    if head is None:
        return []
    at.lock("practice_head", head)
    return only([head], "sequence", "epoch", "chain", "rebuilt", "keys")


@answers("store")
def epoch(at: Statement, practice: str) -> Answer:
    return only(present([at.get("practice_head", practice)]), "epoch")


@answers("store")
def head(at: Statement, practice: str) -> Answer:
    return only(present([at.get("practice_head", practice)]), "sequence")


@answers("store")
def advance_head(at: Statement, practice: str, sequence: int, chain: bytes, channel: str) -> Answer:
    head = at.get("practice_head", practice)
    if head is None:
        return []
    at.update("practice_head", head, sequence=sequence, chain=chain)
    at.notifications[channel, practice] = None
    return [{"pg_notify": None}]


@answers("store")
def stamp(at: Statement, practice: str, ids: Sequence[Any]) -> Answer:
    return [{"now": at.clock(), "known": [row["event_id"] for row in known(at, practice, ids)]}]


@answers("store")
def known(at: Statement, practice: str, ids: Sequence[Any]) -> Answer:
    columns = ("practice", "event_id")
    return only(present(at.find("event", columns, practice, one) for one in dict.fromkeys(ids)), "event_id")


@answers("store")
def read_one(at: Statement, practice: str, event_id: Any) -> Answer:
    return present([at.find("event", ("practice", "event_id"), practice, event_id)])


def events(at: Statement, practice: str, after: int, up_to: int | None, limit: int, **equal: Any) -> Answer:
    rows = at.rows("event", practice, **equal)
    found = [row for row in rows if row["sequence"] > after and (up_to is None or row["sequence"] <= up_to)]
    return sorted(found, key=lambda row: row["sequence"])[:limit]


@answers("store")
def read(at: Statement, practice: str, after: int, up_to: int, limit: int) -> Answer:
    return events(at, practice, after, up_to, limit)


@answers("store")
def read_sealed(at: Statement, practice: str, after: int, up_to: int, limit: int) -> Answer:
    return only(events(at, practice, after, up_to, limit), *(name for name in COVERED if name != "epoch"))


@answers("store")
def read_ehr(at: Statement, practice: str, chart: int, after: int, limit: int) -> Answer:
    return events(at, practice, after, None, limit, elation_chart=chart)


@answers("store")
def read_billing(at: Statement, practice: str, patient: int, after: int, limit: int) -> Answer:
    return events(at, practice, after, None, limit, kareo_patient=patient)


# -- tables.sql -----------------------------------------------------------------------------------------------------------

_PATIENT = ("patient_key", "sequence", "key_id", "doc")


@answers("tables")
def load_patients(at: Statement, practice: str, keys: Sequence[str]) -> Answer:
    return only(present(at.get("patient", practice, key) for key in dict.fromkeys(keys)), *_PATIENT)


@answers("tables")
def read_patients(at: Statement, practice: str, after: str, limit: int) -> Answer:
    rows = [row for row in at.rows("patient", practice) if row["patient_key"] > after]
    return only(sorted(rows, key=lambda row: row["patient_key"])[:limit], *_PATIENT)


@answers("tables")
def save_patients(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for key, sequence, revisit_on, key_id, doc in zip(*columns, strict=True):
        at.upsert(
            "patient", ("sequence", "revisit_on", "key_id", "doc"),
            practice=practice, patient_key=key, sequence=sequence, revisit_on=revisit_on, key_id=key_id, doc=doc,
        )  # fmt: skip


@answers("tables")
def delete_patients(at: Statement, practice: str, keys: Sequence[str]) -> None:
    _delete(at, "patient", practice, "patient_key", keys)


@answers("tables")
def patients_to_revisit(at: Statement, practice: str, today: Any, limit: int) -> Answer:
    rows = [row for row in at.rows("patient", practice) if row["revisit_on"] is not None and row["revisit_on"] <= today]
    return only(sorted(rows, key=lambda row: (row["revisit_on"], row["patient_key"]))[:limit], "patient_key")


@answers("tables")
def mark_for_revisit(at: Statement, practice: str, depends_on: Sequence[str], today: Any) -> None:
    waiting = {row["patient_key"] for row in at.rows("dependency", practice) if row["depends_on"] in depends_on}
    for row in at.rows("patient", practice):
        if row["patient_key"] in waiting:
            at.update("patient", row, revisit_on=today)


@answers("tables")
def mark_all_for_revisit(at: Statement, practice: str, today: Any) -> None:
    for row in at.rows("patient", practice):
        at.update("patient", row, revisit_on=today)


@answers("tables")
def count_to_revisit(at: Statement, practice: str, today: Any) -> Answer:
    due = [row for row in at.rows("patient", practice) if row["revisit_on"] is not None and row["revisit_on"] <= today]
    return [{"count": len(due)}]


@answers("tables")
def resolve_charts(at: Statement, practice: str, charts: Sequence[int]) -> Answer:
    return only(present(at.get("chart", practice, one) for one in dict.fromkeys(charts)), "elation_chart", "patient_key")


@answers("tables")
def save_charts(at: Statement, practice: str, charts: Sequence[int], keys: Sequence[str]) -> None:
    for chart, key in zip(charts, keys, strict=True):
        at.upsert("chart", ("patient_key",), practice=practice, elation_chart=chart, patient_key=key)


@answers("tables")
def delete_links(at: Statement, practice: str, billing: Sequence[int]) -> None:
    _delete(at, "link", practice, "kareo_patient", billing)


@answers("tables")
def save_links(at: Statement, practice: str, ehr: Sequence[int], billing: Sequence[int]) -> None:
    for chart, patient in zip(ehr, billing, strict=True):
        at.insert("link", practice=practice, elation_chart=chart, kareo_patient=patient)


@answers("tables")
def links(at: Statement, practice: str) -> Answer:
    rows = sorted(at.rows("link", practice), key=lambda row: row["kareo_patient"])
    return only(rows, "elation_chart", "kareo_patient")


@answers("tables")
def load_directory(at: Statement, practice: str) -> Answer:
    return only(present([at.get("directory", practice)]), "sequence", "key_id", "doc")


@answers("tables")
def save_directory(at: Statement, practice: str, sequence: int, key_id: str, doc: bytes) -> None:
    changed = ("sequence", "key_id", "doc")
    at.upsert("directory", changed, practice=practice, sequence=sequence, key_id=key_id, doc=doc)


@answers("tables")
def clear_open(at: Statement, practice: str, intents: Sequence[str], waiting: Sequence[str]) -> None:
    _delete(at, "open_intent", practice, "patient_key", intents)
    for table in ("waiting", "dependency"):
        _delete(at, table, practice, "patient_key", waiting)


@answers("tables")
def save_open_intents(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for key, slot, intent, system, state, since in zip(*columns, strict=True):
        at.insert(
            "open_intent", practice=practice, patient_key=key, slot=slot, intent=intent, system=system, state=state,
            since=since,
        )  # fmt: skip


@answers("tables")
def list_open_intents(at: Statement, practice: str) -> Answer:
    columns = ("patient_key", "slot", "intent", "system", "state", "since")
    return only(at.rows("open_intent", practice), *columns)


@answers("tables")
def save_waiting(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for key, slot, code, since in zip(*columns, strict=True):
        at.insert("waiting", practice=practice, patient_key=key, slot=slot, code=code, since=since)


@answers("tables")
def save_dependencies(at: Statement, practice: str, depends_on: Sequence[str], keys: Sequence[str]) -> None:
    for on, key in zip(depends_on, keys, strict=True):
        if at.get("dependency", practice, on, key) is None:
            at.insert("dependency", practice=practice, depends_on=on, patient_key=key)


@answers("tables")
def lookup_observed(at: Statement, practice: str, system: str, resources: Sequence[str], records: Sequence[str]) -> Answer:
    wanted = dict.fromkeys(zip(resources, records, strict=True))
    rows = present(at.get("observed", practice, system, *one) for one in wanted)
    return only(rows, "resource", "record", "content_hash", "revision", "parent")


@answers("tables")
def observed_records(at: Statement, practice: str, system: str, resource: str) -> Answer:
    rows = at.rows("observed", practice, system=system, resource=resource)
    return only(sorted(rows, key=lambda row: row["record"]), "record", "content_hash", "parent")


@answers("tables")
def save_observed(at: Statement, practice: str, *columns: Sequence[Any]) -> None:
    for system, resource, record, content_hash, parent in zip(*columns, strict=True):
        old = at.get("observed", practice, system, resource, record)
        revision = 1 if old is None else old["revision"] + (old["content_hash"] != content_hash)
        at.upsert(
            "observed", ("content_hash", "parent", "seen_at", "revision"),
            practice=practice, system=system, resource=resource, record=record, content_hash=content_hash,
            revision=revision, parent=parent, seen_at=at.clock(),
        )  # fmt: skip


@answers("tables")
def get_checkpoint(at: Statement, practice: str, source: str) -> Answer:
    return only(present([at.get("checkpoint", practice, source)]), "value")


@answers("tables")
def set_checkpoint(at: Statement, practice: str, source: str, value: str) -> None:
    changed = ("value", "updated_at")
    at.upsert("checkpoint", changed, practice=practice, source=source, value=value, updated_at=at.clock())


@answers("tables")
def get_subscriptions(at: Statement, practice: str) -> Answer:
    return only(at.rows("subscription", practice), "resource", "subscription", "signing_key")


@answers("tables")
def put_subscription(at: Statement, practice: str, resource: str, subscription: int, target: str, key: str) -> None:
    at.upsert(
        "subscription", ("subscription", "target", "signing_key"),
        practice=practice, resource=resource, subscription=subscription, target=target, signing_key=key,
    )  # fmt: skip


@answers("tables")
def save_reports(at: Statement, practices: Sequence[str], epochs: Sequence[int], docs: Sequence[str]) -> None:
    for practice, epoch, doc in zip(practices, epochs, docs, strict=True):
        if (old := at.get("report", practice)) is not None and old["epoch"] > epoch:
            at.lock("report", old)
            continue
        changed = ("epoch", "doc", "reported_at")
        at.upsert("report", changed, practice=practice, epoch=epoch, doc=doc, reported_at=at.clock())


@answers("tables")
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


@answers("tables")
def status_sources(at: Statement, practice: str) -> Answer:
    rows = sorted(at.rows("checkpoint", practice), key=lambda row: row["source"])
    return [{"source": row["source"], "age": (at.clock() - row["updated_at"]).total_seconds()} for row in rows]


@answers("tables")
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


@answers("tables")
def status_waiting(at: Statement, practice: str) -> Answer:
    codes = sorted(row["code"] for row in at.rows("waiting", practice))
    return [{"code": code, "count": codes.count(code)} for code in dict.fromkeys(codes)]


@answers("tables")
def waiting_patients(at: Statement, practice: str, code: str | None) -> Answer:
    keys = {row["patient_key"] for row in at.rows("waiting", practice) if code in (None, row["code"])}
    return [{"patient_key": key} for key in sorted(keys - {""})]
