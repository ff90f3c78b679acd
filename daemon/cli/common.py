"""What several commands share: what was asked for and of whom, the configuration, and the store opened for looking."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from aiokafka.errors import KafkaError

from daemon.cli.ended import Ended
from daemon.config import Config, ConfigError, PracticeConfig, keyring_of, load, policy_of
from daemon.vendors.registry import SECTIONS
from events.ids import Charts, PracticeId
from events.store import Store
from projections.terms.names import NAMES, Names
from projections.terms.policy import Policy
from projections.words.moment import AsOf, parse_moment
from projections.words.shown import Shown


class KafkaAway(Exception):
    """Kafka did not answer or take a message in time."""


DEFAULT_CONFIG = "/etc/chartwire/chartwire.toml"


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), help=f"configuration file (default {DEFAULT_CONFIG})"
    )


def add_shown(parser: argparse.ArgumentParser) -> None:
    """The options that say how much of a person is shown."""
    parser.add_argument("--values", action="store_true", help="show the values of fields")
    parser.add_argument(
        "--names", action="store_true", help="show persons' names; with --values also the vendors' own words"
    )


EITHER, BOTH = NAMES.either, NAMES.both
"""How help texts name a chart: no practice is known yet when they are made."""


def chart_of(text: str, names: Names) -> Charts:
    """The chart that was typed. Raises Ended."""
    charts = names.charts_in(text)
    if charts is None:
        raise Ended(f"chart: must be {names.either}")
    return charts


def moment_of(text: str | None, zone: ZoneInfo) -> AsOf | None:
    """The sequence number or time that was typed, None for none. Raises Ended."""
    try:
        return parse_moment(text, zone) if text else None
    except ValueError as error:
        raise Ended(str(error)) from None


@dataclass(frozen=True)
class Asked:
    """Of which practice something was asked, and how much of a person may be shown in the answer."""

    config: Config
    beside: Path
    practice: PracticeConfig
    policy: Policy
    shown: Shown

    @property
    def id(self) -> PracticeId:
        return self.policy.practice

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.practice.time_zone)

    @property
    def names(self) -> Names:
        """What the practice calls the two systems."""
        return self.policy.names

    def opened(self) -> AbstractAsyncContextManager[Store]:
        """The store, for commands that only look."""
        return opened(self.config, self.beside)


def asked(arguments: argparse.Namespace) -> Asked:
    """What every command about one practice starts from. Raises Ended, after the configuration's problems were printed."""
    found = configured(arguments)
    if found is None:
        raise Ended(code=1)
    config, beside = found
    practice = next((one for one in config.practice if one.id == arguments.practice), None)
    if practice is None:
        raise Ended(f"practice: {arguments.practice} is not in the configuration", 1)
    policy = policy_of(practice)
    values, names = getattr(arguments, "values", False), getattr(arguments, "names", False)
    return Asked(config, beside, practice, policy, Shown(values=values, names=names, systems=policy.names))


def configured(arguments: argparse.Namespace) -> tuple[Config, Path] | None:
    """The configuration and the folder it lies in; None after its problems were printed."""
    try:
        return load(arguments.config, SECTIONS), arguments.config.resolve().parent
    except ConfigError as error:
        complain(error.problems)
        return None


def complain(problems: list[tuple[str, str]]) -> None:
    """Problems as `key: what is wrong`, a line each."""
    for key, text in problems:
        print(f"{key}: {text}", file=sys.stderr)


@asynccontextmanager
async def opened(config: Config, beside: Path) -> AsyncIterator[Store]:
    """The store, for commands that only look."""
    store = await Store.open(config.postgres.dsn, keyring_of(config, beside), min_size=1, max_size=2)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def owner_connection(config: Config) -> AsyncIterator[Any]:
    """A connection as the schema's owner, for what the daemon's own role may not do."""
    connection = await asyncpg.connect(
        config.postgres.migrate_dsn or config.postgres.dsn, server_settings={"timezone": "UTC"}
    )
    try:
        yield connection
    finally:
        await connection.close()


class Away:
    """Whether a server was away; `code` is the exit code of a command that could not go on."""

    code = 0


@contextmanager
def away() -> Iterator[Away]:
    """PostgreSQL or Kafka that cannot be reached is one line, and exit code 1."""
    problem = Away()
    try:
        yield problem
    except (KafkaError, KafkaAway) as error:
        complain([("kafka.bootstrap_servers", f"Kafka cannot be reached ({type(error).__name__})")])
        problem.code = 1
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        complain([("postgres.dsn", f"PostgreSQL cannot be reached ({type(error).__name__})")])
        problem.code = 1


def run_async(work: Coroutine[object, object, int]) -> int:
    return asyncio.run(work)
