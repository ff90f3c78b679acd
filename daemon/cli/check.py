"""`chartwire check-config`: the configuration, its secrets, and whether every server answers, before anything starts."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import asyncpg

from daemon.cli.advice import add_config
from daemon.cli.common import complain, configured
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.cli.progress import Progress
from daemon.config import Config, keyring_of
from daemon.operator.postgres_refusal import place_of, refusal_of, too_old
from daemon.sections import ConfigProblem, VendorSection
from daemon.tables.queries import SQL
from events.codec import Keyring
from events.data_keys import read_keys
from events.formats import OlderVersion, demand_format
from events.pool import PoolerBetween, demand_session

REACHED_AT_ONCE = 32
REACH_SECONDS = 90.0
"""For one system, its WSDL included."""

CLOCKS_APART = 5.0
"""Seconds. A poll comes every few minutes; NTP keeps machines within milliseconds."""


def register(commands: Commands) -> None:
    parser = commands.add_parser("check-config", help="check the configuration and reach every server")
    add_config(parser)
    parser.add_argument("--offline", action="store_true", help="check the file and its secrets only")
    parser.set_defaults(handler=check_config)


def check_config(arguments: argparse.Namespace) -> int:
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    problems = [] if arguments.offline else asyncio.run(reach(config, beside))
    complain(problems, arguments)
    if not problems:
        say(f"{arguments.config}: {len(config.practice)} practices, nothing to complain about")
    return 1 if problems else 0


async def reach(config: Config, beside: Path) -> list[ConfigProblem]:
    """Reach everything the configuration names; each problem with the key it comes from."""
    return [*await reach_own(config, beside), *await reach_vendors(config, beside)]


async def reach_own(config: Config, beside: Path) -> list[ConfigProblem]:
    """What a worker cannot start without: keys, PostgreSQL with its clock, Kafka."""
    problems: list[ConfigProblem] = []
    try:
        keyring = keyring_of(config, beside)
        shredded, recorded = await _known(config)
        problems += without_key(config, keyring, shredded, recorded)
    except (OSError, ValueError) as error:
        problems.append(("keys.directory", str(error)))
    problems += await _postgres(config)
    problems += await _kafka(config, beside)
    return problems


async def reach_vendors(config: Config, beside: Path) -> list[ConfigProblem]:
    """Reach the vendors of all practices, many at once; how far that is goes to stderr."""
    from daemon.runtime.surroundings import session
    from daemon.telemetry import Meter
    from daemon.vendors.ports.errors import VendorError
    from daemon.vendors.ports.vendor import Means
    from daemon.vendors.registry import Registry

    wanted = [
        (f"practice[{index}].{section.system.prefix}", section)
        for index, practice in enumerate(config.practice, start=1)
        for section in (practice.ehr, practice.billing)
    ]
    room, done = asyncio.Semaphore(REACHED_AT_ONCE), count(1)
    async with session() as http:
        vendors = Registry()
        means = Means(session=http, folder=beside, now=lambda: datetime.now(UTC), meter=Meter())

        async def one(key: str, section: VendorSection) -> list[ConfigProblem]:
            try:
                async with room, asyncio.timeout(REACH_SECONDS):
                    return await vendors.of(section).probe(section, key, means)
            except (OSError, ValueError, VendorError) as error:
                return [(key, f"cannot be reached ({type(error).__name__})")]
            finally:
                progress(next(done))

        with Progress("reached", len(wanted), of="systems") as progress:
            found = await asyncio.gather(*(one(key, section) for key, section in wanted))
    return [problem for problems in found for problem in problems]


def without_key(
    config: Config, keyring: Keyring, shredded: Collection[str] = (), recorded: Collection[str] = ()
) -> list[ConfigProblem]:
    """Practices whose data could not be encrypted. Those `shredded` need no key: they stay down. A new key helps none that is `recorded`."""
    missing = [one.id for one in config.practice if not keyring.has(one.id) and one.id not in shredded]
    lost = "has no key for practice {0}, of which events are recorded; put its key files back from their backup"
    new = "has no key for practice {0}; make one with `chartwire new-key {0}`"
    return [("keys.directory", (lost if id_ in recorded else new).format(id_)) for id_ in missing]


async def _known(config: Config) -> tuple[set[str], set[str]]:
    """Practices that were shredded, and those with events; none where the database does not tell."""
    try:
        connection = await asyncpg.connect(config.postgres.dsn, timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, ValueError):
        return set(), set()  # `_postgres` complains
    try:
        shredded = {one.practice for one in await read_keys(connection) if one.shredded_at is not None}
        return shredded, {row["practice"] for row in await connection.fetch(SQL["practices_recorded"])}
    except asyncpg.PostgresError:
        return set(), set()  # a database that is still to be migrated
    finally:
        await connection.close()


async def _postgres(config: Config) -> list[ConfigProblem]:
    try:
        connection = await asyncpg.connect(config.postgres.dsn, timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, ValueError) as error:
        return [("postgres.dsn", _refused(error, config))]
    try:
        await demand_session(connection)
        if (old := too_old(int(await connection.fetchval(SQL["server_version"])))) is not None:
            return [("postgres.dsn", f"{old.text}; {old.repair}")]
        standby, read_only, _ = await connection.fetchrow(SQL["server_writes"])
        if standby or read_only:
            return [("postgres.dsn", _refused(asyncpg.ReadOnlySQLTransactionError(), config))]
        if not await connection.fetchval(SQL["events_are_there"]):
            return [("postgres.dsn", "the database has no schema yet; run `chartwire migrate`")]
        await demand_format(connection)
        return clocks(datetime.now(UTC), await connection.fetchval(SQL["server_time"]))
    except (PoolerBetween, OlderVersion) as error:
        return [("postgres.dsn", str(error))]
    finally:
        await connection.close()


def _refused(error: BaseException, config: Config) -> str:
    """Why PostgreSQL cannot be used, and what repairs it."""
    owner = place_of(config.postgres.migrate_dsn)[1].partition("role ")[2]
    found = refusal_of(error, config.postgres.dsn, owner=owner)
    if found is None:
        return f"{place_of(config.postgres.dsn)[0]} refuses to be used ({type(error).__name__})"
    return f"{found.text}; {found.repair}"


def clocks(here: datetime, there: datetime) -> list[ConfigProblem]:
    """What a system without versions shows is ordered by the time of reading, also when a practice moves to a worker on another machine: all clocks
    have to agree, and PostgreSQL's is the one that every worker sees."""
    apart = abs((here - there).total_seconds())
    if apart <= CLOCKS_APART:
        return []
    return [("postgres.dsn", f"its clock and this machine's are {apart:.0f} s apart; set both by NTP")]


async def _kafka(config: Config, beside: Path) -> list[ConfigProblem]:
    from daemon.runtime.kafka import bus_of

    bus = bus_of(config, beside, Keyring({}))
    try:
        async with asyncio.timeout(20):
            await bus.start()
    except (Exception, TimeoutError) as error:  # noqa: BLE001 - aiokafka raises many kinds; each means it cannot be used
        return [
            (
                "kafka.bootstrap_servers",
                f"Kafka at {config.kafka.bootstrap_servers} cannot be reached ({type(error).__name__})",
            )
        ]
    finally:
        await bus.stop()
    return []
