"""After an owner of an older format: the projections are made anew from the events, beside the practice at work (events/formats.py).

An older version leaves out of a projection what it does not know, whenever it saves one. Nothing is lost: the events have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from daemon.history.rebuild import rebuild
from events.formats import is_projected
from events.keys import KeyMissing, UnreadableEvent
from events.store import AWAY, Store
from projections.terms.policy import Policy

log = structlog.get_logger()

AWAY_SECONDS = 5.0


async def renew(store: Store, policy: Policy, now: Callable[[], datetime], turn: asyncio.Semaphore) -> None:
    """Make the practice's projections anew where they need it, then wait until cancelled. `turn` bounds how many are made at once."""
    while True:
        try:
            if not await is_projected(store.pool, policy.practice):
                async with turn:
                    replay = await rebuild(store, policy, now())
                log.info("projections_made_anew", practice=policy.practice, events=replay.sequence)
        except AWAY as error:
            log.warning("renewal_delayed", practice=policy.practice, error_type=type(error).__name__)
            await asyncio.sleep(AWAY_SECONDS)
            continue
        except (
            UnreadableEvent,
            KeyMissing,
            ValueError,
        ) as error:  # the practice goes on; `chartwire replay --verify` says where
            log.error("projections_not_made_anew", practice=policy.practice, error_type=type(error).__name__)
        await asyncio.Event().wait()
