"""One practice's trouble at start, at take-over and at work stays its own: it is shown, and begun again by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from daemon.runtime.supervision import BEGINNING, SHOWN_AFTER, STEADY_SECONDS, failed_again
from daemon.tables.status import Report
from events.codec import Keyring
from events.slots import STANDING_SLOT
from tests.faults.pair import HIT, OTHER, Pair, damaged, lived
from tests.simulation.network import Call
from tests.simulation.world import BILLING, EHR

MINUTES = 60.0
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


async def others_are_served(pair: Pair) -> None:
    """The other practice's change is written within the guide's five minutes."""
    city = pair.move(OTHER)
    assert await pair.until(lambda: pair.lives_in(OTHER, city), 5 * MINUTES, OTHER)


async def heals(pair: Pair) -> None:
    city = pair.move(HIT)
    assert await pair.until(lambda: pair.lives_in(HIT, city), 30 * MINUTES, HIT)
    assert [machine.starts for machine in pair.world.machines] == [pair.starts], "without a restart"


def reported(pair: Pair) -> Report:
    """What the practice's owner said last."""
    rows = [row for row in pair.world.database.rows("report") if row["practice"] == HIT]
    return msgspec.json.decode(rows[0]["doc"], type=Report) if rows else Report()


@pytest.mark.parametrize("fate", ["refused", "lost"])
def test_a1_a_vendor_that_is_away_or_hangs_stops_no_start(fate: str) -> None:
    """Both systems of one practice, at the start: the other is at work, the one says what is wrong and comes by itself."""

    async def story(pair: Pair) -> None:
        office = pair.world.clinic.offices[0]
        away = True

        def billing(call: Call) -> str:
            return fate if away and office.customer_key.encode() in call.body else ""

        def ehr(call: Call) -> str:
            return fate if away and b"client-elm" in call.body else ""

        pair.world.network.hosts[BILLING].weather = billing
        pair.world.network.hosts[EHR].weather = ehr
        await pair.world.begin()
        pair.deed("registers a patient in Kareo", 0)
        pair.deed("registers a patient in Kareo", 1)
        assert await pair.until(lambda: bool(pair.world.links(OTHER)), 5 * MINUTES, OTHER)
        wanted = {("system:elation", "unreachable"), ("system:kareo", "unreachable")}
        assert await pair.until(lambda: pair.waiting(HIT) == wanted, 15 * MINUTES), pair.waiting(HIT)
        await others_are_served(pair)
        away = False
        assert await pair.until(lambda: bool(pair.world.links(HIT)), 15 * MINUTES, HIT)
        assert await pair.until(lambda: not {one for one in pair.waiting(HIT) if one in wanted}, 15 * MINUTES)

    lived(story, begun=False)


def test_a3_a_damaged_row_keeps_one_practice_from_being_taken() -> None:
    """One byte flipped in the stored directory; it is shown why, and put right it goes on."""

    async def story(pair: Pair) -> None:
        rows = pair.world.database.tables["directory"].rows[HIT]
        (key,) = rows
        whole = rows[key]
        rows[key] = damaged(whole)
        pair.restart()
        await others_are_served(pair)
        assert pair.world.owner(HIT) is None
        assert await pair.until(lambda: "stands still since" in reported(pair).standing, 5 * MINUTES)
        rows[key] = whole
        assert await pair.until(lambda: pair.world.owner(HIT) is not None, 10 * MINUTES)
        await heals(pair)

    lived(story)


def test_a3_a_missing_key_keeps_one_practice_from_being_taken() -> None:
    async def story(pair: Pair) -> None:
        whole = pair.world.keyring
        pair.world.keyring = Keyring(whole.keys_of(OTHER))
        pair.restart()
        await others_are_served(pair)
        assert pair.world.owner(HIT) is None
        assert await pair.until(lambda: "KeyMissing" in reported(pair).standing, 5 * MINUTES)
        pair.world.keyring.renew(whole)
        assert await pair.until(lambda: pair.world.owner(HIT) is not None, 10 * MINUTES)
        await heals(pair)

    lived(story)


def test_a_reload_begins_at_once_what_stands_still() -> None:
    """The missing key is there now, and the next try would be minutes away. The other practice is not touched."""

    async def story(pair: Pair) -> None:
        world, whole = pair.world, pair.world.keyring
        world.keyring = Keyring(whole.keys_of(OTHER))
        pair.restart()
        assert await pair.until(lambda: world.machines[0].worker is not None and world.owner(OTHER) is not None, 5 * MINUTES)
        await asyncio.sleep(20 * MINUTES)
        assert world.owner(HIT) is None
        other, (machine,) = world.owner(OTHER), world.machines
        assert machine.worker is not None
        await machine.worker.reload(world.config, whole)
        assert await pair.until(lambda: world.owner(HIT) is not None, 10.0)
        assert world.owner(OTHER) is other
        await heals(pair)

    lived(story)


def test_a2_a_revoked_right_sets_no_message_aside() -> None:
    """Nothing can be recorded meanwhile; afterwards everything is, and nothing waits for a person."""

    async def story(pair: Pair) -> None:
        revoked = True

        def fault(name: str) -> None:
            if revoked and name == "copy_event":
                raise asyncpg.InsufficientPrivilegeError("permission denied for table event")

        pair.world.database.fault = fault
        here, there = pair.move(HIT), pair.move(OTHER)
        assert not await pair.until(lambda: pair.lives_in(HIT, here), 5 * MINUTES, HIT, OTHER)
        assert reported(pair).failing["recording"] == "InsufficientPrivilegeError"
        revoked = False
        for practice, city in ((HIT, here), (OTHER, there)):
            assert await pair.until(
                lambda practice=practice, city=city: pair.lives_in(practice, city), 5 * MINUTES, practice
            )  # type: ignore[misc]
            assert pair.waiting(practice) == set()
        await heals(pair)

    lived(story)


@pytest.mark.parametrize(
    "kind", [asyncpg.ReadOnlySQLTransactionError, asyncpg.TooManyConnectionsError, asyncpg.QueryCanceledError]
)
def test_a2_what_passes_in_postgresql_ends_no_worker(kind: type[asyncpg.PostgresError]) -> None:
    """Side tasks (the report, the look after the practices) and practices wait; nobody is restarted."""

    async def story(pair: Pair) -> None:
        away = True

        def fault(_name: str) -> None:
            if away:
                raise kind("away")

        pair.world.database.fault = fault
        here = pair.move(HIT)
        assert not await pair.until(lambda: pair.lives_in(HIT, here), 5 * MINUTES, HIT, OTHER)
        away = False
        assert await pair.until(lambda: pair.lives_in(HIT, here), 10 * MINUTES, HIT)
        await others_are_served(pair)
        await heals(pair)
        assert pair.waiting(HIT) == pair.waiting(OTHER) == set()

    lived(story)


def test_a_practice_that_fails_again_and_again_is_a_waiting_item_until_it_is_steady() -> None:
    async def story(pair: Pair) -> None:
        for _ in range(SHOWN_AFTER):
            assert await pair.until(lambda: pair.world.owner(HIT) is not None, 10 * MINUTES)
            pair.fail()
            assert await pair.until(lambda: pair.world.owner(HIT) is None, MINUTES)
        assert await pair.until(lambda: (STANDING_SLOT, "stands-still") in pair.waiting(HIT), 10 * MINUTES)
        await others_are_served(pair)
        assert await pair.until(lambda: not pair.waiting(HIT), STEADY_SECONDS + MINUTES)
        await heals(pair)

    lived(story)


def test_a_practice_is_removed_from_the_configuration_with_work_under_way() -> None:
    """Its messages wait for nobody; the other goes on. Configured again it takes up what was left."""

    async def story(pair: Pair) -> None:
        world, whole = pair.world, pair.world.config
        (machine,) = world.machines
        assert machine.worker is not None
        for kind in ("registers a patient in Kareo", "enters a policy in Kareo"):
            pair.deed(kind, 0)
        city = pair.move(HIT)
        alone = msgspec.structs.replace(whole, practice=tuple(one for one in whole.practice if one.id == OTHER))
        found = await machine.worker.reload(alone, world.keyring)
        assert found.removed == {HIT}
        await others_are_served(pair)
        assert world.owner(HIT) is None
        await machine.worker.reload(whole, world.keyring)
        assert await pair.until(lambda: pair.lives_in(HIT, city), 10 * MINUTES, HIT)
        await heals(pair)

    lived(story)


def test_pauses_grow_and_an_outage_of_postgresql_is_nobodys_standing() -> None:
    standing, pauses = None, []
    for _ in range(12):
        standing = failed_again(standing, ExceptionGroup("tasks", [KeyError("a patient's own words")]), NOW, 0.0)
        pauses.append(standing.again_at)
    assert pauses[0] <= BEGINNING.first < pauses[-1] <= BEGINNING.longest
    assert standing is not None
    assert standing.shown
    assert standing.reason == "KeyError"
    assert "own words" not in standing.said("America/Denver")
    away = None
    for minute in range(12):
        away = failed_again(away, ConnectionRefusedError(), NOW + timedelta(minutes=minute), 0.0)
    assert away is not None
    assert not away.shown
    assert away.again_at <= 10.0
    assert away.since == NOW
