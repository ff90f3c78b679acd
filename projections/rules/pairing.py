"""Both sides' policies of one patient, side by side and in the chart side's terms (guide: Insurance, the other configuration).

A pair is known by what was agreed on before. What is new on both sides belongs together by carrier and member number, then by
carrier and rank; a policy whose rank moved is not another policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from events.records import BillingPolicy, ChartPolicy
from events.terms import PolicyTerms
from projections.rules.policies import fit_state, fit_zip, money, relationship, sex_letter, ssn
from projections.state.coverage import coverage_of
from projections.state.directory import Directory
from projections.state.maps import billing_plan_of, company_of
from projections.state.patient import Patient
from projections.terms.codecs import Unfit, known_day, squeeze

INSURED = (
    "insured_first_name",
    "insured_last_name",
    "insured_address",
    "insured_city",
    "insured_state",
    "insured_zip",
    "insured_ssn",
    "insured_birth_date",
    "insured_sex",
)
"""The holder: told only where somebody else than the patient is it."""
INSURER = ("carrier_id", "carrier_name", "plan_id", "plan_name")
"""A carrier and its plan, one fact under the name `insurer`."""
TOLD = ("rank", "insurer", "member_id", "group_id", "copay", "deductible", "relationship", *INSURED)
"""What travels to the billing side, too."""
ONE_WAY = ("start", "end", "phone", "address1", "address2", "city", "state", "zip")
"""The billing side's own: the dates are not in the guide's table, and the address is the plan's."""
EVERYTHING = tuple(name for name in PolicyTerms.__struct_fields__ if name not in ("billing_policy", "keeps"))


def members(names: Iterable[str]) -> tuple[str, ...]:
    """The members of a policy's terms that facts of these names are kept in."""
    return tuple(one for name in names for one in (INSURER if name == "insurer" else (name,)))


def fact(terms: PolicyTerms, name: str) -> Any:
    """What the terms say of a fact, empty where nothing."""
    if name == "insurer":
        return terms.carrier_id, terms.plan_id
    return getattr(terms, name)


def is_empty(value: object) -> bool:
    return value in ("", None, 0, (0, 0))


@dataclass(frozen=True)
class PolicyPair:
    """A policy of both sides; either may be gone. `ehr` is the chart side's id; `base` what was agreed on, None for nothing yet."""

    key: str
    ehr: int
    there: BillingPolicy | None
    here: ChartPolicy | None
    base: PolicyTerms | None = None

    @property
    def in_force_here(self) -> bool:
        return self.here is not None and self.here.active and self.here.rank is not None


@dataclass
class SideBySide:
    """`both` are in force on both sides; `gone_here` and `gone_there` on one side no longer, `dead` on neither.

    `alone_here` and `alone_there` are not known to the other side. `hidden` are pairs that the chart side does not list at all,
    which says nothing where it lists no policy whatever.
    """

    both: list[PolicyPair] = field(default_factory=list)
    gone_here: list[PolicyPair] = field(default_factory=list)
    gone_there: list[PolicyPair] = field(default_factory=list)
    dead: list[PolicyPair] = field(default_factory=list)
    hidden: list[PolicyPair] = field(default_factory=list)
    alone_here: list[ChartPolicy] = field(default_factory=list)
    alone_there: list[BillingPolicy] = field(default_factory=list)


def side_by_side(patient: Patient, there: Sequence[BillingPolicy], directory: Directory) -> SideBySide:
    """The patient's policies; `there` are those of the billing side that count, in its order."""
    listed = coverage_of(patient).policies or ()
    here, by_key = {one.id: one for one in listed}, {str(one.id): one for one in there}
    places = {one.id: place for place, one in enumerate(there, start=1)}
    known = [
        PolicyPair(key, one.ehr, by_key.get(key), here.get(one.ehr), one.terms) for key, one in patient.policies.items()
    ]
    found = SideBySide(alone_there=[one for one in there if str(one.id) not in patient.policies])
    taken = {pair.ehr for pair in known if pair.there is not None and pair.in_force_here}
    found.alone_here = [one for one in listed if one.active and one.rank is not None and one.id not in taken]
    for pair in known:
        if pair.there is not None and pair.in_force_here:
            found.both.append(pair)
        elif pair.there is not None and (again := _again(found, pair, pair.there, directory, places)) is not None:
            found.alone_here.remove(again)
            found.both.append(PolicyPair(pair.key, again.id, pair.there, again, pair.base))
        elif pair.there is None and pair.in_force_here and pair.here is not None:
            _gone_there(pair, pair.here, found, directory)
        elif pair.there is None:
            found.dead.append(pair)
        else:
            (found.gone_here if listed else found.hidden).append(pair)
    for by_number in (True, False):
        for one in tuple(found.alone_there):
            if (same := _same(found.alone_here, one, directory, places[one.id], by_number=by_number)) is not None:
                found.alone_here.remove(same)
                found.alone_there.remove(one)
                found.both.append(PolicyPair(str(one.id), same.id, one, same))
    return found


def _again(
    found: SideBySide, pair: PolicyPair, there: BillingPolicy, directory: Directory, places: dict[int, int]
) -> ChartPolicy | None:
    """The policy under which one that was put away on the chart side was entered there anew."""
    place = places[there.id] if pair.base is None else pair.base.rank
    by_number = _same(found.alone_here, there, directory, place, by_number=True)
    return by_number or _same(found.alone_here, there, directory, place, by_number=False)


def _gone_there(pair: PolicyPair, here: ChartPolicy, found: SideBySide, directory: Directory) -> None:
    """A policy that was entered anew on the billing side, in a new case perhaps, goes on; another one is gone there."""
    looks = [(one, by_number) for by_number in (True, False) for one in found.alone_there]
    again = next((one for one, way in looks if _same([here], one, directory, 0, by_number=way) is not None), None)
    found.alone_here = [one for one in found.alone_here if one.id != here.id]
    if again is None:
        found.gone_there.append(pair)
        return
    found.alone_there.remove(again)
    base = None if pair.base is None else replace(pair.base, billing_policy=again.id)
    found.both.append(PolicyPair(str(again.id), here.id, again, here, base))
    found.dead.append(PolicyPair(pair.key, pair.ehr, None, None))


def _same(
    here: Sequence[ChartPolicy], there: BillingPolicy, directory: Directory, place: int, *, by_number: bool
) -> ChartPolicy | None:
    """The chart side's policy that is this one, of its company: by its number, else where a number is not said.

    Of several it is the one whose rank is the policy's place on the billing side, else the first in rank.
    """
    ours = [
        one
        for one in here
        if there.company_id and company_of(one.carrier_id, one.carrier_name, directory) == there.company_id
    ]
    number = squeeze(there.number).casefold()
    if by_number:
        same = [one for one in ours if number and squeeze(one.member_id).casefold() == number]
    else:
        same = [one for one in ours if not number or not squeeze(one.member_id)]
    return min(same, key=lambda one: (one.rank != place, one.rank or 0), default=None)


def ranks(there: Sequence[BillingPolicy], base: dict[str, PolicyTerms]) -> dict[str, int]:
    """The rank of each policy of the billing side, which says an order only.

    While the order of those that were agreed on is theirs, they keep their ranks: a secondary without a primary stays one.
    """
    agreed = [base[str(one.id)].rank for one in there if str(one.id) in base]
    if agreed != sorted(set(agreed)):
        return {str(one.id): rank for rank, one in enumerate(there, start=1)}
    found: dict[str, int] = {}
    last = 0
    for one in there:
        before = base.get(str(one.id))
        last = before.rank if before is not None and before.rank > last else last + 1
        found[str(one.id)] = last
    return found


def terms_here(here: ChartPolicy, key: str, base: PolicyTerms | None) -> PolicyTerms:
    """A policy as the chart side holds it, in the form in which it would be told; what is the billing side's own is as agreed."""
    values: dict[str, Any] = {
        "member_id": squeeze(here.member_id),
        "group_id": squeeze(here.group_id),
        "copay": money(here.copay),
        "deductible": money(here.deductible),
        "relationship": relationship(here.relationship),
        "insured_first_name": squeeze(here.insured_first_name),
        "insured_last_name": squeeze(here.insured_last_name),
        "insured_address": squeeze(here.insured_address),
        "insured_city": squeeze(here.insured_city),
        "insured_state": fit_state(here.insured_state),
        "insured_zip": fit_zip(here.insured_zip),
        "insured_ssn": ssn(here.insured_ssn),
        "insured_birth_date": known_day(here.insured_birth_date),
        "insured_sex": sex_letter(here.insured_sex),
    }
    values |= {name: "" for name, value in values.items() if isinstance(value, Unfit)}
    if base is not None:
        values |= {name: getattr(base, name) for name in ONE_WAY}
    return PolicyTerms(
        billing_policy=int(key or 0),
        rank=here.rank or 0,
        carrier_id=here.carrier_id or 0,
        carrier_name=here.carrier_name,
        plan_id=here.plan_id or 0,
        plan_name=here.plan_name,
        **values,
    )


def names_plan(terms: PolicyTerms) -> bool:
    """Whether the terms name a plan: the chart side takes a policy without one."""
    return bool(terms.plan_id or squeeze(terms.plan_name))


def is_insurer(terms: PolicyTerms, there: BillingPolicy, directory: Directory, *, two_way: bool) -> bool:
    """Whether the terms name the policy's company and its plan. Where plans come back, terms without one lack it."""
    company = company_of(terms.carrier_id or None, terms.carrier_name, directory)
    if company is None or company != there.company_id:
        return False
    if not names_plan(terms):
        return not two_way
    plan = billing_plan_of(company, terms.plan_id or None, terms.plan_name, directory)
    return plan is not None and plan.plan_id == there.plan_id


def with_insurer(terms: PolicyTerms, other: PolicyTerms) -> PolicyTerms:
    """`terms` with the carrier and the plan of `other`."""
    return replace(terms, **{name: getattr(other, name) for name in INSURER})


def with_holder_of(terms: PolicyTerms, other: PolicyTerms, full_name: str) -> PolicyTerms:
    """The billing side gives the holder's name as one text: taken apart as `other` has it, where it is the same name."""
    parts = other.insured_first_name, other.insured_last_name
    if not full_name or squeeze(full_name).casefold() != squeeze(" ".join(parts)).casefold():
        return terms
    return replace(terms, insured_first_name=parts[0], insured_last_name=parts[1])
