"""A patient's insurance where it goes both ways: the chart side's policies as read, and what was agreed on. Folds, like `folding`."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from events.insurance import PoliciesAgreed
from events.records import ChartPolicy
from events.schema import ChartLinked
from events.terms import PolicyTerms
from events.writes import BillingPoliciesWritten, ChangeBillingPolicies, PoliciesWritten, SyncPolicies
from projections.state.open_intents import without
from projections.state.patient import Coverage, Patient, WrittenPolicy

NONE = Coverage()
DIFFERENCES = "insurance"
"""The conflict that stands for what differed when insurance began to go both ways: whoever has seen it has it settled."""


def coverage_of(patient: Patient) -> Coverage:
    return patient.coverage or NONE


def policies_read(patient: Patient, policies: tuple[ChartPolicy, ...], read_at: datetime) -> Patient:
    """The chart's policies as read; an older reading changes nothing."""
    known = coverage_of(patient)
    if known.read_at is not None and read_at < known.read_at:
        return patient
    return replace(patient, coverage=replace(known, policies=policies, read_at=read_at))


def linked_both_ways(patient: Patient, link: ChartLinked) -> Patient:
    """A new link: nothing has been agreed on yet, and everything of either side is news to the other where it goes both ways."""
    if patient.coverage is None and not link.two_way:
        return patient
    known = coverage_of(patient)
    read = () if link.bare and known.policies is None else known.policies
    kept = Coverage(policies=read, read_at=known.read_at, agreed=link.two_way, put_away=known.put_away)
    return replace(patient, coverage=kept)


def policies_agreed(patient: Patient, body: PoliciesAgreed) -> Patient:
    """The base of the merge as it was decided."""
    known = coverage_of(patient)
    if body.one_way:
        return replace(patient, coverage=replace(known, agreed=False, unsettled={}, apart=(), apart_there=()))
    base = {str(one.billing_policy): WrittenPolicy(ehr=body.known[str(one.billing_policy)], terms=one) for one in body.terms}
    known = replace(
        known,
        agreed=True,
        unsettled=body.unsettled,
        apart=body.apart,
        apart_there=body.apart_there,
        displaced=body.displaced,
        beyond=(),
        to_remove=(),
        look_again=False,
    )
    return replace(patient, coverage=known, policies=base)


def differences_settled(patient: Patient) -> Patient:
    """Somebody has seen what differed from the beginning: from now on it is decided like any other difference."""
    known = patient.coverage
    if known is None:
        return patient
    return replace(patient, coverage=replace(known, unsettled={}, apart=(), apart_there=()))


def chart_policies_written(patient: Patient, write: SyncPolicies, result: PoliciesWritten) -> Patient:
    """The chart side took the policies."""
    terms = {str(one.billing_policy): one for one in write.terms}
    if write.seen is None:
        written = {key: WrittenPolicy(ehr=result.known[key], terms=one) for key, one in terms.items() if key in result.known}
        return _read_beyond(replace(patient, policies=written), write, result)
    base = {key: one for key, one in patient.policies.items() if one.ehr not in write.remove}
    for key, one in terms.items():
        if key in result.known:
            base[key] = _brought(base.get(key), result.known[key], one, write.brings.get(key, ()))
    patient = replace(patient, policies=base)
    return patient if result.read_at is None else policies_read(patient, result.read, result.read_at)


def _read_beyond(patient: Patient, write: SyncPolicies, result: PoliciesWritten) -> Patient:
    """What the chart has in force beside ours, as read after the write."""
    if result.read_at is None:
        return patient
    ours = {*result.known.values(), *write.remove}
    beyond = tuple(one for one in result.read if one.active and one.rank is not None and one.id not in ours)
    if not beyond and patient.coverage is None:
        return patient
    known, left = coverage_of(patient), {one.id for one in beyond}
    asked = tuple(id_ for id_ in known.to_remove if id_ in left)  # while this write was under way
    return replace(patient, coverage=replace(known, beyond=beyond, to_remove=asked, look_again=False))


def look_again(patient: Patient) -> Patient:
    """Somebody wants the patient read again: what the chart has beyond the case may be gone."""
    known = patient.coverage
    if known is None or not known.beyond:
        return patient
    return replace(patient, coverage=replace(known, look_again=True))


def removal_asked(patient: Patient, policy: int) -> Patient:
    """A person wants a policy removed that the billing side's case does not have."""
    known = coverage_of(patient)
    asked = tuple(sorted({*known.to_remove, policy}))
    return replace(patient, coverage=replace(known, to_remove=asked))


def billing_policies_written(patient: Patient, write: ChangeBillingPolicies, result: BillingPoliciesWritten) -> Patient:
    """The billing side took the changes; a policy that was put away is nobody's any more."""
    base, away = patient.policies, coverage_of(patient).put_away
    for change in write.changes:
        policy = change.policy or result.known.get(str(change.ehr))
        if policy is None:
            continue
        if change.agreed is None:
            base, away = without(base, str(policy)), (*away, policy)
        else:
            terms = replace(change.agreed, billing_policy=policy)
            base = {**base, str(policy): _brought(base.get(str(policy)), change.ehr, terms, change.names)}
    return replace(patient, policies=base, coverage=replace(coverage_of(patient), put_away=away))


def _brought(before: WrittenPolicy | None, ehr: int, terms: PolicyTerms, names: tuple[str, ...]) -> WrittenPolicy:
    """The base of a policy after a write brought the members `names`; the others stay as they were agreed on."""
    if before is None:
        return WrittenPolicy(ehr=ehr, terms=terms)
    values = {name: getattr(terms, name) for name in names}
    keeps = tuple(name for name in before.terms.keeps if name not in names)
    return WrittenPolicy(ehr=ehr, terms=replace(before.terms, **values, keeps=keeps))
