"""What a record is after a vendor carried out a write."""

from __future__ import annotations

from datetime import date

from events.records import ElationChart, KareoChart
from projections.fields import PHONE_KINDS, with_phones
from projections.open_intents import put


def told_elation(chart: ElationChart, fields: dict[str, str], physician: int | None) -> ElationChart:
    """A chart after Elation carried out a write of `fields`."""
    changes: dict[str, object] = {
        name: value for name, value in fields.items() if name not in (*PHONE_KINDS, "birth_date", "email", "provider")
    }
    if "birth_date" in fields:
        changes["birth_date"] = date.fromisoformat(fields["birth_date"])
    if "email" in fields:
        changes["emails"] = (fields["email"],) if fields["email"] else ()
    if physician is not None:
        changes["physician"] = physician
    phones = {name: fields[name] for name in PHONE_KINDS if name in fields}
    return put(chart, phones=with_phones(chart.phones, phones), **changes)


def told_kareo(chart: KareoChart, fields: dict[str, str], provider: int | None) -> KareoChart:
    """A patient after Kareo carried out a write of `fields`."""
    changes: dict[str, object] = {name: value for name, value in fields.items() if name not in ("birth_date", "provider")}
    if "birth_date" in fields:
        changes["birth_date"] = date.fromisoformat(fields["birth_date"])
    if provider is not None:
        changes["provider"] = provider
    return put(chart, **changes)
