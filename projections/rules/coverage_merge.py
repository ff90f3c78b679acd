"""Three-way merge of one policy, fact by fact: base, chart side, billing side (guide: Insurance, the other configuration)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from msgspec.structs import replace

from events.schema import FieldConflict
from events.terms import PolicyTerms
from events.writes import Resource, System
from projections.rules.pairing import EVERYTHING, INSURED, ONE_WAY, TOLD, fact, is_empty, members, names_plan
from projections.terms.policy import Direction, Policy


@dataclass
class MergedPolicy:
    """What each side has to be told of a policy, by the names of facts, and its base with what both hold by themselves.

    `self_there`: the patient is the holder on the chart side now, which cannot be told. `differs` are facts that differ.
    """

    base: PolicyTerms
    to_ehr: list[str] = field(default_factory=list)
    to_billing: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    conflicts: list[FieldConflict] = field(default_factory=list)
    self_there: bool = False


def merge_policy(
    key: str,
    base: PolicyTerms | None,
    ours: PolicyTerms,
    theirs: PolicyTerms,
    policy: Policy,
    unsettled: Collection[str] = (),
) -> MergedPolicy:
    """Merge what the chart side (`ours`) and the billing side (`theirs`) hold of policy `key`; `unsettled` facts are left alone."""
    two_way = policy.table[Resource.INSURANCE] is Direction.BOTH
    own = ours.relationship == theirs.relationship == "self"
    told = [name for name in TOLD if not (own and name in INSURED)]
    agreed = dict.fromkeys(_based(base), True)
    merged = MergedPolicy(base=base or replace(ours, keeps=EVERYTHING))
    for name in told:
        if name in theirs.keeps:
            if name in agreed and fact(ours, name) != fact(merged.base, name):
                merged.to_billing.append(name)
            continue
        before = fact(merged.base, name) if name in agreed else None
        _merge_fact(key, name, before, name in agreed, ours, theirs, policy, unsettled, merged)
    for name in (*ONE_WAY, *(INSURED if own else ())):
        if name not in agreed:
            _agree(merged, name, theirs)
        elif two_way and name not in theirs.keeps and fact(theirs, name) != fact(merged.base, name):
            merged.to_ehr.append(name)
    _holder(merged, ours)
    return merged


def _based(base: PolicyTerms | None) -> set[str]:
    """The facts that were agreed on."""
    if base is None:
        return set()
    return {name for name in (*TOLD, *ONE_WAY) if not set(members((name,))) & set(base.keeps)}


def _agree(merged: MergedPolicy, name: str, terms: PolicyTerms) -> None:
    values = {one: getattr(terms, one) for one in members((name,))}
    keeps = tuple(one for one in merged.base.keeps if one not in values)
    merged.base = replace(merged.base, **values, keeps=keeps)


def _merge_fact(
    key: str,
    name: str,
    before: object,
    is_based: bool,
    ours: PolicyTerms,
    theirs: PolicyTerms,
    policy: Policy,
    unsettled: Collection[str],
    merged: MergedPolicy,
) -> None:
    here, there = fact(ours, name), fact(theirs, name)
    if here == there:
        if not is_based or before != here:
            _agree(merged, name, ours)
        return
    merged.differs.append(name)
    if name in unsettled:
        return
    if policy.table[Resource.INSURANCE] is not Direction.BOTH:
        winner = System.EHR
    elif is_based and before == here:
        winner = System.BILLING
    elif is_based and before == there:
        winner = System.EHR
    elif not is_based and (_says_nothing(name, ours) or is_empty(there)):
        winner = System.BILLING if _says_nothing(name, ours) else System.EHR
    else:
        winner = policy.insurance_preference
        merged.conflicts.append(
            FieldConflict(
                field=f"policies.{key}.{name}",
                base=_text(before) if is_based else None,
                ehr=_text(here),
                billing=_text(there),
                winner=winner,
            )
        )
    (merged.to_billing if winner is System.EHR else merged.to_ehr).append(name)


def _says_nothing(name: str, ours: PolicyTerms) -> bool:
    """Whether the chart side says nothing of a fact; a carrier without a plan says nothing of the plan."""
    return not names_plan(ours) if name == "insurer" else is_empty(fact(ours, name))


def _holder(merged: MergedPolicy, ours: PolicyTerms) -> None:
    """The holder is told only where it is not the patient, as far as anything is known of them, and whole where it is new."""
    told = merged.to_billing
    if "relationship" in told and ours.relationship == "self":
        merged.self_there = True
        told[:] = [name for name in told if name not in ("relationship", *INSURED)]
    elif "relationship" in told:
        told += [name for name in INSURED if name not in told]
    told[:] = [name for name in told if name not in INSURED or is_told(ours, name)]


def is_told(terms: PolicyTerms, name: str) -> bool:
    """Whether something is known of the holder that could be told: an empty field is never sent, nor is an unknown sex."""
    value = getattr(terms, name)
    return not is_empty(value) and not (name == "insured_sex" and value == "N")


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "carrier {}, plan {}".format(*value)
    return "" if value is None else str(value)
