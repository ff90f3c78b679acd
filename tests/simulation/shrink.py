"""From a seed that fails to a short story: deeds and troubles are left out as long as it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.plan import Plan
from tests.simulation.run import Verdict

T = TypeVar("T")


def told(verdict: Verdict) -> str:
    """The story and what is wrong with its end."""
    lines = list(verdict.plan.story)
    for invariant, texts in verdict.broken.items():
        lines += [f"  {invariant}: {text}" for text in texts[:5]]
    return "\n".join([*lines, f"Replay: pytest tests/simulation --seed {verdict.plan.seed}"])


def shortest(verdict: Verdict, again: Callable[[Plan], Verdict], tries: int = 200) -> Verdict:
    """The verdict of the shortest plan found that violates one of the same invariants."""
    wanted = set(verdict.broken)

    def falls(plan: Plan) -> Verdict | None:
        nonlocal tries
        tries -= 1
        found = again(plan)
        return found if wanted & set(found.broken) else None

    size = max(len(verdict.plan.deeds), len(verdict.plan.troubles))
    while size and tries > 0:
        shorter = next(
            (found for plan in _without(verdict.plan, size) if tries > 0 and (found := falls(plan)) is not None), None
        )
        if shorter is not None:
            verdict = shorter
            size = min(size, max(len(verdict.plan.deeds), len(verdict.plan.troubles)))
        else:
            size //= 2
    return verdict


def _without(plan: Plan, size: int) -> list[Plan]:
    """The plan without each run of `size` troubles, of poisons, then of deeds."""
    return [
        *(replace(plan, troubles=left) for left in _left(plan.troubles, size)),
        *(replace(plan, poisons=left) for left in _left(plan.poisons, size)),
        *(replace(plan, deeds=left) for left in _left(plan.deeds, size)),
    ]


def _left(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    return [(*items[:at], *items[at + size :]) for at in range(0, len(items), size)]
