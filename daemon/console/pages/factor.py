"""The visitor's own second factor: a secret taken over into a device, confirmed by its first code, and given up by another one."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.factors import Factors
from daemon.console.roles import Visitor
from daemon.console.rules import UNPROVEN, get, post
from daemon.tables import identity

WRONG = "That code is not the one of this minute, was used already, or there were too many. Wait for the next one."


def _own(ask: Ask) -> tuple[Visitor, Factors]:
    """Whose it is. Raises 404 where there is none to have: no key for it, or somebody whom a provider signs in."""
    factors = ask.console.sessions.factors
    if ask.visitor is None or not ask.visitor.local or not factors.possible:
        raise web.HTTPNotFound
    return ask.visitor, factors


async def page(ask: Ask) -> web.StreamResponse:
    return await _page(ask)


async def _page(ask: Ask, *, wrong: str = "") -> web.StreamResponse:
    """What there is: nothing, a secret that was offered, or a second factor with recovery codes."""
    visitor, factors = _own(ask)
    kept = await identity.second_factor(ask.store.pool, visitor.name)
    confirmed = kept is not None and kept.confirmed
    return ask.page(
        "factor.html",
        http=400 if wrong else 200,
        confirmed=confirmed,
        offer=await factors.offered(visitor.name),
        left=await identity.recovery_codes_left(ask.store.pool, visitor.name),
        codes=[],
        wrong=wrong,
    )


async def begin(ask: Ask) -> web.StreamResponse:
    visitor, factors = _own(ask)
    await ask.record("second factor offered" if await factors.offer(visitor.name) else "second factor is there already")
    return ask.see("/second-factor")


async def confirm(ask: Ask) -> web.StreamResponse:
    """The recovery codes are shown here and never again."""
    visitor, factors = _own(ask)
    codes = await factors.confirm(visitor.name, ask.form.get("code", ""), visitor.session)
    await ask.record("second factor not confirmed" if codes is None else "second factor set up")
    if codes is None:
        return await _page(ask, wrong=WRONG)
    return ask.page("factor.html", confirmed=True, offer=None, left=len(codes), codes=codes, wrong="")


async def give_up(ask: Ask) -> web.StreamResponse:
    """With a code of it, or a recovery code: a browser that somebody left open is not enough."""
    visitor, factors = _own(ask)
    kept = await identity.second_factor(ask.store.pool, visitor.name)
    if kept is None or not kept.confirmed or not await factors.passes(visitor.name, ask.form.get("code", "")):
        await ask.record("second factor not given up")
        return await _page(ask, wrong=WRONG)
    await identity.remove_factor(ask.store.pool, visitor.name, visitor.session)
    await ask.record("second factor given up")
    return ask.see("/second-factor")


ROUTES = (
    get("/second-factor", page, UNPROVEN),
    post("/second-factor/begin", begin, UNPROVEN),
    post("/second-factor/confirm", confirm, UNPROVEN),
    post("/second-factor/give-up", give_up, UNPROVEN),
)
