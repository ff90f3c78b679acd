"""Taking a practice over: what is known of it outside of the store is looked at first (events/witnessed.py)."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from daemon.runtime.surroundings import Surroundings
from daemon.tables.status import link_of
from events.formats import demand_format
from events.ids import PracticeId
from events.restarts import HistoryRestarted
from events.witnessed import NEVER_OWNED, restart_of

log = structlog.get_logger()


@dataclass(frozen=True)
class Taken:
    """The epoch of the new owner; `restarted` where the store was restored to an earlier state and nobody has recorded it yet."""

    epoch: int
    restarted: HistoryRestarted | None = None


async def take_over(around: Surroundings, practice: PracticeId, owner: str) -> Taken:
    """Become the practice's owner, in an epoch above every one that was ever known: older owners are fenced, whatever the store has
    forgotten. Raises ConnectionError while the witness cannot be read, OlderVersion where a newer version finished the database."""
    store = around.store
    await demand_format(store.pool)
    witnessed = await around.bus.heads.last(practice)
    before = await store.head_row(practice) or NEVER_OWNED
    if witnessed is None and before.sequence:
        log.warning("witness_missing", practice=practice, sequence=before.sequence)
    epoch = await store.take_over(practice, owner, above=0 if witnessed is None else witnessed.epoch)
    head = await store.head_row(practice) or NEVER_OWNED
    link = None if witnessed is None else await link_of(store.pool, practice, witnessed.sequence)
    restarted = restart_of(witnessed, before.epoch, head, link)
    if restarted is not None:
        log.error("store_restored", practice=practice, epoch=epoch, count=restarted.witnessed - restarted.kept)
    return Taken(epoch, restarted)
