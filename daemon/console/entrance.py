"""Signing in, by password or by a link that works once, and signing out."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.guard import FORM_COOKIE, KNOWN_COOKIE, SESSION_COOKIE, cookie_of, give_cookie, take_cookie
from daemon.console.known import DAYS
from daemon.console.rules import PUBLIC, UNPROVEN, get, post

WRONG = (
    "Name, password and code do not fit, the code was used already, or there were too many tries. "
    "After ten tries, or five codes, wait a quarter of an hour, or ask for a link that signs you in once."
)
USED = "This link was used already, is older than a quarter of an hour, or the code was wrong. Ask for another one."


async def sign_in_page(ask: Ask) -> web.StreamResponse:
    return ask.page("sign_in.html", wrong="") if ask.visitor is None else ask.see("/")


async def sign_in(ask: Ask) -> web.StreamResponse:
    """The answer is the same whatever was wrong."""
    name, password = ask.form.get("name", "").strip().lower()[:100], ask.form.get("password", "")
    sessions, tokens = ask.console.sessions, cookie_of(ask.request, KNOWN_COOKIE)
    session = await sessions.sign_in(name, password, ask.address, ask.form.get("code", ""), tokens)
    if session is None:
        return ask.page("sign_in.html", http=401, wrong=WRONG)
    return await _known(ask, await _let_in(ask, session), name)


async def enter_page(ask: Ask) -> web.StreamResponse:
    """A button, so that nothing that merely looks at addresses uses the link up."""
    return ask.page("enter.html", wrong="")


async def enter(ask: Ask) -> web.StreamResponse:
    link, sessions = ask.request.match_info["link"], ask.console.sessions
    session = await sessions.enter(link, ask.address, ask.form.get("code", ""))
    visitor = await sessions.visitor(session) if session is not None else None
    if session is None or visitor is None:
        return ask.page("enter.html", http=401, wrong=USED)
    return await _known(ask, await _let_in(ask, session), visitor.name)


async def _known(ask: Ask, response: web.Response, name: str) -> web.Response:
    """The browser is known from now on: wrong passwords that somebody types elsewhere do not keep the user out of it."""
    before = cookie_of(ask.request, KNOWN_COOKIE)
    if tokens := await ask.console.sessions.tokens_of(before, name):
        give_cookie(ask.request, response, KNOWN_COOKIE, tokens, days=DAYS)
    return response


async def _let_in(ask: Ask, session: str) -> web.Response:
    """With an id of its own: whatever the browser brought along is over."""
    if ask.visitor is not None:
        await ask.console.sessions.sign_out(ask.visitor, ask.address)
    response = ask.see("/")
    give_cookie(ask.request, response, SESSION_COOKIE, session)
    take_cookie(ask.request, response, FORM_COOKIE)
    return response


async def sign_out(ask: Ask) -> web.StreamResponse:
    assert ask.visitor is not None
    await ask.console.sessions.sign_out(ask.visitor, ask.address)
    response = ask.see("/sign-in")
    take_cookie(ask.request, response, SESSION_COOKIE)
    return response


ROUTES = (
    get("/sign-in", sign_in_page, PUBLIC),
    post("/sign-in", sign_in, PUBLIC),
    get("/enter/{link}", enter_page, PUBLIC),
    post("/enter/{link}", enter, PUBLIC),
    post("/sign-out", sign_out, UNPROVEN),
)
