"""`chartwire status`: per practice, from any machine that reaches the database: how far it is, what is open, what waits."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from daemon import tables
from daemon.cli.common import add_config, configured, opened, run_async
from events.ids import PracticeId


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("status", help="what is open and what waits, by practice")
    parser.add_argument("--json", action="store_true")
    add_config(parser)
    parser.set_defaults(handler=status)


def status(arguments: argparse.Namespace) -> int:
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found

    async def work() -> int:
        async with opened(config, beside) as store:
            rows = [await tables.practice_status(store.pool, PracticeId(one.id)) for one in config.practice]
        if arguments.json:
            print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
            return 0
        for row in rows:
            print(f"{row.practice}: {row.events} events, epoch {row.epoch}")
            for system, state, count, oldest in row.open_intents:
                print(f"  {count} writes to {system} {state}, oldest since {oldest:%Y-%m-%d %H:%M:%S}Z")
            for code, count in row.waiting:
                print(f"  {count} waiting: {code}")
            if not row.open_intents and not row.waiting:
                print("  nothing open, nothing waits")
        return 0

    return run_async(work())
