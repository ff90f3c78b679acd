"""`chartwire recover`: say by hand that the database was restored, where Kafka was lost with it and nothing else can tell.

Exits 0, or 1 where a practice has nothing stored.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from daemon.cli.advice import add_config, advice
from daemon.cli.common import asked, run_async
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.operator.recovering import NothingStored, begin_recovery
from daemon.runtime.surroundings import bring_keys


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "recover", help="the database was restored and Kafka was lost, too: look before each creation"
    )
    parser.add_argument("practice", help="the practice's id")
    add_config(parser)
    parser.set_defaults(handler=recover)


def recover(arguments: argparse.Namespace) -> int:
    """Done again before it is over, it begins anew: what was created meanwhile is looked for, too."""
    it = asked(arguments)

    async def work() -> int:
        async with it.opened() as store:
            if not await bring_keys(store, it.id):
                warn(f"{it.id}: was shredded")
                return 1
            try:
                restarted = await begin_recovery(store, it.policy, it.practice.time_zone, lambda: datetime.now(UTC))
            except NothingStored:
                warn(f"{it.id}: has no events, so there is nothing to look for")
                return 1
        say(
            f"{it.id}: history restarts after #{restarted.kept}. Whoever had the practice is fenced; the worker that takes it next reads",
            "both systems again, writes nothing before that, and looks at the vendor before each creation. It ends by itself:",
            f"`{advice(f'status {it.id}', arguments)}` shows it for as long as it lasts. Appointments that were made and called off",
            f"in the lost time may still stand in the other calendar: `{advice(f'waiting {it.id}', arguments)}` lists them. What was made",
            "and deleted in that time is known to nobody: look through the days ahead by hand",
        )
        return 0

    return run_async(work())
