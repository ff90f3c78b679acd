"""The named queries of `events/sql` that replays, audits, rebuilds and commands ask, as tests/simulation/answers.py has those of every day."""

from __future__ import annotations

from collections.abc import Sequence

from events.store import ALL
from tests.simulation.answers import Answer, answers, by_role, events, only
from tests.simulation.rows import Statement


@answers
def read_types(at: Statement, practice: str, after: int, up_to: int, limit: int, types: Sequence[str]) -> Answer:
    return [row for row in events(at, practice, after, up_to, ALL) if row["type"] in types][:limit]


@answers
def read_practice(at: Statement, practice: str, after: int, up_to: int, limit: int) -> Answer:
    return events(at, practice, after, up_to, limit, patient_key="")


@answers
def heads(at: Statement) -> Answer:
    every = [row for practice in sorted(at.practices("practice_head")) for row in at.rows("practice_head", practice)]
    return only(every, "practice", "sequence")


@answers
def beyond(at: Statement, practice: str) -> Answer:
    known = at.get("practice_head", practice)
    late = [] if known is None else events(at, practice, known["sequence"], None, 1)
    return [{"min": late[0]["sequence"] if late else None}]


@answers
def all_charts(at: Statement, practice: str) -> Answer:
    return by_role(at.rows("chart", practice), "ehr", "patient_key")


@answers
def all_waiting(at: Statement, practice: str) -> Answer:
    return only(at.rows("waiting", practice), "patient_key", "slot", "code", "since")


@answers
def all_dependencies(at: Statement, practice: str) -> Answer:
    return only(at.rows("dependency", practice), "depends_on", "patient_key")


def _clear(at: Statement, table: str, practice: str) -> None:
    for row in at.rows(table, practice):
        at.delete(table, row)


@answers
def clear_patients(at: Statement, practice: str) -> None:
    _clear(at, "patient", practice)


@answers
def clear_directory(at: Statement, practice: str) -> None:
    _clear(at, "directory", practice)


@answers
def clear_charts(at: Statement, practice: str) -> None:
    _clear(at, "chart", practice)


@answers
def clear_links(at: Statement, practice: str) -> None:
    _clear(at, "link", practice)


@answers
def clear_open_intents(at: Statement, practice: str) -> None:
    _clear(at, "open_intent", practice)


@answers
def clear_waiting(at: Statement, practice: str) -> None:
    _clear(at, "waiting", practice)


@answers
def clear_dependencies(at: Statement, practice: str) -> None:
    _clear(at, "dependency", practice)


@answers
def waiting_patients(at: Statement, practice: str, code: str | None) -> Answer:
    keys = {row["patient_key"] for row in at.rows("waiting", practice) if code in (None, row["code"])}
    return [{"patient_key": key} for key in sorted(keys - {""})]


@answers
def waiting_of_practice(at: Statement, practice: str) -> Answer:
    mine = [row for row in at.rows("waiting", practice) if not row["patient_key"]]
    return only(sorted(mine, key=lambda row: row["slot"]), "slot", "code", "since")
