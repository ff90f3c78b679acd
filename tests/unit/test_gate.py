"""An account whose credentials were refused is not hammered: vendors lock it."""

from __future__ import annotations

import asyncio

import pytest

from daemon.vendors.ports.errors import CredentialsRefused, NotFound, Unauthorized, Unreachable
from daemon.vendors.ports.gate import AccountGate, AccountGates


class Vendor:
    """Counts the calls that reach it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.gate = AccountGate(lambda: self.now)
        self.tried: list[float] = []
        self.under_way = self.most = 0
        self.error: Exception | None = CredentialsRefused("op")

    async def call(self) -> None:
        async with self.gate.turn("op"):
            self.tried.append(self.now)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0)
            self.under_way -= 1
            if self.error is not None:
                raise self.error

    async def hammer(self, seconds: float) -> None:
        """Call every ten seconds, twice at once, as passes and sinks do."""
        until = self.now + seconds
        while self.now < until:
            answers = await asyncio.gather(self.call(), self.call(), return_exceptions=True)
            assert [type(one) for one in answers] == [CredentialsRefused] * 2
            self.now += 10.0


async def test_refused_credentials_are_tried_three_times_in_the_first_hour_and_then_hourly() -> None:
    vendor = Vendor()
    await vendor.hammer(3600)
    assert len(vendor.tried) == 3
    await vendor.hammer(10 * 3600)
    assert 3 + 9 <= len(vendor.tried) <= 3 + 10
    assert vendor.most == 1


async def test_a_person_who_says_so_is_heard_at_once() -> None:
    vendor = Vendor()
    await vendor.hammer(1800)
    before = len(vendor.tried)
    vendor.error = None
    with pytest.raises(CredentialsRefused, match="not tried again yet"):
        await vendor.call()
    vendor.gate.reopen()
    await vendor.call()
    assert len(vendor.tried) == before + 1
    assert not vendor.gate.shut


async def test_after_a_success_the_count_begins_anew() -> None:
    vendor = Vendor()
    await vendor.hammer(3600)
    vendor.now += 3600
    vendor.error = None
    await vendor.call()
    vendor.error, vendor.tried = CredentialsRefused("op"), []
    await vendor.hammer(3600)
    assert len(set(vendor.tried)) == 3


@pytest.mark.parametrize("error", [Unreachable("op"), Unauthorized("op"), NotFound("op", status=404)])
async def test_other_errors_do_not_shut_it(error: Exception) -> None:
    vendor = Vendor()
    vendor.error = error
    for _ in range(5):
        with pytest.raises(type(error)):
            await vendor.call()
    assert len(vendor.tried) == 5


async def test_until_credentials_are_known_to_be_good_one_call_tries_them() -> None:
    vendor = Vendor()
    vendor.error = None
    await asyncio.gather(*(vendor.call() for _ in range(8)))
    assert vendor.tried == [0.0] * 8
    vendor.most = 0
    await asyncio.gather(*(vendor.call() for _ in range(8)))
    assert vendor.most == 8


def test_another_secret_is_another_gate() -> None:
    gates = AccountGates()
    assert gates.of("https://x", "client", "old") is gates.of("https://x", "client", "old")
    assert gates.of("https://x", "client", "old") is not gates.of("https://x", "client", "new")
    assert gates.of("ab", "c") is not gates.of("a", "bc")


async def test_where_a_token_comes_first_nobody_waits_for_anybody_before_a_refusal() -> None:
    vendor = Vendor()
    vendor.gate = AccountGate(lambda: vendor.now, one_at_first=False)
    vendor.error = Unreachable("op")
    await asyncio.gather(*(vendor.call() for _ in range(8)), return_exceptions=True)
    assert vendor.most == 8
    vendor.error, vendor.tried = CredentialsRefused("op"), []
    await vendor.hammer(3600)
    assert len(set(vendor.tried)) == 3
