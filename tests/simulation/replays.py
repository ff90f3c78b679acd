"""The named queries of `events/sql/replay.sql`, as tests/simulation/answers.py has those of every day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from events.store import ALL
from tests.simulation.answers import (
    Answer,
    answers,
    events,
    links,
    list_open_intents,
    load_directory,
    lock_head,
    only,
    present,
)
from tests.simulation.rows import Statement


@answers("replay")
def by_id(at: Statement, practice: str, id_: Any) -> Answer:
    return present([at.find("event", ("practice", "event_id"), practice, id_)])


@answers("replay")
def by_type(at: Statement, practice: str, after: int, types: Sequence[str], limit: int) -> Answer:
    return [row for row in events(at, practice, after, None, ALL) if row["type"] in types][:limit]


@answers("replay")
def practice_events(at: Statement, practice: str, after: int, up_to: int, limit: int) -> Answer:
    return events(at, practice, after, up_to, limit, patient_key="")


@answers("replay")
def heads(at: Statement) -> Answer:
    every = [row for practice in sorted(at.practices("practice_head")) for row in at.rows("practice_head", practice)]
    return only(every, "practice", "sequence", "chain")


@answers("replay")
def head_(at: Statement, practice: str) -> Answer:
    return only(present([at.get("practice_head", practice)]), "sequence", "epoch", "chain")


@answers("replay")
def beyond(at: Statement, practice: str) -> Answer:
    known = at.get("practice_head", practice)
    late = [] if known is None else events(at, practice, known["sequence"], None, 1)
    return [{"min": late[0]["sequence"] if late else None}]


@answers("replay")
def lock_head_(at: Statement, practice: str) -> Answer:
    return only(lock_head(at, practice) or (), "sequence")


@answers("replay")
def mark_rebuilt(at: Statement, practice: str) -> None:
    if (known := at.get("practice_head", practice)) is not None:
        at.update("practice_head", known, rebuilt=known["rebuilt"] + 1)


@answers("replay")
def patients(at: Statement, practice: str) -> Answer:
    rows = sorted(at.rows("patient", practice), key=lambda row: row["patient_key"])
    return only(rows, "patient_key", "sequence", "revisit_on", "key_id", "doc")


@answers("replay")
def directory(at: Statement, practice: str) -> Answer:
    return [{"patient_key": "", **row} for row in load_directory(at, practice) or ()]


@answers("replay")
def chart(at: Statement, practice: str) -> Answer:
    return only(at.rows("chart", practice), "elation_chart", "patient_key")


@answers("replay")
def link(at: Statement, practice: str) -> Answer | None:
    return links(at, practice)


@answers("replay")
def open_intent(at: Statement, practice: str) -> Answer | None:
    return list_open_intents(at, practice)


@answers("replay")
def waiting(at: Statement, practice: str) -> Answer:
    return only(at.rows("waiting", practice), "patient_key", "slot", "code", "since")


@answers("replay")
def dependency(at: Statement, practice: str) -> Answer:
    return only(at.rows("dependency", practice), "depends_on", "patient_key")
