"""`chartwire recover`: the look-first mode is begun by hand, beside a worker that has the practice and without one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from daemon.operator.recovering import NothingStored, begin_recovery
from daemon.runtime.recovery import Caution
from daemon.tables import documents as tables
from events.codec import Keyring
from events.restarts import HistoryRestarted, HistoryResumed
from events.slots import RESTART_SLOT
from events.store import Fenced, Store
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import POLICY, RecorderDriver
from tests.integration.test_history_compare import differences


async def begin(store: Store) -> HistoryRestarted:
    return await begin_recovery(store, POLICY, "America/Denver", lambda: datetime.now(UTC))


async def test_whoever_has_the_practice_is_fenced_and_the_next_owner_looks_first(
    store: Store, keyring: Keyring, driver: RecorderDriver
) -> None:
    before = await store.head(PRACTICE)
    restarted = await begin(store)
    assert (restarted.kept, restarted.witnessed, restarted.epoch) == (before, before, driver.recorder.epoch)
    with pytest.raises(Fenced):
        await driver.recorder.record_practice([HistoryResumed()])
    successor = await driver.successor()
    opened = await successor.recorder.load_open()
    assert opened.directory is not None
    assert RESTART_SLOT in opened.directory.waiting
    caution = Caution()
    caution.recall(opened.directory.restarted)
    assert caution.lasts
    assert await differences(store) == []


async def test_begun_again_it_begins_anew(store: Store, keyring: Keyring, driver: RecorderDriver) -> None:
    """Also after it was over: what was created in between is looked for."""
    await begin(store)
    successor = await driver.successor()
    await successor.recorder.record_practice([HistoryResumed()])
    over = (await tables.directory(store.pool, PRACTICE, keyring)).restarted
    assert over is not None
    assert over.over is not None
    await begin(store)
    again = (await tables.directory(store.pool, PRACTICE, keyring)).restarted
    assert again is not None
    assert again.over is None
    assert again.kept > over.kept
    assert await differences(store) == []


async def test_a_practice_without_events_has_nothing_to_look_for(store: Store) -> None:
    with pytest.raises(NothingStored):
        await begin(store)
    assert await store.head_row(PRACTICE) is None, "and nobody is fenced"
