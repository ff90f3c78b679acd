"""Three-way merge of demographics, field by field, on canonical values (guide: Demographics).

base = the value at the last agreement. Only one side changed: it wins. Both changed to the same: agreed. Both changed
differently: conflict; the practice's preference decides. Without a base (a first link) the side that has a value wins over
the side that has none; two different values are a conflict.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from events.schema import FieldConflict
from events.writes import System
from projections.rules.fields import BY_NAME, NAMES
from projections.terms.policy import Direction


@dataclass
class Reconciled:
    """What each side has to be told, what both came to agree on by themselves, and the conflicts decided on the way."""

    to_ehr: dict[str, str] = field(default_factory=dict)
    to_billing: dict[str, str] = field(default_factory=dict)
    agreed: dict[str, str] = field(default_factory=dict)
    conflicts: list[FieldConflict] = field(default_factory=list)


def reconcile(
    ehr: dict[str, str],
    billing: dict[str, str],
    base: dict[str, str],
    preference: System,
    direction: Direction,
    *,
    skip: Collection[str] = (),
) -> Reconciled:
    """Merge two views of one person but for the fields to `skip`. In a one-way direction the leading side always wins."""
    result = Reconciled()
    for name in NAMES:
        if name in skip:
            continue
        here, there, before = ehr[name], billing[name], base.get(name)
        if here == there == before:
            continue
        key = BY_NAME[name].codec.key
        ours, theirs, base_key = key(here), key(there), None if before is None else key(before)
        if ours == theirs:
            if base_key != theirs:
                result.agreed[name] = there
            continue
        both_changed = bool(here and there) if base_key is None else base_key not in (ours, theirs)
        if direction is not Direction.BOTH:
            winner = System.BILLING if direction is Direction.TO_EHR else System.EHR
        elif both_changed:
            winner = preference
            result.conflicts.append(FieldConflict(field=name, base=before, ehr=here, billing=there, winner=winner))
        else:
            ours_alone = bool(here) if base_key is None else base_key == theirs
            winner = System.EHR if ours_alone else System.BILLING
        if winner is System.EHR:
            result.to_billing[name] = here
        else:
            result.to_ehr[name] = there
    return result
