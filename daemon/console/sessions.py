"""Signing in and staying so: tries are counted, answers are constant, ids are random, and PostgreSQL is asked at each request.

So signing out, disabling, another role or another password end a session at once in every process.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from daemon.console.factors import Factors
from daemon.console.known import token_of, with_token
from daemon.console.passwords import Passwords
from daemon.console.refusals import Refusals
from daemon.console.roles import Visitor
from daemon.console.senders import network_of
from daemon.servers import ConsoleConfig
from daemon.tables import access, accounts

WINDOW_SECONDS = 900.0
TRIES_OF_USER, TRIES_OF_USER_IN_ALL, TRIES_FROM_ADDRESS = 10, 60, 50
"""Within the window: for a user from one network, for a user from all of them, and from one network for anybody. Then even the right
password has to wait: where somebody guesses from many networks, a link is the way into a new browser."""

LINK_SECONDS = 900.0
TOUCH_SECONDS = 30.0
"""A session that was used so lately is not written again."""


def new_id() -> str:
    """256 random bits, for a cookie or a link."""
    return secrets.token_urlsafe(32)


def form_token(id_: str) -> str:
    """What every form of a session carries (or of a visitor who is not signed in): nobody else's page knows it."""
    return hmac.digest(id_.encode(), b"chartwire console form", "sha256").hex()


def is_form_token(id_: str, given: str) -> bool:
    return hmac.compare_digest(form_token(id_).encode(), given.encode())


class Sessions:
    """The sessions of all users, as PostgreSQL keeps them."""

    def __init__(self, pool: Any, config: ConsoleConfig, passwords: Passwords, factors: Factors) -> None:
        self.refusals = Refusals()
        self._pool = pool
        self._config = config
        self._passwords = passwords
        self.factors = factors

    async def sign_in(self, name: str, password: str, address: str, code: str = "", tokens: str = "") -> str | None:
        """A new session's id, None where the three do not fit or there were too many tries: nobody is told which.

        The `code` of the second factor counts, and is used up, only beside the right password. In a browser that the user has signed in
        with before (`tokens`) its own tries count alone, in any other those from its network, and all of them up to a higher number:
        nobody keeps somebody out by wrong passwords typed elsewhere. Too many, and nothing is looked at.

        Both outcomes are recorded, under the name only where there is such a user: people type passwords into the wrong field.
        """
        account = await accounts.account(self._pool, name)
        own = "" if account is None else token_of(tokens, account)
        network, user = network_of(address), f"user:{name.casefold()}"
        bucket = f"browser:{own}" if own else f"{user} from {network}"
        of_user = await accounts.tried(self._pool, bucket, WINDOW_SECONDS)
        from_address = await accounts.tried(self._pool, f"address:{network}", WINDOW_SECONDS)
        in_all = None if own else await accounts.tried(self._pool, user, WINDOW_SECONDS)
        slow = of_user.number > TRIES_OF_USER or (
            in_all is not None and (in_all.number > TRIES_OF_USER_IN_ALL or from_address.number > TRIES_FROM_ADDRESS)
        )
        fits = not slow and await self._passwords.fits(account.password if account is not None else "", password)
        who = "" if account is None else account.name
        known = account is not None and not account.disabled and fits and not slow
        if account is None or not (known and await self.factors.passes(account.name, code)):
            why = "too many tries" if slow else "second factor" if known else ""
            await self.refused(who, address, why)
            return None
        await accounts.clear_tries(self._pool, bucket)
        await accounts.forgive(self._pool, f"address:{network}", from_address)
        if in_all is not None:
            await accounts.forgive(self._pool, user, in_all)
        return await self.begin(account.name, address, "signed in")

    async def refused(
        self, who: str, address: str, why: str, *, what: str = "sign-in refused", practice: str = access.NOWHERE
    ) -> None:
        """Somebody who is not signed in was refused: recorded by itself, or counted where there are too many of it.

        Tries of long ago are forgotten meanwhile, so that they are not kept for ever where nobody signs in.
        """
        count = self.refusals.noted(address)
        if count is None:
            return
        detail = ", ".join(filter(None, (why, count)))
        await access.record(self._pool, practice, who, what, address=address, detail=detail)
        if count:
            await accounts.forget(self._pool, 10 * WINDOW_SECONDS)

    async def tokens_of(self, tokens: str, name: str) -> str:
        """What a browser keeps once this user has signed in with it, by password or by a link."""
        account = await accounts.account(self._pool, name)
        return tokens if account is None else with_token(tokens, account)

    async def enter(self, token: str, address: str, code: str = "") -> str | None:
        """A new session's id for a link that holds; it is used up, also where the second factor's code is wrong."""
        from_address = await accounts.tried(self._pool, f"address:{network_of(address)}", WINDOW_SECONDS)
        name = await accounts.use_link(self._pool, token) if from_address.number <= TRIES_FROM_ADDRESS else None
        account = await accounts.account(self._pool, name) if name is not None else None
        if account is None or account.disabled or not await self.factors.passes(account.name, code):
            who = account.name if account is not None else ""
            await self.refused(who, address, "link")
            return None
        await accounts.forgive(self._pool, f"address:{network_of(address)}", from_address)
        return await self.begin(account.name, address, "signed in by link")

    async def begin(self, name: str, address: str, what: str, how: str = accounts.LOCAL) -> str:
        """A new session of somebody who may have one; recorded."""
        id_ = new_id()
        await access.record(self._pool, access.NOWHERE, name, what, address=address)
        await accounts.forget(self._pool, 10 * WINDOW_SECONDS)
        await accounts.add_session(self._pool, id_, name, self._config.session_hours * 3600, how)
        return id_

    async def visitor(self, id_: str, *, visits: bool = True) -> Visitor | None:
        """Who is signed in by this id; None for nobody (any more). What only looks for news is no visit: the session grows idle."""
        found = await accounts.session(self._pool, id_) if id_ else None
        if found is None:
            return None
        if found.disabled or found.over or found.idle > self._config.idle_minutes * 60:
            await accounts.end_session(self._pool, id_)
            return None
        if visits and found.idle > TOUCH_SECONDS:
            await accounts.touch_session(self._pool, id_)
        account = await accounts.account(self._pool, found.name)
        if account is None:
            return None
        asked = {role for _, role in account.roles} & set(self._config.second_factor)
        unproven = found.how == accounts.LOCAL and not found.factor and bool(asked)
        return Visitor(account.name, id_, account.roles, local=found.how == accounts.LOCAL, unproven=unproven)

    async def sign_out(self, visitor: Visitor, address: str) -> None:
        await accounts.end_session(self._pool, visitor.session)
        await access.record(self._pool, access.NOWHERE, visitor.name, "signed out", address=address)


async def make_link(pool: Any, name: str, by: str) -> str:
    """The token of a link that signs `name` in once, within a quarter of an hour."""
    token = new_id()
    await access.record(pool, access.NOWHERE, by, "sign-in link made", detail=name)
    await accounts.add_link(pool, token, name, LINK_SECONDS)
    return token
