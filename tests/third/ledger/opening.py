"""Ledger as a vendor."""

from __future__ import annotations

from daemon.findings import Finding, error
from daemon.sections import ConfigProblem, secret
from daemon.vendors.ports.errors import VendorError
from daemon.vendors.ports.vendor import Means, Opened, Opener, Reader, Side
from daemon.vendors.ports.writer import Guard
from events.ids import PracticeId
from tests.third.ledger.client import LedgerClient
from tests.third.ledger.connector import LedgerConnector
from tests.third.ledger.section import LedgerConfig
from tests.third.ledger.writer import LedgerWriter


class Ledger:
    """The billing side."""

    section = LedgerConfig
    delivered: frozenset[str] = frozenset()

    async def prepare(self, section: LedgerConfig, means: Means) -> Opener:
        def open_(side: Side) -> Opened:
            client = _client(section, means, side.guard)
            return Opened(
                connector=_connector(client, section, means, side),
                writer=LedgerWriter(client, now=means.now),
                concurrency=2,
            )

        return open_

    async def probe(self, section: LedgerConfig, key: str, means: Means) -> list[ConfigProblem]:
        try:
            await _client(section, means, None).rooms()
        except VendorError as error:
            return [(key, f"Ledger does not answer ({type(error).__name__} at {error.operation})")]
        return []

    async def examine(self, section: LedgerConfig, key: str, means: Means, practice: PracticeId, name: str) -> list[Finding]:
        try:
            await _client(section, means, None).rooms()
        except VendorError as failure:
            text = f"Ledger does not answer ({type(failure).__name__} at {failure.operation})"
            return [error("vendor-away", key, text, f"correct base_url in [{key}]", practice)]
        return []

    async def reader(self, section: LedgerConfig, means: Means, side: Side) -> Reader:
        connector = _connector(_client(section, means, side.guard), section, means, side)
        return Reader(steps=[(connector.read_directory, ", accounts follow"), (connector.read_accounts, "")])

    def delivery(self, section: LedgerConfig, means: Means, side: Side) -> None:
        """Ledger has no push."""


def _client(section: LedgerConfig, means: Means, guard: Guard | None) -> LedgerClient:
    return LedgerClient(section.base_url, secret(section.key_file, means.folder), means.session, guard)


def _connector(client: LedgerClient, section: LedgerConfig, means: Means, side: Side) -> LedgerConnector:
    return LedgerConnector(
        client, side.intake, side.memory, poll_seconds=section.poll_seconds, patience=means.patience, now=means.now
    )
