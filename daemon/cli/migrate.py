"""`chartwire migrate`: bring the database to this version's schema. Forward only, safe while older workers run."""

from __future__ import annotations

import argparse
from typing import Any

from daemon.cli.advice import add_config
from daemon.cli.common import configured, run_async
from daemon.cli.printing import say
from events.migrate import migrate as apply


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("migrate", help="create or upgrade the database schema")
    add_config(parser)
    parser.set_defaults(handler=migrate)


def migrate(arguments: argparse.Namespace) -> int:
    """Uses `postgres.migrate_dsn`, the owner's; the daemon's own role may not change the schema."""
    found = configured(arguments)
    if found is None:
        return 1
    config, _ = found

    async def work() -> int:
        applied = await apply(config.postgres.migrate_dsn or config.postgres.dsn)
        say(*[f"applied {name}" for name in applied] or ["the schema is up to date"])
        return 0

    return run_async(work())
