"""The bearer token of one credential: fetched once for all who wait, renewed before it expires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from daemon.vendors.elation.exchange import Answer, exchange
from daemon.vendors.elation.refusals import refusal
from daemon.vendors.ports.errors import CredentialsRefused, Malformed, VendorError
from events.decoding import decoding

TEMPLATE: Final = "POST /oauth2/token/"
OPERATION: Final = f"elation.{TEMPLATE}"

# Assumed when the answer does not say; a 401 corrects a guess that is too long.
_DEFAULT_LIFETIME: Final = 300.0

SHORTEST: Final = 30.0
LONGEST: Final = 86_400.0
"""Seconds that a token is used for, whatever the answer says: one a call would be an attack, and a 401 corrects the rest."""


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str
    expires_in: float = _DEFAULT_LIFETIME


class TokenCache:
    """Tokens by the client_credentials grant, without the refresh token: a new one is just as easy.

    `url` is the token endpoint, `timeout` in seconds, `clock` a monotonic clock in seconds (the event loop's own). `throttled`
    makes the error of a 429, `meter` hears of every call as (operation, outcome, seconds).
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        url: URL,
        client_id: str,
        client_secret: str,
        timeout: float,
        throttled: Callable[[str], VendorError],
        meter: Callable[[str, BaseException | None, float], None],
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._session = session
        self._url = url
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        self._timeout = timeout
        self._throttled = throttled
        self._meter = meter
        self._clock = clock or _loop_time
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._renew_at = 0.0
        self._fetches = 0
        self._failure: VendorError | None = None

    async def get(self) -> str:
        """A token good for a while: renewed 60 seconds, or a tenth of a shorter life, before it expires.

        Whoever waits while another fetches shares its result, failures included. Raises CredentialsRefused when the
        account is refused, Throttled, Unreachable (asking again is always safe), Malformed.
        """
        fetches = self._fetches
        if (token := self._current()) is not None:
            return token
        async with self._lock:
            if (token := self._current()) is not None:
                return token
            if self._fetches != fetches and self._failure is not None:
                raise self._failure
            return await self._renew()

    def discard(self, token: str) -> None:
        """Elation said 401 to `token`: forget it, unless a newer one has taken its place already."""
        if self._token == token:
            self._token = None

    def _current(self) -> str | None:
        return self._token if self._clock() < self._renew_at else None

    async def _renew(self) -> str:
        started = self._clock()
        failure: BaseException | None = None
        try:
            token = await self._fetch()
        except BaseException as error:
            failure = error
            raise
        finally:
            self._meter(TEMPLATE, failure, self._clock() - started)
            if not isinstance(failure, asyncio.CancelledError):
                self._fetches += 1
                self._failure = failure if isinstance(failure, VendorError) else None
        self._token = token.access_token
        # Counted from before the call: the token's life began somewhere during it.
        self._renew_at = started + _used_for(token.expires_in)
        return token.access_token

    async def _fetch(self) -> _Token:
        answer = await exchange(
            self._session,
            "POST",
            self._url,
            operation=OPERATION,
            write=False,
            headers={"Accept": "application/json"},
            data=self._form,
            timeout=self._timeout,
        )
        match answer.status:
            case 200 | 201:
                return _read(answer)
            case 429:
                raise self._throttled(OPERATION)
            # OAuth answers a wrong client id or secret with 400 invalid_client as often as with 401 (RFC 6749, 5.2).
            case 400 | 401 | 403:
                raise CredentialsRefused(OPERATION, f"HTTP {answer.status}")
            case _:
                raise refusal(OPERATION, answer, write=False)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _read(answer: Answer) -> _Token:
    with decoding(lambda _: Malformed(OPERATION, "$")):
        token = msgspec.json.decode(answer.body or b"", type=_Token)
    if not (token.access_token.isascii() and token.access_token.isprintable() and token.access_token.strip()):
        raise Malformed(OPERATION, "$.access_token")
    return token


def _used_for(expires_in: float) -> float:
    """For how many seconds a token is used whose answer says that it lives so long."""
    lifetime = min(max(expires_in, SHORTEST), LONGEST)
    return lifetime - min(60.0, lifetime / 10)
