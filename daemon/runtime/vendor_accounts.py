"""Accounts with a vendor: practices that share one share its limits."""

from __future__ import annotations

from pathlib import Path

from daemon.config import Config
from events.ids import PracticeId


def accounts(config: Config, beside: Path) -> dict[PracticeId, str]:
    """Practices that share an account with a vendor, and so its limits: each with the first of their ids."""
    first: dict[tuple[str, str], PracticeId] = {}
    leader: dict[PracticeId, PracticeId] = {}
    for one in sorted(config.practice, key=lambda one: one.id):
        practice = leader[PracticeId(one.id)] = PracticeId(one.id)
        for section in (one.ehr, one.billing):
            if (account := section.account(beside)) is None:
                continue
            other = leader[first.setdefault((section.system.prefix, account), practice)]
            low, high = sorted((other, leader[practice]))
            leader = {each: low if its == high else its for each, its in leader.items()}
    return {each: its for each, its in leader.items() if its != each}
