"""What several commands share: what was asked for and of whom, the configuration, and the store opened for looking."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg

from daemon.cli.advice import pasteable
from daemon.cli.ended import Ended
from daemon.cli.printing import warn
from daemon.cli.similar import not_configured
from daemon.config import (
    Config,
    ConfigError,
    PracticeConfig,
    keyring_of,
    load,
    names_of,
    policy_of,
    without_secrets,
)
from daemon.file_lines import FileLines
from daemon.servers import ConsoleConfig
from daemon.telemetry import configure_logging
from daemon.vendors.sections import SECTIONS
from events.codec import Keyring
from events.connection import SingleConnection
from events.ids import Charts, PracticeId
from events.store import Store
from projections.terms.names import NAMES, Names
from projections.terms.policy import Policy
from projections.words.moment import UTC, AsOf, parse_moment
from projections.words.shown import Shown


class KafkaAway(Exception):
    """Kafka did not answer or take a message in time."""


def add_shown(parser: argparse.ArgumentParser) -> None:
    """The options that say how much of a person is shown."""
    parser.add_argument("--values", action="store_true", help="show the values of fields")
    parser.add_argument(
        "--names", action="store_true", help="show persons' names; with --values also the vendors' own words"
    )
    add_utc(parser)


def add_utc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--utc", action="store_true", help="times in UTC (default: in the practice's time zone)")


EITHER, BOTH = NAMES.either, NAMES.both
"""How help texts name a chart: no practice is known yet when they are made."""


def chart_of(text: str, names: Names, said: str = "chart") -> Charts:
    """The chart that was typed. Raises Ended, which calls it as it is `said`."""
    charts = names.charts_in(text)
    if charts is None:
        raise Ended(f"{said}: must be {names.either}")
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
        """The zone of all times that are typed and shown: the practice's, or UTC where that was asked for."""
        return self.shown.zone

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
        raise Ended(not_configured([arguments.practice], (one.id for one in config.practice)), 1)
    policy = policy_of(practice)
    return Asked(config, beside, practice, policy, shown_of(arguments, practice))


def shown_of(arguments: argparse.Namespace, practice: PracticeConfig) -> Shown:
    """How much was asked to be shown of a practice's persons, and in which zone."""
    values, names = getattr(arguments, "values", False), getattr(arguments, "names", False)
    zone = UTC if getattr(arguments, "utc", False) else ZoneInfo(practice.time_zone)
    return Shown(values=values, names=names, systems=names_of(practice), zone=zone)


def configured(arguments: argparse.Namespace, *, secrets: bool = True) -> tuple[Config, Path] | None:
    """The configuration and the folder it lies in; None after its problems were printed. What libraries log is not shown.

    Without `secrets` no vendor's secret is read, and none need be there.
    """
    configure_logging(json=False, level="CRITICAL")
    try:
        sections = SECTIONS if secrets else without_secrets(SECTIONS)
        return load(arguments.config, sections), arguments.config.resolve().parent
    except ConfigError as error:
        complain(error.problems, arguments)
        return None


def console_of(config: Config) -> ConsoleConfig:
    """What is configured of the web pages, once they can be used here. Raises Ended."""
    if config.console is None:
        raise Ended("console: the configuration has no [console] section; it needs at least its dsn", 1)
    if any(find_spec(name) is None for name in ("argon2", "jinja2", "aiohttp_jinja2", "joserfc", "pyotp", "segno")):
        raise Ended("the web pages are not installed: pip install 'chartwire[console]'", 1)
    return config.console


def complain(problems: list[tuple[str, str]], arguments: argparse.Namespace) -> None:
    """Problems as `key: what is wrong`, a line each, with the practice and the line of the file; commands in them can be pasted as they are."""
    lines = FileLines(arguments.config)
    for key, text in problems:
        where = ", ".join(filter(None, (lines.practice(key), lines.place(key) if key != str(arguments.config) else "")))
        warn(f"{key}: {pasteable(text, arguments)}{f'  ({where})' if where else ''}")


def keys_of(config: Config, beside: Path) -> Keyring:
    """The practices' keys. Raises Ended."""
    try:
        return keyring_of(config, beside)
    except OSError as error:
        raise Ended(f"keys.directory: {error.filename}: cannot be read ({error.strerror})", 1) from None
    except ValueError as error:
        raise Ended(f"keys.directory: {error}", 1) from None


@asynccontextmanager
async def opened(config: Config, beside: Path) -> AsyncIterator[Store]:
    """The store, for commands that only look."""
    store = await Store.open(config.postgres.dsn, keys_of(config, beside), min_size=1, max_size=2)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def owner_connection(config: Config) -> AsyncIterator[SingleConnection]:
    """A connection as the schema's owner, for what the daemon's own role may not do."""
    connection = await asyncpg.connect(
        config.postgres.migrate_dsn or config.postgres.dsn, server_settings={"timezone": "UTC"}
    )
    try:
        yield connection
    finally:
        await connection.close()


def run_async(work: Coroutine[object, object, int]) -> int:
    return asyncio.run(work)
