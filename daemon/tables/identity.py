"""Second factors of the console's users, and who a user is at an identity provider.

A secret comes sealed, recovery codes and states as digests. Whatever takes or replaces a second factor ends the user's sessions in the
same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from daemon.tables.accounts import digest
from daemon.tables.queries import CONSOLE
from events import queries
from events.connection import Connection, ConnectionPool

SQL = queries.load("identity")


class SecondFactor(msgspec.Struct, frozen=True, kw_only=True):
    """A second factor as it is stored; one that is not `confirmed` is only offered."""

    secret: bytes
    confirmed: bool


async def second_factor(connection: Connection, name: str) -> SecondFactor | None:
    """The user's second factor."""
    row = await connection.fetchrow(SQL["second_factor"], name)
    return None if row is None else msgspec.convert(dict(row), SecondFactor)


async def offer_factor(connection: Connection, name: str, secret: bytes) -> bool:
    """Keep a secret for the user to confirm; False where one is confirmed already."""
    return await connection.fetchval(SQL["offer_factor"], name, secret) is not None


async def confirm_factor(pool: ConnectionPool, name: str, step: int, codes: Iterable[str], session: str) -> bool:
    """The offered secret is the user's: it is asked for from now on. All sessions but `session` end. False where it was before."""
    async with pool.acquire() as connection, connection.transaction():
        done = await connection.fetchval(SQL["confirm_factor"], name, step) is not None
        if done:
            await connection.execute(SQL["remove_recovery_codes"], name)
            await connection.execute(SQL["add_recovery_codes"], name, [digest(one) for one in codes])
            await connection.execute(SQL["end_other_sessions"], name, digest(session))
            await connection.execute(CONSOLE["end_links_of"], name)
    return done


async def use_step(connection: Connection, name: str, step: int) -> bool:
    """A code of this time step lets its user in; False where it, or a later one, did so before."""
    return await connection.fetchval(SQL["use_step"], name, step) is not None


async def use_recovery_code(connection: Connection, name: str, code: str) -> bool:
    """A recovery code lets its user in, once."""
    return await connection.fetchval(SQL["use_recovery_code"], name, digest(code)) is not None


async def recovery_codes_left(connection: Connection, name: str) -> int:
    return int(await connection.fetchval(SQL["count_recovery_codes"], name))


async def remove_factor(pool: ConnectionPool, name: str, session: str = "") -> bool:
    """No second factor any more; all sessions but `session` end. False where there was none."""
    async with pool.acquire() as connection, connection.transaction():
        done = await connection.fetchval(SQL["remove_factor"], name) is not None
        if done:
            await connection.execute(SQL["remove_recovery_codes"], name)
            await connection.execute(SQL["end_other_sessions"], name, digest(session))
            await connection.execute(CONSOLE["end_links_of"], name)
    return done


# -- the identity provider ------------------------------------------------------------------------------------------------


async def known_as(connection: Connection, issuer: str, subject: str) -> str | None:
    """Whom this subject signs in as."""
    found: str | None = await connection.fetchval(SQL["known_as"], issuer, subject)
    return found


async def add_identity(connection: Connection, issuer: str, subject: str, name: str) -> bool:
    """The subject signs in as this user; False where it signs in as somebody already."""
    return await connection.fetchval(SQL["add_identity"], issuer, subject, name) is not None


async def add_user_of(pool: ConnectionPool, issuer: str, subject: str, name: str) -> bool:
    """A new user for a subject; False where the name is taken, or the subject is somebody already."""
    try:
        async with pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(CONSOLE["add_account"], name, "") is None:
                return False
            if not await add_identity(connection, issuer, subject, name):
                raise _NameTaken
    except _NameTaken:
        return False
    return True


class _NameTaken(Exception):
    pass


async def give_roles(pool: ConnectionPool, name: str, roles: Collection[tuple[str, str]]) -> bool:
    """These roles (practice, role) and no others; sessions end where they are others than before. Whether they are."""
    async with pool.acquire() as connection, connection.transaction():
        held = {(row["practice"], row["role"]) for row in await connection.fetch(CONSOLE["roles_of_account"], name)}
        if held == set(roles):
            return False
        await connection.execute(SQL["clear_roles"], name)
        for practice, role in sorted(set(roles)):
            await connection.execute(CONSOLE["add_role"], name, practice, role)
        await connection.execute(CONSOLE["end_sessions_of"], name)
        await connection.execute(CONSOLE["end_links_of"], name)
    return True


async def add_request(connection: Connection, state: str, kept: str, seconds: float) -> None:
    """A sign-in goes away and has to come back within `seconds`; those that never did are forgotten."""
    await connection.execute(SQL["forget_sign_in_requests"])
    await connection.execute(SQL["add_sign_in_request"], digest(state), kept, seconds)


async def take_request(connection: Connection, state: str) -> str | None:
    """What was kept for a sign-in that comes back in time; it comes back once."""
    row = await connection.fetchrow(SQL["take_sign_in_request"], digest(state))
    return row["kept"] if row is not None and row["holds"] else None
