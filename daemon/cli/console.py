"""`chartwire console`: the web pages, for the people of the practices. Several may run; each asks PostgreSQL who is signed in."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from daemon.cli.advice import add_config, advice
from daemon.cli.common import configured, console_of, keys_of, run_async
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.config import Config
from daemon.runtime.systemd import notify
from daemon.telemetry import configure_logging


def register(commands: Commands) -> None:
    parser = commands.add_parser("console", help="the web pages, for the people of the practices")
    add_config(parser)
    parser.set_defaults(handler=console)


def console(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. It reads no vendor's secret; deeds go to the practices' owners over Kafka."""
    found = configured(arguments, secrets=False)
    if found is None:
        return 1
    config, beside = found
    console_of(config)
    keys_of(config, beside)
    configure_logging(json=not sys.stderr.isatty(), level=config.log_level)
    return run_async(_serve(config, arguments.config.resolve(), arguments))


async def _serve(config: Config, file: Path, arguments: argparse.Namespace) -> int:
    from daemon.console.app import serve

    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    def started() -> None:
        say(f"console: {console_of(config).url}", f"users: {advice('user list', arguments)}", flush=True)
        notify("READY=1")

    async with asyncio.TaskGroup() as group:
        beat = group.create_task(_beat())
        try:
            await serve(config, file, stopped, started)
        finally:
            beat.cancel()
            notify("STOPPING=1")
    return 0


async def _beat() -> None:
    """systemd's watchdog sees that the loop turns (deploy/systemd)."""
    pause = int(os.environ.get("WATCHDOG_USEC", "0")) / 3_000_000 or 10.0
    while True:
        await asyncio.sleep(pause)
        notify("WATCHDOG=1")
