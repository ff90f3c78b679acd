"""The public FEBRL sets: A is all originals, B for each person that has one the lowest-numbered duplicate."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

from projections.matching import Person
from tests.matching.lists import Lists

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "febrl"


def is_there() -> bool:
    return FOLDER.is_dir()


def febrl(number: int) -> Lists:
    """One of the sets 1, 2, 3."""
    originals: dict[str, Person] = {}
    lowest: dict[str, tuple[int, Person]] = {}
    with (FOLDER / f"dataset{number}.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            _, person, kind, *copy = row["rec_id"].split("-")
            if kind == "org":
                originals[person] = _person(row)
            elif person not in lowest or int(copy[0]) < lowest[person][0]:
                lowest[person] = (int(copy[0]), _person(row))
    truth = {(originals[person].id, copied.id) for person, (_, copied) in lowest.items()}
    return Lists(left=list(originals.values()), right=[one for _, one in lowest.values()], truth=truth)


def _person(row: dict[str, str]) -> Person:
    return Person(
        id=row["rec_id"],
        first_name=row["given_name"],
        last_name=row["surname"],
        birth_date=_date(row["date_of_birth"]),
        address1=f"{row['street_number']} {row['address_1']}".strip(),
        address2=row["address_2"],
        city=row["suburb"],
        state=row["state"],
        zip=row["postcode"],
    )


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
