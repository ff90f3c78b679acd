"""`chartwire search-history PRACTICE`: what happened, by chart, field, person and time; with `--looked` who looked at patients.

Shows as little of a person as `chartwire history` does, unless more is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from daemon.cli.advice import add_config
from daemon.cli.common import EITHER, Asked, add_shown, asked, chart_of, console_of, keys_of, moment_of, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.history.searchable import catch_up
from daemon.operator.searching import ANYBODY, MOST, FoundEvents, NoSuchField, Sought, search_access, search_history
from daemon.tables.access import AccessRecord
from events.ids import Charts
from events.records import stored_field
from events.schema import Recorded
from events.store import Store
from projections.words.moment import in_zone
from projections.words.subject import chart_in_words, origin_in_words
from projections.words.terms_of import SEARCHABLE
from projections.words.words import describe


def register(commands: Commands) -> None:
    parser = commands.add_parser("search-history", help="events by chart, field, person and time, and who looked")
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--chart", metavar="CHART", help=f"of this patient: {EITHER}")
    parser.add_argument("--field", default="", help=f"that concern one of {', '.join(SEARCHABLE)}")
    parser.add_argument("--who", default="", help="that this person has asked for")
    parser.add_argument("--since", metavar="T", help="recorded at or after an ISO time (in the practice's time zone)")
    parser.add_argument("--until", metavar="T", help="recorded before it")
    parser.add_argument(
        "--looked", action="store_true", help="instead who looked at patients and did what, from the access log"
    )
    parser.add_argument("--most", type=int, default=MOST, metavar="N", help=f"the last so many (default {MOST})")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=search)


def search(arguments: argparse.Namespace) -> int:
    """Exits 0 whatever is found."""
    it = asked(arguments)
    charts = chart_of(arguments.chart, it.names) if arguments.chart else ANYBODY
    since, until = (_time(text, it.zone) for text in (arguments.since, arguments.until))
    sought = Sought(charts, arguments.field, arguments.who, since, until)
    return run_async(_search(it, arguments, sought))


def _time(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The time that was typed. Raises Ended."""
    moment = moment_of(text, zone)
    if isinstance(moment, int):
        raise Ended(f"{text}: give a time such as 2026-03-02T14:30")
    return moment


async def _search(it: Asked, arguments: argparse.Namespace, sought: Sought) -> int:
    if arguments.looked:
        return await _looked(it, arguments, sought)
    async with it.opened() as store:
        await catch_up(store, it.id)
        try:
            found = await search_history(store, it.id, sought, most=arguments.most)
        except NoSuchField as error:
            raise Ended(str(error)) from None
    say(*(json_lines(found, it) if arguments.json else lines(found, it)))
    return 0


async def _looked(it: Asked, arguments: argparse.Namespace, sought: Sought) -> int:
    """As the console's own role, which alone reads the access log."""
    store = await Store.open(console_of(it.config).dsn, keys_of(it.config, it.beside), min_size=1, max_size=1)
    try:
        records = await search_access(store, it.id, sought, most=arguments.most)
    finally:
        await store.close()
    say(*(_as_json(one) if arguments.json else _line(one, it.zone) for one in records))
    return 0


def lines(found: FoundEvents, it: Asked) -> Iterator[str]:
    """An event a line, the last first."""
    for one in found.events:
        charts = chart_in_words(Charts(one.event.ehr, one.event.billing), it.names)
        text = describe(one.event.body, it.shown, news="")
        yield f"{in_zone(one.recorded, it.zone)}  #{one.sequence:<6} {origin_in_words(one.event.origin, it.names):<9} {charts}: {text}"
    if found.more:
        yield f"there are others before; repeat with --until, or --most more than {len(found.events)}"
    if not found.events:
        yield "nothing like that is recorded"


def json_lines(found: FoundEvents, it: Asked) -> Iterator[str]:
    """An object an event, the last first."""
    return (msgspec.json.encode(_told(one, it)).decode() for one in found.events)


def _told(one: Recorded, it: Asked) -> dict[str, object]:
    event = one.event
    return {
        "sequence": one.sequence,
        "recorded": one.recorded,
        "type": event.type,
        "origin": event.origin,
        stored_field("ehr"): event.ehr,
        stored_field("billing"): event.billing,
        "text": describe(event.body, it.shown, news=""),
    }


def _as_json(one: AccessRecord) -> str:
    return msgspec.json.encode(one).decode()


def _line(one: AccessRecord, zone: ZoneInfo) -> str:
    detail = f" ({one.detail})" if one.detail else ""
    return f"{in_zone(one.at, zone)}  {one.who or 'nobody signed in'}: {one.what}{detail} {one.patient_key}".rstrip()
