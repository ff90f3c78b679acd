"""Poisoned days: what one record, one message, one row or one practice is spoilt with, drawn apart from all other seeds.

Everything befalls the practice `HIT`. The other one has a calm day, whose changes have to be written in time all the same.
"""

from __future__ import annotations

import random

from tests.simulation.plan import DAY_ENDS, DEEDS, HOUR, Deed, Plan, Trouble, drawn

FROM = 20_001
"""The first seed of a poisoned day."""

HIT, OTHER = 0, 1
"""The offices."""

POISONS: dict[str, int] = {
    "a record of Elation is spoilt": 5,
    "a record of Kareo is spoilt": 5,
    "a list of Elation never ends": 2,
    "the answers of Elation are broken": 2,
    "the answers of Kareo are broken": 2,
    "Kareo has unexpected errors": 3,
    "messages come that nobody can read": 4,
    "a stored document is damaged": 3,
    "a stored event is damaged": 2,
    "PostgreSQL is read-only": 3,
    "PostgreSQL is out of connections": 3,
    "PostgreSQL cancels statements": 3,
    "the keys are missing": 2,
}
"""By kind: how often, against the others. `poisons.py` carries them out."""

OF_ALL = frozenset({"PostgreSQL is read-only", "PostgreSQL is out of connections"})
"""What befalls both practices, and nobody's changes while it lasts."""

EXPECTED: dict[str, frozenset[str]] = {
    "messages come that nobody can read": frozenset({"message_unreadable"}),
    "a stored document is damaged": frozenset({"batch_not_folded", "practice_failed"}),
    "a stored event is damaged": frozenset({"practice_failed"}),
    "the keys are missing": frozenset({"practice_failed", "pass_failed_by_defect", "message_unreadable"}),
}
"""By kind: what the daemon says then, which would be a defect on any other day."""

CALM = (
    "registers a patient in Elation",
    "enters a policy in Kareo",
    "books an appointment in Kareo",
    "moves an appointment in Kareo",
    "signs a note in Elation",
)
PACE = {"elation pace": {"catch_up_seconds": 240.0}, "kareo pace": {"poll_seconds": 240.0}}


def plan_of(seed: int) -> Plan:
    """The plan of any seed."""
    return drawn(seed) if seed < FROM else poisoned(seed)


def poisoned(seed: int) -> Plan:
    """The practice `HIT` has a day as any other, with poison and without other troubles; `OTHER` has a calm one."""
    pick = random.Random(f"{seed}/poison")
    people = [kind for kind in DEEDS if kind.startswith("registers")]
    deeds = [_deed(pick, HIT, kind, 0.5 * HOUR) for kind in people]
    deeds += [_deed(pick, OTHER, "registers a patient in Kareo", 0.1 * HOUR) for _ in range(2)]
    deeds += [_deed(pick, OTHER, pick.choice(CALM), DAY_ENDS) for _ in range(6)]
    kinds = pick.choices(tuple(DEEDS), weights=tuple(DEEDS.values()), k=pick.randint(10, 25))
    deeds += [_deed(pick, HIT, kind, DAY_ENDS) for kind in kinds]
    poisons = [_poison(pick) for _ in range(pick.choice((1, 1, 2, 3)))]
    return Plan(
        seed=seed,
        deeds=tuple(sorted(deeds, key=lambda one: one.at)),
        poisons=tuple(sorted(poisons, key=lambda one: one.at)),
        settings=PACE,
    )


def expected(plan: Plan) -> frozenset[str]:
    """What the daemon may say on this day."""
    return frozenset().union(*(EXPECTED.get(one.kind, frozenset()) for one in plan.poisons))


def _deed(pick: random.Random, office: int, kind: str, until: float) -> Deed:
    return Deed(at=pick.uniform(0.0, until), office=office, kind=kind, pick=pick.randrange(1_000_000))


def _poison(pick: random.Random) -> Trouble:
    kind = pick.choices(tuple(POISONS), weights=tuple(POISONS.values()))[0]
    lengths = (60.0, 600.0) if kind in OF_ALL else (0.5 * HOUR, 2.5 * HOUR)
    return Trouble(
        at=pick.uniform(0.6 * HOUR, DAY_ENDS - 3 * HOUR),
        seconds=pick.uniform(*lengths),
        kind=kind,
        pick=pick.randrange(1_000_000),
    )
