"""`chartwire migrate`: bring the database to this version's schema. Forward only, safe while older workers run.

`--finish` also turns on what older workers cannot read: data keys (events/keys.py) and keyed hashes (events/keyed.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.cli.advice import add_config
from daemon.cli.common import configured, owner_connection, run_async
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.config import Config, keyring_of
from daemon.operator.finishing import Finished, OlderOwners, finish
from daemon.operator.postgres_refusal import too_old
from daemon.sections import resolve
from daemon.tables.queries import SQL
from events.formats import OlderVersion
from events.migrate import migrate as apply


def register(commands: Commands) -> None:
    parser = commands.add_parser("migrate", help="create or upgrade the database schema")
    parser.add_argument(
        "--finish", action="store_true", help="also turn on the new formats: only once every worker runs this version"
    )
    add_config(parser)
    parser.set_defaults(handler=migrate)


def migrate(arguments: argparse.Namespace) -> int:
    """Uses `postgres.migrate_dsn`, the owner's; the daemon's own role may not change the schema."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found

    async def work() -> int:
        async with owner_connection(config) as connection:
            if (old := too_old(int(await connection.fetchval(SQL["server_version"])))) is not None:
                warn(f"{old.text}; {old.repair}")
                return 1
        applied = await apply(config.postgres.migrate_dsn or config.postgres.dsn)
        say(*[f"applied {name}" for name in applied] or ["the schema is up to date"])
        return await _finish(config, beside) if arguments.finish else 0

    return run_async(work())


async def _finish(config: Config, beside: Path) -> int:
    """Exit code 1 when any practice goes on as before; the others do not wait for it."""
    folder = resolve(config.keys.directory, beside)
    try:
        ring = keyring_of(config, beside)
    except ValueError as error:
        warn(f"keys.directory: {folder}: {error}")
        return 1
    code = 0
    async with owner_connection(config) as connection:
        try:
            async for one in finish(connection, [each.id for each in config.practice], ring):
                code = max(code, _told(one, folder))
        except OlderOwners as error:
            warn(f"not finished: an older worker had these practices last: {error}")
            warn("start this version in its place, then call this again")
            return 1
        except OlderVersion as error:
            warn(f"not finished: {error}")
            return 1
    say("the new formats are on; the database takes no older worker any more")
    return code


def _told(one: Finished, folder: Path) -> int:
    if one.problem:
        warn(f"{one.practice}: goes on as before: {one.problem} ({folder}); call this again when it is there")
        return 1
    if not one.wrapped_by:
        say(f"{one.practice}: was shredded")
        return 0
    say(f"{one.practice}: its data keys are wrapped by {one.wrapped_by}.key; {one.hashes} stored hashes were keyed")
    for name in one.retired:
        say(
            f"{one.practice}: {name}.key is not needed any more and can be deleted, with all its copies:"
            " a copy still opens what was stored with it before, in the database and in backups"
        )
    return 0
