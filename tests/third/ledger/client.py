"""Ledger's JSON over HTTP, one method a call."""

from __future__ import annotations

from typing import TypeVar

import aiohttp
import msgspec

from daemon.vendors.ports.errors import Malformed, NotFound, OutcomeUnknown, Refused, Unauthorized, Unreachable
from daemon.vendors.ports.writer import Guard

T = TypeVar("T")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A patient of Ledger, in its own words."""

    id: int
    given: str = ""
    middle: str = ""
    family: str = ""
    born: str = ""
    sex: str = ""
    home: str = ""
    mobile: str = ""
    work: str = ""
    email: str = ""
    street: str = ""
    unit: str = ""
    town: str = ""
    state: str = ""
    zip: str = ""
    clinician: int | None = None
    external: str = ""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    given: str
    family: str
    npi: str = ""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    bill: int


class LedgerClient:
    """Raises the errors of the port and nothing else."""

    def __init__(self, base_url: str, key: str, session: aiohttp.ClientSession, guard: Guard | None) -> None:
        self._base = base_url.rstrip("/")
        self._headers = {"X-Ledger-Key": key}
        self._session = session
        self._guard = guard

    async def staff(self) -> list[Person]:
        return await self._call("GET", "/staff", list[Person])

    async def rooms(self) -> list[Room]:
        return await self._call("GET", "/rooms", list[Room])

    async def accounts(self, **filters: str) -> list[Account]:
        return await self._call("GET", "/accounts", list[Account], query=filters)

    async def account(self, id_: int) -> Account | None:
        try:
            return await self._call("GET", f"/accounts/{id_}", Account)
        except NotFound:
            return None

    async def open_account(self, body: dict[str, object]) -> Account:
        return await self._call("POST", "/accounts", Account, body=body)

    async def change_account(self, id_: int, body: dict[str, object]) -> Account:
        return await self._call("PATCH", f"/accounts/{id_}", Account, body=body)

    async def invoices(self, bill: int) -> list[Invoice]:
        return await self._call("GET", "/invoices", list[Invoice], query={"bill": str(bill)})

    async def invoice(self, body: dict[str, object]) -> Invoice:
        return await self._call("POST", "/invoices", Invoice, body=body)

    async def _call(
        self, method: str, path: str, kind: type[T], *, body: object = None, query: dict[str, str] | None = None
    ) -> T:
        operation = f"ledger.{method} /{path.split('/')[1]}"
        away = Unreachable if method == "GET" else OutcomeUnknown
        if self._guard is not None:
            await self._guard()
        try:
            async with self._session.request(
                method,
                self._base + path,
                json=body,
                params=query,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=10),
            ) as answer:
                status, raw = answer.status, await answer.read()
        except aiohttp.ClientConnectorError:
            raise Unreachable(operation) from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise away(operation) from None
        if status == 401:
            raise Unauthorized(operation)
        if status == 404:
            raise NotFound(operation, status=404)
        if status >= 500:
            raise away(operation)
        if status >= 400:
            raise Refused(operation, status=status, vendor_text=raw.decode(errors="replace"))
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.ValidationError as error:
            raise Malformed(operation, str(error).rpartition("`")[0].rpartition("`")[2]) from None
        except msgspec.DecodeError:
            raise away(operation) from None
