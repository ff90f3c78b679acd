"""`chartwire audit verify`: is every event as it was recorded? `chartwire audit checkpoint`: what proves it later."""

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime
from pathlib import Path

import msgspec

from daemon.cli.advice import add_config
from daemon.cli.archives import add_recipient, archive, recipient_of
from daemon.cli.common import configured, opened
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.cli.progress import Progress
from daemon.config import Config
from daemon.history.chain import inspect, marks_of
from events.archive import NoArchive
from events.evidence import ChainCheckpoint, Inspection, Mark, NoCheckpoint, decode_checkpoint
from events.ids import PracticeId
from projections.words.moment import UTC, in_zone

RESTARTS = "the database had been restored to an earlier state, and what was recorded from there on before is lost"


def register(commands: Commands) -> None:
    parser = commands.add_parser("audit", help="tamper evidence: check the chain over all events")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify_ = actions.add_parser("verify", help="find any changed, removed, inserted or reordered event, and name the first")
    verify_.add_argument("practice", nargs="?", help="only this one (default: all that have events)")
    verify_.add_argument("--checkpoint", type=Path, help="also compare with a checkpoint that was made before")
    verify_.add_argument("--archive", type=Path, help="check an archive instead of the database; no configuration is needed")
    add_recipient(verify_)
    add_config(verify_)
    verify_.set_defaults(handler=verify)
    checkpoint_ = actions.add_parser("checkpoint", help="write down how far each chain is; keep it away from the database")
    checkpoint_.add_argument("practice", nargs="?", help="only this one (default: all that have events)")
    checkpoint_.add_argument("--out", type=Path, required=True, help="the file to make; one that exists is not touched")
    add_config(checkpoint_)
    checkpoint_.set_defaults(handler=checkpoint)


def verify(arguments: argparse.Namespace) -> int:
    """Exit code 1 when anything is wrong."""
    try:
        marks = decode_checkpoint(arguments.checkpoint.read_bytes()).marks if arguments.checkpoint else ()
    except (OSError, NoCheckpoint) as error:
        warn(f"{arguments.checkpoint}: {error if isinstance(error, NoCheckpoint) else 'cannot be read'}")
        return 2
    if arguments.archive:
        return _verify_archive(arguments, marks)
    found = configured(arguments)
    if found is None:
        return 1
    return asyncio.run(_inspections(*found, arguments.practice, marks))[0]


def checkpoint(arguments: argparse.Namespace) -> int:
    """The chains are checked first: what is wrong already is not written down as right."""
    found = configured(arguments)
    if found is None:
        return 1
    if arguments.out.exists():
        warn(f"{arguments.out} exists already")
        return 2
    code, inspected = asyncio.run(_inspections(*found, arguments.practice, ()))
    if code:
        return code
    marks = tuple(Mark(practice=one.practice, sequence=one.sequence, chain=one.chain.hex()) for one in inspected)
    made = ChainCheckpoint(made=datetime.now(UTC), marks=tuple(one for one in marks if one.chain))
    arguments.out.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    say(f"{arguments.out}: keep it where nobody who may write to the database can change it")
    return 0


async def _inspections(
    config: Config, beside: Path, only: str | None, marks: tuple[Mark, ...]
) -> tuple[int, list[Inspection]]:
    """Check one practice, or all of the database, the configuration and the checkpoint; the result is printed."""
    async with opened(config, beside) as store:
        ends = await store.heads()
        known = {PracticeId(one.id) for one in config.practice} | set(ends) | {PracticeId(one.practice) for one in marks}
        if only is not None and only not in known:
            warn(f"practice: {only} is in neither the configuration nor the database")
            return 1, []
        inspected: list[Inspection] = []
        for practice in [PracticeId(only)] if only is not None else sorted(known):
            with Progress(f"{practice}: checked", ends.get(practice, 0)) as progress:
                inspected.append(await inspect(store, practice, marks_of(practice, marks), progress))
    return _told(inspected), inspected


def _told(inspected: list[Inspection]) -> int:
    for one in inspected:
        for sequence, recorded in one.restarts:
            at = in_zone(recorded, UTC)
            say(f"{one.practice}: history restarts at #{sequence} ({at}): {RESTARTS}")
        if one.problem is not None:
            warn(one.problem)
            continue
        unlinked = f", the first {one.unlinked} from before there was a chain" if one.unlinked else ""
        against = f", {len(one.marks)} marks of the checkpoint hold" if one.marks else ""
        say(f"{one.practice}: {one.sequence} events as they were recorded{unlinked}{against}; chain {one.chain.hex()}")
    return int(any(one.problem for one in inspected))


def _verify_archive(arguments: argparse.Namespace, marks: tuple[Mark, ...]) -> int:
    recipient = recipient_of(arguments)
    if recipient is None:
        return 2
    try:
        with archive(arguments.archive, recipient) as reader:
            practice = reader.manifest.practice
            if arguments.practice not in (None, practice):
                warn(f"{arguments.archive}: holds {practice}")
                return 1
            seen = Inspection(practice, marks_of(practice, marks))
            with Progress(f"{practice}: checked", 0) as progress:
                for batch in reader.stored():
                    if not all(seen.take(row) for row in batch):
                        break
                    progress(seen.sequence)
                else:
                    assert reader.end is not None
                    seen.end(reader.end.sequence, reader.end.chain)
    except NoArchive as error:
        warn(f"{arguments.archive}: {error}")
        return 1
    return _told([seen])
