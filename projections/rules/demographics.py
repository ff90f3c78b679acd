"""Demographics both ways: the merge of two linked charts turned into writes and waiting fields."""

from __future__ import annotations

from events.codes import WaitCode
from events.schema import ConflictRecorded, FieldsAgreed
from events.slots import CHART_SLOT, SlotKind, slot_of
from events.writes import CreateBillingChart, CreateEhrChart, Resource, System, UpdateBillingChart, UpdateEhrChart
from projections.deciding.settle import Wants, Wish
from projections.rules.fields import (
    BY_NAME,
    NAMES,
    PHONE_KINDS,
    billing_view,
    ehr_view,
    fit,
    hold_address,
    is_unmapped,
    place_phones,
    same,
)
from projections.rules.links import LINK_HINT
from projections.rules.reconcile import reconcile
from projections.state.directory import Directory
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import BillingSide, EhrSide, Patient
from projections.terms.codecs import Problem
from projections.terms.policy import Direction, Policy

RULE = "guide: Demographics"
CREATION = "guide: Chart creation"
EXTERNAL_ID_MOST = 25
REQUIRED_BY_EHR = ("first_name", "last_name", "birth_date")
REQUIRED_BY_BILLING = ("first_name", "last_name")


def want_demographics(
    patient: Patient, ehr: EhrSide, billing: BillingSide, directory: Directory, policy: Policy, wants: Wants
) -> None:
    """Add what keeps two linked charts in agreement; a field that cannot be written waits, the others go."""
    direction = policy.table[Resource.DEMOGRAPHICS]
    if direction is Direction.OFF:
        return
    ours, theirs = ehr_view(ehr.chart, directory, policy), billing_view(billing.chart)
    unmapped = is_unmapped(ours["provider"])
    if unmapped:
        wants.wait(
            slot_of(SlotKind.FIELD, "provider"),
            WaitCode.FIELD_UNMAPPED,
            "the Elation physician has no counterpart in Kareo; map it",
            "directory",
        )
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
        text = f"{BY_NAME[one.field].label} was changed on both sides; {one.winner.value} won. Look at it and mark it seen"
        wants.wait(slot_of(SlotKind.CONFLICT, one.field), WaitCode.CONFLICT, text)


def _come_back(patient: Patient, ours: dict[str, str], theirs: dict[str, str]) -> dict[str, str]:
    """What a side shows because a write of ours put it there whose outcome is not recorded yet: that is nobody's change, so a
    later edit on the other side is no conflict with it (DESIGN section 3: recognized by content against the intended write)."""
    found: dict[str, str] = {}
    for slot, shown in (
        (slot_of(SlotKind.DEMOGRAPHICS, System.EHR), ours),
        (slot_of(SlotKind.DEMOGRAPHICS, System.BILLING), theirs),
    ):
        open_ = patient.intents.get(slot)
        if open_ is not None and open_.state in UNDER_WAY and isinstance(open_.write, UpdateEhrChart | UpdateBillingChart):
            found |= {name: value for name, value in open_.write.fields.items() if same(name, shown[name], value)}
    return found


def _want_ehr(
    side: EhrSide, changes: dict[str, str], current: dict[str, str], directory: Directory, policy: Policy, wants: Wants
) -> None:
    fields, problems = fit(changes, System.EHR, directory, policy)
    for arrange, names in ((place_phones, PHONE_KINDS), (hold_address, ("address1", "address2", "city", "state", "zip"))):
        kept, refused = arrange(side.chart, {name: fields[name] for name in names if name in fields})
        fields = {name: value for name, value in fields.items() if name not in names} | kept
        problems |= refused
    _wait_for(problems, System.EHR, wants)
    if not fields:
        return
    physician = int(fields["provider"]) if "provider" in fields else None
    if physician is not None:
        fields["provider"] = changes["provider"]
    ordered = {name: fields[name] for name in NAMES if name in fields}
    expected = {name: current[name] for name in ordered}
    write = UpdateEhrChart(chart=side.chart.id, fields=ordered, expected=expected, physician=physician)
    wants.writes[slot_of(SlotKind.DEMOGRAPHICS, System.EHR)] = Wish(write, Resource.DEMOGRAPHICS, RULE)


def _want_billing(
    side: BillingSide, changes: dict[str, str], current: dict[str, str], directory: Directory, policy: Policy, wants: Wants
) -> None:
    fields, problems = fit(changes, System.BILLING, directory, policy)
    _wait_for(problems, System.BILLING, wants)
    if not fields:
        return
    ordered = {name: fields[name] for name in NAMES if name in fields}
    write = UpdateBillingChart(
        patient=side.chart.id,
        fields=ordered,
        expected={name: current[name] for name in ordered},
        provider=int(fields["provider"]) if "provider" in fields else None,
    )
    wants.writes[slot_of(SlotKind.DEMOGRAPHICS, System.BILLING)] = Wish(write, Resource.DEMOGRAPHICS, RULE)


def _wait_for(problems: dict[str, Problem], target: System, wants: Wants) -> None:
    for name, problem in problems.items():
        depends = ("directory",) if problem.code == "unmapped" else ()
        text = f"{BY_NAME[name].label} cannot go to {target.value.capitalize()}: {problem.text}"
        wants.wait(slot_of(SlotKind.FIELD, name), WaitCode(f"field-{problem.code}"), text, *depends)


# -- creation -------------------------------------------------------------------------------------------------------------


def want_ehr_chart(billing: BillingSide, directory: Directory, policy: Policy, wants: Wants) -> None:
    """A chart for a Kareo patient that Elation lacks; what it requires and Kareo lacks is said and waited for."""
    view = billing_view(billing.chart)
    fields, problems = fit(
        {name: value for name, value in view.items() if value or name == "sex"}, System.EHR, directory, policy
    )
    missing = [BY_NAME[name].label for name in REQUIRED_BY_EHR if not fields.get(name)]
    if missing:
        text = f"Elation needs {', '.join(missing).lower()} to create the chart; enter it in Kareo"
        wants.wait(CHART_SLOT, WaitCode.INCOMPLETE, text)
        return
    physician = int(fields.pop("provider")) if "provider" in fields else policy.default_physician
    if physician is None:
        text = "Elation needs a provider to create the chart; assign one that is mapped, or configure default_physician"
        wants.wait(CHART_SLOT, WaitCode.NO_PROVIDER, text, "directory")
        return
    phones = [name for name in PHONE_KINDS if fields.get(name)]
    for name in phones[2:]:
        del fields[name]
        problems[name] = Problem("no-room", "Elation holds two phones and both places are taken; remove one there")
    if not fields.get("address1"):
        for name in ("address2", "city", "state", "zip"):
            if fields.pop(name, ""):
                problems[name] = Problem("no-street", "Elation needs the first address line; enter it")
    _wait_for({name: one for name, one in problems.items() if name != "provider"}, System.EHR, wants)
    hint = f"{LINK_HINT}{billing.chart.id}"
    write = CreateEhrChart(billing=billing.chart.id, fields=fields, physician=physician, link_hint=hint)
    wants.writes[CHART_SLOT] = Wish(write, Resource.CHART, CREATION)


def want_billing_chart(ehr: EhrSide, directory: Directory, policy: Policy, wants: Wants) -> None:
    """A patient for an Elation chart that Kareo lacks, with a case, or its bills could never be posted (DESIGN 2)."""
    view = ehr_view(ehr.chart, directory, policy)
    fields, problems = fit({name: value for name, value in view.items() if value}, System.BILLING, directory, policy)
    missing = [BY_NAME[name].label for name in REQUIRED_BY_BILLING if not fields.get(name)]
    external_id = str(ehr.chart.id)
    if missing:
        wants.wait(
            CHART_SLOT,
            WaitCode.INCOMPLETE,
            f"Kareo needs {', '.join(missing).lower()} to create the patient; enter it in Elation",
        )
        return
    if len(external_id) > EXTERNAL_ID_MOST:
        wants.wait(
            CHART_SLOT, WaitCode.EXTERNAL_ID_TOO_LONG, "the Elation chart id is longer than the 25 characters Kareo keeps"
        )
        return
    _wait_for(problems, System.BILLING, wants)
    provider = fields.pop("provider", "")
    write = CreateBillingChart(
        ehr=ehr.chart.id,
        fields=fields,
        provider=int(provider) if provider else None,
        external_id=external_id,
        case_name=policy.case_name,
        payer_scenario=policy.payer_scenario,
    )
    wants.writes[CHART_SLOT] = Wish(write, Resource.CHART, CREATION)
