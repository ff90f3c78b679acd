"""The named queries of those who look on: metrics, the doctor and notices (`events/sql/status.sql`, `notices.sql`)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.answers import Answer, answers, only, present
from tests.simulation.rows import Statement


@answers
def waiting_by_code(at: Statement, practices: Sequence[str]) -> Answer:
    codes = [row["code"] for practice in dict.fromkeys(practices) for row in at.rows("waiting", practice)]
    return [{"code": code, "count": codes.count(code)} for code in dict.fromkeys(codes)]


@answers
def waiting_at_a_glance(at: Statement, practices: Sequence[str]) -> Answer:
    counts = {practice: len(at.rows("waiting", practice)) for practice in dict.fromkeys(practices)}
    return [{"practice": practice, "count": count} for practice, count in counts.items() if count]


@answers
def heads_at_a_glance(at: Statement, practices: Sequence[str]) -> Answer:
    found: Answer = []
    for practice in dict.fromkeys(practices):
        head, said = at.get("practice_head", practice), at.get("report", practice)
        if head is None:
            continue
        mine = said if said is not None and said["epoch"] == head["epoch"] else None
        age = None if mine is None else (at.clock() - mine["reported_at"]).total_seconds()
        found.append({"practice": practice, "doc": mine and mine["doc"], "report_age": age})
    return found


@answers
def heard_of_sources(at: Statement, practices: Sequence[str]) -> Answer:
    return [
        {"practice": practice, "source": row["source"], "age": (at.clock() - row["updated_at"]).total_seconds()}
        for practice in dict.fromkeys(practices)
        for row in at.rows("checkpoint", practice)
    ]


@answers
def waiting_longest(at: Statement, practice: str) -> Answer:
    rows = at.rows("waiting", practice)
    found = {code: [row["since"] for row in rows if row["code"] == code] for code in sorted({row["code"] for row in rows})}
    return [{"code": code, "count": len(since), "since": min(since)} for code, since in found.items()]


@answers
def link_of(at: Statement, practice: str, sequence: int) -> Answer:
    return only(present([at.get("event", practice, sequence)]), "chain")


@answers
def notices(at: Statement, practices: Sequence[str]) -> Answer:
    return only(
        [row for practice in dict.fromkeys(practices) for row in at.rows("notice", practice)], "practice", "audience", "doc"
    )


@answers
def save_notice(at: Statement, practice: str, audience: str, epoch: int, doc: str) -> Answer:
    head, old = at.get("practice_head", practice), at.get("notice", practice, audience)
    if head is None or head["epoch"] != epoch:
        return []
    if old is not None and old["epoch"] > epoch:
        at.lock("notice", old)
        return []
    changed = ("epoch", "doc", "updated_at")
    at.upsert("notice", changed, practice=practice, audience=audience, epoch=epoch, doc=doc, updated_at=at.clock())
    return [{"practice": practice}]


@answers
def waiting_of_each(at: Statement, practices: Sequence[str]) -> Answer:
    return [
        {"practice": practice, **row} for practice in dict.fromkeys(practices) for row in waiting_longest(at, practice) or ()
    ]
