"""The console's users: their roles by practice, their sessions, tries to sign in, and links that sign in once.

Random ids and tokens are kept as digests only. Whatever changes what a user may (another password, another role, being disabled) ends
the user's sessions in the same transaction; every process asks for the session anew at each request.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec

from daemon.tables.queries import CONSOLE
from events.connection import Connection, ConnectionPool

EVERYWHERE = "*"
"""The practice of a role that holds in every practice."""

LOCAL, PROVIDER = "local", "provider"
"""How a session began: by password or link, or at an identity provider."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user: `roles` are (practice, role). `password` is what it is checked against, "" where there is none."""

    name: str
    password: str = ""
    disabled: bool = False
    roles: tuple[tuple[str, str], ...] = ()


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it is stored: `idle` are the seconds since it was used, `how` it began, `factor` whether its user has a second one."""

    name: str
    disabled: bool
    over: bool
    idle: float
    how: str = LOCAL
    factor: bool = False


def is_name(text: str) -> bool:
    """Whether somebody can be a user by this name: 1 to 64 small letters, digits and . - _ @"""
    letters = all(one.isalnum() or one in ".-_@" for one in text)
    return 0 < len(text) <= 64 and text.isascii() and letters and text == text.lower()


def digest(text: str) -> bytes:
    """What is stored of a random id."""
    return sha256(text.encode()).digest()


async def add(connection: Connection, name: str, password: str) -> bool:
    """A new user without roles; False where the name is taken."""
    return await connection.fetchval(CONSOLE["add_account"], name, password) is not None


async def account(connection: Connection, name: str) -> Account | None:
    """A user with its roles."""
    row = await connection.fetchrow(CONSOLE["account"], name)
    if row is None:
        return None
    roles = await connection.fetch(CONSOLE["roles_of_account"], name)
    held = tuple((one["practice"], one["role"]) for one in roles)
    return Account(name=name, password=row["password"], disabled=row["disabled_at"] is not None, roles=held)


async def names(connection: Connection) -> list[str]:
    """All users, the disabled ones too."""
    return [row["name"] for row in await connection.fetch(CONSOLE["accounts"])]


async def set_password(pool: ConnectionPool, name: str, password: str) -> bool:
    """Another password; sessions and links end. False where there is no such user."""
    return await _changed(pool, name, "set_password", name, password)


async def set_disabled(pool: ConnectionPool, name: str, disabled: bool) -> bool:
    """Whether the user may sign in; sessions and links end. False where there is no such user."""
    return await _changed(pool, name, "set_disabled", name, disabled)


async def set_role(pool: ConnectionPool, name: str, practice: str, role: str, *, held: bool) -> bool:
    """Give or take a role; sessions end. False where nothing changed."""
    return await _changed(pool, name, "add_role" if held else "remove_role", name, practice, role)


async def _changed(pool: ConnectionPool, name: str, query: str, *values: object) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        done = await connection.fetchval(CONSOLE[query], *values) is not None
        if done:
            await connection.execute(CONSOLE["end_sessions_of"], name)
            await connection.execute(CONSOLE["end_links_of"], name)
    return done


# -- sessions -------------------------------------------------------------------------------------------------------------


async def add_session(connection: Connection, id_: str, name: str, seconds: float, how: str = LOCAL) -> None:
    """A session that ends after `seconds` whatever happens."""
    await connection.execute(CONSOLE["add_session"], digest(id_), name, seconds, how)


async def session(connection: Connection, id_: str) -> SessionState | None:
    """The session of this id, whether it holds or not."""
    row = await connection.fetchrow(CONSOLE["session"], digest(id_))
    return None if row is None else msgspec.convert(dict(row), SessionState)


async def touch_session(connection: Connection, id_: str) -> None:
    """The session was used just now."""
    await connection.execute(CONSOLE["touch_session"], digest(id_))


async def end_session(connection: Connection, id_: str) -> None:
    """Nobody is signed in by this id any more."""
    await connection.execute(CONSOLE["end_session"], digest(id_))


async def forget(connection: Connection, seconds: float) -> None:
    """Sessions that are over, and tries older than `seconds`."""
    await connection.execute(CONSOLE["forget_sessions"])
    await connection.execute(CONSOLE["forget_attempts"], seconds)


# -- tries and links ------------------------------------------------------------------------------------------------------


class Try(NamedTuple):
    """A try to sign in: when it was noted, and how many there were in the window, this one included."""

    at: datetime
    number: int


async def tried(connection: Connection, what: str, seconds: float) -> Try:
    """Note a try, and tell how many there were within `seconds`."""
    at = await connection.fetchval(CONSOLE["add_attempt"], digest(what))
    return Try(at, int(await connection.fetchval(CONSOLE["count_attempts"], digest(what), seconds)))


async def forgive(connection: Connection, what: str, one: Try) -> None:
    """A try that was no guess counts no more."""
    await connection.execute(CONSOLE["forgive_attempt"], digest(what), one.at)


async def clear_tries(connection: Connection, what: str) -> None:
    """Tries before count no more."""
    await connection.execute(CONSOLE["clear_attempts"], digest(what))


async def add_link(connection: Connection, token: str, name: str, seconds: float) -> None:
    """A link that signs `name` in, once, within `seconds`."""
    await connection.execute(CONSOLE["add_link"], digest(token), name, seconds)


async def use_link(connection: Connection, token: str) -> str | None:
    """Whom the link signs in; None where it does not hold. It is gone in any case."""
    row = await connection.fetchrow(CONSOLE["use_link"], digest(token))
    return row["name"] if row is not None and row["holds"] else None
