"""Signing in at the identity provider: the way there, and the way back. Nobody is made a user by it unless the configuration says so."""

from __future__ import annotations

import msgspec
from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.guard import FORM_COOKIE, SESSION_COOKIE, cookie_of, give_cookie, name_of, take_cookie
from daemon.console.oidc import AWAY_SECONDS, Claims, IdentityProvider, Kept, NotBelieved, ProviderAway
from daemon.console.rules import PUBLIC, get
from daemon.console.senders import network_of
from daemon.console.sessions import TRIES_FROM_ADDRESS, WINDOW_SECONDS
from daemon.servers import OidcConfig
from daemon.tables import access, accounts, identity
from daemon.tables.accounts import is_name

AWAY_COOKIE = "chartwire_away"
BACK = "/sign-in/back"
MOST_AWAY = 300
"""Sign-ins that one address may begin within the window."""

NOT_IN = "Signing in there did not work, or you are no user here. Begin again, or ask who looks after this console."
NOT_THERE = "The place to sign in does not answer. Try again in a minute."


def _provider(ask: Ask) -> IdentityProvider:
    if ask.console.provider is None:
        raise web.HTTPNotFound
    return ask.console.provider


async def away(ask: Ask) -> web.StreamResponse:
    """Off to the provider, with a cookie that has to come back; the provider's answer may bring it, a form of its pages may not."""
    provider, pool = _provider(ask), ask.store.pool
    if (await accounts.tried(pool, f"away:{network_of(ask.address)}", WINDOW_SECONDS)).number > MOST_AWAY:
        return ask.page("back.html", http=401, wrong=NOT_IN)
    try:
        departure = await provider.depart()
    except ProviderAway:
        return ask.page("back.html", http=503, wrong=NOT_THERE)
    kept = msgspec.json.encode(departure.kept).decode()
    await identity.add_request(pool, departure.state, kept, AWAY_SECONDS)
    response = ask.see(departure.address)
    name = name_of(ask.request, AWAY_COOKIE)
    response.set_cookie(
        name, departure.cookie, path="/", secure=True, httponly=True, samesite="Lax", max_age=int(AWAY_SECONDS)
    )
    return response


async def back(ask: Ask) -> web.StreamResponse:
    """Back from the provider. Whatever was wrong, the answer is the same; the access log has it."""
    provider, pool = _provider(ask), ask.store.pool
    one = await accounts.tried(pool, f"address:{network_of(ask.address)}", WINDOW_SECONDS)
    kept = await identity.take_request(pool, ask.request.query.get("state", ""))
    try:
        if one.number > TRIES_FROM_ADDRESS:
            raise NotBelieved("too many tries")
        if kept is None:
            raise NotBelieved("state")
        cookie = cookie_of(ask.request, AWAY_COOKIE)
        claims = await provider.arrive(ask.request.query, cookie, msgspec.json.decode(kept, type=Kept))
        name = await _user_of(ask, provider.config, claims)
    except NotBelieved as why:
        await _refused(ask, str(why))
        return ask.page("back.html", http=401, wrong=NOT_IN)
    except ProviderAway:
        await _refused(ask, "away")
        return ask.page("back.html", http=503, wrong=NOT_THERE)
    await accounts.forgive(pool, f"address:{network_of(ask.address)}", one)
    return await _let_in(ask, name)


async def _refused(ask: Ask, why: str) -> None:
    await ask.console.sessions.refused("", ask.address, f"provider: {why}")


async def _user_of(ask: Ask, config: OidcConfig, claims: Claims) -> str:
    """The user whom the provider means, with the roles of the groups. Raises NotBelieved."""
    pool = ask.store.pool
    roles = {(where, one.role) for one in config.group if one.name in claims.groups for where in one.practices}
    name = await identity.known_as(pool, config.issuer, claims.subject)
    if name is None:
        name = claims.name.strip().lower()
        if not (config.create_users and roles and is_name(name)):
            raise NotBelieved("no user")
        if not await identity.add_user_of(pool, config.issuer, claims.subject, name):
            raise NotBelieved("name taken")
        await access.record(pool, access.NOWHERE, name, "user added", address=ask.address, detail="provider")
    account = await accounts.account(pool, name)
    if account is None or account.disabled:
        raise NotBelieved("disabled")
    if config.group and await identity.give_roles(pool, name, roles):
        told = ", ".join(f"{role} of {where}" for where, role in sorted(roles)) or "none"
        await access.record(pool, access.NOWHERE, name, "roles by groups", address=ask.address, detail=told)
    return name


async def _let_in(ask: Ask, name: str) -> web.Response:
    """A page that leads on: a browser sends the session's cookie only from a page of our own, not on the way back from elsewhere."""
    sessions = ask.console.sessions
    if ask.visitor is not None:
        await sessions.sign_out(ask.visitor, ask.address)
    session = await sessions.begin(name, ask.address, "signed in at the provider", accounts.PROVIDER)
    response = ask.page("back.html", wrong="")
    give_cookie(ask.request, response, SESSION_COOKIE, session)
    take_cookie(ask.request, response, FORM_COOKIE)
    response.del_cookie(name_of(ask.request, AWAY_COOKIE), path="/", secure=True, httponly=True, samesite="Lax")
    return response


ROUTES = (get("/sign-in/away", away, PUBLIC), get(BACK, back, PUBLIC))
