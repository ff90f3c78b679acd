"""The clinic day in bad weather: both networks and both vendors fail all day long, and in the end everything is in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from daemon.demo import rehearsal
from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres, free_port
from daemon.demo.rehearsal import Rehearsal
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day, Settle
from daemon.sandbox.elation.faults import Fault
from tests.faults.proxy import KINDS, Proxy, proxy

SECONDS_BETWEEN = 0.4
EHR = ("refuse", "delay", "cut_before", "cut_after", "status", "garbage", "half")
BILLING = ("delay", "cut_before", "cut_after", "status", "fault", "garbage", "half", "throttle", "html")
"""Without refusals: one is an answer, which waits for a person."""

WEBHOOKS = ("lose", "duplicate", "delay", "reorder")


class Away:
    """A server behind a proxy: everything of its own but the port."""

    def __init__(self, server: EmbeddedPostgres, port: int) -> None:
        self._server = server
        self.port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """The daemon's connections go through the proxy, the owner's straight."""
        port = self.port if user == "chartwire" else self._server.port
        return f"postgresql://{user}@127.0.0.1:{port}/{database}"


def _unmet(fault: Fault) -> bool:
    return not fault.fired


class Weather:
    """Plans a failure somewhere every now and then."""

    def __init__(self, clinic: Clinic, seed: int) -> None:
        self._clinic = clinic
        self._random = random.Random(seed)
        self.proxies: list[Proxy] = []
        self.planned = 0
        self._storm: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def servers(self) -> AsyncIterator[tuple[Any, EmbeddedBroker]]:
        """As `rehearsal.servers`, with a proxy before each."""
        port = free_port()
        async with EmbeddedPostgres() as postgres, EmbeddedBroker(advertised=port) as broker:
            in_front = Proxy(broker.port)
            in_front.port = port
            async with proxy(postgres.port) as network:
                await in_front.start()
                self.proxies = [network, in_front]
                broker.port, own = port, broker.port
                try:
                    yield Away(postgres, network.port), broker
                finally:
                    if self._storm is not None:
                        self._storm.cancel()
                    broker.port = own
                    await in_front.stop()

    def begin(self) -> None:
        self._storm = asyncio.create_task(self._blow())

    def clear_up(self) -> None:
        """No more failures, also of those that are planned."""
        assert self._storm is not None
        self._storm.cancel()
        self._clinic.ehr.faults.clear()
        self._clinic.billing.faults.clear()
        for one in self.proxies:
            one.clear()

    async def _blow(self) -> None:
        clinic, pick = self._clinic, self._random
        while True:
            await asyncio.sleep(SECONDS_BETWEEN)
            self.planned += 1
            match pick.randrange(6):
                case 0 | 1:
                    pick.choice(self.proxies).plan(pick.choice(KINDS))
                case 2 if not any(map(_unmet, clinic.ehr.faults.planned)):
                    status = pick.choice((429, 500, 502, 503))
                    clinic.ehr.faults.add(kind=pick.choice(EHR), status=status, seconds=0.5)  # type: ignore[arg-type]
                case 3 if not clinic.billing.faults.planned:
                    clinic.billing.faults.add("*", pick.choice(BILLING), status=503, seconds=0.5)  # type: ignore[arg-type]
                case 4:
                    clinic.ehr.faults.add_webhook(kind=pick.choice(WEBHOOKS), seconds=1.0)  # type: ignore[arg-type]
                case 5:
                    pick.choice(self.proxies).cut_all()


class WetDay(Day):
    """The weather begins when the daemon runs, and clears up after the last scene."""

    def __init__(self, weather: Weather, clinic: Clinic) -> None:
        super().__init__(clinic, seed=7, size=3)
        self._weather = weather

    def prepare(self) -> None:
        super().prepare()
        self._weather.begin()

    async def play(self, settle: Settle) -> None:
        await super().play(settle)
        self._weather.clear_up()


@pytest.mark.slow
async def test_the_day_comes_out_right_in_bad_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    clinic = Clinic()
    weather = Weather(clinic, seed=7)
    monkeypatch.setattr(rehearsal, "servers", weather.servers)
    report = await Rehearsal(clinic, WetDay(weather, clinic), lambda _line: None).run()
    assert {name: broken for name, broken in report["invariants"].items() if broken} == {}
    assert weather.planned > 40
    assert all(one.met for one in weather.proxies)
    met = {call.fault for call in (*clinic.ehr.calls, *clinic.billing.calls)} - {None}
    assert len(met) >= 8, "failures of most kinds were met"
