"""`chartwire run`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import structlog

from daemon.cli.advice import add_config
from daemon.cli.check import reach_own, without_key
from daemon.cli.common import complain, configured
from daemon.cli.parsers import Commands
from daemon.config import Config, ConfigError, keyring_of, load
from daemon.instruments import Instruments
from daemon.runtime.supervision import again_and_again
from daemon.runtime.surroundings import surroundings
from daemon.runtime.systemd import notify
from daemon.runtime.worker import Worker
from daemon.telemetry import configure_logging
from daemon.vendors.sections import SECTIONS

log = structlog.get_logger()


def register(commands: Commands) -> None:
    parser = commands.add_parser("run", help="run the daemon")
    add_config(parser)
    parser.add_argument("--no-check", action="store_true", help="start without trying PostgreSQL and Kafka first")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, then run until SIGTERM or SIGINT; what is under way is settled first.

    Only configuration, keys, PostgreSQL, Kafka and the clock can stop a start. A vendor is tried by the practice that has it.
    """
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    configure_logging(json=not sys.stderr.isatty(), level=config.log_level)
    return asyncio.run(_run(config, beside, arguments))


async def _run(config: Config, beside: Path, arguments: argparse.Namespace) -> int:
    if not arguments.no_check and (problems := await reach_own(config, beside)):
        complain(problems, arguments)
        return 1
    async with surroundings(config, beside, meter=Instruments()) as around:
        worker = Worker(around)
        gc.freeze()  # what was imported stays: looking through it again and again stops everything for tens of milliseconds
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        loop.add_signal_handler(signal.SIGHUP, asked.set)
        log.info("worker_started", pid=os.getpid(), practices=len(config.practice))
        async with asyncio.TaskGroup() as group:
            beside_it = [
                group.create_task(again_and_again("heartbeat", lambda: _heartbeat(worker))),
                group.create_task(again_and_again("reload", lambda: _reloads(worker, arguments.config, beside, asked))),
            ]
            try:
                await worker.run()
            finally:
                for task in beside_it:
                    task.cancel()
                notify("STOPPING=1")
        log.info("worker_stopped", pid=os.getpid())
    return 0


async def _reloads(worker: Worker, path: Path, beside: Path, asked: asyncio.Event) -> None:
    """Read the configuration again when asked to; one with a problem changes nothing."""
    while True:
        await asked.wait()
        asked.clear()
        try:
            config = await asyncio.to_thread(load, path, SECTIONS)
            keyring = await asyncio.to_thread(keyring_of, config, beside)
            if problems := without_key(config, keyring, [one.id for one in config.practice if worker.is_shredded(one.id)]):
                raise ConfigError(problems)
            found = await worker.reload(config, keyring)
        except ConfigError as error:
            for key, text in error.problems:
                log.error("reload_refused", key=key, reason=text)
            continue
        except (OSError, ValueError) as error:
            log.error("reload_refused", key="keys.directory", error_type=type(error).__name__)
            continue
        if found.refused:
            log.error("reload_refused", key="practice", reason=found.refused)
            continue
        for key in found.restart:
            log.warning("reload_left_for_restart", key=key)
        for practice in sorted(found.added | found.changed | found.removed):
            log.info("practice_reloaded", practice=practice)
        log.info("configuration_reloaded", practices=len(config.practice))


async def _heartbeat(worker: Worker) -> None:
    """READY once partitions are assigned, then the watchdog's beat (deploy/systemd)."""
    await worker.ready.wait()
    notify("READY=1")
    pause = int(os.environ.get("WATCHDOG_USEC", "0")) / 3_000_000 or 10.0
    while True:
        await asyncio.sleep(pause)
        if worker.healthy:
            notify("WATCHDOG=1")
