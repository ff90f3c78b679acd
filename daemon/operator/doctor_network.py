"""What the doctor looks at on the way out: the vendors by their own examinations, their clocks, and certificates that end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from cryptography import x509

from daemon.config import Config, PracticeConfig
from daemon.findings import Finding, error, warning
from daemon.runtime.clocks import APART, addresses, trace_of
from daemon.sections import VendorSection
from daemon.servers import host_and_port
from daemon.vendors.ports.errors import VendorError
from daemon.vendors.ports.vendor import Means
from daemon.vendors.registry import Registry
from events.ids import PracticeId

AT_ONCE = 16
PATIENCE = 120.0
"""Seconds for one practice's side of a vendor: Kareo's limits are waited for."""

SOON = 14
"""Days before a certificate ends."""


async def look_at_vendors(config: Config, means: Means, vendors: Registry) -> list[Finding]:
    """Each practice's two systems, several at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(index: int, practice: PracticeConfig, section: VendorSection) -> list[Finding]:
        key, apart = f"practice[{index}].{section.system.prefix}", list[float]()
        trace = trace_of(means.now, lambda _url, seconds: apart.append(seconds))
        async with room, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[trace]) as session:
            own = replace(means, session=session)
            try:
                async with asyncio.timeout(PATIENCE):
                    found = await vendors.of(section).examine(section, key, own, PracticeId(practice.id), practice.name)
            except (OSError, ValueError, VendorError, TimeoutError) as failure:
                text = f"{section.system.label} cannot be examined ({type(failure).__name__})"
                found = [
                    error(
                        "vendor-away",
                        key,
                        text,
                        f"`chartwire check-config`, and {section.system.label}'s status page",
                        practice.id,
                    )
                ]
        return [*found, *_clock(apart, section, practice)]

    wanted = [
        (number, one_, section)
        for number, one_ in enumerate(config.practice, start=1)
        for section in (one_.ehr, one_.billing)
    ]
    return [finding for each in await asyncio.gather(*(one(*given) for given in wanted)) for finding in each]


def _clock(seen: list[float], section: VendorSection, practice: PracticeConfig) -> list[Finding]:
    """By the answer that is nearest: the others were under way."""
    apart = min(seen, key=abs, default=0.0)
    if abs(apart) <= APART:
        return []
    side = "ahead of" if apart > 0 else "behind"
    text = f"this machine's clock is {abs(apart):.0f} s {side} {section.system.label}'s"
    return [warning("vendor-clock", section.system.prefix, text, "timedatectl set-ntp true", practice.id)]


# -- certificates ---------------------------------------------------------------------------------------------------------


async def look_at_certificates(config: Config, now: datetime) -> list[Finding]:
    """Every https address of the configuration, and Kafka's where it speaks TLS."""
    places: dict[tuple[str, int], str] = {}
    for key, url in _addresses(config):
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            places.setdefault((parts.hostname, parts.port or 443), key)
    if config.kafka.security_protocol.endswith("SSL"):
        for server in config.kafka.bootstrap_servers.split(","):
            if (where := host_and_port(server.strip())) is not None:
                places.setdefault(where, "kafka.bootstrap_servers")
    ends = await asyncio.gather(*(_ends(*place) for place in places))
    found = [
        _expiring(place, key, end, now) for (place, key), end in zip(places.items(), ends, strict=True) if end is not None
    ]
    return [one for one in found if one is not None]


def _addresses(config: Config) -> Iterable[tuple[str, str]]:
    yield "http.public_url", config.http.public_url
    for index, practice in enumerate(config.practice, start=1):
        for section in (practice.ehr, practice.billing):
            for name, parts in addresses(section):
                yield f"practice[{index}].{section.system.prefix}.{name}", parts.geturl()


async def _ends(host: str, port: int) -> datetime | None:
    """When the certificate there ends, whoever signed it; None where there is none to be had."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # looked at, not trusted: nothing is sent
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            secured: Any = writer.get_extra_info("ssl_object")
            shown = secured.getpeercert(True)
            writer.close()
    except (OSError, ssl.SSLError, TimeoutError):
        return None
    return x509.load_der_x509_certificate(shown).not_valid_after_utc if shown else None


def _expiring(place: tuple[str, int], key: str, end: datetime, now: datetime) -> Finding | None:
    days, where = (end - now).days, f"{place[0]}:{place[1]}"
    if days >= SOON:
        return None
    when = f"has ended on {end.astimezone(UTC):%Y-%m-%d} (UTC)" if end <= now else f"ends in {days} days"
    make = error if end <= now else warning
    repair = "certbot renew, and reload the proxy" if key == "http.public_url" else f"whoever runs {where} has to renew it"
    return make("certificate", key, f"the certificate of {where} {when}", repair)
