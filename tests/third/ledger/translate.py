"""Between Ledger's wire and the project's own records."""

from __future__ import annotations

from datetime import date

from events.ids import BillingPatientId
from events.records import BillingCase, BillingChart
from events.writes import Candidate, CreateEncounter
from tests.third.ledger.client import Account

WIRE = {
    "first_name": "given",
    "middle_name": "middle",
    "last_name": "family",
    "birth_date": "born",
    "sex": "sex",
    "home_phone": "home",
    "mobile_phone": "mobile",
    "work_phone": "work",
    "email": "email",
    "address1": "street",
    "address2": "unit",
    "city": "town",
    "state": "state",
    "zip": "zip",
}
"""Canonical name to Ledger's; the provider is typed and goes beside."""


def chart(account: Account) -> BillingChart:
    """An account is its own and only case."""
    values = {name: getattr(account, wire) for name, wire in WIRE.items() if name != "birth_date"}
    return BillingChart(
        id=BillingPatientId(account.id),
        birth_date=date.fromisoformat(account.born) if account.born else None,
        provider=account.clinician,
        cases=(BillingCase(id=account.id, name="Account", is_primary=True),),
        **values,
    )


def candidate(account: Account) -> Candidate:
    seen = chart(account)
    names = ("first_name", "middle_name", "last_name", "birth_date", "sex")
    return Candidate(id=account.id, **{name: getattr(seen, name) for name in names})


def account_body(fields: dict[str, str], clinician: int | None) -> dict[str, object]:
    body: dict[str, object] = {WIRE[name]: value for name, value in fields.items() if name in WIRE}
    return body if clinician is None else body | {"clinician": clinician}


def invoice_body(write: CreateEncounter) -> dict[str, object]:
    return {
        "bill": write.bill,
        "account": write.patient,
        "day": write.service_day.isoformat(),
        "clinician": write.rendering_provider,
        "room": write.location,
        "lines": [
            {"code": one.cpt, "modifiers": one.modifiers, "reasons": one.dxs, "count": one.units, "price": one.unit_charge}
            for one in write.lines
        ],
    }
