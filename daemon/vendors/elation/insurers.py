"""Carriers and plans in Elation: made once, found again after a lost answer, and brought to what their plan says now."""

from __future__ import annotations

from typing import Final

from daemon.vendors.elation import resources as wire
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.elation.looking import found_in
from daemon.vendors.elation.translate import CARRIER_ON_THE_WIRE
from daemon.vendors.ports.errors import Gone, NotFound, Refused
from events.writes import CreateCarrier, CreatePlan, Done, RecordCreated, UpdateCarrier
from projections.terms.codecs import squeeze

NULL: Final = frozenset(("suite", "phone"))
"""Members of a carrier that are null where there is nothing."""


async def create_carrier(client: ElationClient, write: CreateCarrier) -> RecordCreated:
    """Without what is empty."""
    body: dict[str, object] = {"practice": client.practice_id, "external_vendor_id": write.company_id}
    body |= {on_the_wire: getattr(write, name) for name, on_the_wire in CARRIER_ON_THE_WIRE.items()}
    body = {name: value for name, value in body.items() if value != ""}
    return RecordCreated(id=(await client.create_insurance_company(body)).id)


async def find_carrier(client: ElationClient, write: CreateCarrier) -> RecordCreated | None:
    """The carrier that carries the company's id, after a lost answer."""
    carriers = client.insurance_companies()
    found = await found_in(carriers, lambda one: _same_carrier(one, write), "elation.GET /insurance_companies/")
    return RecordCreated(id=min(one.id for one in found)) if found else None


async def update_carrier(client: ElationClient, write: UpdateCarrier) -> Done:
    """Read, compare, write what differs: a repetition writes nothing. One that is gone, or another company's by now, is left alone."""
    try:
        held = await client.get_insurance_company(write.carrier)
    except (NotFound, Gone):
        return Done(already=True)
    if held.deleted_date is not None:
        return Done(already=True)
    if held.external_vendor_id not in ("", write.company_id):
        raise Refused("elation.PATCH /insurance_companies/{id}/", vendor_text="the carrier carries another company's id")
    wanted = {CARRIER_ON_THE_WIRE[name]: value for name, value in write.fields.items()}
    body = {name: None if not value and name in NULL else value for name, value in wanted.items()}
    differs = {name: value for name, value in body.items() if getattr(held, name) != (value or "")}
    if differs:
        await client.update_insurance_company(write.carrier, differs)
    return Done(already=not differs)


async def create_plan(client: ElationClient, write: CreatePlan) -> RecordCreated:
    """A plan of a carrier."""
    body = {"name": write.name, "insurance_company": write.carrier, "practice": client.practice_id}
    return RecordCreated(id=(await client.create_insurance_plan(body)).id)


async def find_plan(client: ElationClient, write: CreatePlan) -> RecordCreated | None:
    """The carrier's plan of that name, after a lost answer."""
    plans = client.insurance_plans(write.carrier)
    same = await found_in(
        plans, lambda one: squeeze(one.name).casefold() == write.name.casefold(), "elation.GET /insurance_plans/"
    )
    return RecordCreated(id=min(one.id for one in same)) if same else None


def _same_carrier(one: wire.InsuranceCompany, write: CreateCarrier) -> bool:
    return one.deleted_date is None and one.external_vendor_id == write.company_id and bool(write.company_id)
