"""The commands that leave things alone: hold and release writes, keep a patient out. Events that the practice's owner records and answers.

Exits as daemon/cli/asking.py says.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from daemon.cli.asking import AskingCommand, add_asking, asking, typed
from daemon.cli.common import EITHER, Asked, moment_of
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.operator import deeds
from daemon.operator.deeds import Asks, NotPossible
from events.ids import Charts
from events.store import Store
from events.writes import Resource, System
from projections.words.scope import TO

KEEPING_OUT = (
    "Nothing is linked, searched or written for the patient and nothing waits. From then on no more is recorded than the numbers of "
    "records, and the patient is in no list. What was recorded before stays in the history, which nobody changes. With --undo both "
    "charts are read anew."
)
SYSTEMS = {name: system for system, name in TO.items()}


def register(commands: Commands) -> None:
    def add(name: str, ask: AskingCommand, help_: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=help_)
        add_asking(parser, ask)
        return parser

    def scoped(name: str, ask: AskingCommand, help_: str) -> argparse.ArgumentParser:
        parser = add(name, ask, help_)
        parser.add_argument("--resource", choices=[one.value for one in Resource], help="only this (default: all)")
        parser.add_argument("--direction", choices=[*SYSTEMS], help="only writes there (default: both)")
        parser.add_argument("--patient", metavar="CHART", help=f"only of this patient: {EITHER}")
        return parser

    hold = scoped("hold", _hold, "let writes wait: of the practice, a resource, a direction or one patient")
    hold.add_argument("--until", metavar="TIME", help="it ends by itself then (ISO, in the practice's zone; default: not)")
    scoped("release", _release, "end a hold: what it held goes out")
    keep_out = add("keep-out", _keep_out, "leave a patient alone: test patients, employees")
    keep_out.description = KEEPING_OUT
    keep_out.add_argument("chart", help=EITHER)
    keep_out.add_argument("--undo", action="store_true", help="take the patient in again")


def _scope(arguments: argparse.Namespace, it: Asked) -> tuple[Charts, Resource | None, System | None]:
    charts = typed(arguments.patient, it) if arguments.patient else Charts()
    resource = Resource(arguments.resource) if arguments.resource else None
    return charts, resource, SYSTEMS[arguments.direction] if arguments.direction else None


def _give_reason(arguments: argparse.Namespace, why: str) -> None:
    if not arguments.reason.strip():
        raise Ended(f"--reason: say why {why}")


async def _hold(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    _give_reason(arguments, "it is held")
    until = moment_of(arguments.until, it.zone)
    if isinstance(until, int):
        raise Ended("--until: must be a time such as 2026-03-02T14:30")
    charts, resource, system = _scope(arguments, it)
    return await deeds.hold(asking(arguments, store, it), charts, resource=resource, system=system, until=_utc(until))


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


async def _release(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts, resource, system = _scope(arguments, it)
    try:
        return await deeds.release(asking(arguments, store, it), charts, resource=resource, system=system)
    except NotPossible as no:
        raise Ended(f"{no} (chartwire status {it.id} shows what is)", 1) from None


async def _keep_out(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    _give_reason(arguments, "the patient is kept out" + (" no longer" if arguments.undo else ""))
    return await deeds.keep_out(asking(arguments, store, it), typed(arguments.chart, it), undo=arguments.undo)
