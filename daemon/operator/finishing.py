"""`chartwire migrate --finish`: from now on the new formats are written. All workers must read them before.

A practice gets data keys, wrapped by its newest key file, which all machines have already; its older files become data keys of
their own ids, so that everything stored and everything under way stays readable. Killed anywhere, the same command goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from daemon.tables.observed import StoredSubscriptions
from events.connection import SingleConnection
from events.data_keys import make_keys, older_owners, practices, read_keys, replace_hashes, switch_on
from events.formats import demand_format, require_format
from events.ids import PracticeId
from events.keys import KeyMissing, Keyring


class OlderOwners(Exception):
    """Practices whose last owner was an older worker. The message names them."""


@dataclass(frozen=True)
class Finished:
    """What became of one practice. `problem` is why it goes on as before; `retired` are key files that no new body needs.

    `hashes` are stored hashes that were keyed.
    """

    practice: str
    wrapped_by: str = ""
    retired: tuple[str, ...] = ()
    hashes: int = 0
    problem: str = ""


async def finish(connection: SingleConnection, configured: Iterable[str], ring: Keyring) -> AsyncIterator[Finished]:
    """Turn the new formats on, then go through the practices. What is wrong with one does not hold up the others.

    From here on no older worker takes a practice. Raises OlderOwners, or OlderVersion where a newer version has finished the database,
    and nothing has changed then.
    """
    await demand_format(connection)
    known = list(configured)
    if older := await older_owners(connection, known):
        raise OlderOwners(", ".join(f"{practice} ({owner})" for practice, owner in older))
    await require_format(connection)
    await switch_on(connection)
    for practice in sorted({*known, *await practices(connection)}):
        yield await _finished(connection, PracticeId(practice), ring)


async def _finished(connection: SingleConnection, practice: PracticeId, ring: Keyring) -> Finished:
    try:
        await make_keys(connection, practice, ring)
        for keys in await read_keys(connection, practice):
            ring.take(keys)
        if ring.shredded(practice):
            return Finished(practice=practice)
        ring.demand(practice)
    except KeyMissing as error:
        return Finished(practice=practice, problem=str(error))
    in_force, hash_key = ring.in_force(practice), ring.hash_key(practice)
    assert in_force is not None
    assert hash_key is not None
    by = in_force.wrapped[0].wrapped_by
    retired = tuple(name for name in ring.files_of(practice) if name != by)
    hashes = await replace_hashes(connection, practice, hash_key)
    await StoredSubscriptions(connection, practice, ring).seal_all()
    return Finished(practice=practice, wrapped_by=by, retired=retired, hashes=hashes)
