"""What Elation holds of the appointments and policies that were written to it, for `chartwire verify`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

from daemon.vendors.elation import resources as wire
from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.wire import BadRow
from daemon.vendors.ports.errors import Gone, Moved, NotFound
from daemon.vendors.ports.vendor import Edits, SentAppointment, SentPolicy
from events.calendar import shifted
from events.ids import EhrChartId


class ElationHeld:
    """Reads through the client; writes nothing."""

    def __init__(self, client: ElationClient) -> None:
        self._client = client

    async def appointment_edits(self, written: Mapping[int, SentAppointment]) -> dict[int, Edits]:
        """As `ports.vendor.HeldRecords`; an appointment that is gone is one edit, "deleted"."""
        held = await self._appointments(written)
        return {id_: _edits(one, held.get(id_)) for id_, one in written.items()}

    async def _appointments(self, written: Mapping[int, SentAppointment]) -> dict[int, wire.Appointment]:
        """The appointments listed by their days, else asked for by id (moved far, or gone)."""
        if not written:
            return {}
        days = [one.terms.start for one in written.values()]
        rows: AsyncIterator[wire.Appointment | BadRow] = self._client.appointments(
            shifted(min(days), -timedelta(days=1)), shifted(max(days), timedelta(days=1))
        )
        held = {one.id: one async for one in rows if not isinstance(one, BadRow) and one.id in written}
        for id_ in sorted(set(written) - set(held)):
            try:
                held[id_] = await self._client.get_appointment(id_)
            except (Gone, NotFound):
                continue
        return {id_: one for id_, one in held.items() if one.deleted_date is None}

    async def policy_edits(self, chart: EhrChartId, written: Mapping[str, SentPolicy]) -> Edits:
        """As `ports.vendor.HeldRecords`; a chart that is gone holds nothing that staff could have changed."""
        try:
            held = {one.id: one for one in await self._client.list_policies(chart)}
        except (Gone, Moved, NotFound):
            return {}
        values: dict[str, tuple[str, str]] = {}
        for key, policy in written.items():
            one = held.get(policy.id)
            if one is None:
                values[f"policy {key} deleted"] = ("yes", "no")
                continue
            values |= {
                f"policy {key} {name}": (str(one.raw.get(name)), str(value))
                for name, value in translate.policy_body(policy.terms, {}).items()
                if one.raw.get(name) != value
            }
        return values


def _edits(written: SentAppointment, held: wire.Appointment | None) -> Edits:
    if held is None:
        return {"deleted": ("yes", "no")}
    called_off = held.status is not None and held.status.status == "Cancelled"
    pairs: dict[str, tuple[object, object]] = {"cancelled": (called_off, written.cancelled)}
    if not written.cancelled:
        pairs |= {
            "start": (held.scheduled_date, written.terms.start),
            "minutes": (held.duration, written.terms.minutes),
            "physician": (held.physician, written.terms.physician),
            "description": (held.description, written.terms.description),
        }
    return {name: (str(here), str(there)) for name, (here, there) in pairs.items() if here != there}
