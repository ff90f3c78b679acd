"""What was known of a patient at a moment: both charts field by field, the link, the base, and what was open and waited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from events.records import Provider
from events.schema import Recorded
from events.slots import SlotKind, slot_of
from events.writes import Resource, System
from projections.rules.fields import DEMOGRAPHICS, UNMAPPED, billing_view, ehr_view, same
from projections.rules.reconcile import reconcile
from projections.rules.tables import direction_in_words
from projections.state.directory import Directory
from projections.state.maps import provider_name
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.names import Names
from projections.terms.policy import Policy
from projections.words.headings import heading_of
from projections.words.remedy import meaning_of
from projections.words.shown import Shown
from projections.words.subject import winners_named
from projections.words.writes import describe_write


@dataclass(frozen=True)
class FieldKnown:
    """A field on both sides and at the last agreement (None: none yet). `verdict` says what the merge makes of it."""

    field: str
    label: str
    ehr: str
    billing: str
    base: str | None
    verdict: str


@dataclass(frozen=True)
class Known:
    """One patient as the events tell it; a merged-away chart is one of its own. `waiting` is (slot, code, text)."""

    patient: str
    ehr: int | None
    billing: int | None
    link: str
    fields: tuple[FieldKnown, ...] = ()
    intents: tuple[tuple[str, str, str], ...] = ()
    waiting: tuple[tuple[str, str, str], ...] = ()
    records: dict[str, int] = field(default_factory=dict)


def folded(history: Sequence[Recorded]) -> PracticeState:
    """One patient's projections from its events alone."""
    state = PracticeState()
    for one in history:
        state.apply(one.event, one.sequence)
    return state


def known(state: PracticeState, directory: Directory, policy: Policy, shown: Shown) -> list[Known]:
    """All that `state` holds, a patient each."""
    return [_known(one, directory, policy, shown) for _, one in sorted(state.patients.items())]


def _known(patient: Patient, directory: Directory, policy: Policy, shown: Shown) -> Known:
    link = patient.link
    waiting = tuple(
        (slot, one.code, shown.quoting(one.text) if meaning_of(one.code).quotes else winners_named(one.text, shown.systems))
        for slot, one in patient.waiting.items()
    )
    return Known(
        patient=patient.key,
        ehr=patient.ehr.chart.id if patient.ehr else link.ehr if link else None,
        billing=patient.billing.chart.id if patient.billing else link.billing if link else None,
        link="none" if link is None else "suspended" if link.suspended else "linked",
        fields=tuple(fields_known(patient, directory, policy, shown)),
        intents=tuple((slot, one.state, describe_write(one.write, shown)) for slot, one in patient.intents.items()),
        waiting=waiting,
        records={"appointments": len(patient.appointments), "bills": len(patient.bills), "policies": len(patient.policies)},
    )


def fields_known(patient: Patient, directory: Directory, policy: Policy, shown: Shown) -> list[FieldKnown]:
    """Every synchronized field of a patient."""
    here = ehr_view(patient.ehr.chart, directory, policy) if patient.ehr else {}
    there = billing_view(patient.billing.chart) if patient.billing else {}
    result = []
    for one in DEMOGRAPHICS:
        ours, theirs, base = here.get(one.name, ""), there.get(one.name, ""), patient.base.get(one.name)
        result.append(
            FieldKnown(
                field=one.name,
                label=one.label,
                ehr=shown.value(one.name, ours),
                billing=shown.value(one.name, theirs),
                base=None if base is None else shown.value(one.name, base),
                verdict=_verdict(one.name, here, there, patient, policy),
            )
        )
    return result


def provider_names(directory: Directory, names: Names) -> dict[str, str]:
    """Each value of the primary provider, with the name that the directory of its system has for it."""
    here = {f"{UNMAPPED}{one.id}": f"{provider_or_number(one)} (in {names.ehr.label} only)" for one in directory.physicians}
    return here | {str(one.id): provider_or_number(one) for one in directory.providers}


def provider_or_number(one: Provider) -> str:
    """How a provider is shown where there is room for one word: the name, else the id."""
    return provider_name(one) or str(one.id)


def _verdict(name: str, here: dict[str, str], there: dict[str, str], patient: Patient, policy: Policy) -> str:
    if not here or not there:
        side = System.BILLING if there else System.EHR
        return f"known in {policy.names.label(side)} only" if here or there else "not known"
    if same(name, here[name], there[name]):
        return "agree"
    slot = slot_of(SlotKind.FIELD, name)
    if slot in patient.waiting:
        return f"differ: waits ({heading_of(patient.waiting[slot].code, policy.names)})"
    if patient.link is None:
        return "differ: not linked"
    way = direction_in_words(policy.table[Resource.DEMOGRAPHICS], policy.names)
    merged = reconcile(here, there, patient.base, policy.preference, policy.table[Resource.DEMOGRAPHICS])
    goes = policy.names.label(System.EHR if name in merged.to_ehr else System.BILLING)
    changed = "both sides changed it" if any(one.field == name for one in merged.conflicts) else "one side changed it"
    return f"differ: {changed}, to be written to {goes} ({way})"
