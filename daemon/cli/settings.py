"""`chartwire settings`: every setting of a practice and of the daemon, its value and where it comes from. No secret is shown."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

from daemon.cli.advice import add_config
from daemon.cli.common import Asked, add_utc, asked, run_async
from daemon.cli.parsers import Commands
from daemon.cli.printing import HEADING, say
from daemon.config import keys_given
from daemon.operator.settings import Setting, said_by_persons, settings_of
from daemon.tables import documents
from projections.words.moment import in_zone_to_the_minute


def register(commands: Commands) -> None:
    parser = commands.add_parser("settings", help="every setting of a practice and of the daemon, and where it comes from")
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--set", action="store_true", help="only what the file or a person has set")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_utc(parser)
    add_config(parser)
    parser.set_defaults(handler=settings)


def settings(arguments: argparse.Namespace) -> int:
    """Exits 0."""
    it = asked(arguments)
    found = settings_of(it.config, it.practice, keys_given(arguments.config), it.beside)

    async def work() -> int:
        async with it.opened() as store:
            directory = await documents.directory(store.pool, it.id, store.keyring)
        parts = {
            "set by people": list(said_by_persons(directory, it.names)),
            "of the practice": found.practice,
            "of the daemon": found.daemon,
        }
        for title, each in parts.items():
            chosen = [one for one in each if not arguments.set or one.source in ("file", "person")]
            if arguments.json:
                say(*(msgspec.json.encode(_told(one)).decode() for one in chosen))
            else:
                say(title, look=HEADING)
                say(*(line for one in chosen for line in _lines(one, it)))
        return 0

    return run_async(work())


def _lines(one: Setting, it: Asked) -> Iterator[str]:
    more = f" ({one.more})" if one.more else ""
    who = one.who or one.source.value
    since = f" since {in_zone_to_the_minute(one.since, it.zone)}" if one.since is not None else ""
    yield f"  {one.key} = {one.value}{more}  [{who}{since}]"


def _told(one: Setting) -> dict[str, object]:
    told: dict[str, object] = {"key": one.key, "value": one.value, "source": one.source.value}
    told |= {"more": one.more} if one.more else {}
    told |= {"who": one.who} if one.who else {}
    return told | ({"since": one.since.isoformat()} if one.since is not None else {})
