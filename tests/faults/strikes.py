"""Every method of every port, and how one of them is made to raise for one practice: before its effect or after it."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from aiokafka.errors import KafkaConnectionError

from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.writer import ElationWriter
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports import errors
from events.bus import Bus
from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.ids import PracticeId
from events.schema import BillingChartObserved, EhrChartObserved
from events.store import Fenced, Store, Transaction
from tests.faults.pair import HIT
from tests.simulation.clock import PROCESS, VirtualLoop
from tests.simulation.kafka import Consumer
from tests.simulation.postgres import MemoryPool
from tests.unit.records import ADA, ADA_THERE

Make = Callable[[], BaseException]


class Unheard(Exception):
    """An error that nobody knows."""


ANY: Mapping[str, Make] = {
    "OSError": lambda: OSError("struck"),
    "MemoryError": MemoryError,
    "TimeoutError": TimeoutError,
    "CancelledError": asyncio.CancelledError,
    "RecursionError": RecursionError,
    "an unknown one": Unheard,
}
VENDOR: Mapping[str, Make] = {
    "VendorError": lambda: errors.VendorError("op"),
    "Throttled": lambda: errors.Throttled("op", 1.0),
    "Unauthorized": lambda: errors.Unauthorized("op"),
    "CredentialsRefused": lambda: errors.CredentialsRefused("op"),
    "PracticeHidden": lambda: errors.PracticeHidden("op"),
    "Unreachable": lambda: errors.Unreachable("op"),
    "OutcomeUnknown": lambda: errors.OutcomeUnknown("op"),
    "Malformed": lambda: errors.Malformed("op", "$"),
    "Troubled": lambda: errors.Troubled("op"),
    "Refused": lambda: errors.Refused("op", status=400),
    "Defect": lambda: errors.Defect("op", status=400),
    "NotFound": lambda: errors.NotFound("op", status=404),
    "Gone": lambda: errors.Gone("op", status=410),
    "Moved": lambda: errors.Moved("op", None),
    "Duplicate": lambda: errors.Duplicate("op", None),
}
SEEN_AT = datetime(2026, 3, 2, tzinfo=UTC)
EHR_WRITER: Mapping[str, Make] = {
    "NotAsWritten": lambda: errors.NotAsWritten(("city",)),
    "ChangedMeanwhile": lambda: errors.ChangedMeanwhile(EhrChartObserved(chart=ADA), None, SEEN_AT),
}
BILLING_WRITER: Mapping[str, Make] = {
    "NotAsWritten": lambda: errors.NotAsWritten(("city",)),
    "ChangedMeanwhile": lambda: errors.ChangedMeanwhile(BillingChartObserved(chart=ADA_THERE), None, SEEN_AT),
}
STORE: Mapping[str, Make] = {
    "ConnectionDoesNotExist": lambda: asyncpg.ConnectionDoesNotExistError("struck"),
    "ReadOnlySQLTransaction": lambda: asyncpg.ReadOnlySQLTransactionError("struck"),
    "TooManyConnections": lambda: asyncpg.TooManyConnectionsError("struck"),
    "QueryCanceled": lambda: asyncpg.QueryCanceledError("struck"),
    "SerializationError": lambda: asyncpg.SerializationError("struck"),
    "InsufficientPrivilege": lambda: asyncpg.InsufficientPrivilegeError("struck"),
    "InterfaceError": lambda: asyncpg.InterfaceError("struck"),
    "Fenced": lambda: Fenced(PracticeId(HIT)),
    "KeyMissing": lambda: KeyMissing("struck"),
    "UnreadableEvent": lambda: UnreadableEvent("struck"),
}
BUS: Mapping[str, Make] = {
    "ConnectionError": lambda: ConnectionError("struck"),
    "KafkaConnectionError": lambda: KafkaConnectionError("struck"),
}
KEYS: Mapping[str, Make] = {
    "KeyMissing": lambda: KeyMissing("struck"),
    "UnreadableEvent": lambda: UnreadableEvent("struck"),
}


@dataclass(frozen=True)
class Port:
    """A port: the type behind it, the errors of its tree, and whether a call is about the struck practice."""

    name: str
    type: Any
    tree: Mapping[str, Make]
    methods: tuple[str, ...]
    about: Callable[[Any, tuple[Any, ...]], bool]


def _first(_self: Any, arguments: tuple[Any, ...]) -> bool:
    return bool(arguments) and str(arguments[0]).partition(".")[0] == HIT


def _named(_self: Any, arguments: tuple[Any, ...]) -> bool:
    return any(one == HIT or (isinstance(one, list) and HIT in one) for one in arguments)


def _own(self: Any, _arguments: tuple[Any, ...]) -> bool:
    return bool(self.practice == HIT)


def _anybody(_self: Any, _arguments: tuple[Any, ...]) -> bool:
    return PROCESS.get() is not None


def _methods(kind: type, *but: str) -> tuple[str, ...]:
    """The public methods that a client has of its own: each is a call."""
    asking = (name for name, one in vars(kind).items() if inspect.isfunction(one) and not name.startswith("_"))
    return tuple(name for name in asking if name not in but)


def ports(ehr: int, billing: str) -> list[Port]:
    """All of them; `ehr` and `billing` are what the struck practice is called by its vendors."""

    def of_ehr(self: Any, _arguments: tuple[Any, ...]) -> bool:
        return bool(
            getattr(self, "practice_id", None) == ehr or getattr(getattr(self, "_client", None), "practice_id", 0) == ehr
        )

    def of_billing(self: Any, _arguments: tuple[Any, ...]) -> bool:
        client = getattr(self, "_client", self)
        return bool(getattr(client, "practice_name", "") == billing)

    return [
        Port("store", Store, STORE, ("take_over", "writing", "confirm", "sealed"), _first),
        Port("transaction", Transaction, STORE, ("known", "append"), _own),
        Port("pool", MemoryPool, STORE, ("fetch", "fetchrow", "fetchval", "execute"), _named),
        Port("bus", Bus, BUS, ("publish", "publish_recorded"), _first),
        Port("consumer", Consumer, BUS, ("getmany", "commit"), _anybody),
        Port("keyring", Keyring, KEYS, ("seal", "open_sealed"), _first),
        Port("clock", VirtualLoop, {}, ("now",), _anybody),
        Port("EHR writer", ElationWriter, {**VENDOR, **EHR_WRITER}, ("write", "look_up"), of_ehr),
        Port("billing writer", KareoWriter, {**VENDOR, **BILLING_WRITER}, ("write", "look_up"), of_billing),
        Port("EHR client", ElationClient, VENDOR, _methods(ElationClient), of_ehr),
        Port("billing client", KareoClient, VENDOR, _methods(KareoClient, "interval"), of_billing),
    ]


@dataclass
class Strike:
    """One fault: `left` calls that are about the practice raise, before their effect or after it; `hits` is how many did."""

    port: Port
    method: str
    make: Make
    late: bool
    left: int
    hits: int = 0

    def due(self, self_: Any, arguments: tuple[Any, ...]) -> bool:
        return self.left > 0 and self.port.about(self_, arguments)

    def fall(self) -> None:
        """Raise, if it has not been used up meanwhile."""
        if self.left > 0:
            self.left -= 1
            self.hits += 1
            raise self.make()


class Armed:
    """What is struck at present; nothing where `strike` is None."""

    strike: Strike | None = None

    def due(self, self_: Any, arguments: tuple[Any, ...], *, late: bool) -> Strike | None:
        strike = self.strike
        return strike if strike is not None and strike.late is late and strike.due(self_, arguments) else None


@contextmanager
def armed(port: Port, method: str) -> Iterator[Armed]:
    """The method of the port, ready to be struck."""
    original, here = getattr(port.type, method), Armed()
    own = method in vars(port.type)
    setattr(port.type, method, _struck(original, here))
    try:
        yield here
    finally:
        if own:
            setattr(port.type, method, original)
        else:
            delattr(port.type, method)


def _struck(original: Any, here: Armed) -> Any:
    def fall(self: Any, arguments: tuple[Any, ...], *, late: bool) -> None:
        if (strike := here.due(self, arguments, late=late)) is not None:
            strike.fall()

    if hasattr(original, "__wrapped__") and inspect.isasyncgenfunction(original.__wrapped__):

        @asynccontextmanager
        async def entered(self: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
            fall(self, arguments, late=False)
            async with original(self, *arguments, **options) as value:
                yield value
            fall(self, arguments, late=True)

        return entered
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def called(self: Any, *arguments: Any, **options: Any) -> Any:
            fall(self, arguments, late=False)
            found = await original(self, *arguments, **options)
            fall(self, arguments, late=True)
            return found

        return called

    @functools.wraps(original)
    def asked(self: Any, *arguments: Any, **options: Any) -> Any:
        found = original(self, *arguments, **options)
        if hasattr(found, "__aiter__"):
            return _rows(self, arguments, found)
        fall(self, arguments, late=False)
        fall(self, arguments, late=True)
        return found

    async def _rows(self: Any, arguments: tuple[Any, ...], rows: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            fall(self, arguments, late=False)
            async for row in rows:
                yield row
            fall(self, arguments, late=True)
        finally:
            await rows.aclose()  # type: ignore[attr-defined]

    return asked
