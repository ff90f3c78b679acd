"""One look at a patient's insurance of both sides: what is a pair, what each pair merges to, and what both are found to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from msgspec.structs import replace

from events.codes import WaitCode
from events.insurance import PoliciesAgreed
from events.records import BillingCase, BillingPolicy, ChartPolicy
from events.schema import ConflictRecorded, FieldConflict
from events.terms import PolicyTerms
from events.writes import Resource
from projections.rules.coverage_merge import MergedPolicy, merge_policy
from projections.rules.insurance import in_order, known_insurer, person_of, primary_case
from projections.rules.pairing import (
    EVERYTHING,
    PolicyPair,
    SideBySide,
    is_insurer,
    ranks,
    side_by_side,
    terms_here,
    with_holder_of,
    with_insurer,
)
from projections.rules.policies import policy_terms
from projections.rules.wants import Wants
from projections.state.coverage import DIFFERENCES, coverage_of
from projections.state.directory import Directory
from projections.state.patient import BillingSide, Coverage, EhrSide, Patient
from projections.terms.policy import Direction, Policy


@dataclass
class Merging:
    """One look at a patient's insurance. `merged` are the policies of both sides, `new_base` what both are found to hold."""

    patient: Patient
    ehr: EhrSide
    billing: BillingSide
    cases: tuple[BillingCase, ...]
    directory: Directory
    policy: Policy
    today: date
    wants: Wants
    found: SideBySide = field(default_factory=SideBySide)
    order: dict[str, int] = field(default_factory=dict)
    merged: dict[str, tuple[PolicyPair, PolicyTerms, PolicyTerms, MergedPolicy]] = field(default_factory=dict)

    @property
    def coverage(self) -> Coverage:
        return coverage_of(self.patient)

    def wait(self, slot: str, code: WaitCode, text: str, *depends_on: str) -> None:
        self.wants.wait(slot, code, text, *depends_on)


def lay_side_by_side(one: Merging) -> None:
    case = primary_case(one.cases)
    away = one.coverage.put_away
    there = [policy for policy in (case.policies if case else ()) if policy.id not in away]
    there = in_order(tuple(there), one.today)
    one.found = side_by_side(one.patient, there, one.directory)
    revived = [pair for pair in one.found.gone_here if was_displaced(pair, one.found, one.coverage)]
    hidden = {pair.key for pair in one.found.gone_here if pair not in revived}
    base = {pair.key: pair.base for pair in (*one.found.both, *revived, *one.found.hidden) if pair.base is not None}
    one.order = ranks([policy for policy in there if str(policy.id) not in hidden], base)


def was_displaced(pair: PolicyPair, found: SideBySide, coverage: Coverage) -> bool:
    """Whether the chart side took the policy's rank for one of the billing side's that has come there by our doing."""
    rank = pair.base.rank if pair.base is not None else 0
    return int(pair.key) in coverage.displaced or any(
        one.base is None and one.here is not None and one.here.rank == rank for one in found.both
    )


def merge_pairs(one: Merging) -> None:
    person = person_of(one.ehr.chart, one.billing.chart)
    two_way = one.policy.table[Resource.INSURANCE] is Direction.BOTH
    for pair in one.found.both:
        assert pair.there is not None
        assert pair.here is not None
        ours = terms_here(pair.here, pair.key, pair.base)
        theirs = policy_terms(pair.there, one.order.get(pair.key, 0), 0, 0, person)
        for known in (ours, *((pair.base,) if pair.base is not None else ())):
            theirs = with_holder_of(theirs, known, pair.there.insured_name)
        named = (terms for terms in (ours, pair.base) if terms is not None)
        insurer = next((terms for terms in named if is_insurer(terms, pair.there, one.directory, two_way=two_way)), None)
        if insurer is not None:
            theirs = with_insurer(theirs, insurer)
        elif (found := known_insurer(pair.there, one.directory, one.policy, one.wants)) is not None:
            theirs = replace(theirs, carrier_id=found[0], plan_id=found[1])
        else:
            theirs = replace(with_insurer(theirs, ours), keeps=(*theirs.keeps, "insurer"))
        base, unsettled = (pair.base, one.coverage.unsettled.get(pair.key, ())) if one.coverage.agreed else (None, ())
        one.merged[pair.key] = (pair, ours, theirs, merge_policy(pair.key, base, ours, theirs, one.policy, unsettled))


def agree(one: Merging) -> bool:
    """Record what both sides are found to hold, and conflicts, before anything follows from them."""
    fact_ = _agreement(one)
    known = one.coverage
    before = {key: (entry.ehr, entry.terms) for key, entry in one.patient.policies.items()}
    after = {str(terms.billing_policy): (fact_.known[str(terms.billing_policy)], terms) for terms in fact_.terms}
    left = ("unsettled", "apart", "apart_there", "displaced")
    settled = all(getattr(known, name) == getattr(fact_, name) for name in left)
    if not known.agreed or before != after or not settled:
        one.wants.facts.append(fact_)
    conflicts = [] if not known.agreed else [found for _, _, _, merged in one.merged.values() for found in merged.conflicts]
    conflicts += _both_added(one) if known.agreed else []
    if not known.agreed and (fact_.unsettled or fact_.apart or fact_.apart_there):
        conflicts.append(_differences(one, fact_))
    seen = (one.patient.conflicts, one.patient.conflicts_seen)
    new = tuple(found for found in conflicts if all(each.get(found.field) != found for each in seen))
    if new:
        one.wants.facts.append(ConflictRecorded(conflicts=new))
    return bool(one.wants.facts)


def _agreement(one: Merging) -> PoliciesAgreed:
    """The base as it is now. Where insurance begins to go both ways, what differs is left alone, and so is what only one has."""
    found, known = one.found, one.coverage
    terms = {key: merged.base for key, (_, _, _, merged) in one.merged.items() if merged.base.keeps != EVERYTHING}
    ids = {key: pair.ehr for key, (pair, _, _, _) in one.merged.items()}
    for pair in (*found.gone_here, *found.gone_there, *found.hidden):
        if pair.base is not None:
            terms[pair.key], ids[pair.key] = pair.base, pair.ehr
    if known.agreed:
        unsettled = {
            key: left
            for key, names in known.unsettled.items()
            if key in one.merged and (left := tuple(name for name in names if name in one.merged[key][3].differs))
        }
        apart = tuple(id_ for id_ in known.apart if any(policy.id == id_ for policy in found.alone_here))
        apart_there = tuple(id_ for id_ in known.apart_there if any(policy.id == id_ for policy in found.alone_there))
    else:
        unsettled = {key: tuple(merged.differs) for key, (_, _, _, merged) in one.merged.items() if merged.differs}
        apart = tuple(sorted(policy.id for policy in found.alone_here))
        apart_there = tuple(sorted(policy.id for policy in found.alone_there))
    ordered = tuple(terms[key] for key in sorted(terms, key=int))
    kept = {key: ids[key] for key in terms}
    displaced = tuple(sorted(int(pair.key) for pair in found.gone_here if was_displaced(pair, found, known)))
    return PoliciesAgreed(
        known=kept, terms=ordered, unsettled=unsettled, apart=apart, apart_there=apart_there, displaced=displaced
    )


def _differences(one: Merging, agreed: PoliciesAgreed) -> FieldConflict:
    here, there = len(agreed.apart), len(agreed.apart_there)
    text = f"{len(agreed.unsettled)} policies differ"
    return FieldConflict(
        field=DIFFERENCES,
        ehr=f"{text}, {here} only there",
        billing=f"{text}, {there} only there",
        winner=one.policy.insurance_preference,
    )


def _both_added(one: Merging) -> list[FieldConflict]:
    """Policies of one rank that both sides added since they last agreed."""
    found: list[FieldConflict] = []
    for here in news_here(one):
        there = next((policy for policy in news_there(one) if one.order.get(str(policy.id)) == here.rank), None)
        if there is not None:
            ours, theirs = (f"{name} {number}" for name, number in _both_named(here, there))
            winner = one.policy.insurance_preference
            found.append(FieldConflict(field=f"policies.rank{here.rank}", ehr=ours, billing=theirs, winner=winner))
    return found


def _both_named(here: ChartPolicy, there: BillingPolicy) -> tuple[tuple[str, str], tuple[str, str]]:
    return (here.carrier_name, here.member_id), (there.company_name, there.number)


def news_here(one: Merging) -> list[ChartPolicy]:
    return [policy for policy in one.found.alone_here if policy.id not in one.coverage.apart]


def news_there(one: Merging) -> list[BillingPolicy]:
    return [policy for policy in one.found.alone_there if policy.id not in one.coverage.apart_there]
