"""What the commands that ask the practice's owner for something share: what was typed, a person's yes, the asking, and what followed.

Exits 0 done, 1 refused, not found, not recorded or not carried out in time, 2 used wrongly or not confirmed, 3 a server is away.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from aiokafka.errors import KafkaError

from daemon.cli.advice import add_config, advice
from daemon.cli.common import Asked, KafkaAway, add_shown, asked, chart_of, run_async
from daemon.cli.ended import Ended
from daemon.cli.printing import say, warn
from daemon.operator.commands import Followed, login, write_all
from daemon.operator.deeds import Asking, Asks, NotPossible
from daemon.operator.find import Looked, find_patient
from daemon.runtime.surroundings import bus_of
from events.bus import Bus
from events.ids import BillingPatientId, Charts, EhrChartId
from events.store import Store
from projections.words.shown import Shown
from projections.words.subject import origin_in_words
from projections.words.words import describe

BROKER_SECONDS = 20.0
NOT_YET = 1
"""Exit code of a command that was recorded, but not carried out in the time that was waited for."""

AskingCommand = Callable[[argparse.Namespace, Store, Asked], Awaitable[Asks]]


def add_asking(parser: argparse.ArgumentParser, ask: AskingCommand) -> None:
    """The arguments of every command that asks for something, and how it is carried out."""
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--wait", type=float, default=20.0, metavar="SECONDS", help="for what follows (default 20)")
    parser.add_argument("--reason", default="", help="kept in the history")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=lambda arguments: run(arguments, ask))


def run(arguments: argparse.Namespace, ask: AskingCommand) -> int:
    """Check what was typed, ask, and tell what followed."""
    it = asked(arguments)
    return run_async(_run(it, arguments, ask))


async def _run(it: Asked, arguments: argparse.Namespace, ask: AskingCommand) -> int:
    async with it.opened() as store:
        try:
            asks = await ask(arguments, store, it)
        except NotPossible as no:
            raise Ended(str(no), 1 if no.found else 2) from None
        if not asks:
            return 0
        bus = bus_of(it.config, it.beside, store.keyring)
        try:
            await _reach(bus)
            try:
                await write_all(bus, store, asks, followed_seconds=arguments.wait, waits=_waits)
            except ConnectionError as error:
                raise KafkaAway from error
        finally:
            await bus.stop()
        left_out = 1 if getattr(arguments, "left_out", 0) else 0
        return max(left_out, *(tell(followed, it.shown, arguments) for followed in asks))


def _waits(seconds: float) -> None:
    warn(f"waiting for the practice's owner to record it, at most {seconds:.0f} s ...")


async def _reach(bus: Bus) -> None:
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await bus.start()
            await bus.find_partitions()
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaAway from error


def tell(followed: Followed, shown: Shown, arguments: argparse.Namespace) -> int:
    """Print what came of a command, no more of a person than may be shown; returns the exit code."""
    if not followed.recorded:
        practice, charts = (
            followed.command.practice,
            shown.systems.one_of(Charts(followed.command.ehr, followed.command.billing)),
        )
        looking = f"history {practice} {charts}" if charts else f"status {practice}"
        warn(
            "not recorded yet: the practice's owner is not running or is behind. Kafka has the command and it will be carried "
            f"out; do not repeat it, look at `{advice(looking, arguments)}`"
        )
        return 1
    if followed.refused is not None:
        warn(followed.refused.text)
        return 1
    for recorded in followed.events:
        origin = origin_in_words(recorded.event.origin, shown.systems)
        say(f"#{recorded.sequence:<6} {origin:<9} {describe(recorded.event.body, shown)}")
    if not followed.settled:
        what = [f"reading {one.value}" for one in sorted(followed.reading)]
        what += [f"{len(followed.open)} writes"] if followed.open else []
        warn(
            f"recorded; not done within the time to wait (--wait): {', '.join(what)} still under way; it goes on without you"
        )
        return NOT_YET
    return 0


# -- what was typed ---------------------------------------------------------------------------------------------------------


def typed(text: str, it: Asked) -> Charts:
    """The chart that was typed. Raises Ended."""
    return chart_of(text, it.names, said=text)


def asking(arguments: argparse.Namespace, store: Store, it: Asked) -> Asking:
    """Who asks, and why: the login name, and what was typed."""
    return Asking(store, it.policy, login(), arguments.reason)


async def looked(store: Store, it: Asked, charts: Charts) -> Looked:
    """Whose chart it is. Raises Ended."""
    found = await find_patient(store, it.id, charts)
    if found is None:
        raise Ended(f"{it.names.one_of(charts)} has never been seen in {it.id}", 1)
    return found


def pair(texts: Sequence[str], it: Asked) -> tuple[EhrChartId, BillingPatientId]:
    """The two charts that were typed, one of each system. Raises Ended."""
    charts = [typed(text, it) for text in texts]
    ehr = next((one for one, _ in charts if one is not None), None)
    billing = next((one for _, one in charts if one is not None), None)
    if ehr is None or billing is None or len(charts) != 2:
        raise Ended(f"give one chart of each system: {it.names.both}")
    return ehr, billing


def confirmed(question: str, arguments: argparse.Namespace) -> bool:
    """Whether a person says yes; `--yes` says so for scripts. Without a person there is no yes."""
    if arguments.yes:
        return True
    say(f"{question} [y/N]", flush=True)
    answer = sys.stdin.readline().strip().casefold()
    if answer in ("y", "yes"):
        return True
    warn("not confirmed: nothing was asked for" + ("" if answer else " (in a script --yes confirms)"))
    return False
