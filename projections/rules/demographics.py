"""Demographics both ways: the merge of two linked charts turned into writes and waiting fields."""

from __future__ import annotations

from events.codes import WaitCode
from events.ids import EhrChartId
from events.records import EhrChart
from events.schema import ConflictRecorded, FieldsAgreed
from events.slots import CHART_SLOT, SlotKind, slot_of
from events.terms import PolicyChange
from events.writes import CreateBillingChart, CreateEhrChart, Resource, System, UpdateBillingChart, UpdateEhrChart
from projections.rules.fields import (
    ADDRESS,
    BY_NAME,
    DEMOGRAPHICS,
    NAMES,
    PHONE_KINDS,
    UNMAPPED,
    billing_view,
    ehr_view,
    fit,
    hold_address,
    own_phones,
    phones_beside,
    place_phones,
    same,
    unmapped_physician,
)
from projections.rules.links import LINK_HINT
from projections.rules.policy_writes import told_notes
from projections.rules.reconcile import reconcile
from projections.rules.wants import Wants, Wish
from projections.state.directory import Directory
from projections.state.maps import default_physician
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import BillingSide, EhrSide, Patient
from projections.terms.codecs import Unfit
from projections.terms.names import Names
from projections.terms.policy import Direction, Policy

RULE = "guide: Demographics"
CREATION = "guide: Chart creation"
EXTERNAL_ID_MOST = 25
EMPTY = EhrChart(id=EhrChartId(0))
"""The chart side's chart before it is created: all of its room is free."""
SLOTS = {system: slot_of(SlotKind.DEMOGRAPHICS, system) for system in System}


def want_demographics(
    patient: Patient, ehr: EhrSide, billing: BillingSide, directory: Directory, policy: Policy, wants: Wants
) -> None:
    """Add what keeps two linked charts in agreement; a field that cannot be written waits, the others go."""
    direction = policy.table[Resource.DEMOGRAPHICS]
    if direction is Direction.OFF:
        return
    ours, theirs = ehr_view(ehr.chart, directory, policy), billing_view(billing.chart)
    unmapped = ours["provider"].startswith(UNMAPPED)
    if unmapped:
        wants.wait(
            slot_of(SlotKind.FIELD, "provider"), WaitCode.FIELD_UNMAPPED, unmapped_physician(policy.names).text, "directory"
        )
    ours |= own_phones(ehr.chart, (patient.base, theirs), patient.beside)
    base = patient.base | _come_back(patient, ours, theirs)
    merged = reconcile(ours, theirs, base, policy.preference, direction, skip=("provider",) if unmapped else ())
    if merged.agreed:
        wants.facts.append(FieldsAgreed(fields=merged.agreed))
    known = (patient.conflicts, patient.conflicts_seen)
    new = [one for one in merged.conflicts if all(conflicts.get(one.field) != one for conflicts in known)]
    if new:
        wants.facts.append(ConflictRecorded(conflicts=tuple(new)))
    _want_ehr(ehr, merged.to_ehr, ours, directory, policy, wants)
    _want_billing(billing, merged.to_billing, theirs, directory, policy, wants)
    for one in patient.conflicts.values():
        if one.field not in BY_NAME:
            continue  # of insurance
        text = f"{BY_NAME[one.field].label} was changed on both sides; {policy.names.of(one.winner).prefix} won. Look at it and mark it seen"
        wants.wait(slot_of(SlotKind.CONFLICT, one.field), WaitCode.CONFLICT, text)


def _come_back(patient: Patient, ours: dict[str, str], theirs: dict[str, str]) -> dict[str, str]:
    """The values that a side shows because of a write whose outcome is not recorded yet.

    They are nobody's change: a later edit on the other side is no conflict with them. They are told by their content.
    """
    found: dict[str, str] = {}
    for system, shown in ((System.EHR, ours), (System.BILLING, theirs)):
        open_ = patient.intents.get(SLOTS[system])
        if open_ is not None and open_.state in UNDER_WAY and isinstance(open_.write, UpdateEhrChart | UpdateBillingChart):
            found |= {name: value for name, value in open_.write.fields.items() if same(name, shown[name], value)}
    return found


def _want_ehr(
    side: EhrSide, changes: dict[str, str], current: dict[str, str], directory: Directory, policy: Policy, wants: Wants
) -> None:
    fields, problems = fit(changes, System.EHR, directory, policy)
    beside = phones_beside(side.chart, fields, current)
    phones = {name: fields[name] for name in PHONE_KINDS if name in fields}
    address = {name: fields[name] for name in ADDRESS if name in fields}
    for part, (kept, refused) in (
        (phones, place_phones(side.chart, phones, policy.names, beside)),
        (address, hold_address(side.chart, address, policy.names)),
    ):
        fields = {name: value for name, value in fields.items() if name not in part} | kept
        problems |= refused
    _wait_for(problems, System.EHR, policy.names, wants)
    if not fields:
        return
    physician = int(fields["provider"]) if "provider" in fields else None
    if physician is not None:
        fields["provider"] = changes["provider"]
    ordered = {name: fields[name] for name in NAMES if name in fields}
    expected = {name: current[name] for name in ordered}
    write = UpdateEhrChart(
        chart=side.chart.id,
        fields=ordered,
        expected=expected,
        physician=physician,
        replaces=None if physician is None else side.chart.physician,
        beside={name: numbers for name, numbers in beside.items() if name in ordered},
    )
    wants.writes[SLOTS[System.EHR]] = Wish(write, Resource.DEMOGRAPHICS, RULE)


def _want_billing(
    side: BillingSide, changes: dict[str, str], current: dict[str, str], directory: Directory, policy: Policy, wants: Wants
) -> None:
    fields, problems = fit(changes, System.BILLING, directory, policy)
    _wait_for(problems, System.BILLING, policy.names, wants)
    if not fields:
        return
    ordered = {name: fields[name] for name in NAMES if name in fields}
    write = UpdateBillingChart(
        patient=side.chart.id,
        fields=ordered,
        expected={name: current[name] for name in ordered},
        provider=int(fields["provider"]) if "provider" in fields else None,
    )
    wants.writes[SLOTS[System.BILLING]] = Wish(write, Resource.DEMOGRAPHICS, RULE)


def _wait_for(problems: dict[str, Unfit], target: System, names: Names, wants: Wants) -> None:
    for name, problem in problems.items():
        depends = ("directory",) if problem.code == "unmapped" else ()
        text = f"{BY_NAME[name].label} cannot go to {names.label(target)}: {problem.text}"
        wants.wait(slot_of(SlotKind.FIELD, name), WaitCode(f"field-{problem.code}"), text, *depends)


# -- creation -------------------------------------------------------------------------------------------------------------


def want_ehr_chart(billing: BillingSide, directory: Directory, policy: Policy, wants: Wants) -> None:
    """A chart for a patient that the chart side lacks.

    What the chart side needs and the billing side lacks is said, and waited for.
    """
    fields, problems = _new_chart(billing_view(billing.chart), System.EHR, directory, policy)
    here, there = policy.names.ehr.label, policy.names.billing.label
    if missing := _missing(fields, System.EHR):
        wants.wait(CHART_SLOT, WaitCode.INCOMPLETE, f"{here} needs {missing} to create the chart; enter it in {there}")
        return
    physician = int(fields["provider"]) if "provider" in fields else default_physician(directory, policy)
    if physician is None:
        text = f"{here} needs a provider to create the chart; assign one that is mapped, or configure default_physician"
        wants.wait(CHART_SLOT, WaitCode.NO_PROVIDER, text, "directory")
        return
    phones = {name: fields[name] for name in PHONE_KINDS if name in fields}
    _hold_back(place_phones(EMPTY, phones, policy.names)[1], fields, problems)
    if "address1" not in fields:
        no_street = Unfit("no-street", f"{here} needs the first address line; enter it")
        _hold_back({name: no_street for name in ADDRESS if name in fields}, fields, problems)
    problems.pop("provider", None)
    if "provider" in fields:
        fields["provider"] = str(billing.chart.provider)  # the base of what follows is by the billing side's id
    _wait_for(problems, System.EHR, policy.names, wants)
    hint = f"{LINK_HINT}{billing.chart.id}"
    write = CreateEhrChart(billing=billing.chart.id, fields=fields, physician=physician, link_hint=hint)
    wants.writes[CHART_SLOT] = Wish(write, Resource.CHART, CREATION)


def want_billing_chart(
    ehr: EhrSide, policies: tuple[PolicyChange, ...], directory: Directory, policy: Policy, wants: Wants
) -> None:
    """A patient for a chart that the billing side lacks, with a case, or its bills could never be posted, and its `policies`."""
    fields, problems = _new_chart(ehr_view(ehr.chart, directory, policy), System.BILLING, directory, policy)
    here, there = policy.names.ehr.label, policy.names.billing.label
    external_id = str(ehr.chart.id)
    if missing := _missing(fields, System.BILLING):
        wants.wait(CHART_SLOT, WaitCode.INCOMPLETE, f"{there} needs {missing} to create the patient; enter it in {here}")
        return
    if len(external_id) > EXTERNAL_ID_MOST:
        text = f"the {here} chart id is longer than the {EXTERNAL_ID_MOST} characters {there} keeps"
        wants.wait(CHART_SLOT, WaitCode.EXTERNAL_ID_TOO_LONG, text)
        return
    _wait_for(problems, System.BILLING, policy.names, wants)
    provider = fields.pop("provider", "")
    write = CreateBillingChart(
        ehr=ehr.chart.id,
        fields=fields,
        provider=int(provider) if provider else None,
        external_id=external_id,
        case_name=policy.case_name,
        payer_scenario=policy.payer_scenario,
        policies=policies,
    )
    wants.writes[CHART_SLOT] = Wish(write, Resource.CHART, CREATION, told_notes(policies, policy.names))


def _new_chart(
    view: dict[str, str], target: System, directory: Directory, policy: Policy
) -> tuple[dict[str, str], dict[str, Unfit]]:
    """The fields that a new chart of `target` gets, and the fields that have to wait."""
    said = {row.name: text for row in DEMOGRAPHICS if (text := view[row.name]) or target in row.always_to}
    return fit(said, target, directory, policy)


def _missing(fields: dict[str, str], target: System) -> str:
    """The labels of the fields that `target` needs for a new chart and that are not there, for a sentence."""
    return ", ".join(row.label for row in DEMOGRAPHICS if target in row.needed_by and not fields.get(row.name)).lower()


def _hold_back(refused: dict[str, Unfit], fields: dict[str, str], problems: dict[str, Unfit]) -> None:
    """Take what a new chart has no room for out of `fields`, and add it to what waits."""
    for name, problem in refused.items():
        del fields[name]
        problems[name] = problem
