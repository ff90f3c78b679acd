"""A practice's data keys in PostgreSQL: making them, wrapping them anew, destroying them.

Each function is one transaction that holds the practice's head row, so the practice's writer stands before it or after it and
reads the keys again (`events.store.Store.writing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events import queries
from events.connection import Connection, SingleConnection
from events.formats import FORMAT
from events.ids import PracticeId
from events.keyed import MARK, keyed_hash
from events.keys import KeyMissing, Keyring
from events.wrapping import KEY, KeysInForce, Purpose, Wrapped, unwrap, wrap

SQL = queries.load("heads", "keys", "data_keys")
SWITCH = "data-keys"
"""On: all workers read the new formats, and whatever practice begins, begins with data keys."""
FIRST = ("", "", "")
BATCH = 2000


class NotFinished(Exception):
    """The practice has no data keys yet: what is asked for comes after `chartwire migrate --finish`."""


async def read_keys(connection: Connection, practice: str | None = None) -> list[KeysInForce]:
    """The data keys of a practice, or of all that have any, as they lie in the database."""
    rows = await connection.fetch(SQL["keys_in_force"], practice)
    found = []
    for name, each in groupby(rows, key=lambda row: row["practice"]):
        lines = list(each)
        wrapped = tuple(
            Wrapped(
                key_id=row["key_id"],
                purpose=Purpose(row["purpose"]),
                wrapped_by=row["wrapped_by"],
                wrapped=bytes(row["wrapped"]),
            )
            for row in lines
            if row["key_id"] is not None
        )
        found.append(
            KeysInForce(practice=name, changes=lines[0]["keys"], wrapped=wrapped, shredded_at=lines[0]["shredded_at"])
        )
    return found


async def is_switched(connection: Connection) -> bool:
    """Whether `chartwire migrate --finish` was run on this database."""
    return bool(await connection.fetchval(SQL["switched"], SWITCH))


async def switch_on(connection: Connection) -> None:
    """All workers read the new formats from now on."""
    await connection.execute(SQL["switch_on"], SWITCH)


async def practices(connection: Connection) -> list[str]:
    """All practices that the database knows."""
    return [row["practice"] for row in await connection.fetch(SQL["practices"])]


async def older_owners(connection: Connection, configured: Iterable[str] = ()) -> list[tuple[str, str]]:
    """(practice, owner) where a worker of before data keys has taken the practice last; of `configured` ones, of an older format."""
    rows = await connection.fetch(SQL["older_owners"], FORMAT, list(configured))
    return [(row["practice"], row["owner"]) for row in rows]


async def owner_of(connection: Connection, practice: PracticeId) -> str:
    """Who has the practice, as `host:process`; "" where nobody ever had it."""
    return str(await connection.fetchval(SQL["owner"], practice) or "")


async def end_of(connection: Connection, practice: PracticeId) -> tuple[int, bytes]:
    """The practice's last sequence, and the link of its chain."""
    head = await connection.fetchrow(SQL["head"], practice)
    return (0, b"") if head is None else (head["sequence"], head["chain"] or b"")


async def make_keys(connection: SingleConnection, practice: PracticeId, ring: Keyring) -> bool:
    """Give the practice its data keys, wrapped by its newest key file; False where it has them. Raises KeyMissing.

    The key files of before become data keys of their own ids. No new file is made here: all machines have those that there are.
    """
    async with connection.transaction():
        await connection.execute(SQL["make_head"], practice)
        head = await connection.fetchrow(SQL["lock_keys"], practice)
        if head["keys"]:
            return False
        files = ring.files_of(practice)
        used = {row["key_id"] for row in await connection.fetch(SQL["keys_used"], practice)}
        if missing := sorted(used - set(files)) or ([] if files else [f"{practice}.1"]):
            raise KeyMissing(f"practice {practice} needs the file {missing[0]}.key, which is not in the folder", practice)
        by = list(files)[-1]
        keys = {
            **{name: (Purpose.BODY, key) for name, key in files.items()},
            f"{practice}.d1": (Purpose.BODY, _random()),
            f"{practice}.h": (Purpose.HASH, _random()),
        }
        made = [wrap(practice, name, what, key, by=by, file_key=files[by]) for name, (what, key) in keys.items()]
        await _insert(connection, practice, made)
        await connection.execute(SQL["keys_changed"], practice)
    return True


async def rewrap(connection: SingleConnection, practice: PracticeId, ring: Keyring, by: str) -> list[str]:
    """Wrap the practice's data keys by the key file `by` and no other; returns the names of the files that wrapped until now.

    New bodies get a new data key: whoever has an old file and an old backup opens none of them. Raises NotFinished, KeyMissing.
    """
    async with connection.transaction():
        await connection.execute(SQL["make_head"], practice)
        head = await connection.fetchrow(SQL["lock_keys"], practice)
        if not head["keys"]:
            raise NotFinished(practice)
        for keys in await read_keys(connection, practice):
            ring.take(keys)
        in_force = ring.in_force(practice)
        assert in_force is not None
        ring.demand(practice)
        before = {one.wrapped_by for one in in_force.wrapped}
        if before == {by}:
            return []
        files = ring.files_of(practice)
        anew = [
            wrap(practice, one.key_id, one.purpose, unwrap(practice, one, files[one.wrapped_by]), by=by, file_key=files[by])
            for one in in_force.wrapped
        ]
        await connection.execute(
            SQL["rewrap_keys"],
            practice,
            [one.key_id for one in anew],
            [one.wrapped_by for one in anew],
            [one.wrapped for one in anew],
        )
        later = f"{practice}.d{1 + sum(one.key_id.startswith(f'{practice}.d') for one in anew)}"
        await _insert(connection, practice, [wrap(practice, later, Purpose.BODY, _random(), by=by, file_key=files[by])])
        await connection.execute(SQL["keys_changed"], practice)
    return sorted(before - {by})


async def destroy(connection: SingleConnection, practice: PracticeId) -> datetime:
    """Delete the practice's data keys, fence its owner, and mark it shredded for ever; returns when it was marked first.

    What is stored of it in the clear to be compared with or checked by (hashes, signing keys of webhooks) goes with them.
    """
    async with connection.transaction():
        await connection.execute(SQL["make_head"], practice)
        await connection.fetchrow(SQL["lock_keys"], practice)
        for name in ("delete_keys", "delete_observed", "delete_signing_keys"):
            await connection.execute(SQL[name], practice)
        at: datetime = await connection.fetchval(SQL["mark_shredded"], practice)
    return at


async def replace_hashes(connection: Connection, practice: PracticeId, key: bytes) -> int:
    """Replace stored plain hashes by their keyed forms, a batch a transaction, while workers go on; returns how many."""
    count, after = 0, FIRST
    while rows := await connection.fetch(SQL["plain_hashes"], practice, *after, BATCH):
        last = rows[-1]
        after = (last["system"], last["resource"], last["record"])
        plain = [row for row in rows if row["content_hash"] and not row["content_hash"].startswith(MARK)]
        await connection.execute(
            SQL["replace_hashes"],
            practice,
            *([row[name] for row in plain] for name in ("system", "resource", "record", "content_hash")),
            [keyed_hash(key, row["content_hash"]) for row in plain],
        )
        count += len(plain)
    return count


async def _insert(connection: Connection, practice: PracticeId, made: Sequence[Wrapped]) -> None:
    await connection.execute(
        SQL["insert_keys"],
        practice,
        [one.key_id for one in made],
        [one.purpose.value for one in made],
        [one.wrapped_by for one in made],
        [one.wrapped for one in made],
    )


def _random() -> bytes:
    return AESGCM.generate_key(bit_length=8 * KEY)
