"""`chartwire export PRACTICE --out FILE`: a practice's events in one encrypted file; and what opens such files again.

Another installation checks it with `chartwire audit verify --archive FILE` and folds it with `chartwire replay --archive FILE`:
both need the file and its passphrase or key, and nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from daemon.cli.common import add_config, configured, opened, practice_of, run_async
from daemon.cli.progress import Progress
from daemon.config import PracticeConfig
from daemon.history.compare import Rows
from daemon.history.events_of import SQL
from events.archive import Manifest, NoArchive, Reader, Recipient, Writer, recipient_key
from events.codec import reseal
from events.evidence import Inspection
from events.files import create_private
from events.keys import KeyMissing, Keyring, UnreadableEvent
from events.store import SQL as STORE
from events.store import Store
from events.wrapping import KEY

BATCH = 1000


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "export", help="a practice's events in one encrypted file that another installation can verify and replay"
    )
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("--out", type=Path, required=True, help="the file to make; one that exists is not touched")
    add_recipient(parser)
    add_config(parser)
    parser.set_defaults(handler=export)


def add_recipient(parser: argparse.ArgumentParser) -> None:
    """How an archive is locked and opened."""
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--passphrase-file", type=Path, help="a file whose first line is the archive's passphrase")
    way.add_argument("--key-file", type=Path, help="a file with the base64 of 32 bytes, as `chartwire new-key` makes them")


def recipient_of(arguments: argparse.Namespace) -> Recipient | None:
    """None after it was said what is missing. A passphrase has at least 12 characters."""
    file: Path | None = arguments.passphrase_file or arguments.key_file
    if file is None:
        print("give --passphrase-file or --key-file", file=sys.stderr)
        return None
    try:
        text = file.read_text()
        if arguments.key_file:
            return Recipient(key=recipient_key(text))
    except (OSError, ValueError) as error:
        print(f"{file}: cannot be used ({type(error).__name__})", file=sys.stderr)
        return None
    passphrase = (text.splitlines() or [""])[0].strip()
    if len(passphrase) < 12:
        print(f"{file}: a passphrase has at least 12 characters", file=sys.stderr)
        return None
    return Recipient(passphrase=passphrase)


def export(arguments: argparse.Namespace) -> int:
    """The chain is checked on the way: an archive of events that were tampered with is not made."""
    found, recipient = configured(arguments), recipient_of(arguments)
    if found is None:
        return 1
    if recipient is None:
        return 2
    config, beside = found
    practice = practice_of(config, arguments.practice)
    if practice is None:
        return 1
    out: Path = arguments.out
    if out.exists() or out.is_symlink():
        print(f"{out} exists already", file=sys.stderr)
        return 2
    partial = out.with_name(out.name + ".partial")

    async def work() -> int:
        async with opened(config, beside) as store:
            if recipient.key and store.keyring.is_file_key(recipient.key):
                print(f"{arguments.key_file}: is the key of a practice; an archive has a key of its own", file=sys.stderr)
                return 2
            try:
                descriptor = create_private(partial)
            except OSError as error:
                where = "another export is making it, or one was killed: delete it" if partial.exists() else error.strerror
                print(f"{partial}: cannot be made ({where})", file=sys.stderr)
                return 1
            try:
                with os.fdopen(descriptor, "wb") as file:
                    done = await _exported(store, practice, file, recipient)
                    size = file.tell()
                if done.problem is None:
                    partial.rename(out)
            finally:
                partial.unlink(missing_ok=True)
        if done.problem is not None:
            print(f"not exported: {done.problem}", file=sys.stderr)
            return 1
        print(f"{out}: {done.sequence} events of {practice.id}, {size:,} bytes, chain {done.chain.hex()}")
        return 0

    return run_async(work())


async def _exported(store: Store, practice: PracticeConfig, file: BinaryIO, recipient: Recipient) -> Inspection:
    """The practice's events written to `file`; the inspection says what is wrong with them, if anything."""
    head = await store.pool.fetchrow(SQL["head"], practice.id)
    up_to, chain = (head["sequence"], head["chain"]) if head is not None else (0, None)
    own = Keyring({f"{practice.id}.0": AESGCM.generate_key(bit_length=8 * KEY)})
    manifest = Manifest(
        practice=practice.id,
        name=practice.name,
        time_zone=practice.time_zone,
        made=datetime.now(UTC),
        keys=own.files_of(practice.id),
    )
    unopened = 0

    def resealed(row: Mapping[str, Any]) -> tuple[str, bytes]:
        nonlocal unopened
        try:
            return reseal(row, store.keyring, own)
        except (UnreadableEvent, KeyMissing):
            unopened += 1
            return "", b""

    seen, after = Inspection(practice.id), 0
    writer = Writer(file, manifest, recipient, resealed)
    with Progress("exported", up_to) as progress:
        while rows := await store.pool.fetch(STORE["read"], practice.id, after, up_to, BATCH):
            if not all(seen.take(row) for row in rows):
                break
            writer.rows(rows)
            after = rows[-1]["sequence"]
            progress(after)
    seen.end(up_to, chain)
    writer.end(up_to, chain)
    if unopened and seen.problem is None:
        print(f"{unopened} bodies could not be opened: the archive proves them and cannot show them", file=sys.stderr)
    return seen


@contextmanager
def archive(path: Path, recipient: Recipient) -> Iterator[Reader]:
    """An archive opened. Raises NoArchive, also for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            yield Reader(file, recipient)
    except OSError as error:
        raise NoArchive(f"cannot be read ({type(error).__name__})") from None


async def archived_rows(reader: Reader) -> Rows:
    """The rows as `daemon.replay.fold` takes them."""
    for batch in reader.rows():
        yield batch
