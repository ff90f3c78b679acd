"""`chartwire what-if PRACTICE --policy other.toml`: the writes that another policy would have made or not made; touches nothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec

from daemon.cli.advice import add_config
from daemon.cli.common import add_shown, asked, complain, moment_of, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.cli.progress import Progress
from daemon.config import ConfigError, load_variant, policy_of
from daemon.history.what_if import compare
from events.records import type_of
from projections.trial.what_if import Comparison, Deviation, unknown_under
from projections.words.shown import Shown
from projections.words.writes import describe_write

APPROXIMATION = (
    "An approximation: the past is taken as it was, with the vendors' recorded answers, and decided about anew; what people "
    "would have done differently, and echoes of writes that were never made, are not invented. A chart that would not have "
    "been created has no further writes."
)


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "what-if", help="replay history under another policy: the writes that would have been made or not made"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument(
        "--policy",
        type=Path,
        required=True,
        help="a TOML file with `profile`, [overrides] and [maps] as of a [[practice]]; what it leaves out stays as it is",
    )
    parser.add_argument("--since", metavar="T", help="only what differs from a sequence number or an ISO time on")
    parser.add_argument("--json", action="store_true")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=what_if)


def what_if(arguments: argparse.Namespace) -> int:
    """Exit code 0 also when there are differences: they are the answer."""
    it = asked(arguments)
    since = moment_of(arguments.since, it.zone)
    try:
        policy = policy_of(load_variant(arguments.policy, it.practice))
    except ConfigError as error:
        complain(error.problems, arguments)
        raise Ended from None

    unknown = unknown_under(policy_of(it.practice), policy)

    async def work() -> int:
        async with it.opened() as store:
            head = await store.head(it.id)
            with Progress("replayed", head) as progress:
                batches = store.sealed(it.id, up_to=head)
                result = await compare(batches, store.keyring, policy, since=since, progress=progress)
        say(*([_json(result, it.shown, unknown)] if arguments.json else lines(result, it.shown, unknown)))
        return 0

    return run_async(work())


def lines(result: Comparison, shown: Shown, unknown: Sequence[str] = ()) -> list[str]:
    """Counts first, then every write that would differ, in order."""
    text = [f"{result.events} events replayed; {result.same} writes would have been the same"]
    for kind, counts in result.counts().items():
        if counts:
            each = ", ".join(f"{number} {what.words(shown.systems)}" for what, number in counts.items())
            text.append(f"  {kind}: {each}")
    if not result.deviations:
        text.append("  nothing would have been written differently")
    for one in result.deviations:
        why = f" ({one.why})" if one.why else ""
        text.append(f"#{one.sequence} {one.patient or 'practice'} {one.slot}: {one.kind}: {_words(one, shown)}{why}")
    return [*text, "", *unknown, APPROXIMATION]


def _words(one: Deviation, shown: Shown) -> str:
    words = describe_write(one.write, shown)
    return (
        words if one.was is None else f"{words}, was {describe_write(one.was, shown)}; {', '.join(differing(one))} differs"
    )


def differing(one: Deviation) -> list[str]:
    """The members in which the write differs from what was."""
    if one.was is None or type(one.was) is not type(one.write):
        return ["the kind of write"]
    return [name for name in one.write.__struct_fields__ if getattr(one.write, name) != getattr(one.was, name)]


def _json(result: Comparison, shown: Shown, unknown: Sequence[str]) -> str:
    writes = [
        {
            "kind": one.kind,
            "sequence": one.sequence,
            "patient": one.patient,
            "slot": one.slot,
            "system": shown.systems.of(one.system).prefix,
            "resource": one.resource,
            "write": type_of(one.write),
            "text": _words(one, shown),
            "differs_in": differing(one) if one.was is not None else [],
            "why": one.why,
        }
        for one in result.deviations
    ]
    whole = {
        "events": result.events,
        "same": result.same,
        "counts": {
            kind: {what.key(shown.systems): number for what, number in counts.items()}
            for kind, counts in result.counts().items()
        },
        "writes": writes,
        "about": APPROXIMATION,
        "unknown": unknown,
    }
    return msgspec.json.encode(whole).decode()
