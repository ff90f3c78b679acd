"""The second factor: set up with a picture, asked for at each sign-in, each code once in whichever process, guessed by nobody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import pyotp
import pytest
import pytest_asyncio

from daemon.console.factors import (
    RECOVERY_CODES,
    STEP_SECONDS,
    TRIES,
    Factors,
    new_recovery_codes,
    offer_of,
    step_of,
    typed,
)
from daemon.console.sessions import TRIES_OF_USER, make_link
from daemon.tables import access, accounts, identity
from tests.integration.visiting import KEPT, PASSWORD, Browser, Site, beside

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOON = 1_700_000_010.0
"""When all codes of this file are made and typed: no step ends in between."""

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ"
KEY = "0123456789abcdef0123456789abcdef"
CODES = re.compile(r"<code>([a-z2-9]{5}-[a-z2-9]{5})</code>")
OFFERED = re.compile(r"<code>([A-Z2-7]{32})</code>")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(visited_file: Path) -> AsyncIterator[Site]:
    """A console with a key for second factors; admins have to have one."""
    key = visited_file.with_name("factors-key")
    key.write_text(KEY)
    key.chmod(0o600)
    async with beside(visited_file, 'key_file = "factors-key"\nsecond_factor = ["admin"]') as opened:
        opened.console.sessions.factors.now = lambda: NOON
        yield opened


async def person(at: Site, name: str, role: str = "operator") -> str:
    """A new user by this name."""
    await accounts.add(at.console.store.pool, name, KEPT)
    await accounts.set_role(at.console.store.pool, name, "elm", role, held=True)
    return name


def code_of(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(NOON // STEP_SECONDS) + steps)


async def set_up(at: Site, browser: Browser) -> tuple[str, list[str]]:
    """The secret and the recovery codes, as the pages show them."""
    await browser.post("/second-factor/begin", {})
    (secret,) = OFFERED.findall((await browser.get("/second-factor")).text)
    page = await browser.post("/second-factor/confirm", {"code": code_of(secret, -1)})
    assert page.status == 200, page.text
    return secret, CODES.findall(page.text)


async def log_of(at: Site, name: str) -> list[str]:
    return [one.what for one in await access.last(at.console.store.pool, access.NOWHERE, most=200) if one.who == name][::-1]


async def test_set_up_asked_for_and_given_up(at: Site) -> None:
    name = await person(at, "omar")
    browser, elsewhere = await at.of(name), await at.of(name)
    link = await make_link(at.console.store.pool, name, "test")
    secret, codes = await set_up(at, browser)
    assert len(set(codes)) == RECOVERY_CODES
    assert (await browser.get("/p/elm")).status == 200
    assert (await elsewhere.get("/p/elm")).goes_to == "/sign-in", "other sessions have ended"
    assert (await browser.post(f"/enter/{link}", {})).status == 401, "and so have links"
    assert not CODES.findall((await browser.get("/second-factor")).text), "recovery codes are shown once"
    for code in ("", "000000", code_of(secret, -20), code_of(secret, -1)):
        assert (await at.browser().sign_in(name, code=code)).status == 401, code
    assert (await at.browser().sign_in(name, code=code_of(secret))).status == 303
    stored = await at.console.store.pool.fetch(
        "SELECT * FROM chartwire_console.second_factor, chartwire_console.recovery_code"
    )
    assert not any(one in str(stored) for one in (secret, codes[0], typed(codes[0])))
    browser = at.browser()
    assert (await browser.sign_in(name, code=codes[0])).status == 303
    await browser.get("/second-factor")
    assert (await browser.post("/second-factor/give-up", {"code": codes[0]})).status == 400
    assert (await browser.post("/second-factor/give-up", {"code": codes[1].upper()})).goes_to == "/second-factor"
    assert (await at.browser().sign_in(name)).status == 303
    told = await log_of(at, name)
    for what in ("second factor offered", "second factor set up", "sign-in refused", "second factor given up"):
        assert what in told


async def test_a_code_works_once_over_two_processes(at: Site, visited_file: Path) -> None:
    name = await person(at, "twice")
    secret, codes = await set_up(at, await at.of(name))
    async with beside(visited_file, 'key_file = "factors-key"') as second:
        second.console.sessions.factors.now = lambda: NOON
        code = code_of(secret)
        answers = [await one.browser().sign_in(name, code=code) for one in (at, second, at)]
        assert [one.status for one in answers] == [303, 401, 401]
        both = [await one.browser().sign_in(name, code=codes[3]) for one in (second, at)]
        assert [one.status for one in both] == [303, 401]
        assert (await second.browser().sign_in(name, code=code_of(secret, 1))).status == 303
        assert (await at.browser().sign_in(name, code=code)).status == 401, "an earlier step is over, too"


async def test_guessing_codes_ends_before_it_can_succeed_and_says_nothing(at: Site) -> None:
    name = await person(at, "guess")
    secret, codes = await set_up(at, await at.of(name))
    wrong = {re.sub("[0-9a-f]{64}", "", (await at.browser().sign_in(name, code="000000")).text) for _ in range(TRIES)}
    late = await at.browser().sign_in(name, code=code_of(secret))
    badly = await at.browser().sign_in(name, password="wrong", code=code_of(secret, 1))
    assert {late.status, badly.status} == {401}
    assert {re.sub("[0-9a-f]{64}", "", one.text) for one in (late, badly)} == wrong, "all answers are the same"
    assert (await at.browser().sign_in(name, code=codes[0])).status == 401, "recovery codes wait as well"
    assert (await log_of(at, name)).count("sign-in refused") == TRIES + 3
    assert TRIES < TRIES_OF_USER
    await accounts.clear_tries(at.console.store.pool, f"code:{name}")
    assert (await at.browser().sign_in(name, code=code_of(secret, 1))).status == 303, "a wrong password uses no code up"


async def test_a_link_asks_for_it_too(at: Site) -> None:
    name = await person(at, "linked")
    secret, _ = await set_up(at, await at.of(name))
    for code, status in (("", 401), ("000000", 401), (code_of(secret), 303)):
        browser = at.browser()
        link = await make_link(at.console.store.pool, name, "test")
        await browser.get(f"/enter/{link}")
        assert (await browser.post(f"/enter/{link}", {"code": code})).status == status


async def test_a_role_that_asks_for_it_does_nothing_without(at: Site) -> None:
    name = await person(at, "boss", "admin")
    browser = await at.of(name)
    for path in ("/", "/p/elm", "/p/elm/audit", "/p/elm/help"):
        assert (await browser.get(path)).goes_to == "/second-factor", path
    await browser.get("/second-factor")
    assert (await browser.post("/p/elm/deed", {"deed": "redrive"})).status == 403
    secret, codes = await set_up(at, browser)
    assert (await browser.get("/p/elm/audit")).status == 200
    await browser.post("/second-factor/give-up", {"code": codes[0]})
    assert (await browser.get("/p/elm/audit")).goes_to == "/second-factor"
    assert secret
    assert (await browser.post("/sign-out", {})).goes_to == "/sign-in"


async def test_a_second_factor_is_not_replaced_by_who_finds_a_browser_open(at: Site) -> None:
    name = await person(at, "open")
    browser = await at.of(name)
    secret, _ = await set_up(at, browser)
    before = await identity.second_factor(at.console.store.pool, name)
    await browser.post("/second-factor/begin", {})
    assert (await browser.post("/second-factor/confirm", {"code": code_of(secret)})).status == 400
    assert await identity.second_factor(at.console.store.pool, name) == before


async def test_confirming_is_no_way_to_guess(at: Site) -> None:
    browser = await at.of(await person(at, "confirmer"))
    await browser.post("/second-factor/begin", {})
    (secret,) = OFFERED.findall((await browser.get("/second-factor")).text)
    for _ in range(TRIES):
        assert (await browser.post("/second-factor/confirm", {"code": "000000"})).status == 400
    assert (await browser.post("/second-factor/confirm", {"code": code_of(secret)})).status == 400
    assert (await at.browser().sign_in("confirmer", PASSWORD)).status == 303, "nothing was set up"


async def test_without_a_key_there_is_none_to_have(visited: Site) -> None:
    browser = await visited.of("operator")
    assert (await browser.get("/second-factor")).status == 404
    assert "second-factor" not in (await browser.get("/p/elm")).text


async def test_under_another_key_nobody_gets_in_by_a_code(at: Site) -> None:
    name = await person(at, "rekeyed")
    secret, codes = await set_up(at, await at.of(name))
    other = Factors(at.console.store.pool, KEY[::-1], lambda: NOON)
    assert not await other.passes(name, code_of(secret))
    assert await other.passes(name, codes[0]), "recovery codes are not sealed"
    row = await identity.second_factor(at.console.store.pool, name)
    assert row is not None
    assert await identity.offer_factor(at.console.store.pool, await person(at, "thief"), row.secret)
    assert await at.console.sessions.factors.offered("thief") is None, "a sealed secret is of one user"


async def test_the_picture_is_drawn_by_one_path_and_says_the_secret() -> None:
    offer = offer_of("omar", SECRET)
    assert re.fullmatch(r"(M\d+ \d+h1v1h-1z)+", offer.path)
    assert offer.size > 20
    page = ElementTree.fromstring(f'<svg viewBox="0 0 {offer.size} {offer.size}"><path d="{offer.path}"/></svg>')
    assert [one.tag for one in page] == ["path"]
    assert offer.path != offer_of("omar", SECRET[::-1]).path


async def test_a_code_is_of_its_half_minute_and_those_beside_it() -> None:
    totp = pyotp.TOTP(SECRET)
    current = int(NOON // STEP_SECONDS)
    found = {steps: step_of(SECRET, totp.generate_otp(current + steps), NOON) for steps in range(-3, 4)}
    assert found == {-3: None, -2: None, -1: current - 1, 0: current, 1: current + 1, 2: None, 3: None}
    assert step_of(SECRET, "", NOON) is None
    assert typed(" 123 4-56 ") == "123456"
    assert typed("é") == ""
    assert len(set(new_recovery_codes())) == RECOVERY_CODES
