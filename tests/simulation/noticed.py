"""The named queries of `events/sql/notices.sql`, as tests/simulation/answers.py has those of every day."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.answers import Answer, answers, only
from tests.simulation.rows import Statement


def longest(at: Statement, practice: str) -> Answer:
    """What waits in a practice by code, and since when the first of it does."""
    rows = at.rows("waiting", practice)
    found = {code: [row["since"] for row in rows if row["code"] == code] for code in sorted({row["code"] for row in rows})}
    return [{"code": code, "count": len(since), "since": min(since)} for code, since in found.items()]


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
    return [{"practice": practice, **row} for practice in dict.fromkeys(practices) for row in longest(at, practice)]
