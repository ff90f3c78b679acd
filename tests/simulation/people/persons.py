"""Who they are: somebody invented for each registration."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

FIRST = [
    "Alma",
    "Bruno",
    "Carla",
    "Dmitri",
    "Elena",
    "Farid",
    "Greta",
    "Hassan",
    "Iris",
    "Jonas",
    "Kiran",
    "Lucia",
    "Mateo",
    "Nadia",
    "Oscar",
    "Petra",
    "Quentin",
    "Rosa",
]
LAST = [
    "Abernathy",
    "Bellweather",
    "Castellano",
    "Drummond",
    "Eisenhart",
    "Fairbanks",
    "Goldwater",
    "Hollister",
    "Ingleby",
    "Jaworski",
    "Kowal",
]
SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "ri",
    "so",
    "tu",
    "va",
    "we",
    "xi",
    "yo",
    "zu",
]
CITIES = ("Silverpine", "Larkspur", "Redstone", "Cedar Falls", "Juniper")


def person(pick: random.Random) -> dict[str, Any]:
    """Somebody invented: no two are likely to be taken for one another."""
    syllables = "".join(pick.choice(SYLLABLES) for _ in range(3))
    last = pick.choice(LAST) + syllables
    number = pick.randrange(1000, 9999)
    return {
        "first_name": pick.choice(FIRST) + pick.choice(SYLLABLES),
        "last_name": last,
        "middle_name": pick.choice(("", "Q")),
        "birth_date": date(1940 + pick.randrange(80), 1 + pick.randrange(12), 1 + pick.randrange(28)),
        "sex": pick.choice(("Female", "Male", "Female", "Male", "Unknown")),
        "mobile": f"303555{number}",
        "home": pick.choice(("", f"720555{number}")),
        "email": pick.choice(("", f"{last.lower()}@mail.example")),
        "mail": f"{last.lower()}.{number}@mail.example",
        "street": f"{number} Juniper Terrace",
        "city": pick.choice(CITIES),
        "state": "CO",
        "zip": f"80{number % 1000:03d}",
    }
