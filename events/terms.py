"""Policies, appointments and service lines as they shall be held: what writes carry, and what was agreed on."""

from __future__ import annotations

from datetime import date, datetime

from events.records import Value


class PolicyTerms(Value, frozen=True, kw_only=True):
    """One policy as Elation shall hold it (`projections/rules/policies.py`). `rank` is 1 to 3.

    `keeps` names the members that nothing usable is known of: whatever the policy has there stays.
    """

    billing_policy: int
    rank: int
    carrier_id: int
    carrier_name: str
    plan_id: int
    plan_name: str
    member_id: str = ""
    group_id: str = ""
    copay: str = ""
    deductible: str = ""
    start: date | None = None
    end: date | None = None
    phone: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    relationship: str = "self"
    insured_first_name: str = ""
    insured_last_name: str = ""
    insured_address: str = ""
    insured_city: str = ""
    insured_state: str = ""
    insured_zip: str = ""
    insured_ssn: str = ""
    insured_birth_date: date | None = None
    insured_sex: str = ""
    keeps: tuple[str, ...] = ()


class PolicyChange(Value, frozen=True, kw_only=True):
    """What the billing side is told of one policy: `policy` is its own, None for one that is new there, `ehr` the chart side's.

    `fields` are by canonical name, only those that change; a field at "" is cleared. `agreed` is what both sides hold once it is
    done, in `names` only; None where the policy is put away.
    """

    policy: int | None = None
    ehr: int
    fields: dict[str, str]
    agreed: PolicyTerms | None = None
    names: tuple[str, ...] = ()


class AppointmentTerms(Value, frozen=True, kw_only=True):
    """An appointment as Elation shall hold it: `minutes` a multiple of 5, `description` the visit reason (at most 500)."""

    start: datetime
    minutes: int
    physician: int
    description: str = ""


class EncounterTerms(Value, frozen=True, kw_only=True):
    """One service line: at most 4 of each; `units` and `unit_charge` are decimal text, "" where the billing side is not told."""

    cpt: str
    units: str
    unit_charge: str
    modifiers: tuple[str, ...] = ()
    dxs: tuple[str, ...] = ()
