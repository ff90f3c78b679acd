"""The named queries of `events/sql/heads.sql` and `formats.sql`, as tests/simulation/answers.py has those of every day."""

from __future__ import annotations

from tests.simulation.answers import Answer, answers, only, present
from tests.simulation.rows import Statement


@answers
def take_over(at: Statement, practice: str, owner: str, written: int) -> Answer:
    old = at.get("practice_head", practice)
    epoch = 1 if old is None else old["epoch"] + 1
    if old is None or old["sequence"] == 0:
        projected = written
    else:
        projected = 1 if old["format_epoch"] != old["epoch"] else min(old["projected"], old["format"])
    values = {
        "epoch": epoch,
        "reader_epoch": epoch,
        "owner": owner,
        "taken_at": at.clock(),
        "format": written,
        "format_epoch": epoch,
        "projected": projected,
    }
    at.upsert("practice_head", tuple(values), practice=practice, **values)
    return [{"epoch": epoch}]


@answers
def lock_head(at: Statement, practice: str) -> Answer:
    head = at.get("practice_head", practice)
    if head is None:
        return []
    at.lock("practice_head", head)
    return only([head], "sequence", "epoch", "chain", "rebuilt", "keys")


@answers
def epoch(at: Statement, practice: str) -> Answer:
    return only(present([at.get("practice_head", practice)]), "epoch")


@answers
def head(at: Statement, practice: str) -> Answer:
    return only(present([at.get("practice_head", practice)]), "sequence", "epoch", "chain")


@answers
def advance_head(at: Statement, practice: str, sequence: int, chain: bytes, channel: str) -> Answer:
    head = at.get("practice_head", practice)
    if head is None:
        return []
    at.update("practice_head", head, sequence=sequence, chain=chain)
    at.notifications[channel, practice] = None
    return [{"pg_notify": None}]


@answers
def mark_rebuilt(at: Statement, practice: str, written: int) -> None:
    if (known := at.get("practice_head", practice)) is not None:
        at.update("practice_head", known, rebuilt=known["rebuilt"] + 1, projected=written)


@answers
def projected(at: Statement, practice: str) -> Answer:
    return only(present([at.get("practice_head", practice)]), "projected")


@answers
def least_format(at: Statement) -> Answer:
    """Nobody finishes a migration in the simulation."""
    return []
