"""What several commands share: reading the configuration, and opening the store for looking."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from daemon.config import Config, ConfigError, PracticeConfig, load, resolve
from events.codec import Keyring
from events.store import Store


class KafkaAway(Exception):
    """Kafka did not answer or take a message in time."""


DEFAULT_CONFIG = "/etc/chartwire/chartwire.toml"


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), help=f"configuration file (default {DEFAULT_CONFIG})"
    )


def configured(arguments: argparse.Namespace) -> tuple[Config, Path] | None:
    """The configuration and the folder it lies in; None after its problems were printed."""
    try:
        return load(arguments.config), arguments.config.resolve().parent
    except ConfigError as error:
        complain(error.problems)
        return None


def practice_of(config: Config, id_: str) -> PracticeConfig | None:
    """A practice of the configuration; None after it was said that there is none."""
    found = next((one for one in config.practice if one.id == id_), None)
    if found is None:
        print(f"practice: {id_} is not in the configuration", file=sys.stderr)
    return found


def complain(problems: list[tuple[str, str]]) -> None:
    """Problems as `key: what is wrong`, a line each."""
    for key, text in problems:
        print(f"{key}: {text}", file=sys.stderr)


def keyring_of(config: Config, beside: Path) -> Keyring:
    return Keyring.from_directory(resolve(config.keys.directory, beside))


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
