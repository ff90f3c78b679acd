"""What is written to a bill in Elation: that it was sent, a Bill Error, its release. Each looks first, writes once, and reads the outcome."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from daemon.vendors.elation import resources as wire
from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.ports.errors import ChangedMeanwhile, NotAsWritten, Refused
from events.schema import BillObserved
from events.writes import BillWritten, MarkBilled, MarkBillError, ReleaseBill
from projections.state.patient import is_about


class BillWriting:
    """The bills of one practice; `zone` is the practice's, for bills that name none."""

    def __init__(self, client: ElationClient, zone: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._zone = zone
        self._now = now

    async def answer(self, write: MarkBilled | MarkBillError) -> BillWritten:
        """A billed bill may never be updated again.

        Raises ChangedMeanwhile for the error of a bill that has been corrected since.
        """
        read_at = self._now()
        bill = await self._client.get_bill(write.bill)
        if not _answered(bill, write):
            if isinstance(write, MarkBilled):
                body: dict[str, object] = {
                    "ref_number": write.ref_number,
                    "billing_date": translate.instant(write.billed_at),
                    "metadata": {"object_id": f"kareo-encounter:{write.ref_number}"},
                }
            else:
                seen = translate.bill(bill, self._zone)
                if not is_about(write, seen):
                    raise ChangedMeanwhile(BillObserved(bill=seen), bill.last_modified_date, read_at)
                body = {"billing_error": write.text, "billing_raw_error": write.raw or write.text}
            await self._client.update_bill(write.bill, body)
            read_at = self._now()
            bill = await self._client.get_bill(write.bill)
            if not _answered(bill, write):
                raise NotAsWritten(("ref_number",) if isinstance(write, MarkBilled) else ("billing_error",))
        return self._written(bill, read_at)

    async def release(self, write: ReleaseBill) -> BillWritten:
        """Somebody may have released it meanwhile. Whether the flag of a released bill goes, Elation does not say."""
        read_at = self._now()
        bill = await self._client.get_bill(write.bill)
        if bill.deferred_bill:
            await self._client.release_bill(write.bill)
            read_at = self._now()
            bill = await self._client.get_bill(write.bill)
        return self._written(bill, read_at)

    def _written(self, bill: wire.Bill, read_at: datetime) -> BillWritten:
        return BillWritten(bill=translate.bill(bill, self._zone), modified=bill.last_modified_date, read_at=read_at)


def _answered(bill: wire.Bill, write: MarkBilled | MarkBillError) -> bool:
    if isinstance(write, MarkBilled):
        if bill.ref_number and bill.ref_number != write.ref_number:
            raise Refused("elation.PATCH /bills/{id}/", vendor_text="the bill carries another reference number already")
        return bill.ref_number == write.ref_number
    return bill.billing_error == write.text and bill.billing_status == "UnresolvedError"
