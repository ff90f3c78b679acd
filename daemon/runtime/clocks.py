"""How far this machine's clock is from the vendors', by the `Date` of their answers: what changed since a time is asked for with ours."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from urllib.parse import SplitResult, urlsplit

import aiohttp
import msgspec
import structlog
from yarl import URL

from daemon.config import Config, PracticeConfig
from daemon.sections import VendorSection
from events.writes import System

log = structlog.get_logger()

APART = 30.0
"""Seconds that two clocks may be apart."""

LATELY = 8
"""Answers of which the nearest counts: the others were under way."""

PORTS = {"http": 80, "https": 443}

Host = tuple[str, int]


def ahead(params: aiohttp.TraceRequestEndParams, now: datetime) -> float | None:
    """How many seconds we are ahead of the answer's `Date`; None where it has none."""
    try:
        return (now - parsedate_to_datetime(params.response.headers["Date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def trace_of(now: Callable[[], datetime], hear: Callable[[URL, float], None]) -> aiohttp.TraceConfig:
    """For a session: `hear` is told of each answer with a `Date` by how many seconds we are ahead of it, and whose it is."""

    async def ended(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        if (seconds := ahead(params, now())) is not None:
            hear(params.url, seconds)

    config = aiohttp.TraceConfig()
    config.on_request_end.append(ended)
    return config


def addresses(section: VendorSection) -> Iterable[tuple[str, SplitResult]]:
    """The web addresses of a section, by the key that each stands under."""
    for key, value in msgspec.structs.asdict(section).items():
        if isinstance(value, str) and (parts := urlsplit(value)).scheme in PORTS and parts.hostname:
            yield key, parts


class Clocks:
    """Hears every answer of a session by `trace`; `ahead` is by vendor, and what passes `APART` is logged when it begins to."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.ahead: dict[str, float] = {}
        self._vendors: dict[Host, str] = {}
        self._lately: dict[str, deque[float]] = {}

    def know(self, practices: Iterable[PracticeConfig]) -> None:
        """Whose the addresses are of which answers will come."""
        for section in (one.section(role) for one in practices for role in System):
            for _, parts in addresses(section):
                self._vendors[str(parts.hostname), parts.port or PORTS[parts.scheme]] = section.system.prefix

    @property
    def trace(self) -> aiohttp.TraceConfig:
        return trace_of(lambda: self.now(), self._hear)

    def _hear(self, url: URL, seconds: float) -> None:
        vendor = self._vendors.get((url.host or "", url.port or 0))
        if vendor is None:
            return
        lately = self._lately.setdefault(vendor, deque(maxlen=LATELY))
        lately.append(seconds)
        before, nearest = self.ahead.get(vendor, 0.0), min(lately, key=abs)
        self.ahead[vendor] = nearest
        if abs(nearest) > APART >= abs(before):
            log.warning("clock_apart", source=vendor, seconds=round(nearest))


def clocks_of(config: Config, now: Callable[[], datetime]) -> Clocks:
    made = Clocks(now)
    made.know(config.practice)
    return made
