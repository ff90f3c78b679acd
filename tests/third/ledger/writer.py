"""Ledger's side of the writes. It rejects no duplicate, so whatever is created carries our own reference and is looked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from daemon.vendors.ports.errors import ChangedMeanwhile, NotAsWritten, Refused
from events.schema import BillingChartObserved
from events.writes import (
    AnyResult,
    AnyWrite,
    BillingChartWritten,
    CreateBillingChart,
    CreateEncounter,
    RecordCreated,
    SearchBilling,
    Searched,
    UpdateBillingChart,
)
from projections.rules.fields import BY_NAME, billing_view
from tests.third.ledger import translate
from tests.third.ledger.client import Account, LedgerClient


class LedgerWriter:
    def __init__(self, client: LedgerClient, *, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now

    async def write(self, wanted: Callable[[], AnyWrite]) -> AnyResult:
        match write := wanted():
            case SearchBilling():
                found = await self._client.accounts(family=write.last_name)
                return Searched(candidates=tuple(translate.candidate(one) for one in found))
            case CreateBillingChart():
                body = translate.account_body(write.fields, write.provider) | {"external": write.external_id}
                return await self.look_up(write) or self._written(await self._client.open_account(body))
            case UpdateBillingChart():
                return await self._update(write, wanted)
            case CreateEncounter():
                made = await self.look_up(write)
                return made or RecordCreated(id=(await self._client.invoice(translate.invoice_body(write))).id)
        raise TypeError(type(write).__name__)

    async def look_up(self, write: AnyWrite) -> AnyResult | None:
        match write:
            case CreateBillingChart():
                accounts = await self._client.accounts(external=write.external_id)
                return self._written(accounts[0]) if accounts else None
            case UpdateBillingChart():
                account = await self._client.account(write.patient)
                return None if account is None or _differing(account, write.fields) else self._written(account)
            case CreateEncounter():
                invoices = await self._client.invoices(write.bill)
                return RecordCreated(id=invoices[0].id) if invoices else None
        return None

    async def _update(self, write: UpdateBillingChart, wanted: Callable[[], AnyWrite]) -> AnyResult:
        read_at = self._now()
        before, newest = await self._client.account(write.patient), wanted()
        assert isinstance(newest, UpdateBillingChart)
        if before is None:
            raise Refused("ledger.PATCH /accounts", vendor_text="the account is gone")
        if not _differing(before, newest.fields):
            return self._written(before, sent={})
        if _differing(before, newest.expected):
            raise ChangedMeanwhile(BillingChartObserved(chart=translate.chart(before)), None, read_at)
        after = await self._client.change_account(write.patient, translate.account_body(newest.fields, newest.provider))
        if differing := _differing(after, newest.fields):
            raise NotAsWritten(differing)
        return self._written(after, sent=newest.fields)

    def _written(self, account: Account, sent: dict[str, str] | None = None) -> BillingChartWritten:
        return BillingChartWritten(chart=translate.chart(account), read_at=self._now(), sent=sent)


def _differing(account: Account, fields: dict[str, str]) -> tuple[str, ...]:
    shown = billing_view(translate.chart(account))
    return tuple(
        name for name, value in fields.items() if BY_NAME[name].codec.key(shown[name]) != BY_NAME[name].codec.key(value)
    )
