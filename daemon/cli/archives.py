"""`chartwire export PRACTICE --out FILE`: a practice's events in one encrypted file; and what opens such files again.

Another installation checks it with `chartwire audit verify --archive FILE` and folds it with `chartwire replay --archive FILE`:
both need the file and its passphrase or key, and nothing else.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from daemon.cli.advice import add_config
from daemon.cli.common import Asked, asked, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.cli.progress import Progress
from events.archive import ArchiveReader, ArchiveWriter, Manifest, NoArchive, Recipient, recipient_key
from events.codec import reseal
from events.connection import Batches
from events.evidence import Inspection
from events.files import create_private
from events.keys import KeyMissing, Keyring, UnreadableEvent
from events.store import Store
from events.wrapping import KEY


def register(commands: Commands) -> None:
    parser = commands.add_parser(
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
        warn("give --passphrase-file or --key-file")
        return None
    try:
        text = file.read_text()
        if arguments.key_file:
            return Recipient(key=recipient_key(text))
    except (OSError, ValueError) as error:
        warn(f"{file}: cannot be used ({type(error).__name__})")
        return None
    passphrase = (text.splitlines() or [""])[0].strip()
    if len(passphrase) < 12:
        warn(f"{file}: a passphrase has at least 12 characters")
        return None
    return Recipient(passphrase=passphrase)


def export(arguments: argparse.Namespace) -> int:
    """The chain is checked on the way: an archive of events that were tampered with is not made."""
    recipient = recipient_of(arguments)
    it = asked(arguments)
    if recipient is None:
        return 2
    out: Path = arguments.out
    if out.exists() or out.is_symlink():
        raise Ended(f"{out} exists already")
    return run_async(_export(it, recipient, out, arguments.key_file))


async def _export(it: Asked, recipient: Recipient, out: Path, key_file: Path | None) -> int:
    partial = out.with_name(out.name + ".partial")
    async with it.opened() as store:
        if recipient.key and store.keyring.is_file_key(recipient.key):
            raise Ended(f"{key_file}: is the key of a practice; an archive has a key of its own")
        try:
            descriptor = create_private(partial)
        except OSError as error:
            where = error.strerror
            if isinstance(error, FileExistsError):
                where = "another export is making it, or one was killed: delete it"
            raise Ended(f"{partial}: cannot be made ({where})", 1) from None
        try:
            with os.fdopen(descriptor, "wb") as file:
                seen = await _write(it, store, file, recipient)
                size = file.tell()
            if seen.problem is not None:
                raise Ended(f"not exported: {seen.problem}", 1)
            partial.rename(out)
        finally:
            partial.unlink(missing_ok=True)
    say(f"{out}: {seen.sequence} events of {it.id}, {size:,} bytes, chain {seen.chain.hex()}")
    return 0


async def _write(it: Asked, store: Store, file: BinaryIO, recipient: Recipient) -> Inspection:
    """The practice's events written to `file`; the inspection says what is wrong with them, if anything."""
    head = await store.head_row(it.id)
    up_to, chain = (head.sequence, head.chain) if head is not None else (0, None)
    own = Keyring({f"{it.id}.0": AESGCM.generate_key(bit_length=8 * KEY)})
    manifest = Manifest(
        practice=it.id,
        name=it.practice.name,
        time_zone=it.practice.time_zone,
        made=datetime.now(UTC),
        keys=own.files_of(it.id),
    )
    unopened = 0

    def resealed(row: Mapping[str, Any]) -> tuple[str, bytes]:
        nonlocal unopened
        try:
            return reseal(row, store.keyring, own)
        except (UnreadableEvent, KeyMissing):
            unopened += 1
            return "", b""

    seen = Inspection(it.id)
    writer = ArchiveWriter(file, manifest, recipient, resealed)
    with Progress("exported", up_to) as progress:
        async with aclosing(store.sealed(it.id, up_to=up_to, chained=True)) as batches:
            async for rows in batches:
                if not all(seen.take(row) for row in rows):
                    break
                writer.rows(rows)
                progress(rows[-1]["sequence"])
    seen.end(up_to, chain)
    writer.end(up_to, chain)
    if unopened and seen.problem is None:
        warn(f"{unopened} bodies could not be opened: the archive proves them and cannot show them")
    return seen


@contextmanager
def archive(path: Path, recipient: Recipient) -> Iterator[ArchiveReader]:
    """An archive opened. Raises NoArchive, also for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            yield ArchiveReader(file, recipient)
    except OSError as error:
        raise NoArchive(f"cannot be read ({type(error).__name__})") from None


async def archived_rows(reader: ArchiveReader) -> Batches:
    """The rows as `daemon.history.fold.fold` takes them."""
    for batch in reader.rows():
        yield batch
