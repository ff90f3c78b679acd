"""What goes wrong: each trouble of the plan, begun and ended. All of them end with the day."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from tests.simulation.network import Call
from tests.simulation.plan import VENDOR_TROUBLES, Trouble
from tests.simulation.world import BILLING, EHR, World

STATUSES = (500, 502, 503, 504)
WEBHOOKS = {
    "webhooks are lost": "lose",
    "webhooks come twice": "duplicate",
    "webhooks come late": "delay",
    "webhooks come in disorder": "reorder",
}
BY_NETWORK = frozenset({"refused", "lost", "unanswered"})
"""Fates that never reach a sandbox, or that it does not know of; the others it brings about itself."""


class Troubles:
    """Carries out the troubles of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._storms: dict[str, list[_Storm]] = {EHR: [], BILLING: []}
        for host, storms in self._storms.items():
            world.network.hosts[host].weather = lambda call, storms=storms: _fate(call, storms)  # type: ignore[misc]
        world.network.hosts[EHR].plan = self._plan_elation
        world.network.hosts[BILLING].plan = self._plan_kareo
        self.cuts: list[Callable[[str], None]] = []
        world.database.fault = self._cut
        self._statuses = random.Random(f"{world.plan.seed}/statuses")

    async def happen(self, trouble: Trouble) -> None:
        """From its beginning to its end."""
        world = self._world
        await asyncio.sleep(max(0.0, trouble.at - world.loop.time()))
        end = self._begin(trouble, random.Random(f"trouble/{trouble.pick}"))
        left = max(0.0, world.plan.ends - world.loop.time())
        await asyncio.sleep(min(trouble.seconds, left))
        if end is not None:
            end()

    def _begin(self, trouble: Trouble, pick: random.Random) -> Callable[[], None] | None:
        """Bring it about; returns what ends it."""
        match trouble.kind:
            case "requests to Elation fail":
                return self._storm(EHR, trouble, pick, VENDOR_TROUBLES)
            case "requests to Kareo fail":
                return self._storm(BILLING, trouble, pick, (*VENDOR_TROUBLES, "html"))
            case "Kareo answers with faults":
                return self._storm(BILLING, trouble, pick, ("fault",))
            case "Kareo finds the calls too many":
                return self._storm(BILLING, trouble, pick, ("throttle",))
            case "Elation finds the calls too many":
                return self._storm(EHR, trouble, pick, ("429",))
            case "Elation is down" | "Kareo is down":
                host = EHR if trouble.kind.startswith("Elation") else BILLING
                return self._storm(host, trouble, pick, (pick.choice(("refused", "lost", "status")),), share=1.0)
            case "the tokens of Elation expire" | "the credential of Elation is withdrawn":
                return self._credentials(trouble, pick)
            case "a worker is killed" | "a worker is suspended":
                return self._still(trouble, pick)
            case "PostgreSQL is away":
                self._world.database.stop()
                return self._world.database.start
            case "PostgreSQL loses connections":
                return self._lose_connections(trouble, pick)
            case "Kafka is away":
                self._world.cluster.leave()
                return self._world.cluster.come_back
            case "Kafka loses everything":
                self._world.cluster.lose_everything()
                return None
        return self._webhooks(trouble)

    # -- vendors ----------------------------------------------------------------------------------------------------------

    def _storm(
        self, host: str, trouble: Trouble, pick: random.Random, fates: tuple[str, ...], share: float | None = None
    ) -> Callable[[], None]:
        storm = _Storm(trouble.share if share is None else share, fates, pick)
        self._storms[host].append(storm)
        return lambda: self._storms[host].remove(storm)

    def _plan_elation(self, call: Call) -> None:
        faults: Any = self._world.clinic.ehr.faults
        if call.fate == "429":
            faults.add(kind="status", status=429)
        elif call.fate and call.fate not in BY_NETWORK:
            faults.add(kind=call.fate, status=self._statuses.choice(STATUSES))

    def _plan_kareo(self, call: Call) -> None:
        faults: Any = self._world.clinic.billing.faults
        if call.fate and call.fate not in BY_NETWORK and call.method == "POST":
            faults.add("*", call.fate, status=self._statuses.choice(STATUSES))

    def _webhooks(self, trouble: Trouble) -> Callable[[], None]:
        faults: Any = self._world.clinic.ehr.faults
        fault = faults.add_webhook(kind=WEBHOOKS[trouble.kind], times=None, seconds=trouble.seconds)

        def end() -> None:
            fault.times = 0

        return end

    def _credentials(self, trouble: Trouble, pick: random.Random) -> Callable[[], None] | None:
        people = self._world.clinic.ehr.people
        client = f"client-{pick.choice(self._world.offices).id}"
        if trouble.kind == "the tokens of Elation expire":
            people.expire_tokens(client)
            return None
        people.revoke_credential(client)

        def end() -> None:
            """Who puts the credential right also reloads the workers (SIGHUP)."""
            people.restore_credential(client)
            for machine in self._world.machines:
                for practice in machine.worker.practices.values() if machine.worker is not None else ():
                    practice.hurry()

        return end

    # -- our own ----------------------------------------------------------------------------------------------------------

    def _still(self, trouble: Trouble, pick: random.Random) -> Callable[[], None]:
        machine = pick.choice(self._world.machines)
        if trouble.kind == "a worker is killed":
            machine.kill()
            return machine.start
        process = machine.process
        if process is None or not process.alive or process.suspended:
            return lambda: None
        process.suspend()
        return process.resume

    def _lose_connections(self, trouble: Trouble, pick: random.Random) -> Callable[[], None]:
        def fault(name: str) -> None:
            if pick.random() < trouble.share * (0.5 if name in ("commit", "committed") else 0.1):
                raise ConnectionResetError("the connection was cut")

        self.cuts.append(fault)
        return lambda: self.cuts.remove(fault)

    def _cut(self, name: str) -> None:
        for fault in self.cuts:
            fault(name)


class _Storm:
    """A share of requests that meets one of `fates`."""

    def __init__(self, share: float, fates: tuple[str, ...], pick: random.Random) -> None:
        self._share = share
        self._fates = fates
        self._pick = pick

    def fate(self) -> str:
        return self._pick.choice(self._fates) if self._pick.random() < self._share else ""


def _fate(call: Call, storms: list[_Storm]) -> str:
    return next((fate for storm in storms if (fate := storm.fate())), "")


def _nothing(_value: object) -> None:
    return None
