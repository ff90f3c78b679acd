"""Rotating a practice's key file, step by step. Killed anywhere, the same command goes on: each step finds out whether it is done."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from events.connection import SingleConnection
from events.data_keys import NotFinished, owner_of, read_keys, rewrap
from events.ids import PracticeId
from events.keys import KeyMissing, Keyring

AfterStep = Callable[[str], None]
"""Told the name of each step that is done."""


class KeyElsewhere(Exception):
    """The practice's owner is on another machine, where a key file made here would be missing. The message says what to do."""


@dataclass(frozen=True)
class Rotated:
    """`file` wraps now; `retired` are files that open nothing in the database by themselves any more (see `sealed_directly`).

    `sealed_directly` are those of them that bodies were sealed with before data keys: a copy still opens these bodies.
    """

    file: Path
    retired: tuple[str, ...]
    sealed_directly: tuple[str, ...]


async def rotate(
    connection: SingleConnection, practice: PracticeId, folder: Path, *, after_step: AfterStep = lambda step: None
) -> Rotated:
    """Wrap the practice's data keys by a newer key file and no other. Events are not touched, and workers go on meanwhile.

    A file that lies there already and is newer than what wraps is taken: made by `chartwire new-key` and carried to all machines,
    or by a rotation that was killed. Raises KeyMissing, KeyElsewhere, NotFinished (events/data_keys.py).
    """
    name = await _newer_file(connection, practice, folder)
    after_step("file")
    ring = Keyring.from_directory(folder)
    await rewrap(connection, practice, ring, name)
    after_step("rewrapped")
    (keys,) = await read_keys(connection, practice)
    ring.take(keys)
    if {one.wrapped_by for one in keys.wrapped} != {name} or not ring.has(practice):
        raise KeyMissing(f"the data keys of {practice} do not open with {name}.key; nothing may be deleted", practice)
    retired = tuple(one for one in ring.files_of(practice) if one != name)
    direct = {one.key_id for one in keys.wrapped}
    return Rotated(
        file=folder / f"{name}.key", retired=retired, sealed_directly=tuple(one for one in retired if one in direct)
    )


async def _newer_file(connection: SingleConnection, practice: PracticeId, folder: Path) -> str:
    """The name of the key file that is to wrap from now on; made where there is none."""
    ring = Keyring.from_directory(folder)
    for keys in await read_keys(connection, practice):
        ring.take(keys)
    in_force = ring.in_force(practice)
    if in_force is None:
        raise NotFinished(practice)
    ring.demand(practice)
    files = list(ring.files_of(practice))
    if files[-1] not in {one.wrapped_by for one in in_force.wrapped}:
        return files[-1]
    host = (await owner_of(connection, practice)).rpartition(":")[0]
    if host and host != socket.gethostname():
        raise KeyElsewhere(
            f"practice {practice} is at work on {host}: make its next key with `chartwire new-key {practice}`, copy the file to"
            " every machine, then call this again"
        )
    return Keyring.create_key(folder, practice).stem
