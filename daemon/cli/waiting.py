"""`chartwire waiting`: everything that waits for a person, with its reason and the command that resolves it."""

from __future__ import annotations

import argparse
from zoneinfo import ZoneInfo

import msgspec

from daemon.cli.advice import add_config, advice
from daemon.cli.common import add_shown, configured, opened, run_async, shown_of
from daemon.cli.parsers import Commands
from daemon.cli.printing import HEADING, say, warn
from daemon.cli.similar import not_configured
from daemon.config import policy_of
from daemon.operator.waiting import Item, items, reason_of
from projections.words.moment import in_zone_to_the_minute
from projections.words.shown import MASK, Shown

QUOTED = f"{MASK} (--values --names shows the words of the vendor or the record)"
"""Stands in for a reason that may quote anything of a record."""


def register(commands: Commands) -> None:
    parser = commands.add_parser("waiting", help="what waits for a person, why, and what resolves it")
    parser.add_argument("practice", nargs="?", help="only this one (default: all of the configuration)")
    parser.add_argument("--code", help="only items of this code")
    parser.add_argument("--dismissed", action="store_true", help="instead those that a person accepted as they are")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=waiting)


def waiting(arguments: argparse.Namespace) -> int:
    """Exits 0 whatever waits. Reasons that repeat words of a vendor or a record are shown with --values --names only."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practices = [one for one in config.practice if arguments.practice in (None, one.id)]
    if not practices:
        warn(not_configured([arguments.practice], (one.id for one in config.practice)))
        return 1

    async def work() -> int:
        async with opened(config, beside) as store:
            for practice in practices:
                shown = shown_of(arguments, practice)
                for item in await items(store, policy_of(practice), code=arguments.code, dismissed=arguments.dismissed):
                    one = complete(item, shown, arguments)
                    if arguments.json:
                        say(msgspec.json.encode(one).decode())
                        continue
                    heading, *more = lines(one, shown.zone)
                    say(heading, look=HEADING)
                    say(*more)
        return 0

    return run_async(work())


def complete(item: Item, shown: Shown, arguments: argparse.Namespace) -> Item:
    """The item as it is shown: no more of a person than was asked for, and a command that can be pasted as it is."""
    reason = reason_of(item, shown, QUOTED)
    command = advice(item.command.removeprefix("chartwire "), arguments) if item.command else ""
    differs = tuple(
        msgspec.structs.replace(one, sent=shown.value(one.field, one.sent), now=shown.value(one.field, one.now))
        for one in item.differs
    )
    return msgspec.structs.replace(item, reason=reason, command=command, differs=differs)


def lines(item: Item, zone: ZoneInfo) -> list[str]:
    since = f"since {in_zone_to_the_minute(item.since, zone)}" if item.since else ""
    who = item.patient or "the practice"
    out = [f"{item.practice}  {who}  {item.slot}  ({item.code})  {since}", f"    {item.reason}"]
    out += [f"    {one.field}: sent {one.sent or 'empty'}, now {one.now or 'empty'}" for one in item.differs]
    if item.held is not None:
        out.append(f"    {item.held} {'write waits' if item.held == 1 else 'writes wait'}")
    if item.dismissed_by:
        out.append(f"    accepted by {item.dismissed_by}: {item.dismissed_because}")
    if item.command:
        out.append(f"    {item.command}")
    return out
