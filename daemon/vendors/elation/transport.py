"""Calls with a token, within the credential's concurrency, each counted and each ending in a value or a vendor error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from daemon.vendors.elation import wire
from daemon.vendors.elation.exchange import Answer, exchange
from daemon.vendors.elation.oauth import TokenCache
from daemon.vendors.elation.refusals import refusal
from daemon.vendors.ports.errors import (
    CredentialsRefused,
    Duplicate,
    Gone,
    Malformed,
    Moved,
    NotFound,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
)
from daemon.vendors.ports.gate import AccountGate
from daemon.vendors.ports.writer import CallMeter, Guard, TurnMeter
from events.backoff import Backoff

T = TypeVar("T")
W = TypeVar("W", bound=wire.Wire)

PAGE_SIZE: Final = 100
BACKOFF: Final = Backoff(longest=60.0, jitter=1.0)

MOST_PAGES: Final = 20_000
MOST_EMPTY: Final = 3
"""Pages of one list: two million rows, and pages in a row that hold none."""

# Decoding more than this takes long enough to be noticed by the other practices of the process: it goes to a thread.
_LARGE: Final = 1024 * 1024

_OUTCOMES: Final[Mapping[type[BaseException], str]] = {
    Throttled: "throttled",
    Unauthorized: "unauthorized",
    CredentialsRefused: "unauthorized",
    Refused: "refused",
    NotFound: "not_found",
    Gone: "gone",
    Moved: "moved",
    Duplicate: "duplicate",
    OutcomeUnknown: "outcome_unknown",
    Unreachable: "unreachable",
    Malformed: "malformed",
    asyncio.CancelledError: "cancelled",
}


class _Expired(Exception):
    """401: once more with another token."""


class Transport:
    """The calls of one credential; `guard` may forbid each by raising. `base_url` may name the host alone; then `/api/2.0` is meant."""

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        session: aiohttp.ClientSession,
        concurrency: int,
        timeout: float,
        meter: CallMeter | None,
        rng: random.Random | None,
        waited: TurnMeter | None = None,
        guard: Guard | None = None,
        gate: AccountGate | None = None,
    ) -> None:
        base = URL(base_url)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError("base_url: give an absolute http or https URL")
        self._base = base.with_path(base.path.rstrip("/") or "/api/2.0")
        self._session = session
        self._timeout = timeout
        self._slots = asyncio.Semaphore(concurrency)
        self._meter = meter
        self._waited = waited
        self._uniform = (rng or random).uniform
        self._guard = guard
        self._gate = gate or AccountGate(one_at_first=False)
        self._throttles = 0
        self._tokens = TokenCache(
            session=session,
            url=self.url("/oauth2/token/"),
            client_id=client_id,
            client_secret=client_secret,
            timeout=timeout,
            throttled=self._throttled,
            meter=self._count,
        )

    def url(self, path: str, query: Mapping[str, str] | None = None) -> URL:
        """The URL of `path` below the base."""
        url = self._base.with_path(self._base.path + path)
        return url.with_query(query) if query else url

    async def call(
        self, method: str, template: str, url: URL, read: Callable[[bytes, str], T], body: Mapping[str, object] | None = None
    ) -> T:
        """One call, repeated only after a 401, with a new token. `template` names it (`/patients/{id}/`), `read` decodes.

        Raises any vendor error; for anything but GET the doubtful ones are OutcomeUnknown, an unusable answer included.
        """
        operation = f"elation.{method} {template}"
        data = None if body is None else msgspec.json.encode(body)
        async with self._gate.turn(operation):
            for _ in range(2):
                if self._guard is not None:
                    await self._guard()
                token = await self._tokens.get()
                try:
                    return await self._once(method, template, url, read, data, token)
                except _Expired:
                    self._tokens.discard(token)
            raise CredentialsRefused(operation, "HTTP 401, with a new token too")

    async def rows(
        self, template: str, path: str, kind: type[W], query: Mapping[str, str], *, paged: bool = True
    ) -> AsyncIterator[W | wire.BadRow]:
        """Every row of a list, in the vendor's order, page by page as they are asked for.

        `next` is followed as given, but only to the configured scheme, host and port, since it carries the token, and never
        twice; `paged=False` asks for no page size. A list that goes round, says nothing or never ends is given up. Raises
        Malformed with the path `$.next` for all of that.
        """
        url: URL | None = self.url(path, {"limit": str(PAGE_SIZE), **query} if paged else query)
        seen: set[URL] = set()
        pages: set[int] = set()
        empty = 0
        while url is not None:
            if len(seen) >= MOST_PAGES or empty >= MOST_EMPTY:
                raise Malformed(f"elation.GET {template}", "$.next")
            seen.add(url)
            page = await self.call("GET", template, url, lambda body, operation: wire.read_page(kind, body, operation))
            held = hash(tuple(repr(row) for row in page.rows))
            if page.rows and held in pages:
                raise Malformed(f"elation.GET {template}", "$.next")
            pages.add(held)
            empty = 0 if page.rows else empty + 1
            for row in page.rows:
                yield row
            url = self._following(f"elation.GET {template}", page.next, seen)

    def _following(self, operation: str, address: str | None, seen: set[URL]) -> URL | None:
        if not address:
            return None
        url: URL | None = None
        try:
            url = URL(address, encoded=True)
            ours = (url.scheme, url.host, url.port) == (self._base.scheme, self._base.host, self._base.port)
        except ValueError:
            ours = False
        if url is None or not ours or url.user is not None or url.password is not None or url in seen:
            raise Malformed(operation, "$.next")
        return url

    async def _once(
        self, method: str, template: str, url: URL, read: Callable[[bytes, str], T], data: bytes | None, token: str
    ) -> T:
        operation = f"elation.{method} {template}"
        write = method != "GET"
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self._slots:
            started = clock()
            if self._waited is not None:
                self._waited(f"{method} {template}", started - asked)
            failure: BaseException | None = None
            try:
                if self._guard is not None:
                    await self._guard()
                answer = await exchange(
                    self._session,
                    method,
                    url,
                    operation=operation,
                    write=write,
                    headers=headers,
                    data=data,
                    timeout=self._timeout,
                )
                self._check(operation, answer, write=write)
                return await _read(operation, answer.body, read, write=write)
            except BaseException as error:
                failure = error
                raise
            finally:
                self._count(f"{method} {template}", failure, clock() - started)

    def _check(self, operation: str, answer: Answer, *, write: bool) -> None:
        if answer.status == 429:
            raise self._throttled(operation)
        if answer.status == 401:
            raise _Expired
        if not 200 <= answer.status < 300:
            raise refusal(operation, answer, write=write)
        self._throttles = 0

    def _throttled(self, operation: str) -> Throttled:
        # Elation gives no numbers at all: double with each 429 in a row, and spread by full jitter.
        self._throttles += 1
        return Throttled(operation, BACKOFF.pause(self._throttles, self._uniform))

    def _count(self, operation: str, failure: BaseException | None, seconds: float) -> None:
        if self._meter is None:
            return
        if failure is None:
            outcome = "ok"
        elif isinstance(failure, _Expired):
            outcome = "unauthorized"
        else:
            outcome = _OUTCOMES.get(type(failure), "failed")
        self._meter(operation, outcome, seconds)


async def _read(operation: str, body: bytes | None, read: Callable[[bytes, str], T], *, write: bool) -> T:
    path = "$"
    if body is not None:
        try:
            if len(body) > _LARGE:
                return await asyncio.to_thread(read, body, operation)
            return read(body, operation)
        except Malformed as error:
            path = error.path
    if write:
        raise OutcomeUnknown(operation, f"done, it seems, but the answer does not fit the schema at {path}")
    raise Malformed(operation, path)


def discard(body: bytes, operation: str) -> None:
    """Reads nothing: for answers whose status says all."""
