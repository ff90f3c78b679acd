"""`chartwire duplicates`: charts of one system that are likely of one person, and which one to keep; `chartwire apart` says they are two."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

from daemon.cli.advice import add_config, advice
from daemon.cli.asking import add_asking, asking, typed
from daemon.cli.common import EITHER, Asked, add_shown, asked, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.operator import deeds
from daemon.operator.deeds import Asks
from daemon.operator.duplicates import Duplicates, GoneInMerge, TwiceEntered, find_duplicates, what_to_do
from events.store import Store
from events.writes import System
from projections.words.likeness import how_alike
from projections.words.shown import Shown


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "duplicates", help="charts of one system that are likely of one person, and which one to keep"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--told-apart", action="store_true", help="instead those that somebody said are two persons")
    parser.add_argument("--afresh", action="store_true", help="look through all charts again")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=duplicates)
    apart = commands.add_parser("apart", help="two charts of one system are two persons")
    add_asking(apart, _apart)
    apart.add_argument("charts", nargs=2, metavar="CHART", help=f"{EITHER}, both of one system")
    apart.add_argument("--undo", action="store_true", help="take that back")


def duplicates(arguments: argparse.Namespace) -> int:
    """Exits 0 whatever is found; 1 where nothing can be found yet."""
    it = asked(arguments)

    async def work() -> int:
        async with it.opened() as store:
            found = await find_duplicates(store, it.policy, afresh=arguments.afresh)
        pairs = [one for one in found.pairs if (one.told_apart is not None) is arguments.told_apart]
        if arguments.json:
            say(msgspec.json.encode(document(found, pairs, it.shown)).decode())
        else:
            say(*lines(found, pairs, it, arguments))
        if not found.complete:
            warn("not all charts can be looked through yet: the practice's owner has not filled in what they are found by")
        return 0 if found.complete else 1

    return run_async(work())


def lines(found: Duplicates, pairs: list[TwiceEntered], it: Asked, arguments: argparse.Namespace) -> Iterator[str]:
    """The pairs of each system with what to do, then linked patients that are gone."""
    for system in System:
        here = [one for one in pairs if one.system is system]
        yield f"{it.names.label(system)}: {len(here)} pairs that are likely one person"
        for one in here:
            yield from _pair(one, it, arguments)
    gone = [] if arguments.told_apart else found.gone
    if gone:
        yield f"{len(gone)} linked patients are gone in {it.names.billing.label}:"
        for vanished in gone:
            yield from _gone(vanished, it, arguments)


def _pair(one: TwiceEntered, it: Asked, arguments: argparse.Namespace) -> Iterator[str]:
    prefix = it.names.of(one.system).prefix
    here, there = f"{prefix}:{one.one}", f"{prefix}:{one.other}"
    names = f" ({one.names[0]} | {one.names[1]})" if it.shown.names else ""
    yield f"  {here} {there}{names}: {how_alike(one.likeness)}"
    if one.told_apart is not None:
        yield f"    two persons, says {one.told_apart.who}: {one.told_apart.reason}"
        yield f"    {advice(f'apart {it.id} {here} {there} --undo', arguments)}"
        return
    yield f"    {what_to_do(one, it.shown)}"
    yield f"    two persons: {advice(f'apart {it.id} {here} {there} --reason TEXT', arguments)}"


def _gone(one: GoneInMerge, it: Asked, arguments: argparse.Namespace) -> Iterator[str]:
    likely = ", ".join(map(it.names.patient, one.survivors)) or "nobody"
    yield f"  {it.names.patient(one.billing)}, connected with {it.names.chart(one.ehr)}; probably merged into: {likely}"
    if one.survivors:
        move = f"move-link {it.id} {it.names.patient(one.billing)} {it.names.patient(one.survivors[0])}"
        yield f"    {advice(move, arguments)}"


def document(found: Duplicates, pairs: list[TwiceEntered], shown: Shown) -> dict[str, object]:
    """As `lines`, for programs."""
    return {
        "complete": found.complete,
        "pairs": [_told(one, shown) for one in pairs],
        "gone": [
            {"ehr": int(one.ehr), "billing": int(one.billing), "survivors": list(map(int, one.survivors))}
            for one in found.gone
        ],
    }


def _told(one: TwiceEntered, shown: Shown) -> dict[str, object]:
    told: dict[str, object] = {
        "system": shown.systems.of(one.system).prefix,
        "charts": [one.one, one.other],
        "probability": one.likeness.probability,
        "levels": one.likeness.levels,
        "doubts": list(one.likeness.vetoes),
        "linked": list(one.links),
        "keep": one.keep,
        "merge": one.merge,
        "advice": what_to_do(one, shown),
    }
    if shown.names:
        told["names"] = list(one.names)
    if one.told_apart is not None:
        told["told_apart"] = {"who": one.told_apart.who, "reason": one.told_apart.reason}
    return told


async def _apart(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    charts = [typed(text, it) for text in arguments.charts]
    ehr = [one.ehr for one in charts if one.ehr is not None]
    billing = [one.billing for one in charts if one.billing is not None]
    if ehr and billing:
        raise Ended(f"give two charts of one system; of both, `chartwire unlink {it.id}` says that they are two persons")
    if not arguments.undo and not arguments.reason.strip():
        raise Ended("--reason: say why they are two persons")
    one, other = map(int, ehr or billing)
    system = System.EHR if ehr else System.BILLING
    return await deeds.apart(asking(arguments, store, it), system, one, other, undo=arguments.undo)
