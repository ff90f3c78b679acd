"""How alike two values of one field are, in words that name no value."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """What a comparison of one field comes to; not every field knows every level."""

    EXACT = "same"
    NICKNAME = "nickname"
    MIDDLE_USED = "middle name used"
    PART = "one part of it"
    MOVED = "parts in another order"
    SWAPPED = "first and last name swapped"
    INITIAL = "initial"
    NEAR = "misspelt"
    SIMILAR = "similar"
    DAY_MONTH = "day and month swapped"
    DIGIT = "one digit"
    TWO_OF_THREE = "two of day, month and year"
    SHARED = "same, but shared by many"
    ONE_SIDED = "on one side only"
    PLACEHOLDER = "placeholder of a newborn"
    MISSING = "missing"
    OTHER = "other"


class Compared(StrEnum):
    """What is compared."""

    FIRST = "first name"
    MIDDLE = "middle name"
    LAST = "last name"
    SUFFIX = "suffix"
    BORN = "birth date"
    SEX = "sex"
    STREET = "street"
    LINE2 = "address line 2"
    CITY = "city"
    STATE = "state"
    ZIP = "zip"
    PHONE = "phone"
    EMAIL = "e-mail"
    SSN = "ssn"


L = Level
SAID = frozenset((L.EXACT, L.NICKNAME, L.MIDDLE_USED, L.PART, L.MOVED, L.SWAPPED))
"""The same name said another way; nobody mistyped anything."""

MISTYPED = frozenset((L.NEAR, L.SIMILAR, L.INITIAL))
DATE_MISTYPED = frozenset((L.DAY_MONTH, L.DIGIT, L.TWO_OF_THREE))
