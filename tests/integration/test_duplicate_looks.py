"""Looks for duplicates beside the requests: a page waits a moment, whoever asks meanwhile gets the same look, an error is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from msgspec.structs import replace

from daemon.console.duplicate_looks import DuplicateLooks
from events.codec import Keyring
from events.ids import BillingPatientId
from events.schema import BillingChartObserved
from events.store import Store
from tests.integration.recorder_driver import POLICY, RecorderDriver, opened
from tests.integration.test_duplicates import filled
from tests.unit.records import ADA_THERE

PATIENT = 30.0
"""Seconds: longer than any look takes."""


@asynccontextmanager
async def looking(store: Store, patience: float) -> AsyncIterator[DuplicateLooks]:
    async with asyncio.TaskGroup() as group:
        looks = DuplicateLooks(store, group, patience)
        yield looks
        looks.stop()


async def desk_with(store: Store, keyring: Keyring, *ids: int) -> RecorderDriver:
    desk = await opened(store, keyring)
    await entered(desk, *ids)
    return desk


async def entered(desk: RecorderDriver, *ids: int) -> None:
    await desk.see(*(BillingChartObserved(chart=replace(ADA_THERE, id=BillingPatientId(one))) for one in ids))
    await filled(desk)


async def test_a_page_that_waits_gets_the_pairs_and_later_those_that_came(store: Store, keyring: Keyring) -> None:
    desk = await desk_with(store, keyring, 901, 950)
    async with looking(store, PATIENT) as looks:
        found = await looks.of(POLICY)
        assert found is not None
        assert [(one.one, one.other) for one in found.pairs] == [(901, 950)]
        await entered(desk, 951)
        again = await looks.of(POLICY)
        assert again is not None
        assert (len(again.pairs), again.open_pairs) == (3, 3)


async def test_a_page_does_not_wait_for_long_and_the_look_goes_on(store: Store, keyring: Keyring) -> None:
    await desk_with(store, keyring, 901, 950)
    async with looking(store, 0.0) as looks:
        assert await looks.of(POLICY) is None
        (task,) = looks._running.values()
        assert await looks.of(POLICY) is None, "who asks meanwhile begins none"
        assert list(looks._running.values()) == [task]
        found = await task
        assert not isinstance(found, Exception)
        assert len(found.pairs) == 1
        assert looks._running == {}


async def test_what_a_look_raises_reaches_who_waits_and_ends_nothing_else(
    store: Store, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk_with(store, keyring, 901, 950)

    async def away(*_given: object) -> int:
        raise asyncpg.ConnectionDoesNotExistError

    async with looking(store, PATIENT) as looks:
        with monkeypatch.context() as broken:
            broken.setattr(Store, "head", away)
            with pytest.raises(asyncpg.ConnectionDoesNotExistError):
                await looks.of(POLICY)
        assert await looks.of(POLICY) is not None
