"""`chartwire onboard PRACTICE`: the first day of a practice with charts on both sides. Looks; never writes without `--accept`.

With `mode = "observe"` both systems are read and nothing is decided. This shows how far that is, whom matching would link,
whom a person has to decide about (`--candidates`), and every write that going live would make (`--dry-run`). Then say
`--go-live`, or set `mode = "live"` and restart; `--go-live --undo` takes the first back.

A practice that has changed its profile accepts with `--accept` that what differs in its patients' insurance is settled by
preference: the patients and what would be written are shown (with `--dry-run` only that), then a person is asked.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import msgspec

from daemon.cli import asking
from daemon.cli.advice import add_config
from daemon.cli.common import Asked, add_shown, asked, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.operator.commands import login
from daemon.operator.deeds import Asking, Asks, go_live
from daemon.operator.onboarding import Matching, Onboarding, progress, reasons
from daemon.operator.switching import Differences, accept, differences
from daemon.runtime.go_live import first_reads
from events.ids import charts_of
from events.records import type_of
from events.store import Store
from events.writes import System
from projections.terms.names import Names
from projections.terms.policy import Policy
from projections.trial.dry_run import DryRun, Planned
from projections.words.shown import Shown
from projections.words.writes import describe_write


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "onboard", help="the first day: what was read, who matches whom, and every write that going live would make"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--candidates", action="store_true", help="the pairs of charts that a person has to decide about")
    parser.add_argument("--dry-run", action="store_true", help="every write that going live, or --accept, would make")
    parser.add_argument(
        "--accept", action="store_true", help="after a change of profile: what differs in insurance is settled by preference"
    )
    parser.add_argument(
        "--go-live", action="store_true", help="the observed practice goes live, once both systems were read whole"
    )
    parser.add_argument(
        "--undo", action="store_true", help="with --go-live: its configuration says again whether it is live"
    )
    parser.add_argument("--yes", action="store_true", help="with --accept or --go-live: without asking")
    parser.add_argument("--wait", type=float, default=20.0, metavar="SECONDS", help="with both: for what follows")
    parser.add_argument("--reason", default="", help="with both: kept in the history")
    parser.add_argument("--json", action="store_true")
    add_shown(parser)
    add_config(parser)
    parser.set_defaults(handler=onboard)


def onboard(arguments: argparse.Namespace) -> int:
    """Exit code 1 when a list is asked for of a practice that is live."""
    if arguments.accept:
        return asking.run(arguments, _accept)
    if arguments.go_live:
        return asking.run(arguments, _go_live)
    if arguments.undo:
        raise Ended("--undo takes back --go-live: say both")
    it = asked(arguments)

    async def work() -> int:
        async with it.opened() as store:
            told, run = await progress(store, it.policy, datetime.now(UTC), first_reads(it.practice))
        if run is None and (arguments.candidates or arguments.dry_run):
            raise Ended(
                f"{told.practice} is live: see `chartwire status {told.practice}` and `chartwire verify {told.practice}`", 1
            )
        if arguments.json:
            say(msgspec.json.encode(document(told, run, arguments, it.shown)).decode())
        else:
            say(*lines(told, run, arguments, it.shown))
        return 0

    return run_async(work())


async def _accept(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    """Show what differs and what would be written, then ask."""
    if arguments.json:
        raise Ended("--accept asks a person and has no --json; `chartwire waiting --json` lists what differs")
    found = await differences(store, it.policy, datetime.now(UTC))
    say(*differing_lines(found, it.policy, it.shown, writes=arguments.dry_run))
    if not found.patients or arguments.dry_run:
        return []
    if not asking.confirmed(f"settle the insurance of {len(found.patients)} patients by preference?", arguments):
        raise Ended(code=2)
    return await accept(Asking(store, it.policy, login(), arguments.reason), found)


async def _go_live(arguments: argparse.Namespace, store: Store, it: Asked) -> Asks:
    """Show what going live would write, then ask."""
    told, run = await progress(store, it.policy, datetime.now(UTC), first_reads(it.practice))
    say(*lines(told, run, arguments, it.shown))
    writes = f", and {len(run.writes)} writes as things are" if run is not None else ""
    question = "let its configuration say whether it is live?" if arguments.undo else f"go live{writes}?"
    if not asking.confirmed(question, arguments):
        raise Ended(code=2)
    return await go_live(Asking(store, it.policy, login(), arguments.reason), undo=arguments.undo)


def differing_lines(found: Differences, policy: Policy, shown: Shown, *, writes: bool) -> list[str]:
    """Whose insurance differs, in numbers, and what accepting it would write."""
    here, there = shown.label(System.EHR), shown.label(System.BILLING)
    if not found.patients:
        return [f"{policy.practice}: nothing that differed when insurance began to go both ways waits any more"]
    out = [f"{policy.practice}: the insurance of {len(found.patients)} patients differed when it began to go both ways"]
    for one in found.patients:
        only = f"{one.only_in_ehr} only in {here}, {one.only_in_billing} only in {there}"
        out.append(f"  {shown.systems.one_of(one.charts)}: {one.policies} policies differ, {only}")
    wins = shown.label(policy.insurance_preference)
    out.append(f"accepting it: {wins} wins where they differ, each side gets what it lacks; {len(found.run.writes)} writes")
    out += [f"  {count} {what.words(shown.systems)}" for what, count in found.run.counts().items()]
    if writes:
        out += [f"{_chart(one, shown.systems)} {one.slot}: {describe_write(one.write, shown)}" for one in found.run.writes]
    return out


def lines(told: Onboarding, run: DryRun | None, arguments: argparse.Namespace, shown: Shown) -> list[str]:
    """The state; below it the lists that were asked for."""
    states = {
        "observing": "only observed: nothing is decided, nothing is written",
        "going-live": "going live",
        "live": "live",
    }
    here, there = shown.label(System.EHR), shown.label(System.BILLING)
    out = [f"{told.practice}: {states[told.state]}"]
    sides = (f"{told.charts[System.EHR]} charts in {here}", f"{told.charts[System.BILLING]} in {there}")
    out.append(f"  read: {sides[0]}, {sides[1]}, {told.linked} linked")
    if told.unread:
        out.append(f"  still to be read whole before anything is decided: {', '.join(told.unread)}")
    if told.differing:
        out.append(f"  the insurance of {told.differing} patients differed when it began to go both ways: `--accept`")
    if told.chosen_by:
        out.append(f"  {told.chosen_by} has said that it goes live")
    if told.maps is not None:
        out.append(f"  mapped: {told.maps.providers} providers, {told.maps.locations} locations")
        out += [f"    without counterpart: {', '.join(told.maps.without)}"] if told.maps.without else []
    if told.due:
        out.append(f"  {told.due} patients are still to be looked at")
    if told.matching is not None and run is not None:
        out += _matched(told.matching, shown)
        out.append(f"  going live now would make {len(run.writes)} writes")
        if arguments.candidates:
            out += _candidates(told.matching, shown)
        if arguments.dry_run:
            out += _writes(run, shown)
    return out


def _matched(matching: Matching, shown: Shown) -> list[str]:
    out = [f"  certain: {matching.certain} pairs (name, birth date and sex; nobody else alike on either side)"]
    out.append(f"  for a person: {len(matching.candidates)} pairs of {matching.undecided_charts} undecided charts")
    out += [f"    {count} differ in {what}" for what, count in reasons(matching.candidates).items()]
    only = (
        f"{matching.only_in_ehr} in {shown.label(System.EHR)} only",
        f"{matching.only_in_billing} in {shown.label(System.BILLING)} only",
    )
    out.append(f"  without counterpart: {only[0]}, {only[1]}")
    if matching.impossible:
        out.append(
            "  impossible as they are: " + ", ".join(f"{count} {code}" for code, count in matching.impossible.items())
        )
    return out


def _candidates(matching: Matching, shown: Shown) -> list[str]:
    out = ["", "For a person: `chartwire link` what is one person, `chartwire unlink` (with both charts) what is not."]
    for one in matching.candidates:
        names = f" ({one.names[0]} | {one.names[1]})" if shown.names else ""
        differ = f"differ in {', '.join(one.differ)}" if one.differ else "differ in nothing; several are alike"
        taken = "; one is linked already: merge the duplicate in its system, or dismiss it" if one.taken else ""
        out.append(f"  {shown.systems.chart(one.ehr)} {shown.systems.patient(one.billing)}{names}: {differ}{taken}")
    return out


def _writes(run: DryRun, shown: Shown) -> list[str]:
    out = ["", "Every write that going live would make now; vendors may refuse, and people change things meanwhile."]
    out += [f"  {count} {what.words(shown.systems)}" for what, count in run.counts().items()]
    out += [
        f"  {count} searches in {shown.label(system)}, which change nothing"
        for system, count in sorted(run.searches.items())
    ]
    out += [f"{_chart(one, shown.systems)} {one.slot}: {describe_write(one.write, shown)}" for one in run.writes]
    return out


def _chart(one: Planned, names: Names) -> str:
    return names.one_of(charts_of(one.patient)) or "practice"


def document(told: Onboarding, run: DryRun | None, arguments: argparse.Namespace, shown: Shown) -> dict[str, object]:
    """As `lines`: what was not asked for is left out."""
    names = shown.systems
    whole: dict[str, object] = msgspec.to_builtins(told)
    whole["charts"] = {names.of(system).prefix: count for system, count in told.charts.items()}
    if told.matching is None or run is None:
        return whole
    pairs = [one if shown.names else msgspec.structs.replace(one, names=("", "")) for one in told.matching.candidates]
    matching: dict[str, object] = msgspec.to_builtins(told.matching)
    matching["candidates"] = msgspec.to_builtins(pairs) if arguments.candidates else len(pairs)
    whole |= {
        "matching": matching,
        "differ": dict(reasons(told.matching.candidates)),
        "writes": len(run.writes),
        "counts": {what.key(names): count for what, count in run.counts().items()},
        "searches": {names.of(system).prefix: count for system, count in run.searches.items()},
    }
    if arguments.dry_run:
        whole["dry_run"] = [
            {
                "chart": _chart(one, names),
                "slot": one.slot,
                "system": names.of(one.system).prefix,
                "resource": one.resource,
                "write": type_of(one.write),
                "rule": one.rule,
                "text": describe_write(one.write, shown),
            }
            for one in run.writes
        ]
    return whole
