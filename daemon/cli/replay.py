"""`chartwire replay PRACTICE`: the projections from the events alone; --verify proves them, --rebuild makes them anew."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from daemon.cli.advice import add_config, advice
from daemon.cli.archives import add_recipient, archive, archived_rows, recipient_of
from daemon.cli.common import EITHER, Asked, add_utc, asked, chart_of, moment_of, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.cli.progress import Progress
from daemon.history.compare import Difference, verify, verify_patient
from daemon.history.events_of import events_of_charts
from daemon.history.fold import Replay, fold, replayed
from daemon.history.rebuild import rebuild
from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.ids import Charts, PracticeId
from events.store import Store
from projections.rules.wants import Moment
from projections.words.moment import AsOf, in_zone, is_past, parse_moment

SHOWN = 20


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "replay", help="fold the projections from the events alone, to prove or to rebuild the stored ones"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--chart", help=f"this patient only: {EITHER}")
    parser.add_argument("--as-of", metavar="T", help="also tell the projections as of a sequence number or an ISO time")
    parser.add_argument("--archive", type=Path, help="fold an archive instead of the database; no configuration is needed")
    add_recipient(parser)
    add_utc(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--verify", action="store_true", help="compare with the stored projections, byte for byte")
    what.add_argument("--rebuild", action="store_true", help="replace the stored projections, while the daemon runs")
    add_config(parser)
    parser.set_defaults(handler=replay)


def replay(arguments: argparse.Namespace) -> int:
    """Exit code 1 when something differs, or when an event is missing or cannot be read."""
    if arguments.archive:
        return _archived(arguments)
    it = asked(arguments)
    if arguments.rebuild and (arguments.chart or arguments.as_of):
        raise Ended("--rebuild is for all of a practice, as of now")
    moment = moment_of(arguments.as_of, it.zone)
    charts = chart_of(arguments.chart, it.names) if arguments.chart else None

    async def work() -> int:
        async with it.opened() as store:
            if arguments.rebuild:
                return await _rebuild(store, it)
            if charts is not None:
                return await _one_chart(store, it, charts, moment, arguments)
            return await _whole(store, it, moment, arguments)

    try:
        return run_async(work())
    except ValueError as error:
        raise Ended(f"{error}; see `{advice(f'audit verify {it.id}', arguments)}`", 1) from None


async def _whole(store: Store, it: Asked, moment: AsOf | None, arguments: argparse.Namespace) -> int:
    practice = it.id
    with Progress("replayed", await store.head(practice)) as progress:
        folded = await replayed(store, practice, moment=moment, progress=progress)
        say(*_told(folded, it.zone))
        if not arguments.verify:
            return 0
        found = await verify(store, folded, Moment.at(datetime.now(UTC), it.practice.time_zone).today, progress=progress)
    return _verdict(found, f"{folded.sequence} events and {len(folded.state.patients)} patients", practice, arguments)


def _archived(arguments: argparse.Namespace) -> int:
    """The projections of an archive, from the file alone."""
    recipient = recipient_of(arguments)
    if recipient is None:
        return 2
    if arguments.verify or arguments.rebuild or arguments.chart:
        warn("an archive has no stored projections: compare the sha256 with the other installation's")
        return 2
    try:
        with archive(arguments.archive, recipient) as reader:
            manifest = reader.manifest
            if manifest.practice != arguments.practice:
                warn(f"{arguments.archive}: holds {manifest.practice}")
                return 1
            zone = ZoneInfo("UTC" if arguments.utc else manifest.time_zone)
            moment = parse_moment(arguments.as_of, zone) if arguments.as_of else None
            folded = Replay(PracticeId(manifest.practice))
            with Progress("replayed", 0) as progress:
                rows = archived_rows(reader)
                asyncio.run(fold(folded, rows, Keyring(manifest.keys), moment=moment, progress=progress))
    except (UnreadableEvent, KeyMissing, ValueError) as error:
        warn(f"{arguments.archive}: {error}")
        return 1
    say(*_told(folded, zone))
    return 0


async def _rebuild(store: Store, it: Asked) -> int:
    policy = it.policy
    with Progress("replayed", await store.head(policy.practice)) as progress:
        folded = await rebuild(store, policy, datetime.now(UTC), progress=progress)
    say(*_told(folded, it.zone))
    say("the stored projections were replaced by these")
    return 0


async def _one_chart(store: Store, it: Asked, charts: Charts, moment: AsOf | None, arguments: argparse.Namespace) -> int:
    chart = it.names.one_of(charts)
    history = await events_of_charts(store, it.id, charts)
    if not history:
        raise Ended(f"nothing is recorded about {chart} in {it.id}", 1)
    past = [one for one in history if is_past(one, moment)]
    told = Replay(it.id)
    for one in past:
        told.state.apply(one.event, one.sequence)
    last = f"#{past[-1].sequence}" if past else "its beginning"
    say(f"{chart}: {len(past)} events up to {last}, projections {told.digest()}")
    if not arguments.verify:
        return 0
    compared, found = await verify_patient(store, it.id, history)
    return _verdict(found, f"{len(history)} events and {compared} documents", it.id, arguments)


def _told(folded: Replay, zone: ZoneInfo) -> list[str]:
    state = folded.state
    linked = sum(one.link is not None for one in state.patients.values())
    at = f" of {in_zone(folded.recorded, zone)}" if folded.recorded else ""
    return [
        f"{folded.practice} as of #{folded.sequence}{at}: {len(state.patients)} patients, {linked} linked",
        f"projections sha256 {folded.digest()}",
    ]


def _verdict(found: list[Difference], what: str, practice: PracticeId, arguments: argparse.Namespace) -> int:
    if not found:
        say(f"equal, byte for byte: {what}")
        return 0
    for one in found[:SHOWN]:
        warn(one)
    if len(found) > SHOWN:
        warn(f"... and {len(found) - SHOWN} more")
    again = advice(f"replay {practice} --rebuild", arguments)
    warn(f"{len(found)} differences in {what}; `{again}` makes the projections anew")
    return 1
