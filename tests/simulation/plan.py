"""What a seed means: how the practice is set up, what people do and when, and what goes wrong; all drawn before it begins.

Deeds and troubles are values that stand for themselves: any of them can be left out and the others mean the same, which is
what a failing story is shrunk by. `pick` is what a deed draws its particulars from.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from events.writes import System
from projections.terms.policy import Direction, RemovedPolicy
from tests.simulation.clock import BEGINNING

HOUR = 3600.0
DAY_ENDS = 6 * HOUR

DEEDS: dict[str, int] = {
    "registers a patient in Kareo": 10,
    "registers a patient in Elation": 10,
    "registers one person in both systems": 3,
    "edits a patient in Kareo": 12,
    "edits a chart in Elation": 12,
    "edits the same person on both sides": 5,
    "edits the first patient's city in Kareo": 5,
    "edits the first patient's city in Elation": 5,
    "saves a patient in Kareo without a change": 2,
    "saves a chart in Elation without a change": 2,
    "rearranges the phones of a chart in Elation": 5,
    "enters a policy in Kareo": 8,
    "edits a policy in Kareo": 4,
    "inactivates a policy in Kareo": 2,
    "opens a new primary case in Kareo": 2,
    "inactivates a case in Kareo": 1,
    "edits the address of a plan in Kareo": 1,
    "books an appointment in Kareo": 10,
    "moves an appointment in Kareo": 5,
    "changes an appointment's reason or provider in Kareo": 4,
    "cancels an appointment in Kareo": 3,
    "deletes an appointment in Kareo": 2,
    "books a cancelled appointment again in Kareo": 1,
    "signs a note in Elation": 10,
    "signs a note with a delayed bill in Elation": 3,
    "signs a note with a faulty bill in Elation": 4,
    "releases a delayed bill in Elation": 3,
    "corrects and sends a bill again in Elation": 5,
    "deletes a chart in Elation": 1,
    "restores a deleted chart in Elation": 2,
    "merges two charts in Elation": 1,
    "deletes a patient in Kareo": 1,
}
"""By kind: how often, against the others. `people/` carries them out."""

MORE_DEEDS: dict[str, int] = {
    "merges two patients in Kareo": 2,
    "asks to read a patient again": 2,
    "retries what was refused": 1,
    "marks conflicts as seen": 1,
    "makes the webhooks' subscriptions give new keys": 1,
}
"""Drawn apart from the others, so that the seeds of before mean what they meant, and a little more."""

IN_ELATION: dict[str, int] = {
    "enters a policy in Elation": 8,
    "edits a policy in Elation": 8,
    "makes a policy historical in Elation": 2,
    "swaps two ranks in Elation": 2,
    "enters one primary in both systems": 2,
}
"""Where insurance goes both ways; drawn apart, too."""

COMMANDS: dict[str, int] = {
    "unlinks two charts": 4,
    "links two charts of one person": 5,
    "accepts what waits": 3,
    "sends a failed bill again": 2,
    "retries what was refused": 1,
}
"""At the command line; these too are drawn apart."""

HASTY: tuple[str, ...] = (
    "edits the first patient's city in Kareo",
    "edits the first patient's city in Elation",
    "asks to read the first patient again",
)
SECOND_THOUGHTS: tuple[str, ...] = (
    *COMMANDS,
    "unlinks two charts",
    "links two charts of one person",
    "links two charts of one person",
    "edits a patient in Kareo",
    "edits a chart in Elation",
    "books an appointment in Kareo",
    "moves an appointment in Kareo",
    "enters a policy in Kareo",
    "signs a note in Elation",
    "deletes a chart in Elation",
    "restores a deleted chart in Elation",
    "merges two charts in Elation",
)
HURRIED: tuple[tuple[str, ...], ...] = (
    (
        "enters a policy in Kareo",
        "edits a policy in Kareo",
        "inactivates a policy in Kareo",
        "opens a new primary case in Kareo",
        "inactivates a case in Kareo",
        "edits the address of a plan in Kareo",
        "asks to read a patient again",
    ),
    (
        "books an appointment in Kareo",
        "moves an appointment in Kareo",
        "changes an appointment's reason or provider in Kareo",
        "cancels an appointment in Kareo",
        "deletes an appointment in Kareo",
        "books a cancelled appointment again in Kareo",
        "asks to read a patient again",
    ),
    (
        "signs a note in Elation",
        "signs a note with a delayed bill in Elation",
        "signs a note with a faulty bill in Elation",
        "releases a delayed bill in Elation",
        "corrects and sends a bill again in Elation",
        "opens a new primary case in Kareo",
        "inactivates a case in Kareo",
        "retries what was refused",
    ),
    (
        "registers a patient in Elation",
        "registers one person in both systems",
        "books an appointment in Kareo",
        "signs a note in Elation",
        "enters a policy in Kareo",
        "deletes a chart in Elation",
        "restores a deleted chart in Elation",
        "merges two charts in Elation",
        "merges two patients in Kareo",
        "deletes a patient in Kareo",
    ),
)
"""What is done in a burst: insurance, the calendar, the bills, or who is who."""

DOUBLED: dict[str, int] = {"registers one person in both systems, misspelt": 1}
DOUBLES: dict[str, int] = {
    "registers one person in both systems, misspelt": 2,
    "registers somebody again in Kareo": 3,
    "registers somebody again in Elation": 3,
    "enters a married name in Kareo": 1,
    "enters a married name in Elation": 1,
    "merges a double entry in Kareo": 1,
    "merges a double entry in Elation": 1,
}
"""Who is who, drawn apart as well: people who come again."""

VENDOR_TROUBLES = ("refused", "lost", "unanswered", "cut_before", "cut_after", "status", "garbage", "half")
TROUBLES: dict[str, int] = {
    "requests to Elation fail": 5,
    "requests to Kareo fail": 5,
    "Kareo answers with faults": 2,
    "Kareo finds the calls too many": 2,
    "Elation finds the calls too many": 2,
    "Elation is down": 2,
    "Kareo is down": 2,
    "webhooks are lost": 2,
    "webhooks come twice": 1,
    "webhooks come late": 2,
    "webhooks come in disorder": 1,
    "the tokens of Elation expire": 1,
    "the credential of Elation is withdrawn": 1,
    "a worker is killed": 4,
    "a worker is suspended": 3,
    "PostgreSQL is away": 2,
    "PostgreSQL loses connections": 3,
    "Kafka is away": 2,
    "Kafka loses everything": 1,
}


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What somebody does: `at` seconds from the beginning, at the office of this number."""

    at: float
    office: int
    kind: str
    pick: int

    def __str__(self) -> str:
        return f"{clock(self.at)} somebody at {('Elm Street', 'Oak Hill')[self.office]} {self.kind} (pick {self.pick})"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What goes wrong from `at` for `seconds`. `share` of the requests meet it, `pick` decides which and how."""

    at: float
    seconds: float
    kind: str
    share: float = 1.0
    pick: int = 0

    def __str__(self) -> str:
        how = f", {self.share:.0%} of them" if self.share < 1 else ""
        return f"{clock(self.at)} {self.kind} for {self.seconds:.0f} s{how} (pick {self.pick})"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One history to be. `settings` go to the sandboxes' switches and the configuration, by section."""

    seed: int
    deeds: tuple[Deed, ...]
    troubles: tuple[Trouble, ...] = ()
    poisons: tuple[Trouble, ...] = ()
    workers: int = 2
    offices: int = 2
    ends: float = DAY_ENDS
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def story(self) -> list[str]:
        """The plan in sentences, in the order of time."""
        found: list[Deed | Trouble] = [*self.deeds, *self.troubles, *self.poisons]
        head = [f"Seed {self.seed}: {self.workers} workers, {self.offices} practices."]
        head += [f"Set: {section}: {values}" for section, values in self.settings.items() if values]
        return head + [str(one) for one in sorted(found, key=lambda one: one.at)]


def clock(seconds: float) -> str:
    """Virtual time as a clock in the practice shows it (UTC)."""
    return f"{BEGINNING + timedelta(seconds=seconds):%a %H:%M:%S}"


def drawn(seed: int) -> Plan:
    """The plan of a seed."""
    pick = random.Random(f"{seed}/plan")
    more = random.Random(f"{seed}/more")
    deeds = [*_early(pick, 2), *(_deed(pick) for _ in range(pick.randint(15, 40)))]
    deeds += [_deed(more, kinds=MORE_DEEDS) for _ in range(more.randint(0, 4))]
    commands = random.Random(f"{seed}/commands")
    deeds += [_deed(commands, kinds=COMMANDS) for _ in range(commands.choice((0, 2, 4, 8)))]
    doubles = random.Random(f"{seed}/doubles")
    for kinds in (DOUBLED, DOUBLES):
        deeds += [_deed(doubles, kinds=kinds) for _ in range(doubles.choice((0, 2, 4, 8)))]
    deeds += _haste(commands, (SECOND_THOUGHTS,))
    deeds += _haste(random.Random(f"{seed}/haste"), (HASTY,))
    deeds += _haste(random.Random(f"{seed}/hurry"), HURRIED)
    troubles = [_trouble(pick) for _ in range(pick.choice((0, 2, 4, 6, 8, 10)))]
    return Plan(
        seed=seed,
        deeds=tuple(sorted(deeds, key=lambda one: one.at)),
        troubles=tuple(sorted(troubles, key=lambda one: one.at)),
        settings=_settings(pick),
    )


def both_ways(seed: int) -> Plan:
    """The plan of a seed where the first practice has the profile elation-led and enters insurance in both systems."""
    plan = drawn(seed)
    pick = random.Random(f"{seed}/both ways")
    deeds = [_deed(pick, offices=1, kinds=IN_ELATION) for _ in range(pick.randint(6, 20))]
    settings = {name: values for name, values in plan.settings.items() if name != "rules of elm"}
    rules = {"removed_policy": pick.choice(tuple(RemovedPolicy)), "insurance_preference": pick.choice(tuple(System))}
    settings |= {"profiles": {"elm": "elation-led"}, "rules of elm": rules}
    settings["elation"] = {name: one for name, one in settings["elation"].items() if name != "policy_event"}
    return replace(plan, deeds=tuple(sorted((*plan.deeds, *deeds), key=lambda one: one.at)), settings=settings)


def quiet(seed: int, deeds: int = 12) -> Plan:
    """A day without trouble for one practice and one worker."""
    pick = random.Random(f"{seed}/quiet")
    drawn = [*_early(pick, 1), *(_deed(pick, offices=1) for _ in range(deeds))]
    return Plan(seed=seed, deeds=tuple(sorted(drawn, key=lambda one: one.at)), workers=1, offices=1)


def outage(seed: int, system: str, hours: float = 24.0) -> Plan:
    """A vendor that is down for a day, while people go on working in both products (as far as theirs is a browser's)."""
    pick = random.Random(f"{seed}/outage/{system}")
    ends = (hours + 2) * HOUR
    deeds = [*_early(pick, 2), *(_deed(pick, until=ends) for _ in range(60))]
    down = Trouble(at=HOUR, seconds=hours * HOUR, kind=f"{system} is down", pick=seed)
    return Plan(seed=seed, deeds=tuple(sorted(deeds, key=lambda one: one.at)), troubles=(down,), ends=ends)


def _early(pick: random.Random, offices: int) -> list[Deed]:
    """Who is there when the day begins."""
    kinds = [kind for kind in DEEDS if kind.startswith("registers")]
    return [
        Deed(at=pick.uniform(0.0, 0.5 * HOUR), office=office, kind=kind, pick=pick.randrange(1_000_000))
        for office in range(offices)
        for kind in kinds
    ]


def _haste(pick: random.Random, bursts: tuple[tuple[str, ...], ...]) -> list[Deed]:
    """Now and then one kind of thing is done again and again, faster than it can travel."""
    if pick.random() < 0.6:
        return []
    kinds = pick.choice(bursts) if len(bursts) > 1 else bursts[0]
    office, at, pace = pick.randrange(2), pick.uniform(0.5 * HOUR, DAY_ENDS), pick.choice((0.1, 1.0, 15.0, 120.0, 600.0))
    steps = [(step, pick.choice(kinds), pick.uniform(0.5, 1.5)) for step in range(pick.randint(4, 16))]
    return [
        Deed(at=at + pace * step * lag, office=office, kind=kind, pick=pick.randrange(1_000_000))
        for step, kind, lag in steps
    ]


def _deed(pick: random.Random, offices: int = 2, until: float = DAY_ENDS, kinds: dict[str, int] = DEEDS) -> Deed:
    kind = pick.choices(tuple(kinds), weights=tuple(kinds.values()))[0]
    return Deed(at=pick.uniform(0.0, until), office=pick.randrange(offices), kind=kind, pick=pick.randrange(1_000_000))


def _trouble(pick: random.Random) -> Trouble:
    kind = pick.choices(tuple(TROUBLES), weights=tuple(TROUBLES.values()))[0]
    lengths = (20.0, 120.0, 600.0, 1 * HOUR, 3 * HOUR)
    seconds = pick.choice(lengths[:2] if kind.startswith("PostgreSQL") else lengths) * pick.uniform(0.5, 1.5)
    return Trouble(
        at=pick.uniform(0.0, DAY_ENDS),
        seconds=seconds,
        kind=kind,
        share=pick.choice((0.05, 0.2, 0.5, 1.0)),
        pick=pick.randrange(1_000_000),
    )


SWITCHES: dict[str, dict[str, tuple[Any, ...]]] = {
    "kareo": {
        "policy_edits_modify_patient": (True,),
        "self_policies_empty": (False,),
        "insured_gender_letters": (True,),
        "deleted_appointment": ("marked",),
        "unknown_patient": ("empty", "refused"),
        "phantom_rows": (False,),
        "name_filters": ("prefix", "contains"),
        "security_on_errors": (False,),
        "iso_birth_dates": (True,),
        "unknown_members": (True,),
    },
    "elation": {
        "token_seconds": (600.0, 3600.0),
        "default_page": (3,),
        "next_without_slash": (True,),
        "lists_omit_deleted_charts": (False,),
        "lists_omit_deleted": (False,),
        "untidy_dates": (False,),
        "redirect_form": ("path",),
        "duplicates_ignore_sex": (True,),
        "deleted_chart_get": ("visible",),
        "merged_chart_get": ("gone", "moved"),
        "merge_deletes": (False,),
        "merged_action": ("deleted",),
        "phone_digits_only": (False,),
        "replaced_entries_stay": (True,),
        "metadata_merges": (True,),
        "policy_touches_chart": (False,),
        "policy_event": ("all", "none"),
        "deactivated_rank_cleared": (False,),
        "release_clears_deferred": (False,),
        "application_id_form": ("number",),
        "deleted_data": ("id",),
        "saved_per_action": (2,),
    },
}
"""The answers to the vendors' open questions that are tried besides the likeliest."""

RULES: tuple[dict[str, Any], ...] = (
    {"demographics": Direction.TO_EHR},
    {"demographics": Direction.TO_BILLING},
    {"demographics": Direction.OFF},
    {"chart": Direction.TO_EHR},
    {"chart": Direction.TO_BILLING},
    {"insurance": Direction.OFF},
    {"appointment": Direction.OFF},
    {"bill": Direction.OFF},
    {"preference": System.EHR},
    {"encounter_status": "Submitted"},
)


def _settings(pick: random.Random) -> dict[str, dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {
        system: {name: pick.choice(values) for name, values in switches.items() if pick.random() < 0.1}
        for system, switches in SWITCHES.items()
    }
    settings["skew"] = {system: pick.choice((0, 0, -120, -30, 30, 120)) for system in ("elation", "kareo")}
    for practice in ("elm", "oak"):
        if pick.random() < 0.25:
            settings[f"rules of {practice}"] = pick.choice(RULES)
    return settings
