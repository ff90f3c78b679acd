"""Guessing at the console: passwords, links, sessions and handles. It is slowed down, finds nothing, and is recorded."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest

from daemon.console.passwords import HASHER, Passwords
from daemon.console.refusals import EACH
from daemon.console.sessions import TRIES_FROM_ADDRESS, TRIES_OF_USER, TRIES_OF_USER_IN_ALL, make_link
from daemon.tables import access, accounts
from tests.conftest import PRACTICE
from tests.integration.visiting import ADA, KEPT, OTHER_EVENT, PASSWORD, Browser, Site, beside

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_guessing_a_password_ends_before_it_can_succeed(visited: Site) -> None:
    pool = visited.console.store.pool
    await accounts.add(pool, "guessed", KEPT)
    answers = {
        re.sub("[0-9a-f]{64}", "", (await visited.browser().sign_in("guessed", f"guess {n}")).text)
        for n in range(TRIES_OF_USER)
    }
    late = await visited.browser().sign_in("guessed", PASSWORD)
    assert late.status == 401
    assert answers == {re.sub("[0-9a-f]{64}", "", late.text)}, "nobody is told whether it was right"
    log = [one for one in await access.last(pool, access.NOWHERE) if one.who == "guessed"]
    assert [one.what for one in log] == ["sign-in refused"] * (TRIES_OF_USER + 1)
    assert log[0].detail == "too many tries"
    assert PASSWORD not in str(log)


async def test_guessing_ids_and_handles_finds_nothing(visited: Site) -> None:
    browser = await visited.of("operator")
    handle = visited.console.handles.of(PRACTICE, ADA)
    guesses = [secrets.token_urlsafe(len(handle) * 3 // 4) for _ in range(20)] + [handle[::-1], handle.lower(), handle + "A"]
    for guess in guesses:
        assert (await browser.get(f"/p/elm/patient/{guess}")).status == 404
        thief = Browser(visited.url, {"chartwire_session": guess})
        assert (await thief.get("/p/elm")).goes_to == "/sign-in"
    log = await access.last(visited.console.store.pool, "elm", most=len(guesses))
    assert {(one.who, one.what, one.detail) for one in log} == {
        ("operator", "refused", "GET /p/{practice}/patient/{patient}: 404")
    }
    assert not any(handle in one.detail for one in log)
    assert (await browser.get(f"/p/elm/done/{OTHER_EVENT}")).status == 200


async def test_guessing_links_is_slowed_down_by_address_and_recorded(visited_file: Path) -> None:
    async with beside(visited_file) as at:
        pool = at.console.store.pool
        browser = at.browser()
        await browser.get("/sign-in")
        link = await make_link(pool, "viewer", "test")
        try:
            for _ in range(TRIES_FROM_ADDRESS):
                assert (await browser.post(f"/enter/{secrets.token_urlsafe(32)}", {})).status == 401
            assert (await browser.post(f"/enter/{link}", {})).status == 401, "even the right one waits"
        finally:
            await accounts.clear_tries(pool, "address:127.0.0.1")
        log = await access.last(pool, access.NOWHERE, most=TRIES_FROM_ADDRESS + 1)
        assert {(one.what, one.detail) for one in log} == {("sign-in refused", "link")}


async def test_nobody_is_kept_out_by_wrong_passwords_that_somebody_else_types(visited: Site) -> None:
    """The browser that a user has signed in with before is counted by itself, and counted all the same."""
    pool = visited.console.store.pool
    for name in ("kept-out", "neighbour"):
        await accounts.add(pool, name, KEPT)
    desk = visited.browser()
    for name in ("kept-out", "neighbour"):
        desk.cookies.pop("chartwire_session", None)
        assert (await desk.sign_in(name)).status == 303
    for _ in range(TRIES_OF_USER + 1):
        await visited.browser().sign_in("kept-out", "wrong")
    try:
        assert (await visited.browser().sign_in("kept-out")).status == 401
        for name in ("kept-out", "neighbour"):
            desk.cookies.pop("chartwire_session", None)
            assert (await desk.sign_in(name)).status == 303, name
        known = desk.cookies["chartwire_known"]
        for _ in range(TRIES_OF_USER):
            assert (await Browser(visited.url, {"chartwire_known": known}).sign_in("kept-out", "guess")).status == 401
        assert (await Browser(visited.url, {"chartwire_known": known}).sign_in("kept-out")).status == 401
        await accounts.set_password(pool, "neighbour", HASHER.hash("another one of four words"))
        for _ in range(TRIES_OF_USER + 1):
            await visited.browser().sign_in("neighbour", "wrong")
        late = await Browser(visited.url, {"chartwire_known": known}).sign_in("neighbour", "another one of four words")
        assert late.status == 401, "a token of the password before"
    finally:
        await accounts.clear_tries(pool, "address:127.0.0.1")


async def test_a_link_makes_a_new_browser_known_though_somebody_guesses_from_everywhere(visited: Site) -> None:
    pool = visited.console.store.pool
    await accounts.add(pool, "flooded", KEPT)
    for number in range(TRIES_OF_USER_IN_ALL + 1):
        assert await visited.console.sessions.sign_in("flooded", "wrong", f"10.2.0.{number}") is None
    desk = visited.browser()
    assert (await desk.sign_in("flooded")).status == 401
    link = await make_link(pool, "flooded", "test")
    await desk.get(f"/enter/{link}")
    assert (await desk.post(f"/enter/{link}", {})).status == 303
    desk.cookies.pop("chartwire_session")
    assert (await desk.sign_in("flooded")).status == 303, "its own tries alone count from now on"
    assert (await visited.browser().sign_in("flooded")).status == 401
    await accounts.clear_tries(pool, "address:127.0.0.1")


async def test_nobody_fills_the_access_log_by_knocking(visited_file: Path) -> None:
    """Each refusal of nobody's is counted, and few of many are recorded: with how many there were. A user's are recorded always."""
    async with beside(visited_file) as at:
        pool, browser, knocks = at.console.store.pool, at.browser(), 2 * EACH + 60
        before = max((one.sequence for one in await access.last(pool, access.NOWHERE, most=1)), default=0)
        for _ in range(knocks):
            assert (await browser.post("/sign-out", {}, token="0" * 64)).status in (400, 401)
        log = await access.last(pool, access.NOWHERE, most=knocks)
        log = [one for one in log if one.sequence > before]
        assert len(log) == EACH + sum(EACH < 2**power <= knocks for power in range(20))
        assert log[0].detail.endswith("256 from there within the hour")
        operator = await at.of("operator")
        for _ in range(3):
            assert (await operator.post("/p/elm/find", {}, token="0" * 64)).status == 400
        told = [(one.who, one.what, one.detail) for one in await access.last(pool, "elm", most=3)]
        assert told == [("operator", "refused", "POST /p/{practice}/find: 400")] * 3


async def test_too_many_tries_cost_no_work(visited: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are made to be slow to look at: whoever tries too often does not have them looked at."""
    looked: list[str] = []
    real = Passwords.fits

    async def counted(passwords: Passwords, kept: str, password: str) -> bool:
        looked.append(kept)
        return await real(passwords, kept, password)

    monkeypatch.setattr(Passwords, "fits", counted)
    for _ in range(TRIES_OF_USER + 5):
        await visited.browser().sign_in("nobody-such", "wrong")
    assert len(looked) == TRIES_OF_USER
    await accounts.clear_tries(visited.console.store.pool, "address:127.0.0.1")
