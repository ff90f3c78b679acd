"""What is typed where nobody knows a number: the one table of phones and SSNs that stand for none.

Matching counts them as absent, and nothing of them is written into the other system (`codecs`, `rules/policies`).
"""

from __future__ import annotations

TYPED_THROUGH = "123456789"
FORMS_SSN = frozenset(("987654321", "078051120", "219099999", "123121234"))
"""Numbers of advertisements and forms."""
TYPED_PHONES = frozenset(("1234567890", "0123456789"))
LOCAL = 7
"""Digits of a phone without its area."""


def is_no_phone(digits: str) -> bool:
    """Whether a phone's digits are a pattern: one digit again and again, two digits only, or typed through."""
    local = digits[-LOCAL:]
    return len(set(local)) == 1 or len(set(digits)) <= 2 or digits in TYPED_PHONES or local == TYPED_THROUGH[:LOCAL]


def is_no_ssn(digits: str) -> bool:
    """Whether nine digits are no SSN: never given by the Social Security Administration, of a form, or a pattern."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    never = area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000"
    return never or digits in FORMS_SSN or _is_typed_through(digits)


def _is_typed_through(ssn: str) -> bool:
    """123-45-6789 and its like, one or two digits only, a pattern again and again."""
    groups = (ssn[:3], ssn[3:5], ssn[5:])
    return (
        _is_nearly(ssn, TYPED_THROUGH)
        or len(set(ssn)) < 3
        or all(len(set(group)) == 1 for group in groups)
        or ssn in (ssn[:3] * 3, ssn[:4] * 2 + ssn[0])
    )


def _is_nearly(one: str, other: str) -> bool:
    """The same, with one digit wrong or two neighbours swapped."""
    wrong = [at for at, (here, there) in enumerate(zip(one, other, strict=True)) if here != there]
    if len(wrong) < 2:
        return True
    first, last = wrong[0], wrong[-1]
    return len(wrong) == 2 and last == first + 1 and (one[first], one[last]) == (other[last], other[first])
