"""Running a plan to its end: people act, things go wrong, then everything comes to rest and is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.demo.rehearsal import PASSES
from daemon.runtime.practice import PracticeRuntime
from daemon.vendors.elation.calendar_reading import WHOLE_PASS
from daemon.vendors.elation.connector import ElationConnector
from daemon.vendors.kareo.connector import KareoConnector
from events.commands import KeepOutRequested, MapGiveBackRequested, ReleaseRequested
from events.ids import BillingPatientId
from events.maps import MapKind
from events.store import Store
from events.writes import System
from tests.simulation.bystander import Bystander
from tests.simulation.clock import Stalled, VirtualLoop, simulate
from tests.simulation.plan import Plan
from tests.simulation.poison import expected
from tests.simulation.poisons import Poisons
from tests.simulation.restoring import restore
from tests.simulation.switching import switch
from tests.simulation.troubles import Troubles
from tests.simulation.world import World, connected, surrounded

LISTED_POLICIES = 2
REST_WITHIN = 48 * 3600.0


@dataclass
class Verdict:
    """What became of a plan. `broken` lists violations by invariant, `struck` how often each kind of poison
    struck; `digest` stands for the history of events."""

    plan: Plan
    broken: dict[str, list[str]] = field(default_factory=dict)
    digest: str = ""
    events: int = 0
    requests: int = 0
    seconds: float = 0.0
    alerts: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.broken


def play(plan: Plan, tell: Callable[[str], None] | None = None) -> Verdict:
    """Simulate `plan`. `tell` is given the log, a line at a time."""
    verdict, complaints = Verdict(plan), list[str]()

    async def main(loop: VirtualLoop) -> None:
        world = World(plan, loop, folder)
        try:
            with connected(world.cluster):
                await _day(world)
        except (Stalled, TimeoutError) as error:
            world.checks.say("rest", f"{type(error).__name__}: {error}")
        finally:
            await world.end()
        checks = world.checks
        unexpected = [one for one in complaints if one.partition(":")[0] not in expected(plan)]
        for text in (*world.network.defects, *loop.errors, *unexpected):
            checks.say("defects", text)
        verdict.broken, verdict.digest, verdict.events = checks.broken, checks.digest, checks.events
        verdict.requests, verdict.seconds = world.network.requests, loop.time()
        verdict.alerts, verdict.struck = dict(checks.alerts), dict(world.struck)

    with surrounded(plan.seed, tell, complaints.append) as folder:
        simulate(main)
    return verdict


async def _day(world: World) -> None:
    await world.begin()
    troubles = Troubles(world)
    async with asyncio.TaskGroup() as group:
        group.create_task(_deeds(world))
        group.create_task(switch(world))
        if "restores" in world.plan.settings:
            group.create_task(restore(world))
        for trouble in world.plan.troubles:
            group.create_task(troubles.happen(trouble))
        if world.plan.poisons:
            poisons = Poisons(world, troubles)
            world.struck = poisons.struck
            group.create_task(Bystander(world).live())
            for poison in world.plan.poisons:
                group.create_task(poisons.happen(poison))
    await asyncio.sleep(max(0.0, world.plan.ends - world.loop.time()))
    await _let_go(world)
    calm = world.loop.now()
    await asyncio.sleep(_calm_seconds(world))
    world.checks.seen(calm)
    await _slow_round(world)
    await _rest(world)
    before = world.checks.written()
    await _rest(world)
    if world.checks.written() != before:
        world.checks.say("I5", "writes go on though nobody changes anything")
    store = Store(world.database.pool(), world.keyring)
    await world.checks.at_rest(store)


async def _let_go(world: World) -> None:
    """People release what is still held, take in whom they kept out, and give back who of one system is who in the other: until all
    of it is recorded. The judge knows only who is who in truth."""
    async with asyncio.timeout(REST_WITHIN):
        for practice in (one.id for one in world.config.practice):
            office = world.checks.left_alone.of(practice)
            while office.holds or office.out or office.providers:
                for id_ in office.providers:
                    world.ask(practice, MapGiveBackRequested(kind=MapKind.PROVIDER, id=id_, who="people"))
                for slot in office.holds:
                    world.ask(practice, ReleaseRequested(slot=slot, who="people"))
                for system, number in office.out:
                    chart = {"ehr" if system == "elation" else "billing": number}
                    world.ask(practice, KeepOutRequested(who="people", undo=True), **chart)
                await asyncio.sleep(30.0)


async def _owner(world: World, practice: str) -> PracticeRuntime:
    """Whoever works for a practice, as soon as somebody does."""
    while (runtime := world.owner(practice)) is None:
        await asyncio.sleep(5.0)
    return runtime


async def _slow_round(world: World) -> None:
    """The slow rounds come by: of Elation's policies, of which no event tells, which may take an hour, and of GetPatient for those
    whose policies no list shows whole, which takes a day."""
    billing = world.clinic.billing
    for office in world.clinic.offices:
        ehr = (await _owner(world, office.id)).connectors[System.EHR]
        assert isinstance(ehr, ElationConnector)
        if ehr.policies is not None:
            await ehr.policies.read_known()
        for patient in [
            one.id for one in billing.patients.values() if one.practice_id == office.billing and not one.deleted
        ]:
            case = billing.state.primary_case(patient)
            if case is not None and len(billing.state.policies_of(case.id)) > LISTED_POLICIES:
                connector = (await _owner(world, office.id)).connectors[System.BILLING]
                assert isinstance(connector, KareoConnector)
                await connector.read_patient(BillingPatientId(patient))


def _calm_seconds(world: World) -> float:
    """Long enough for every poll to have come round after the last trouble, its longest pause included."""
    paces = [max(one.ehr.catch_up_seconds, one.billing.poll_seconds) for one in world.config.practice]
    return max(paces) + world.config.pace.longest_pause + 300.0


async def _deeds(world: World) -> None:
    for deed in world.plan.deeds:
        await asyncio.sleep(max(0.0, deed.at - world.loop.time()))
        world.people.do(deed)


async def _rest(world: World) -> None:
    """Until webhooks are delivered, every pass has gone round twice, sinks are idle and no event has come since."""
    practices = [one.id for one in world.config.practice]
    async with asyncio.timeout(REST_WITHIN):
        while True:
            heads = [world.checks.head(one) for one in practices]
            await world.clinic.ehr.webhooks.quiet(timeout=REST_WITHIN)
            for practice in practices:
                await _go_round(world, practice)
            idle = all(_idle(world, one) for one in practices)
            if idle and heads == [world.checks.head(one) for one in practices]:
                return
            await asyncio.sleep(5.0)


def _idle(world: World, practice: str) -> bool:
    runtime = world.owner(practice)
    if runtime is None or any(one.passes.hinted for one in runtime.connectors.values()):
        return False
    return all(sink.idle for sink in runtime.sinks.values())


async def _go_round(world: World, practice: str) -> None:
    """Every pass of a practice ends twice on one owner: the second one began after now."""
    runtime = await _owner(world, practice)
    connectors = runtime.connectors
    passes = [(source, name) for source, names in PASSES.items() for name in names]
    if getattr(connectors[System.EHR], "calendar", None) is not None:
        passes.append((System.EHR, WHOLE_PASS))
    wanted = {(source, name): connectors[source].passes.done.get(name, 0) + 2 for source, name in passes}
    while True:
        late = [
            (source, name) for (source, name), done in wanted.items() if connectors[source].passes.done.get(name, 0) < done
        ]
        if not late or world.owner(practice) is not runtime:
            return
        for source, name in late:
            connectors[source].nudge(name)
        await asyncio.sleep(5.0)
