"""Deeds by query: one command for every waiting item of a code, or of an age, with the count shown and asked."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from daemon.cli.asking import AskingCommand, asking, confirmed
from daemon.cli.common import Asked
from daemon.cli.ended import Ended
from daemon.cli.printing import say
from daemon.operator.deeds import Asking, Asks
from daemon.operator.waiting import Item, items
from events.ids import Charts
from events.store import Store

AGE = re.compile(r"(\d{1,5})(m|h|d|w)")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

OfItems = Callable[[argparse.Namespace, Asking, list[Item]], Awaitable[Asks]]
"""What to ask for about these items."""


def add_query(parser: argparse.ArgumentParser) -> None:
    """The options that name items by what they are instead of one by one."""
    parser.add_argument("--code", help="every waiting item of this code that the command can do something about")
    parser.add_argument("--older", type=age, metavar="AGE", help="only items that wait for longer (30m, 12h, 7d, 2w)")
    parser.add_argument("--yes", action="store_true", help="with --code or --older: without asking")


def age(text: str) -> timedelta:
    """`7d` and the like."""
    found = AGE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError("must be a number and m, h, d or w, as 7d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def or_by_query(
    one: AskingCommand, of_items: OfItems, can: Callable[[Item], bool], typed: str, *, needed: bool = True
) -> AskingCommand:
    """The command about what was typed (the argument `typed`), or about every waiting item that `can` be helped by it."""

    async def ask(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
        given = getattr(arguments, typed)
        if arguments.code is None and arguments.older is None:
            if given in (None, []) and needed:
                raise Ended(f"{typed}: give it, or --code or --older for many")
            return await one(arguments, store, it)
        if given not in (None, []):
            raise Ended(f"give {typed}, or --code or --older, not both")
        found = [item for item in await items(store, it.policy, code=arguments.code) if can(item)]
        found = _aged(found, arguments.older)
        return await of_items(arguments, asking(arguments, store, it), found) if _confirmed(arguments, found) else []

    return ask


def _aged(found: Iterable[Item], older: timedelta | None) -> list[Item]:
    if older is None:
        return list(found)
    limit = datetime.now(UTC) - older
    return [one for one in found if one.since is not None and one.since < limit]


def _confirmed(arguments: argparse.Namespace, found: list[Item]) -> bool:
    """Whether there is anything, and a person says yes to that many. Raises Ended."""
    if not found:
        say("nothing waits that this could be done about")
        return False
    for code, count in sorted(Counter(one.code for one in found).items()):
        say(f"{count:6} {code}")
    patients = len({one.patient for one in found if one.patient})
    if not confirmed(f"{arguments.command}: {len(found)} items of {patients} patients?", arguments):
        raise Ended(code=2)
    return True


def charts_in(item: Item, it: Asking) -> Charts:
    """The charts of an item, as a command takes them; none for the practice's own."""
    for text in item.patient.split():
        if (charts := it.policy.names.charts_in(text)) is not None:
            return charts
    return Charts()


def by_patient(found: Iterable[Item]) -> dict[str, list[Item]]:
    """The items by the patient whose they are, the practice's own under ""."""
    groups: dict[str, list[Item]] = {}
    for one in found:
        groups.setdefault(one.patient, []).append(one)
    return groups
