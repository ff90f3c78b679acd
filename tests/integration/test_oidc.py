"""Signing in at an identity provider: what is believed, what is not, and who becomes a user by it. The provider is a real one on loopback."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from joserfc.jwk import RSAKey

from daemon.console.oidc import IdentityProvider
from daemon.console.sessions import TRIES_FROM_ADDRESS
from daemon.tables import access, accounts, identity
from tests.integration.identity_provider import CLIENT, SECRET, TestProvider, by_our_secret, provided, unsigned
from tests.integration.visiting import Answer, Browser, Site, beside

pytestmark = pytest.mark.asyncio(loop_scope="module")

OMAR = {"sub": "subject-1", "preferred_username": "Omar.O", "groups": ["billing", "staff"]}


def settings(issuer: str, *, create: bool) -> str:
    """The lines of `[console]`, with the provider's table written in one line."""
    groups = (
        '[{name = "billing", role = "biller", practices = ["elm"]}, {name = "audit", role = "auditor", practices = ["*"]}]'
    )
    table = f'issuer = "{issuer}", client_id = "{CLIENT}", client_secret_file = "oidc-secret", group = {groups}'
    return f"oidc = {{{table}, create_users = {str(create).lower()}}}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[TestProvider]:
    async with provided() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(visited_file: Path, provider: TestProvider) -> AsyncIterator[Site]:
    """A console at which those become users who have a group of theirs."""
    secret = visited_file.with_name("oidc-secret")
    secret.write_text(SECRET)
    secret.chmod(0o600)
    async with beside(visited_file, settings(provider.issuer, create=True)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def honest(provider: TestProvider) -> None:
    fresh = TestProvider(port=provider.port, key=provider.key)
    for name in ("user", "lie", "sign", "answer", "metadata", "away"):
        setattr(provider, name, getattr(fresh, name))
    provider.user = dict(OMAR)


async def sent(browser: Browser) -> str:
    """Off to the provider; the address that it sends the browser back to, at the console."""
    away = await browser.get("/sign-in/away")
    assert away.status == 303, away.text
    async with (
        aiohttp.ClientSession() as session,
        session.get(away.goes_to, allow_redirects=False) as response,
    ):
        assert response.status == 302
        back = response.headers["Location"]
    assert back.startswith(f"{browser.url}/sign-in/back?")
    return back.removeprefix(browser.url)


async def signed_in(browser: Browser) -> Answer:
    return await browser.get(await sent(browser))


async def last(at: Site) -> access.AccessRecord:
    (found,) = await access.last(at.console.store.pool, access.NOWHERE, most=1)
    return found


async def refused(at: Site, browser: Browser, answer: Answer, why: str) -> None:
    """Nobody is signed in, nobody is told why, and the access log knows."""
    assert answer.status == 401, answer.text
    assert "did not work" in answer.text
    assert "chartwire_session" not in browser.cookies
    one = await last(at)
    assert (one.who, one.what, one.detail) == ("", "sign-in refused", f"provider: {why}")
    assert (await browser.get("/p/elm")).goes_to == "/sign-in"
    await accounts.clear_tries(at.console.store.pool, "address:127.0.0.1")


# -- how it goes ----------------------------------------------------------------------------------------------------------


async def test_who_has_a_group_becomes_a_user_with_its_role_and_signs_in_again(at: Site) -> None:
    browser = at.browser()
    assert "Sign in with your organization" in (await browser.get("/sign-in")).text
    page = await signed_in(browser)
    assert page.status == 200
    assert 'content="0; url=/"' in page.text
    assert (await browser.get("/")).goes_to == "/p/elm"
    assert (await browser.get("/p/elm/find")).status == 200
    assert (await browser.get("/p/elm/audit")).status == 403
    found = await accounts.account(at.console.store.pool, "omar.o")
    assert found == accounts.Account(name="omar.o", roles=(("elm", "biller"),))
    first = browser.cookies["chartwire_session"]
    again = at.browser()
    await signed_in(again)
    assert again.cookies["chartwire_session"] != first
    assert (await browser.get("/p/elm/find")).status == 200, "the same roles end no session"
    log = [
        f"{one.what}: {one.detail}" for one in await access.last(at.console.store.pool, access.NOWHERE, most=9) if one.who
    ]
    assert log[::-1][:3] == ["user added: provider", "roles by groups: biller of elm", "signed in at the provider: "]
    assert (await at.browser().sign_in("omar.o", "")).status == 401


async def test_other_groups_are_other_roles_and_end_open_sessions(at: Site, provider: TestProvider) -> None:
    browser, later = at.browser(), at.browser()
    await signed_in(browser)
    provider.user["groups"] = ["audit"]
    await signed_in(later)
    assert (await browser.get("/p/elm")).goes_to == "/sign-in"
    assert (await later.get("/p/oak/audit")).status == 200
    assert (await later.get("/second-factor")).status == 404, "the provider asks for its own"
    provider.user["groups"] = []
    none = at.browser()
    await signed_in(none)
    assert (await none.get("/p/elm")).status == 404


async def test_whoever_was_signed_in_is_so_no_more(at: Site) -> None:
    browser = await at.of("viewer")
    old = browser.cookies["chartwire_session"]
    assert (await signed_in(browser)).status == 200
    assert browser.cookies["chartwire_session"] != old
    assert (await Browser(at.url, {"chartwire_session": old}).get("/p/elm")).goes_to == "/sign-in"


async def test_it_may_come_back_to_another_process(at: Site, visited_file: Path, provider: TestProvider) -> None:
    """The address is one, behind a proxy; what was kept lies in the database."""
    async with beside(visited_file, settings(provider.issuer, create=False)) as second:
        other = second.console.provider
        assert isinstance(other, IdentityProvider)
        other.back = f"{at.url}/sign-in/back"
        browser = Browser(at.url)
        back = await sent(browser)
        elsewhere = Browser(second.url, browser.cookies)
        assert (await elsewhere.get(back)).status == 200


# -- what is not believed -------------------------------------------------------------------------------------------------

LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://evil.example"}, "issuer"),
    "no issuer": ({"iss": None}, "issuer"),
    "another audience": ({"aud": "another"}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "several, and for another": ({"aud": [CLIENT, "another"], "azp": "another"}, "audience"),
    "several, for nobody": ({"aud": [CLIENT, "another"]}, "audience"),
    "expired": ({"exp": 1_000_000_000}, "expired"),
    "without end": ({"exp": None}, "expired"),
    "an end that is no number": ({"exp": "tomorrow"}, "expired"),
    "issued later": ({"iat": 9_000_000_000}, "issued later than now"),
    "not yet valid": ({"nbf": 9_000_000_000}, "not yet valid"),
    "another nonce": ({"nonce": "x" * 43}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "nobody": ({"sub": ""}, "subject"),
    "a subject that is no text": ({"sub": 7}, "subject"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_claim_that_is_wrong_lets_nobody_in(at: Site, provider: TestProvider, lie: str) -> None:
    wrong, why = LIES[lie]
    provider.lie = lambda claims: {name: one for name, one in (claims | wrong).items() if one is not None}
    browser = at.browser()
    await refused(at, browser, await signed_in(browser), why)


@pytest.mark.parametrize("how", ["another key", "our secret", "nothing", "cut off", "changed"])
async def test_a_signature_that_is_not_the_provider_s_lets_nobody_in(at: Site, provider: TestProvider, how: str) -> None:
    other = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256"})
    provider.sign = {
        "another key": lambda claims: provider.signed(claims, other),
        "our secret": by_our_secret,
        "nothing": unsigned,
        "cut off": lambda claims: provider.signed(claims).rpartition(".")[0] + ".",
        "changed": lambda claims: ".".join(
            [provider.signed(claims).split(".")[0], unsigned(claims).split(".")[1], provider.signed({}).split(".")[2]]
        ),
    }[how]
    browser = at.browser()
    await refused(at, browser, await signed_in(browser), "signature")


async def test_new_keys_of_the_provider_are_asked_for(at: Site, provider: TestProvider) -> None:
    assert (await signed_in(at.browser())).status == 200
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "alg": "RS256", "use": "sig"})
    assert (await signed_in(at.browser())).status == 200


async def test_a_state_is_of_one_sign_in_of_one_browser_once(at: Site) -> None:
    browser, victim = at.browser(), at.browser()
    back = await sent(browser)
    changed = re.sub(r"state=[\w-]{43}", f"state={'x' * 43}", back)
    await refused(at, browser, await browser.get(changed), "state")
    await refused(at, victim, await victim.get(back), "another browser")
    await refused(at, browser, await browser.get(back), "state")
    await refused(at, browser, await browser.get("/sign-in/back"), "state")
    back = await sent(browser)
    assert (await browser.get(back)).status == 200
    again = at.browser()
    await refused(at, again, await again.get(back), "state")


async def test_somebody_else_s_code_is_of_no_use_without_its_verifier(at: Site) -> None:
    """PKCE: a code that was caught on its way fits only the sign-in that asked for it."""
    victim, thief = at.browser(), at.browser()
    caught = re.search(r"code=([\w-]+)", await sent(victim))
    assert caught is not None
    mine = re.sub(r"code=[\w-]+", caught[0], await sent(thief))
    await refused(at, thief, await thief.get(mine), "code refused")


async def test_a_code_works_once(at: Site, provider: TestProvider) -> None:
    browser = at.browser()
    back = await sent(browser)
    code = re.search(r"code=[\w-]+", back)
    assert code is not None
    assert (await browser.get(back)).status == 200
    before = provider.redeemed
    thief = at.browser()
    again = re.sub(r"code=[\w-]+", code[0], await sent(thief))
    await refused(at, thief, await thief.get(again), "code refused")
    assert provider.redeemed == before


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"iss": "https://evil.example"}, "another issuer answered"),
        ({"error": "access_denied"}, "refused there"),
        ({"code": ""}, "refused there"),
    ],
)
async def test_an_answer_that_is_none_lets_nobody_in(
    at: Site, provider: TestProvider, answer: dict[str, str], why: str
) -> None:
    provider.answer = answer
    browser = at.browser()
    await refused(at, browser, await signed_in(browser), why)


async def test_what_the_provider_says_of_itself_is_held_to_the_configuration(at: Site, provider: TestProvider) -> None:
    own = at.console.provider
    assert own is not None
    for wrong in ({"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example/token"}, {"jwks_uri": ""}):
        own._metadata = None
        provider.metadata = wrong
        assert (await at.browser().get("/sign-in/away")).status == 503
    own._metadata, provider.metadata, provider.away = None, {}, True
    answer = await at.browser().get("/sign-in/away")
    assert (answer.status, "does not answer" in answer.text) == (503, True)
    provider.away = False
    assert (await at.browser().get("/sign-in/away")).status == 303


# -- who is a user --------------------------------------------------------------------------------------------------------


async def test_nobody_is_made_a_user_unless_allowed(at: Site, visited_file: Path, provider: TestProvider) -> None:
    pool = at.console.store.pool
    provider.user |= {"sub": "subject-2", "preferred_username": "newcomer"}
    async with beside(visited_file, settings(provider.issuer, create=False)) as strict:
        browser = strict.browser()
        await refused(strict, browser, await signed_in(browser), "no user")
        assert await accounts.account(pool, "newcomer") is None
        await accounts.add(pool, "newcomer", "")
        await refused(strict, browser, await signed_in(browser), "no user")
        assert await identity.add_identity(pool, provider.issuer, "subject-2", "newcomer")
        assert (await signed_in(browser)).status == 200
        assert (await browser.get("/p/elm/find")).status == 200


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"groups": ["strangers"]}, "no user"),
        ({"groups": "billing"}, "no user"),
        ({"groups": None}, "no user"),
        ({"preferred_username": "viewer"}, "name taken"),
        ({"preferred_username": "<script>"}, "no user"),
        ({"preferred_username": None}, "no user"),
        ({"preferred_username": 7}, "no user"),
    ],
)
async def test_who_has_no_group_or_somebody_s_name_becomes_no_user(
    at: Site, provider: TestProvider, claims: dict[str, Any], why: str
) -> None:
    before = await accounts.names(at.console.store.pool)
    provider.user |= {"sub": "subject-3", **claims}
    browser = at.browser()
    await refused(at, browser, await signed_in(browser), why)
    assert await accounts.names(at.console.store.pool) == before


async def test_a_disabled_user_stays_out(at: Site, provider: TestProvider) -> None:
    provider.user |= {"sub": "subject-4", "preferred_username": "leaver"}
    browser = at.browser()
    assert (await signed_in(browser)).status == 200
    await accounts.set_disabled(at.console.store.pool, "leaver", disabled=True)
    assert (await browser.get("/p/elm")).goes_to == "/sign-in"
    fresh = at.browser()
    await refused(at, fresh, await signed_in(fresh), "disabled")


async def test_answers_that_nobody_asked_for_are_slowed_down(at: Site) -> None:
    browser = at.browser()
    for _ in range(TRIES_FROM_ADDRESS):
        assert (await browser.get("/sign-in/back?state=x&code=y")).status == 401
    await refused(at, browser, await signed_in(browser), "too many tries")


async def test_without_its_section_there_is_no_way_there(visited: Site) -> None:
    assert (await visited.browser().get("/sign-in/away")).status == 404
    assert (await visited.browser().get("/sign-in/back?state=x")).status == 404
    assert "/sign-in/away" not in (await visited.browser().get("/sign-in")).text
