"""Bills, Elation -> Kareo: checked, sent once as an encounter, answered, and frozen (DESIGN: Bills).

Life of a bill: seen -> deferred | erroneous (a Bill Error says what to fix; "Save & Re-send" tries again) | sent ->
billed. Of the diagnoses the first 12 distinct codes travel in the order entered, at most 4 on a service line.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from events.codes import WaitCode
from events.ids import EhrChartId
from events.records import BillingCase, BillLine, EhrBill
from events.slots import CASE_SLOT, SlotKind, slot_of
from events.writes import (
    AddBillingCase,
    CreateEncounter,
    EncounterTerms,
    MarkBilled,
    MarkBillError,
    Resource,
    System,
)
from projections.deciding.settle import Wants, Wish
from projections.rules.insurance import primary_case
from projections.state.directory import Directory, location_for, provider_for
from projections.state.patient import Bill, BillingSide, Patient, bill_content
from projections.terms.codecs import Problem
from projections.terms.policy import Policy, allows

RULE = "guide: Bills"
DIAGNOSES = 12
DIAGNOSES_A_LINE = 4
ERROR_MOST = 200

_CPT = re.compile(r"\d{4}[0-9A-Z]|[A-Z]\d{4}", re.ASCII)
_MODIFIER = re.compile(r"[0-9A-Z]{2}")
_ICD10 = re.compile(r"[A-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?", re.ASCII)
_AMOUNT = re.compile(r"\d{1,7}(\.\d{1,4})?", re.ASCII)


def want_bills(
    patient: Patient,
    billing: BillingSide | None,
    directory: Directory,
    policy: Policy,
    wants: Wants,
    *,
    gone_along: frozenset[str] = frozenset(),
) -> None:
    """Add what each bill of the patient needs next; `billing` is None until the chart is linked.

    `gone_along` are bills that have moved to another chart in a merge: they are looked at there.
    """
    if not allows(policy, Resource.BILL, System.BILLING):
        return
    for key, entry in patient.bills.items():
        if key in gone_along:
            continue
        _want(slot_of(SlotKind.BILL, key), entry, patient, billing, directory, policy, wants)


def _want(
    slot: str, entry: Bill, patient: Patient, billing: BillingSide | None, directory: Directory, policy: Policy, wants: Wants
) -> None:
    bill = entry.bill
    answer = slot_of(SlotKind.BILL_ANSWER, bill.id)
    if entry.billed_to is not None:
        text = (
            f"encounter {entry.encounter} went to kareo:{entry.billed_to} before the charts were unlinked; it is not sent "
        )
        wants.wait(slot, WaitCode.BILLED_TO_FORMER, f"{text}again: move or void it in Kareo")
        return
    if entry.encounter is not None:
        if not entry.billed and entry.encounter_at is not None:
            done = MarkBilled(bill=bill.id, ref_number=str(entry.encounter), billed_at=entry.encounter_at)
            wants.writes[answer] = Wish(done, Resource.BILL, f"{RULE}, success is written back")
        if bill_content(bill) != entry.sent:
            text = "the bill was edited after it was sent; Kareo keeps what was sent, correct the encounter there"
            wants.wait(slot, WaitCode.DIFFERS_AFTER_SENT, text)
        return
    if bill.status == "Billed" or bill.ref_number or bill.note_deleted:
        return
    into = _absorbed(patient)
    if into is not None:
        text = f"the chart was merged into elation:{into}, and the bill did not go along; enter it on that chart in Elation"
        wants.wait(slot, WaitCode.CHART_ABSORBED, text, slot, f"chart:{into}")
    elif not bill.signed:
        wants.wait(slot, WaitCode.UNSIGNED, "the visit note of this bill is not signed yet")
    elif bill.deferred:
        wants.wait(slot, WaitCode.DEFERRED, "the bill waits in Elation's Billing Home; press Send to PMS there")
    elif entry.answered == bill:
        wants.wait(slot, WaitCode.BILL_ERROR, f"Bill Error: {entry.error}. Correct the bill in Elation, then Save & Re-send")
    elif billing is None:
        wants.wait(slot, WaitCode.CHART_PENDING, "the patient is not linked with Kareo yet")
    else:
        _want_encounter(slot, answer, entry, patient, billing, directory, policy, wants)


def _absorbed(patient: Patient) -> EhrChartId | None:
    """The chart that an unlinked one was merged into."""
    return patient.ehr.chart.merged_into if patient.link is None and patient.ehr is not None else None


def _want_encounter(
    slot: str,
    answer: str,
    entry: Bill,
    patient: Patient,
    billing: BillingSide,
    directory: Directory,
    policy: Policy,
    wants: Wants,
) -> None:
    case = _case(billing, policy, wants, slot)
    if case is None:
        return
    result = encounter(entry, billing, case, directory, policy)
    if isinstance(result, Problem):
        error = MarkBillError(bill=entry.bill.id, text=result.text[:ERROR_MOST])
        wants.writes[answer] = Wish(error, Resource.BILL, f"{RULE}, {result.code}")
        wants.wait(slot, WaitCode.BILL_ERROR, f"Bill Error: {result.text[:ERROR_MOST]}", *_depends(result))
        return
    beyond = len(all_diagnoses(entry.bill)) - DIAGNOSES
    notes = (f"{beyond} diagnoses beyond the first {DIAGNOSES} do not travel",) if beyond > 0 else ()
    wants.writes[slot] = Wish(result, Resource.BILL, RULE, notes)
    open_ = patient.intents.get(slot)
    if open_ is not None and open_.state == "refused" and open_.write == result:
        text = (open_.text or "Kareo refused the bill")[:ERROR_MOST]
        wants.writes[answer] = Wish(MarkBillError(bill=entry.bill.id, text=text), Resource.BILL, f"{RULE}, refused by Kareo")


def _depends(problem: Problem) -> tuple[str, ...]:
    return ("directory",) if problem.code.startswith("unmapped") else ()


def _case(billing: BillingSide, policy: Policy, wants: Wants, slot: str) -> BillingCase | None:
    """The case to bill: the primary one, or the only one; a patient without any gets one first."""
    cases = billing.chart.cases
    if cases is None:
        wants.wait(slot, WaitCode.CASES_PENDING, "the patient's cases have not been read from Kareo yet")
        return None
    if not cases:
        add = AddBillingCase(patient=billing.chart.id, case_name=policy.case_name, payer_scenario=policy.payer_scenario)
        wants.writes[CASE_SLOT] = Wish(add, Resource.BILL, "guide: Bills, a case is needed")
        wants.wait(slot, WaitCode.CASE_PENDING, "the patient has no case in Kareo; one is being added")
        return None
    chosen = primary_case(cases) or (cases[0] if len(cases) == 1 else None)
    if chosen is None:
        wants.wait(
            slot, WaitCode.NO_PRIMARY_CASE, "the patient has several cases in Kareo and none is primary; choose one there"
        )
    return chosen


def encounter(
    entry: Bill, billing: BillingSide, case: BillingCase, directory: Directory, policy: Policy
) -> CreateEncounter | Problem:
    """The encounter a bill becomes, or the first thing to fix, in words for the provider (pre-checks: DESIGN Bills)."""
    bill = entry.bill
    if bill.service_day is None:
        return Problem("no-date", "The bill has no date of service")
    if not bill.lines:
        return Problem("no-lines", "The bill has no procedure: add a CPT code")
    if bill.location is None:
        return Problem("no-location", "The bill has no service location: choose one")
    location = location_for(bill.location, directory, policy)
    if location is None:
        return Problem(
            "unmapped-location", f'Service location "{bill.location_name}" is not mapped to Kareo: ask the office to map it'
        )
    place = policy.places_of_service.get(bill.location, bill.place_of_service)
    if not re.fullmatch(r"[0-9]{1,2}", place):
        return Problem("no-place", f'Service location "{bill.location_name}" has no place of service code')
    physician = bill.rendering_provider or bill.physician
    provider = provider_for(physician, directory, policy) if physician is not None else None
    if provider is None:
        return Problem("unmapped-provider", "The rendering provider is not mapped to Kareo: ask the office to map it")
    lines: list[EncounterTerms] = []
    for number, line in enumerate(bill.lines, start=1):
        checked = _line(number, line, all_diagnoses(bill)[:DIAGNOSES])
        if isinstance(checked, Problem):
            return checked
        lines.append(checked)
    supervising = provider_for(bill.supervising_provider, directory, policy) if bill.supervising_provider else None
    return CreateEncounter(
        bill=bill.id,
        content=bill_content(bill),
        patient=billing.chart.id,
        case_id=case.id,
        service_day=bill.service_day,
        post_day=local_day(entry.first_seen, policy.time_zone),
        rendering_provider=provider,
        supervising_provider=supervising,
        location=location,
        place_of_service=place.zfill(2),
        lines=tuple(lines),
        further_dxs=further_diagnoses(bill, lines),
        notes=bill.notes,
        prior_authorization=bill.prior_authorization,
        batch=str(bill.id) if policy.batch_numbers else "",
        status=policy.encounter_status,
    )


def local_day(instant: datetime, time_zone: str) -> date:
    """The calendar day of an instant where the practice is."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


def _line(number: int, line: BillLine, travelling: tuple[str, ...]) -> EncounterTerms | Problem:
    cpt = line.cpt.strip().upper()
    where = f"Line {number} ({cpt or 'no code'})"
    if not cpt:
        return Problem("no-cpt", f"Line {number} has no CPT code")
    if not _CPT.fullmatch(cpt):
        return Problem("bad-cpt", f"{where}: not a CPT or HCPCS code")
    modifiers = tuple(code.strip().upper() for code in line.modifiers if code.strip())
    if len(modifiers) > 4 or not all(_MODIFIER.fullmatch(code) for code in modifiers):
        return Problem("bad-modifier", f"{where}: modifiers must be up to 4 codes of 2 characters")
    dxs = distinct(line.dxs)
    if not dxs:
        return Problem("no-diagnosis", f"{where} has no diagnosis: add an ICD-10 code")
    bad = next((code for code in dxs if not _ICD10.fullmatch(code)), None)
    if bad is not None:
        return Problem("bad-diagnosis", f"{where}: diagnosis {bad[:10]} is not an ICD-10 code")
    dxs = tuple(code for code in dxs if code in travelling)[:DIAGNOSES_A_LINE]
    if not dxs:
        return Problem("too-many-diagnoses", f"{where}: none of its diagnoses is among the bill's first {DIAGNOSES}")
    units = line.units.strip() or "1"
    if not _AMOUNT.fullmatch(units) or not 0 < float(units) <= 999:
        return Problem("bad-units", f"{where}: units must be a number from 1 to 999")
    charge = line.unit_charge.strip()
    if not _AMOUNT.fullmatch(charge):
        return Problem("bad-charge", f"{where}: the charge must be an amount of money")
    return EncounterTerms(cpt=cpt, units=units, unit_charge=charge, modifiers=modifiers, dxs=dxs)


def distinct(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Codes cleaned, the first of each kept in the order entered."""
    return tuple(dict.fromkeys(code.strip().upper() for code in codes if code.strip()))


def all_diagnoses(bill: EhrBill) -> tuple[str, ...]:
    """The bill's distinct codes in the order entered, of which the first 12 travel."""
    return distinct(tuple(code for line in bill.lines for code in line.dxs))


def further_diagnoses(bill: EhrBill, lines: list[EncounterTerms]) -> tuple[str, ...]:
    """Of the bill's first 12 distinct codes those that no line has room for (DESIGN: Bills)."""
    carried = {code for line in lines for code in line.dxs}
    return tuple(code for code in all_diagnoses(bill)[:DIAGNOSES] if code not in carried)
