"""Insurance that goes both ways: what events carry of it, and what the billing side is told (deploy/DESIGN.md, The two roles).

The chart side's policies are read, because no event of theirs tells of a change. What both sides hold is the base of a
three-way merge, by policy and field, in the chart side's terms.
"""

from __future__ import annotations

from events.ids import EhrChartId
from events.records import BillingPlan, ChartPolicy, Value
from events.terms import PolicyTerms


class EhrPoliciesObserved(Value, frozen=True, kw_only=True):
    """All policies of a chart as the chart side lists them."""

    chart: EhrChartId
    policies: tuple[ChartPolicy, ...] = ()


class PoliciesAgreed(Value, frozen=True, kw_only=True):
    """The base of the merge: `terms` of each policy that both sides hold, and in `known` the chart side's of them.

    When insurance began to go both ways, the two sides differed in the fields `unsettled` (by policy of the billing side). Only the chart
    side had the policies `apart` then, only the billing side those of `apart_there`. All these are left alone until somebody settles them.
    `displaced` are policies of the billing side that count as no removals: we wrote another one with their rank, and the chart side put
    them away for it. `one_way`: insurance goes both ways no longer.
    """

    known: dict[str, int] = {}
    terms: tuple[PolicyTerms, ...] = ()
    unsettled: dict[str, tuple[str, ...]] = {}
    apart: tuple[int, ...] = ()
    apart_there: tuple[int, ...] = ()
    displaced: tuple[int, ...] = ()
    one_way: bool = False


class InsurersLearnt(Value, frozen=True, kw_only=True):
    """Companies and plans of the billing side that a policy has shown: they cannot be listed."""

    plans: tuple[BillingPlan, ...]


Insured = EhrPoliciesObserved | InsurersLearnt | PoliciesAgreed
"""What is recorded of insurance."""
