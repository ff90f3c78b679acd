"""Three-way merge of demographics (DESIGN section 3), field by field, on canonical values.

base = the value at the last agreement. Only one side changed: it wins. Both changed to the same: agreed. Both changed
differently: conflict; the practice's preference decides. Without a base (a first link) the side that has a value wins over
the side that has none; two different values are a conflict.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from events.schema import FieldConflict
from events.writes import System
from projections.fields import NAMES, same
from projections.policy import Direction


@dataclass
class Reconciled:
    """What each side has to be told, what both came to agree on by themselves, and the conflicts decided on the way."""

    to_elation: dict[str, str] = field(default_factory=dict)
    to_kareo: dict[str, str] = field(default_factory=dict)
    agreed: dict[str, str] = field(default_factory=dict)
    conflicts: list[FieldConflict] = field(default_factory=list)


def reconcile(
    elation: dict[str, str],
    kareo: dict[str, str],
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
        here, there, before = elation[name], kareo[name], base.get(name)
        if here == there == before:
            continue
        if same(name, here, there):
            if before is None or not same(name, before, there):
                result.agreed[name] = there
            continue
        winner = _winner(name, here, there, before, preference, direction)
        if winner is System.ELATION:
            result.to_kareo[name] = here
        else:
            result.to_elation[name] = there
        if direction is Direction.BOTH and _conflict(name, here, there, before):
            result.conflicts.append(FieldConflict(field=name, base=before, elation=here, kareo=there, winner=winner))
    return result


def _winner(name: str, here: str, there: str, before: str | None, preference: System, direction: Direction) -> System:
    if direction is Direction.TO_ELATION:
        return System.KAREO
    if direction is Direction.TO_KAREO:
        return System.ELATION
    if before is None:
        return preference if here and there else System.ELATION if here else System.KAREO
    if same(name, here, before):
        return System.KAREO
    if same(name, there, before):
        return System.ELATION
    return preference


def _conflict(name: str, here: str, there: str, before: str | None) -> bool:
    if before is None:
        return bool(here and there)
    return not same(name, here, before) and not same(name, there, before)
