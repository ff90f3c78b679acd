"""`chartwire maps`: what maps to what between both systems, and where each row comes from; `chartwire map` saves a row or gives it back.

What a change would come to is shown before it is asked for. Exits as daemon/cli/asking.py says.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from daemon.cli.advice import add_config, advice
from daemon.cli.asking import add_asking, asking, confirmed
from daemon.cli.common import Asked, add_utc, asked, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import HEADING, say, warn
from daemon.operator import deeds
from daemon.operator.deeds import Asks
from daemon.operator.maps import MapEffect, MapLine, MapRecord, Maps, effect_of, maps_of
from events.maps import NO_RECORD, MapKind
from events.store import Store
from projections.rules.mapping import MapRow
from projections.words.mapped import TITLES, effect_in_words, source_in_words
from projections.words.moment import in_zone_to_the_minute

KINDS = [one.value for one in MapKind]


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "maps", help="what maps to what between both systems, where each row comes from, and what waits for one"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--missing", action="store_true", help="only rows that lead nowhere")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_utc(parser)
    add_config(parser)
    parser.set_defaults(handler=maps)
    saving = commands.add_parser("map", help="save a row of the maps, or give it back to the file")
    add_asking(saving, _map)
    saving.add_argument("kind", choices=KINDS, metavar="KIND", help=f"what is mapped: {', '.join(KINDS)}")
    saving.add_argument(
        "ids", nargs="+", metavar="ID", help="the record and what it maps to; of a default physician the latter alone"
    )
    saving.add_argument(
        "--give-back", action="store_true", help="as the file has it, or as NPI and name tell; give the record alone"
    )
    saving.add_argument("--show", action="store_true", help="only show what it would come to")
    saving.add_argument("--yes", action="store_true", help="save it without asking")


# -- looking --------------------------------------------------------------------------------------------------------------


def maps(arguments: argparse.Namespace) -> int:
    """Exits 0 whatever is missing; 1 where the directories of both systems have not been read yet."""
    it = asked(arguments)

    async def work() -> int:
        async with it.opened() as store:
            found = await maps_of(store, it.policy)
        if arguments.json:
            say(msgspec.json.encode(document(found, arguments)).decode())
        else:
            for kind in MapKind:
                heading, *more = lines(kind, found, it, arguments)
                say(heading, look=HEADING)
                say(*more)
            say(*carriers(found, it))
        if not found.read:
            warn("not both systems' providers and locations have been read yet")
        return 0 if found.read else 1

    return run_async(work())


def lines(kind: MapKind, found: Maps, it: Asked, arguments: argparse.Namespace) -> Iterator[str]:
    """The rows of a kind: both sides, the source, what waits, and how to save one that is missing."""
    yield TITLES[kind].format(ehr=it.names.ehr.label, billing=it.names.billing.label)
    for one in found.lines[kind]:
        if arguments.missing and not one.missing:
            continue
        yield f"  {named(one.here)} -> {named(one.there) if one.there else 'nothing'}  ({source_in_words(one.source)})"
        yield from _about(one, it, arguments)


def _about(one: MapLine, it: Asked, arguments: argparse.Namespace) -> Iterator[str]:
    if one.saved is not None:
        said, when = one.saved.row, in_zone_to_the_minute(one.saved.since, it.zone)
        otherwise = f"{one.without.to} {one.without_name}".strip() or "nothing"
        why = f": {said.reason}" if said.reason else ""
        yield f"    saved by {said.who} at {when}{why}; without that {otherwise} ({source_in_words(one.without.source)})"
        yield f"    {advice(f'map {it.id} {_typed(one)} --give-back', arguments)}"
    if one.waits:
        yield f"    {', '.join(f'{count} {code}' for code, count in one.waits.items())} wait for it"
    if one.missing:
        for record, why in one.suggested:
            yield f"    {why}: {named(record)}"
        to = one.suggested[0][0].id if one.suggested else "ID"
        yield f"    {advice(f'map {it.id} {_typed(one)} {to} --reason TEXT', arguments)}"


def _typed(one: MapLine) -> str:
    """The row as it is typed."""
    return one.row.kind.value + (f" {one.row.id}" if one.row.id != NO_RECORD else "")


def named(one: MapRecord) -> str:
    """A record in a line: its id, its name, and what else tells who it is."""
    more = ", ".join(filter(None, (one.more, "" if one.active else "not active")))
    return f"{one.id} {one.name}".strip() + (f" [{more}]" if more else "")


def carriers(found: Maps, it: Asked) -> Iterator[str]:
    yield f"Insurance companies of {it.names.billing.label}, and the carriers of {it.names.ehr.label} that they are"
    for one in found.carriers:
        there = named(one.carrier) if one.carrier else "none: it is created when a patient has it"
        yield f"  {named(one.company)} -> {there}  ({one.source})"


def document(found: Maps, arguments: argparse.Namespace) -> dict[str, object]:
    """As `lines`, for programs."""
    return {
        "read": found.read,
        "complete": found.complete,
        "rows": [_told(one) for each in found.lines.values() for one in each if one.missing or not arguments.missing],
        "carriers": [
            {
                "company": one.company.id,
                "name": one.company.name,
                "carrier": one.carrier and one.carrier.id,
                "source": one.source,
            }
            for one in found.carriers
        ],
    }


def _told(one: MapLine) -> dict[str, object]:
    told: dict[str, object] = {
        "kind": one.row.kind.value,
        "id": one.row.id,
        "name": one.here.name,
        "active": one.here.active,
        "to": one.there.id if one.there else None,
        "to_name": one.there.name if one.there else None,
        "source": one.source.value,
        "waits": dict(one.waits),
        "suggested": [{"id": record.id, "name": record.name, "why": why} for record, why in one.suggested],
    }
    if one.saved is not None:
        row = one.saved.row
        told["saved"] = {"who": row.who, "since": one.saved.since.isoformat(), "reason": row.reason}
        told["without"] = {"to": one.without.to or None, "source": one.without.source.value}
    return told


# -- saving ---------------------------------------------------------------------------------------------------------------


async def _map(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    row, to = typed_row(arguments)
    effect = await effect_of(store, it.policy, row, to, datetime.now(UTC))
    if effect is None:
        raise Ended(f"there is no such row (chartwire maps {it.id} shows which there are)", 1)
    say(*effect_lines(effect, it))
    if effect.refused:
        raise Ended(effect.refused, 1)
    if arguments.show:
        return []
    if not confirmed("Give it back?" if to is None else "Save it?", arguments):
        raise Ended(code=2)
    row, who = effect.line.row, asking(arguments, store, it)
    if effect.to is None:
        return await deeds.give_back(who, row.kind, row.id)
    return await deeds.map_row(who, row.kind, row.id, effect.to.id, was=effect.was)


def typed_row(arguments: argparse.Namespace) -> tuple[MapRow, str | None]:
    """The row that was typed and what it is to lead to, None where it is given back. Raises Ended."""
    kind, ids = MapKind(arguments.kind), list(arguments.ids)
    if kind is MapKind.PHYSICIAN:
        if len(ids) != 1:
            raise Ended("give the physician's id alone")
        return MapRow(kind, NO_RECORD), None if arguments.give_back else ids[0]
    if len(ids) != (1 if arguments.give_back else 2):
        raise Ended("give the record's id and what it maps to" if not arguments.give_back else "give the record's id alone")
    if not (ids[0].isascii() and ids[0].isdecimal() and len(ids[0]) < 19):
        raise Ended(f"{ids[0]}: must be an id (a number)")
    return MapRow(kind, int(ids[0])), None if arguments.give_back else ids[1]


def effect_lines(effect: MapEffect, it: Asked) -> Iterator[str]:
    """What it would come to."""
    one = effect.line
    to = named(effect.to) if effect.to else f"{one.without.to} {one.without_name}".strip() or "nothing"
    yield TITLES[one.row.kind].format(ehr=it.names.ehr.label, billing=it.names.billing.label)
    yield f"  {named(one.here)} -> {to}, now {named(one.there) if one.there else 'nothing'} ({source_in_words(one.source)})"
    yield from effect_in_words(
        effect.counts(),
        effect.written(),
        it.names,
        everybody=effect.everybody,
        all_seen=effect.all_seen,
        observing=effect.observing,
    )
