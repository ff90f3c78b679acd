"""Kareo as a vendor: the one place where its client, connector and writer are made, and where its limits are kept."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.findings import Finding
from daemon.sections import ConfigProblem, resolve, secret
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.connector import KareoConnector
from daemon.vendors.kareo.described import DescribedService
from daemon.vendors.kareo.examination import examine_kareo, undescribed
from daemon.vendors.kareo.held_charges import KareoHeld
from daemon.vendors.kareo.limiter import LimiterRegistry
from daemon.vendors.kareo.section import KareoConfig
from daemon.vendors.kareo.soap import SoapService
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.errors import Unauthorized, VendorError
from daemon.vendors.ports.gate import AccountGate, AccountGates
from daemon.vendors.ports.vendor import Means, Opened, Opener, Reader, Side
from daemon.vendors.ports.writer import Guard
from events.ids import PracticeId

WRITES = 8
"""Writes under way at once. The limits let far fewer through; what waits for its turn is looked up after a crash."""

TRIES = 20
"""The running daemon shares the customer key and its limits, so a reader beside it is throttled more often."""

EXAMINED_TRIES = 4
"""Of a call that is throttled each time: the doctor's patience has to do for many practices of one customer key, one after the other."""

PROBE_SECONDS = 30.0


class Kareo:
    """The billing side. One limiter per customer key serves all practices of the process."""

    section = KareoConfig
    delivered: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.limiters = LimiterRegistry()
        self._described: dict[str, DescribedService] = {}
        self._gates = AccountGates()

    def _gate(self, section: KareoConfig, means: Means) -> AccountGate:
        key, password = (secret(name, means.folder) for name in (section.customer_key_file, section.password_file))
        return self._gates.of(section.endpoint, key, section.user, password)

    async def prepare(self, section: KareoConfig, means: Means) -> Opener:
        wsdl, cache = _wsdl(section, means)
        service = self._described.setdefault(wsdl, DescribedService(wsdl, means.session, cache))

        def open_(side: Side) -> Opened:
            client = self._client(section, means, service, side.guard)
            return Opened(
                connector=_connector(client, section, means, side),
                writer=KareoWriter(client, vendor_name=section.external_vendor, now=means.now),
                concurrency=WRITES,
                limits=client.limiter,
                gate=self._gate(section, means),
            )

        return open_

    async def probe(self, section: KareoConfig, key: str, means: Means) -> list[ConfigProblem]:
        try:
            service = await _service(section, means, cached=False)
        except (VendorError, OSError, ValueError) as error:
            return [(f"{key}.wsdl", f"the WSDL cannot be loaded ({type(error).__name__})")]
        client = self._client(section, means, service, None, timeout=PROBE_SECONDS)
        try:
            practices = await client.get_practices()
        except Unauthorized:
            files = " and ".join(
                str(resolve(one, means.folder)) for one in (section.customer_key_file, section.password_file)
            )
            text = f"Kareo refuses the customer key, the user or the password: put them into {files}, then systemctl reload chartwire"
            return [(f"{key}.password_file", text)]
        except VendorError as error:
            return [(key, f"Kareo does not answer ({type(error).__name__} at {error.operation})")]
        if not any(one.name == section.practice_name for one in practices):
            return [(f"{key}.practice_name", "no practice of exactly this name is visible to this user")]
        return []

    async def examine(self, section: KareoConfig, key: str, means: Means, practice: PracticeId, name: str) -> list[Finding]:
        try:
            service = await _service(section, means, cached=False)
        except (VendorError, OSError, ValueError) as failure:
            return [undescribed(section, key, practice, failure)]
        client = self._client(section, means, service, None, timeout=PROBE_SECONDS, tries=EXAMINED_TRIES)
        return await examine_kareo(client, section, key, practice)

    async def reader(self, section: KareoConfig, means: Means, side: Side) -> Reader:
        """Directory, patients with cases and policies, appointments."""
        client = self._client(section, means, await _service(section, means), side.guard, tries=TRIES)
        connector = _connector(client, section, means, side)

        async def patients() -> None:
            await connector.read_directory()
            await connector.sweep_patients()

        steps = [(patients, ", appointments follow"), (connector.sweep_appointments, "")]
        return Reader(steps=steps, encounters=KareoHeld(client))

    def delivery(self, section: KareoConfig, means: Means, side: Side) -> None:
        """Kareo has no push."""

    def _client(
        self,
        section: KareoConfig,
        means: Means,
        service: SoapService | DescribedService,
        guard: Guard | None,
        *,
        timeout: float = 60.0,
        tries: int = 1,
    ) -> KareoClient:
        key = secret(section.customer_key_file, means.folder)
        limits = dict(section.limits)
        scale = limits.pop("scale", 1.0)
        return KareoClient(
            service=service,
            endpoint=section.endpoint,
            customer_key=key,
            user=section.user,
            password=secret(section.password_file, means.folder),
            practice_id=None,
            practice_name=section.practice_name,
            limiter=self.limiters.for_key(key, scale, limits),
            session=means.session,
            list_zone=section.list_zone,
            client_version="chartwire",
            meter=means.meter.call,
            waited=means.meter.waited,
            timeout=timeout,
            guard=guard,
            gate=self._gate(section, means),
            tries=tries,
        )


async def _service(section: KareoConfig, means: Means, *, cached: bool = True) -> SoapService:
    """The service described by the practice's WSDL, loaded now; parsed once per process and content."""
    wsdl, cache = _wsdl(section, means)
    return await SoapService.load(wsdl, means.session, cache if cached else None)


def _wsdl(section: KareoConfig, means: Means) -> tuple[str, Path | None]:
    """Where the practice's WSDL is, and its last good copies: with systemd's `CacheDirectory` one serves while the address does
    not answer."""
    cache = os.environ.get("CACHE_DIRECTORY")
    wsdl = section.wsdl if "://" in section.wsdl else str(resolve(section.wsdl, means.folder))
    return wsdl, Path(cache) if cache else None


def _connector(client: KareoClient, section: KareoConfig, means: Means, side: Side) -> KareoConnector:
    return KareoConnector(
        client,
        side.intake,
        section,
        known=side.memory.known,
        watermark=side.memory.watermark,
        patience=means.patience,
        now=means.now,
    )
