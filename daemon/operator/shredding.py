"""Shredding a practice: its keys are destroyed, so its bodies cannot be opened any more, in a backup of the database either.

The events stay, with their envelopes and their chain, which can be verified for ever. What says that it was done, and what it could
not reach, is a receipt outside the database. Killed anywhere, the same command goes on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from events.connection import SingleConnection
from events.data_keys import NotFinished, destroy, end_of, is_switched, read_keys
from events.files import create_private, sync_folder
from events.files import destroy as destroy_file
from events.ids import PracticeId
from events.keys import key_files

FORMAT = "chartwire-shredded-1"
BEYOND_REACH = (
    "Copies of the key files named here: on other machines, in backups of the key folder, with whoever holds them in escrow. With"
    " one of them, bodies in a backup of the database that was made while it wrapped (or sealed directly) can be opened.",
    "Snapshots and spare blocks of the disk that the key files lay on.",
    "Archives of the practice that were made before (`chartwire export`): each opens with its own passphrase or key.",
    "Copies that listeners have made of what they opened (topic chartwire.events.v1), and exports of any other kind.",
    "The memory of workers that are not running this practice and have not asked the database yet (15 seconds), or cannot.",
    "What was never encrypted: the ids of charts and patients, kinds and times of events, waiting codes, and in the logs the same."
    " Ids of events recorded before `chartwire migrate --finish` are hashes without a key: whoever guesses a whole record can"
    " confirm the guess.",
    "The charts in the two systems themselves.",
)


class OtherReceipt(Exception):
    """The receipt's place is taken by something else than this practice's unfinished receipt."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`events` and `chain` say what stays and can be verified. `to_delete` are key files that could not be deleted from here."""

    format: str = FORMAT
    practice: str
    state: str
    began: datetime
    marked: datetime | None = None
    finished: datetime | None = None
    host: str
    events: int = 0
    chain: str = ""
    key_files: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()
    to_delete: tuple[str, ...] = ()
    beyond_reach: tuple[str, ...] = BEYOND_REACH


@dataclass(frozen=True)
class Places:
    """The folder of the key files, and the receipt's two files."""

    keys: Path
    receipt: Path

    @property
    def text(self) -> Path:
        return self.receipt.with_suffix(".txt")


async def shred(
    connection: SingleConnection,
    practice: PracticeId,
    places: Places,
    *,
    after_step: Callable[[str], None] = lambda step: None,
) -> Receipt:
    """Destroy the practice's keys. The receipt is begun first, so whoever finds the practice unreadable finds out why.

    Raises NotFinished before `chartwire migrate --finish`: an older worker would go on with the keys in its memory. Raises
    OtherReceipt, OSError.
    """
    if not await is_switched(connection):
        raise NotFinished(practice)
    receipt = _begun(practice, places)
    events, chain = await end_of(connection, practice)
    wrapping = {one.wrapped_by for keys in await read_keys(connection, practice) for one in keys.wrapped}
    names = _all_until(
        practice, wrapping | {file.stem for file in key_files(places.keys, practice)} | set(receipt.key_files)
    )
    receipt = msgspec.structs.replace(receipt, key_files=names, events=events, chain=chain.hex())
    _write(receipt, places)
    after_step("receipt")
    receipt = msgspec.structs.replace(receipt, marked=await destroy(connection, practice))
    after_step("database")
    files = {name: places.keys / f"{name}.key" for name in receipt.key_files}
    here = [name for name, file in files.items() if file.exists()]
    kept = [name for name in here if not destroy_file(files[name])]
    after_step("files")
    receipt = msgspec.structs.replace(
        receipt,
        state="unfinished" if kept else "finished",
        finished=None if kept else datetime.now(UTC),
        destroyed=tuple(sorted({*receipt.destroyed, *here} - set(kept))),
        to_delete=tuple(str(files[name]) for name in kept),
    )
    _write(receipt, places)
    return receipt


def _all_until(practice: str, names: set[str]) -> tuple[str, ...]:
    """All key files that the practice ever had: those of before a rotation, long deleted here, still open a backup of then."""
    last = max((int(name.rpartition(".")[2]) for name in names), default=0)
    return tuple(f"{practice}.{number}" for number in range(1, last + 1))


def _begun(practice: PracticeId, places: Places) -> Receipt:
    """A receipt that is begun now, or goes on from one that was not finished."""
    new = Receipt(practice=practice, state="begun", began=datetime.now(UTC), host=socket.gethostname())
    if not places.receipt.exists():
        for file in (places.receipt, places.text):
            os.close(create_private(file))
        return new
    try:
        found = msgspec.json.decode(places.receipt.read_bytes() or msgspec.json.encode(new), type=Receipt)
    except msgspec.MsgspecError:
        raise OtherReceipt(f"{places.receipt} exists and is not a receipt") from None
    if found.practice != practice or found.format != FORMAT:
        raise OtherReceipt(f"{places.receipt} is the receipt of {found.practice}")
    return found


def _write(receipt: Receipt, places: Places) -> None:
    """Both files, each replaced as a whole."""
    encoded = msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"
    for file, content in ((places.receipt, encoded), (places.text, told(receipt).encode())):
        partial = file.with_name(file.name + ".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(create_private(partial), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    sync_folder(places.receipt.parent)


def told(receipt: Receipt) -> str:
    """The receipt for people."""
    lines = [f"Shredding of practice {receipt.practice}: {receipt.state}", f"begun {receipt.began:%Y-%m-%d %H:%M:%S} UTC"]
    if receipt.marked:
        lines.append(f"data keys deleted {receipt.marked:%Y-%m-%d %H:%M:%S} UTC; no worker opens or seals its bodies since")
    if receipt.finished:
        lines.append(f"finished {receipt.finished:%Y-%m-%d %H:%M:%S} UTC on {receipt.host}")
    lines.append(f"{receipt.events} events stay, unreadable; their chain ends with {receipt.chain or 'nothing'}")
    lines += [f"key file destroyed: {name}.key" for name in receipt.destroyed]
    lines += [f"DELETE BY HAND, then run the command again: {path}" for path in receipt.to_delete]
    lines += ["", "Delete every copy of these files, wherever they are: " + ", ".join(f"{n}.key" for n in receipt.key_files)]
    lines += ["", "What this could not reach:", *(f"- {one}" for one in receipt.beyond_reach)]
    return "\n".join(lines) + "\n"
