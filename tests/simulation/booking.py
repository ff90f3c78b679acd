"""Days of a practice that has the extension on: its appointments go from Elation to Kareo (projections/rules/bookings.py)."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from projections.terms.policy import DeletedAppointment, Direction
from tests.simulation.plan import DAY_ENDS, HOUR, Deed, Plan, Trouble, both_ways

IN_CALENDAR: dict[str, int] = {
    "books an appointment in Elation": 10,
    "books a series in Elation": 2,
    "enters an appointment in both": 2,
    "moves an appointment in Elation": 5,
    "changes an appointment in Elation": 5,
    "changes the status of an appointment in Elation": 6,
    "cancels an appointment in Elation": 3,
    "deletes an appointment in Elation": 3,
    "changes a series from here on in Elation": 1,
    "gives an appointment to another patient in Elation": 1,
    "writes into the notes of a booking in Kareo": 2,
    "reminds the patient of a booking in Kareo": 2,
}
ANSWERS: dict[str, tuple[Any, ...]] = {
    "absent_erases_appointment": (False,),
    "absent_status_in_update": ("kept",),
    "appointment_notes_width": (255,),
    "appointment_list_lag_seconds": (30.0,),
    "appointment_times_without_zone": ("server_zone",),
    "delete_twice": ("ok_false", "ok_true"),
}
"""The other answers to Kareo's open questions about appointments."""


def booking(seed: int) -> Plan:
    """The plan of a seed with insurance in both systems, where the first practice books Elation's appointments in Kareo."""
    plan = both_ways(seed)
    pick = random.Random(f"{seed}/booking")
    deeds = [
        Deed(at=pick.uniform(0.0, DAY_ENDS), office=0, kind=kind, pick=pick.randrange(1_000_000))
        for kind in pick.choices(tuple(IN_CALENDAR), weights=tuple(IN_CALENDAR.values()), k=pick.randint(10, 30))
    ]
    lost = [
        Trouble(
            at=pick.uniform(0.0, DAY_ENDS),
            seconds=pick.choice((0.5, 1.0, 2.0)) * HOUR,
            kind="requests to Kareo fail",
            share=pick.choice((0.1, 0.3)),
            pick=pick.randrange(1_000_000),
        )
        for _ in range(pick.choice((0, 1, 2, 3)))
    ]
    rules = {"appointment": Direction.TO_BILLING, "deleted_appointment": pick.choice(tuple(DeletedAppointment))}
    kareo = {name: pick.choice(values) for name, values in ANSWERS.items() if pick.random() < 0.3}
    settings: dict[str, Any] = {**plan.settings, "books": ("elm",)}
    settings["rules of elm"] = {**plan.settings["rules of elm"], **rules}
    settings["kareo"] = {**plan.settings["kareo"], **kareo}
    return replace(
        plan,
        deeds=tuple(sorted((*plan.deeds, *deeds), key=lambda one: one.at)),
        troubles=tuple(sorted((*plan.troubles, *lost), key=lambda one: one.at)),
        settings=settings,
    )
