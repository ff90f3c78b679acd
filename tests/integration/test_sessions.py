"""Signing in to the console: constant answers, tries counted, new ids, and sessions that end when they should."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from daemon.console.factors import Factors
from daemon.console.passwords import Passwords
from daemon.console.roles import GRANTS, May, Role, Visitor
from daemon.console.sessions import (
    TRIES_FROM_ADDRESS,
    TRIES_OF_USER,
    TRIES_OF_USER_IN_ALL,
    Sessions,
    form_token,
    is_form_token,
    make_link,
)
from daemon.servers import ConsoleConfig
from daemon.tables import access, accounts
from events.pool import open_pool

PASSWORD = "four words nobody says"
HERE = "127.0.0.1"


@pytest_asyncio.fixture
async def pool(console_dsn: str) -> AsyncIterator[Any]:
    opened = await open_pool(console_dsn, min_size=1, max_size=4)
    await accounts.add(opened, "dana", await Passwords().hashed(PASSWORD))
    await accounts.set_role(opened, "dana", "elm", "front-desk", held=True)
    yield opened
    await opened.close()


@pytest.fixture
def sessions(pool: Any, console_dsn: str) -> Sessions:
    return Sessions(pool, ConsoleConfig(dsn=console_dsn), Passwords(), Factors(pool, "", time.time))


async def earlier(owner_dsn: str, statement: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(statement)
    await owner.close()


async def test_a_session_begins_with_an_id_of_its_own_and_ends_with_signing_out(sessions: Sessions, pool: Any) -> None:
    first = await sessions.sign_in("dana", PASSWORD, HERE)
    second = await sessions.sign_in("dana", PASSWORD, HERE)
    assert first is not None
    assert second is not None
    assert first != second
    visitor = await sessions.visitor(first)
    assert visitor == Visitor("dana", first, (("elm", "front-desk"),))
    await sessions.sign_out(visitor, HERE)
    assert await sessions.visitor(first) is None
    assert await sessions.visitor(second) is not None
    assert [one.what for one in await access.last(pool, access.NOWHERE)] == ["signed out", "signed in", "signed in"]


@pytest.mark.parametrize(("name", "password"), [("dana", "wrong"), ("nobody", PASSWORD), ("", ""), ("dana", "")])
async def test_what_does_not_fit_lets_nobody_in_and_is_recorded(
    sessions: Sessions, pool: Any, name: str, password: str
) -> None:
    assert await sessions.sign_in(name, password, HERE) is None
    (one,) = await access.last(pool, access.NOWHERE)
    assert (one.who, one.what) == ("dana" if name == "dana" else "", "sign-in refused")


async def test_after_too_many_tries_even_the_right_password_waits(sessions: Sessions, pool: Any, owner_dsn: str) -> None:
    for _ in range(TRIES_OF_USER):
        assert await sessions.sign_in("Dana", "wrong", HERE) is None
    assert await sessions.sign_in("dana", PASSWORD, HERE) is None
    await earlier(owner_dsn, "UPDATE chartwire_console.attempt SET at = at - interval '1 hour'")
    assert await sessions.sign_in("dana", PASSWORD, HERE) is not None


async def test_a_guesser_keeps_a_user_out_of_no_other_network_but_is_stopped_in_many(sessions: Sessions, pool: Any) -> None:
    """Ten a network; who has many networks is stopped by the count of the user, and a link lets the user in all the same."""
    for _ in range(2 * TRIES_OF_USER):
        assert await sessions.sign_in("dana", "wrong", HERE) is None
    assert await sessions.sign_in("dana", PASSWORD, "10.0.0.9") is not None
    for number in range(TRIES_OF_USER_IN_ALL):
        assert await sessions.sign_in("dana", "wrong", f"10.1.0.{number % 250}") is None
    assert await sessions.sign_in("dana", PASSWORD, "10.0.0.9") is None
    assert await sessions.enter(await make_link(pool, "dana", "root"), "10.0.0.9") is not None


async def test_tries_from_one_address_are_counted_whoever_they_are_for(sessions: Sessions, pool: Any) -> None:
    for number in range(TRIES_FROM_ADDRESS):
        await accounts.tried(pool, f"address:{HERE}", 900)
        assert number < TRIES_FROM_ADDRESS
    assert await sessions.sign_in("dana", PASSWORD, HERE) is None
    assert await sessions.sign_in("dana", PASSWORD, "10.0.0.9") is not None


async def test_who_signs_in_uses_up_nobody_s_tries(sessions: Sessions) -> None:
    for _ in range(TRIES_FROM_ADDRESS + 2):
        assert await sessions.sign_in("dana", PASSWORD, HERE) is not None


async def test_a_disabled_user_is_not_let_in(sessions: Sessions, pool: Any) -> None:
    held = await sessions.sign_in("dana", PASSWORD, HERE)
    assert held is not None
    token = await make_link(pool, "dana", "root")
    await accounts.set_disabled(pool, "dana", disabled=True)
    assert await sessions.visitor(held) is None
    assert await sessions.sign_in("dana", PASSWORD, HERE) is None
    assert await sessions.enter(token, HERE) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chartwire_console.session SET seen_at = seen_at - interval '31 min'",
        "UPDATE chartwire_console.session SET ends_at = ends_at - interval '12 h'",
    ],
    ids=["idle", "absolute"],
)
async def test_a_session_expires(sessions: Sessions, owner_dsn: str, statement: str) -> None:
    held = await sessions.sign_in("dana", PASSWORD, HERE)
    assert held is not None
    await earlier(owner_dsn, statement)
    assert await sessions.visitor(held) is None


async def test_use_keeps_a_session_from_being_idle(sessions: Sessions, owner_dsn: str) -> None:
    held = await sessions.sign_in("dana", PASSWORD, HERE)
    assert held is not None
    for _ in range(3):
        await earlier(owner_dsn, "UPDATE chartwire_console.session SET seen_at = seen_at - interval '20 min'")
        assert await sessions.visitor(held) is not None


async def test_a_link_signs_in_once(sessions: Sessions, pool: Any) -> None:
    token = await make_link(pool, "dana", "root")
    held = await sessions.enter(token, HERE)
    assert held is not None
    assert await sessions.enter(token, HERE) is None
    assert token not in str(await pool.fetch("SELECT * FROM chartwire_console.access"))


def test_the_token_of_a_form_is_of_its_session_alone() -> None:
    assert is_form_token("a", form_token("a"))
    assert not is_form_token("a", form_token("b"))
    assert not is_form_token("a", "")
    assert not is_form_token("a", "é")


def test_a_role_holds_in_its_practice_or_everywhere() -> None:
    visitor = Visitor("dana", "", (("elm", "front-desk"), ("*", "viewer"), ("oak", "of a later version")))
    assert visitor.may("elm") == GRANTS[Role.FRONT_DESK] | GRANTS[Role.VIEWER]
    assert visitor.may("oak") == {May.SEE}
    assert visitor.practices(["elm", "oak"]) == ["elm", "oak"]
    assert Visitor("omar", "", (("elm", "biller"),)).practices(["elm", "oak"]) == ["elm"]


def test_only_those_who_need_patients_see_them() -> None:
    assert [role for role in Role if May.PATIENTS not in GRANTS[role]] == [Role.VIEWER, Role.ADMIN]
    assert [role for role in Role if May.OPERATE in GRANTS[role]] == [Role.OPERATOR]
    assert set(GRANTS) == set(Role)
